"""What a run is asked for, and the doors to its effects: the values between the director and its work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from venvgrid.installers.base import ResolveFailed, Unresolvable
from venvgrid.model.environment import LockEntry
from venvgrid.model.events import Stage
from venvgrid.running.prioritisation import Order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.environments.store import Environment
    from venvgrid.model.config import Config
    from venvgrid.model.environment import Interpreter
    from venvgrid.model.plan import Cell, Plan
    from venvgrid.model.result import CellResult
    from venvgrid.project.metadata import Metadata
    from venvgrid.project.wheels import Wheel
    from venvgrid.running.cell_job import CellJob, TestDone
    from venvgrid.running.loop import Post

CellAnswer = LockEntry | Unresolvable | ResolveFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed:
    """A task could not do its work; `detail` is everything that is known, `reason` one line of it."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveDone:
    """What a resolve task gives: the answer for all of its cells, and its seconds."""

    answer: CellAnswer
    took: float
    surrogate: bool  # whether it was resolved for an interpreter that is not there


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildDone:
    """What a build task gives: the environment, and its seconds."""

    environment: Environment
    took: float


class Work(Protocol):
    """The effects of a run, one method a kind of task; `work.py` has the real ones, `testing.py` fakes."""

    def wheel(self, interpreter: Interpreter) -> Wheel:
        """Build the project's wheel."""

    def python(self, value: str, missing: str) -> Interpreter | str:
        """Download an interpreter; the reason where that fails."""

    def resolve(self, cell: Cell, interpreter: Interpreter, metadata: Metadata | None) -> CellAnswer:
        """Resolve a cell."""

    def build(self, entry: LockEntry, wheel: Wheel | None, cells: tuple[Cell, ...], *, alone: bool) -> Environment:
        """Build an environment and link its cells to it; `alone`: it shares no file with another."""

    def earlier(self, cell: Cell, entry: LockEntry) -> CellResult | None:
        """Give the earlier result of a cell that need not run again, because nothing has changed; else None."""

    def test(self, work: CellJob, post: Post) -> TestDone:
        """Test a cell."""

    def collect(self, environment: Environment, imported: frozenset[str]) -> int:
        """Keep what was compiled in a new environment, for the next ones; gives how many files."""

    def record(self, cell: Cell, text: str) -> str:
        """Keep the output of a failed step in the cell's log; gives the log's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What is asked of a run. `metadata` is None where only a wheel knows them; `locked` holds answers at hand."""

    config: Config
    plan: Plan
    interpreters: Mapping[str, Interpreter | str]  # by the value of the python axis; a text says why there is none
    surrogates: Mapping[str, Interpreter] = field(default_factory=dict)  # for missing ones, to resolve with
    download: bool = False  # whether missing ones may be had from uv
    metadata: Metadata | None
    run: str
    time: str
    version: str
    command: tuple[str, ...] = ()
    workers: int = 1
    locked: Mapping[str, CellAnswer] = field(default_factory=dict)
    until: Stage = Stage.TEST  # RESOLVE for `plan` and `lock`
    fail_fast: bool = False
    strict: bool = False
    skip_missing: bool = False
    order: Order = field(default_factory=Order)
