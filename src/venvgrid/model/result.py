"""The nouns: immutable values that every other module speaks in.

Nothing here reads, writes or starts anything. Durations are seconds, sizes bytes, times ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})


class AxisKind(StrEnum):
    """What a value of an axis changes about its cell."""

    PYTHON = "python"
    DEPENDENCY = "dependency"
    VARIABLE = "variable"
    RESOLUTION = "resolution"
    AS_OF = "as-of"
    EXTRAS = "extras"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A named list of values. `name` is as written: `python`, `matplotlib`, `env.MPLBACKEND`, `as-of`, and so on.

    An axis with a `policy` ("latest-minors:3") has no values until the policy is settled (see `policies`).
    """

    name: str
    kind: AxisKind
    values: tuple[str, ...]
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """The values that a policy stood for when it was settled; `pre` is a pre-release that may fail, "" for none."""

    policy: str
    values: tuple[str, ...]
    pre: str = ""


class Resolution(StrEnum):
    """Which of the allowed versions a resolver prefers."""

    HIGHEST = "highest"
    LOWEST = "lowest"
    LOWEST_DIRECT = "lowest-direct"


class InstallMode(StrEnum):
    """How the project under test comes into an environment."""

    WHEEL = "wheel"
    EDITABLE = "editable"
    SDIST = "sdist"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectOptions:
    """`[project]`: `path` is absolute."""

    path: Path
    install: InstallMode = InstallMode.WHEEL
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallOptions:
    """`[install]`: `source_builds` names distributions that may be built from source although `only_binary` is set."""

    requires: tuple[str, ...] = ("pytest",)
    constraints: tuple[str, ...] = ()
    only_binary: bool = True
    source_builds: tuple[str, ...] = ("scandir",)
    as_of: str | None = None
    resolution: Resolution = Resolution.HIGHEST


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """`[test]`: what runs in each cell. `timeout` and `grace_period` are seconds; `timeout` None means no limit."""

    command: tuple[str, ...] = ("pytest",)
    reports: str = "pytest"
    smoke: tuple[str, ...] = ()
    timeout: float | None = 3600.0
    grace_period: float = 5.0
    retries: int = 0
    memory: int | None = None  # bytes
    coverage: bool = False  # whether the data files of all cells are combined
    pass_env: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An `[[exclude]]` or `[[include]]` entry: all of `keys` must match. A key may list several values: any.

    One that a grid has `inherited` was written for others too, and may match nothing.
    """

    path: str  # its key path in the file, e.g. "exclude[0]"
    keys: Mapping[str, tuple[str, ...]]
    allow_failure: bool = False
    labels: tuple[str, ...] = ()
    inherited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """`[plan]`: which combinations become cells. `kind` is "full", "cover", "one-at-a-time" or "corners".

    `strength` is that of "cover", else 0; `budget` the most cells, 0 for as many as it takes; `optimise` seconds to
    make them fewer; `must` combinations that are always in; `baseline` the values that "one-at-a-time" starts from.
    """

    kind: str = "full"
    strength: int = 0
    budget: int = 0
    optimise: float = 0.0
    seed: int = 0
    baseline: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    must: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that the configuration says, checked. `file` is where it stands, `root` the folder of that file."""

    file: Path
    root: Path
    axes: tuple[Axis, ...]
    project: ProjectOptions
    grid: str = ""  # the NAME of [grid.NAME]
    install: InstallOptions = field(default_factory=InstallOptions)
    test: RunOptions = field(default_factory=RunOptions)
    excludes: tuple[Rule, ...] = ()
    includes: tuple[Rule, ...] = ()
    strategy: str = "full"
    planning: Planning = field(default_factory=Planning)  # what the strategy means
    digest: str = ""  # of the configuration's meaning: equal for equal values, whatever the layout of the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One value of every axis, in the order of the axes. `id` is stable and safe in a shell and as a file name."""

    id: str
    axes: Mapping[str, str]
    allow_failure: bool = False
    named: bool = False  # an include asked for it by name: if it is impossible, that is a failure
    labels: tuple[str, ...] = ()  # that includes gave it, to select it by


class Status(StrEnum):
    """What the plan knows of a cell before it runs."""

    RUNNABLE = "runnable"
    IMPOSSIBLE = "impossible"
    MISSING_INTERPRETER = "missing-interpreter"
    EXCLUDED = "excluded"
    FAILED = "failed"  # it could not be found out: network, index, a build backend that fails


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """A cell and whether it will run; `reason` says why not."""

    cell: Cell
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """Values that cannot be together, as a resolver found, and why."""

    values: Mapping[str, str]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the cells of a plan cover, checked apart from what chose them: combinations of `strength` values.

    `feasible` can be, `covered` of them are in a cell; `infeasible` counts those that cannot be, by who says so;
    `missing` names combinations that can be and are in no cell (the first of them).
    """

    strength: int
    feasible: int
    covered: int
    infeasible: Mapping[str, int]
    missing: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The cells in order. `warnings` are about the plan as a whole (an exclude that matches nothing)."""

    cells: tuple[PlannedCell, ...]
    strategy: str = "full"
    warnings: tuple[str, ...] = ()
    certificate: Certificate | None = None
    learnt: tuple[Learnt, ...] = ()
    combinations: int = 0  # of the values of all axes, where not all of them are cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python that the machine has, as it described itself."""

    executable: str  # absolute; what environments are made from
    version: str  # "3.9.18", "3.14.0rc1"
    implementation: str  # "cpython", "pypy", "graalpy"
    free_threaded: bool
    debug: bool
    bits: int  # 32 or 64
    platform: str  # sysconfig.get_platform(): "linux-x86_64"
    cache_tag: str  # sys.implementation.cache_tag, "" on 2.7
    markers: Mapping[str, str]  # PEP 508 environment markers
    source: str  # where it was found: "pyenv", "uv", "PATH", …

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor version, e.g. (3, 9)."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One exact distribution of a lock. `hashes` are "sha256:…" of every file that may be installed for it."""

    name: str  # normalised, PEP 503
    version: str
    hashes: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()  # of the same files where the resolver told; never written into matrix.lock
    direct: str = ""  # the URL of a direct reference, which is written into matrix.lock
    uploaded: str = ""  # when the newest of the files was uploaded, where the index told


@dataclass(frozen=True, slots=True, kw_only=True)
class LockEntry:
    """What one environment holds besides the project. `key` is the digest of all of it."""

    key: str
    interpreter: Interpreter
    distributions: tuple[Distribution, ...]
    as_of: str = ""  # the cut-off that was applied, "" for none
    notes: tuple[str, ...] = ()  # e.g. that an era could not be applied on Python 2.7


class Outcome(StrEnum):
    """What became of a cell: exactly one each."""

    PASSED = "passed"
    FAILED = "failed"
    FLAKY = "flaky"
    CRASHED = "crashed"
    TIMED_OUT = "timed-out"
    NO_TESTS = "no-tests"
    MISMATCH = "mismatch"
    BROKEN_ENV = "broken-env"
    BUILD_FAILED = "build-failed"
    IMPOSSIBLE = "impossible"
    MISSING_INTERPRETER = "missing-interpreter"
    CANCELLED = "cancelled"

    @property
    def is_green(self) -> bool:
        """Whether the cell's tests ran and passed."""
        return self in {Outcome.PASSED, Outcome.FLAKY}

    @property
    def is_red(self) -> bool:
        """Whether the outcome is about the project's tests, and bad (exit status 1)."""
        return self in RED


RED = frozenset(
    {
        Outcome.FAILED,
        Outcome.CRASHED,
        Outcome.TIMED_OUT,
        Outcome.NO_TESTS,
        Outcome.MISMATCH,
        Outcome.BROKEN_ENV,
    },
)


class Verdict(StrEnum):
    """What became of one test."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One test that failed, or whatever stopped its cell (then `test` is "")."""

    test: str
    kind: str  # the exception's class, "ValueError", or what stopped the cell, "SIGSEGV"
    message: str  # one line
    signature: str  # equal for the same failure in other cells: volatile parts are normalised
    duration: float = 0.0
    longrepr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """What a cell really ran, as seen from inside its environment while the tests ran."""

    python: str = ""  # "cpython 3.9.18 /path/of/the/environment/bin/python"
    packages: Mapping[str, str] = field(default_factory=lambda: NOTHING)  # of every dependency axis; "" when absent
    project_origin: str = ""  # the file that the project was imported from
    collected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """All that is known of a finished cell; the value behind an entry of results.json."""

    id: str
    axes: Mapping[str, str]
    outcome: Outcome
    reason: str = ""
    allow_failure: bool = False
    named: bool = False
    cached: bool = False  # it is the result of an earlier run: nothing that it depends on has changed
    since: str = ""  # when that run started, ISO 8601 in UTC
    attempts: int = 0
    interpreter: Interpreter | None = None
    packages: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    durations: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # resolve, build, test
    tests: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # Verdict → number
    failures: tuple[Failure, ...] = ()
    attested: Attestation = field(default_factory=Attestation)
    notes: tuple[str, ...] = ()
    log: str = ""  # relative to the run's folder
