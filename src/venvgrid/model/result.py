"""Values of what became of tests and cells: outcomes, failures, attestations, results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType

from venvgrid.model.config import EMPTY
from venvgrid.model.environment import Interpreter
from venvgrid.model.plan import Status
from venvgrid.model.values import dataclass


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
    ELSEWHERE = "elsewhere"
    CANCELLED = "cancelled"

    @property
    def is_green(self) -> bool:
        """Whether the cell's tests ran and passed."""
        return self is Outcome.PASSED or self is Outcome.FLAKY  # of 100,000 cells, several times

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


OUTCOME_OF_STATUS = {
    Status.IMPOSSIBLE: Outcome.IMPOSSIBLE,
    Status.MISSING_INTERPRETER: Outcome.MISSING_INTERPRETER,
    Status.FAILED: Outcome.BUILD_FAILED,
    Status.ELSEWHERE: Outcome.ELSEWHERE,
}  # of a cell that is not tested


class CaseOutcome(StrEnum):
    """What became of one test."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"


_ORDER = (
    CaseOutcome.FAILED,
    CaseOutcome.ERROR,
    CaseOutcome.XPASSED,
    CaseOutcome.XFAILED,
    CaseOutcome.PASSED,
    CaseOutcome.SKIPPED,
)


def worst(one: CaseOutcome, other: CaseOutcome) -> CaseOutcome:
    """Return the worse of two outcomes of one test (pytest-xdist's `--dist each`); a skip counts least."""
    return min(one, other, key=_ORDER.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One test that failed, or whatever stopped its cell (then `test` is "")."""

    test: str
    kind: str  # the exception's class, "ValueError", or what stopped the cell, "SIGSEGV"
    message: str  # one line
    signature: str  # equal for the same failure in other cells: volatile parts are normalised
    duration: float = 0.0
    longrepr: str = ""
    hint: str = ""  # what to type, if the way out is known
    through: tuple[str, ...] = ()  # distributions that the exception names or its traceback passes, see `causes.blame`
    again: CaseOutcome | None = None  # of its test, when it ran once more by itself, see `app/repeating`


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """What a cell really ran, as seen from inside its environment while the tests ran."""

    python: str = ""  # "cpython 3.9.18 /path/of/the/environment/bin/python"
    packages: Mapping[str, str] = field(default_factory=lambda: EMPTY)  # of every dependency axis; "" when absent
    project_origin: str = ""  # the file that the project was imported from
    collected: int = 0
    seed: str = ""  # of a plugin that shuffles the tests


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What the tests of a cell did with files besides its inputs.

    `doubt` is why its result is not kept, or "". `read` maps further files that they opened to their contents (see
    `project.inputs`), "" if absent. `made` are files of the project that appeared while they ran, `wrote` inputs that
    they opened to write.
    """

    doubt: str = ""
    read: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    made: tuple[str, ...] = ()
    wrote: tuple[str, ...] = ()


_NOT_ATTESTED, _NO_FOOTPRINT = Attestation(), Footprint()


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
    resumed: str = ""  # the run that the result is of, where that did not finish and this one resumed it
    attempts: int = 0
    interpreter: Interpreter | None = None
    packages: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    durations: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # resolve, build, test
    tests: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # Verdict → number
    uncollected: int = 0  # files that pytest could not collect: they count as errors in `tests`, but are no tests
    failures: tuple[Failure, ...] = ()
    attested: Attestation = _NOT_ATTESTED
    notes: tuple[str, ...] = ()
    log: str = ""  # relative to the run's folder
    words: str = ""  # the resolver's own, of a cell that could not be resolved
    machine: str = ""  # the worker that tested it, of a run on several machines
    footprint: Footprint = _NO_FOOTPRINT
