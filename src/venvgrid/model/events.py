"""What can happen in a run, in the order in which the engine says it.

An event is a frozen value of plain data; `serial` turns it into a line of `events.jsonl` and back. A reporter is any
callable that takes an event.
"""

from __future__ import annotations

from enum import StrEnum
from typing import get_args

from venvgrid.model.plan import Plan, Status
from venvgrid.model.result import CaseOutcome, CellResult
from venvgrid.model.values import dataclass

UNSTAMPED = -1.0  # until the loop sets the time of an event


class Stage(StrEnum):
    """What a cell is busy with."""

    RESOLVE = "resolve"
    BUILD = "build"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """First event. `plan` holds every cell, none of them resolved yet. `time` is ISO 8601 in UTC."""

    run: str
    time: str
    venvgrid: str
    config: str  # the configuration's file
    config_digest: str
    project: str
    project_version: str
    plan: Plan
    command: tuple[str, ...] = ()
    workers: int = 1
    grid: str = ""  # the NAME of [grid.NAME]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPlanned:
    """A cell was resolved, or cannot be. `at`: seconds since the run started, here and below; the loop sets it."""

    cell: str
    status: Status
    reason: str
    at: float = UNSTAMPED
    environment: str = ""  # the key of its lock entry


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted:
    """A worker began a stage of a cell."""

    cell: str
    stage: Stage
    at: float = UNSTAMPED
    worker: int = 0  # from 1: those that resolve and those that build and test are counted apart; 0 unknown
    machine: str = ""  # of a run on several machines


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress:
    """A stage of a cell takes its time: what is being downloaded or built."""

    cell: str
    stage: Stage
    text: str
    at: float = UNSTAMPED


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFinished:
    """A worker ended a stage of a cell."""

    cell: str
    stage: Stage
    at: float = UNSTAMPED
    duration: float
    detail: str = ""  # "reused", "built", …


@dataclass(frozen=True, slots=True, kw_only=True)
class TestsCollected:
    """The test runner of a cell knows how many tests it will run."""

    __test__ = False  # its name begins with Test: pytest is not to collect it

    cell: str
    collected: int
    at: float = UNSTAMPED


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFinished:
    """One test of a cell ended."""

    __test__ = False

    cell: str
    test: str
    verdict: CaseOutcome
    duration: float
    at: float = UNSTAMPED
    message: str = ""  # of a failure, one line
    kind: str = ""  # of a failure: the class of the exception
    signature: str = ""  # of a failure: equal for the same failure in other cells
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFinished:
    """A cell has its outcome. `fingerprint` covers what the result depends on, see `results.result_cache`."""

    result: CellResult
    at: float = UNSTAMPED
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something that the user should know and that belongs to no cell."""

    level: str  # "info", "warning"
    text: str
    at: float = UNSTAMPED


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """Last event; a journal without it is of a run that was killed."""

    exit_status: int
    duration: float = UNSTAMPED
    at: float = UNSTAMPED


Event = (
    RunStarted
    | CellPlanned
    | StageStarted
    | StageProgress
    | StageFinished
    | TestsCollected
    | TestFinished
    | CellFinished
    | Message
    | RunFinished
)

KINDS: dict[str, type] = {kind.__name__: kind for kind in get_args(Event)}
