"""The tasks of cells: what a worker does in each stage, with the events that say so, and which goes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from venvgrid.environments.store import Environment
from venvgrid.installers import progress
from venvgrid.model.events import Stage, StageFinished, StageProgress, StageStarted
from venvgrid.running.loop import Lane, Task
from venvgrid.running.tasks import BuildDone, ResolveDone

if TYPE_CHECKING:
    from collections.abc import Callable

    from venvgrid.model.environment import Interpreter, LockEntry
    from venvgrid.model.plan import Cell
    from venvgrid.project.metadata import Metadata
    from venvgrid.project.wheels import Wheel
    from venvgrid.running.cell_job import CellJob
    from venvgrid.running.loop import Post
    from venvgrid.running.prioritisation import Order
    from venvgrid.running.tasks import Work

T = TypeVar("T")
RESOLVE = "resolve:"
BUILD = "build:"
TEST = "test:"
BYTECODE = "bytecode:"
BEFORE_BUILDS = -1e9
Cells = tuple["Cell", ...]


class Jobs:
    """Makes tasks. `order` says which go first (see `ordering`)."""

    def __init__(self, work: Work, now: Callable[[], float], order: Order) -> None:
        """Begin with no task made."""
        self._work, self._now, self._order = work, now, order
        self._interpreters: set[str] = set()  # for which a build was asked for

    def resolve(self, key: str, cells: Cells, to: Interpreter, metadata: Metadata | None, *, surrogate: bool) -> Task:
        """Resolve cells that differ in nothing that a resolver sees, for the interpreter `to`."""

        def work(post: Post) -> object:
            answer, took = self._timed(post, cells, Stage.RESOLVE, lambda: self._work.resolve(cells[0], to, metadata))
            return ResolveDone(answer=answer, took=took, surrogate=surrogate)

        return Task(key=key, lane=Lane.RESOLVE, work=work)

    def build(self, entry: LockEntry, wheel: Wheel | None, cells: Cells, *, alone: bool = False) -> Task:
        """Build the environment of a lock entry; `alone`: for one cell at a time, and with no file shared.

        Of cells in the same place the first environment of each interpreter goes first: it leaves bytecode for others.
        """

        def work(post: Post) -> object:
            def notify(text: str) -> None:
                post(StageProgress(cell=cells[0].id, stage=Stage.BUILD, text=text, at=self._now()))

            def build() -> Environment:
                with progress.reporting_to(notify):
                    return self._work.build(entry, wheel, cells, alone=alone)

            environment, took = self._timed(post, cells, Stage.BUILD, build)
            return BuildDone(environment=environment, took=took)

        is_first = entry.interpreter.executable not in self._interpreters
        self._interpreters.add(entry.interpreter.executable)
        order = min(self._order.of(cell.id, entry.distributions) for cell in cells) - is_first / 2
        return Task(key=f"{BUILD}{entry.key}", lane=Lane.BUILD, work=work, order=order)

    def test(self, job: CellJob) -> Task:
        """Test a cell."""
        order = self._order.of(job.cell.id, job.entry.distributions)
        return Task(
            key=f"{TEST}{job.cell.id}",
            lane=Lane.TEST,
            work=lambda post: self._work.test(job, post),
            order=order,
        )

    def collect(self, environment: Environment, imported: frozenset[str]) -> Task:
        """Keep what was compiled in a new environment, before the builds that can use it."""
        return Task(
            key=f"{BYTECODE}{environment.key}",
            lane=Lane.BUILD,
            work=lambda _post: self._work.collect(environment, imported),
            order=BEFORE_BUILDS,
        )

    def _timed(self, post: Post, cells: Cells, stage: Stage, work: Callable[[], T]) -> tuple[T, float]:
        began = self._now()
        for cell in cells:
            post(StageStarted(cell=cell.id, stage=stage, at=began))
        result = work()
        took = self._now() - began
        detail = result.detail if isinstance(result, Environment) else ""
        for cell in cells:
            post(StageFinished(cell=cell.id, stage=stage, at=self._now(), duration=took, detail=detail))
        return result, took
