"""Values of a checked configuration: axes, options, rules.

Nothing here reads, writes or starts anything. Durations are seconds, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from venvgrid.model.values import dataclass

VARIABLE_PREFIX = "env."  # of the axes that set an environment variable
EMPTY: Mapping[str, str] = MappingProxyType({})
PYTEST, EXIT_STATUS, JUNIT = "pytest", "exit-status", "junit:"  # of `test.reports`; a file follows the last


class AxisKind(StrEnum):
    """What a value of an axis changes about its cell; in the order of the parts of a cell's id."""

    PYTHON = "python"
    PLATFORM = "platform"
    DEPENDENCY = "dependency"
    VARIABLE = "variable"
    AS_OF = "as-of"
    RESOLUTION = "resolution"
    EXTRAS = "extras"

    @classmethod
    def of_axis(cls, name: str) -> AxisKind:
        """Return the kind of the axis with this name: a distribution unless the name is a special one."""
        if name.startswith(VARIABLE_PREFIX):
            return cls.VARIABLE
        return cls(name) if name in {*cls} - {cls.DEPENDENCY, cls.VARIABLE} else cls.DEPENDENCY


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A named list of values. `name` is as written: `python`, `matplotlib`, `env.MPLBACKEND`, `as-of`, and so on.

    An axis with a `policy` ("latest-minors:3") has no values until the policy is settled (see `resolving.policies`).
    """

    name: str
    kind: AxisKind
    values: tuple[str, ...]
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenPolicy:
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
    """`[install]`: `source_builds` names distributions that may be built from source although `only_binary` is set.

    With `pre_releases`, a pre-release is as good as any other release.
    """

    requires: tuple[str, ...] = ("pytest",)
    constraints: tuple[str, ...] = ()
    only_binary: bool = True
    source_builds: tuple[str, ...] = ("scandir",)
    pre_releases: bool = False
    as_of: str | None = None
    resolution: Resolution = Resolution.HIGHEST


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteOptions:
    """`[test]`: what runs in each cell. `timeout` and `grace_period` are seconds; `timeout` None means no limit."""

    before: tuple[tuple[str, ...], ...] = ()  # commands that run first, in the environment
    command: tuple[str, ...] = ("pytest",)
    working_directory: str = ""  # where the commands run: a folder, or one below "{tmp}"; "" for that of the project
    reports: str = "pytest"
    smoke: tuple[str, ...] = ()
    imports: str = ""  # "required", "noted", or "": required for the project, noted for axis packages
    timeout: float | None = 3600.0
    grace_period: float = 5.0
    retries: int = 0
    memory: int | None = None  # bytes
    coverage: bool = False  # whether the data files of all cells are combined
    pass_env: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=lambda: EMPTY)


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
    `skip_missing`: a cell whose interpreter is missing is no failure.
    """

    kind: str = "full"
    strength: int = 0
    budget: int = 0
    optimise: float = 0.0
    seed: int = 0
    baseline: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    must: tuple[Mapping[str, str], ...] = ()
    skip_missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that the configuration says, checked. `file` is where it stands, `root` the folder of that file."""

    file: Path
    root: Path
    axes: tuple[Axis, ...]
    project: ProjectOptions
    grid: str = ""  # the NAME of [grid.NAME]
    install: InstallOptions = field(default_factory=InstallOptions)
    test: SuiteOptions = field(default_factory=SuiteOptions)
    excludes: tuple[Rule, ...] = ()
    includes: tuple[Rule, ...] = ()
    strategy: str = "full"
    planning: Planning = field(default_factory=Planning)  # what the strategy means
    tiers: Mapping[str, str] = field(default_factory=lambda: EMPTY)  # [ci]: an expression or a strategy for each event
    digest: str = ""  # of the configuration's meaning: equal for equal values, whatever the layout of the file
