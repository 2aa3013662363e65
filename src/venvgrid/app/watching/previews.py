"""The previews of a round, as events for the screen and messages for the session."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from venvgrid.analysis import prioritisation
from venvgrid.analysis.watching.standing import NOT_OF_THE_GRID
from venvgrid.app import run
from venvgrid.app.plan import choose_cells
from venvgrid.app.request import runnable
from venvgrid.app.watching.messages import Previewed
from venvgrid.model import CellFinished, CellResult, Outcome, RunFinished, RunStarted
from venvgrid.model.values import dataclass
from venvgrid.model.version import __version__
from venvgrid.processes.parallel import mutex
from venvgrid.results.report import ReportBuilder
from venvgrid.running.tasks import base_result
from venvgrid.running.warm.preview import Cold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from venvgrid.app.context import RunContext
    from venvgrid.app.watching.warming import Warmth
    from venvgrid.model import Cell, Event, Plan
    from venvgrid.processes.command import Cancellation
    from venvgrid.results.report import Report
    from venvgrid.running.warm.preview import Preview

LONG = 5.0  # seconds of the tests of a cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """What the previews of a round said, as the report of a run that is never kept.

    `cells` is the number of all that could run. `cold` are reasons why cells have none, by cell. `left_out` tests wait
    for the full run.
    """

    report: Report
    cold: Mapping[str, str]
    left_out: int
    project: Path
    cells: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Previews:
    """The previews of one round, in the order of its run."""

    round: int
    warmth: Warmth
    context: RunContext
    plan: Plan
    cancellation: Cancellation
    post: Callable[[Previewed], None]
    may_leave_out: bool = False  # tests that the edit is not known to reach, where all of them take long

    def run(self, show: Callable[[Event], None]) -> Warmed:
        """Make all previews and return them; `show` gets the events of the screen, `post` each preview as it comes."""
        began, lock, report = time.monotonic(), mutex(), ReportBuilder()
        context = self.context
        ready = self.warmth.ready(cell.id for cell in runnable(self.plan))
        plan = choose_cells(self.plan, lambda cell: cell.id in ready)
        cells = {item.cell.id: item.cell for item in plan.cells}
        order = prioritisation.order(tuple(cells.values()), context.history).after(context.options.first)
        places = sorted(cells, key=lambda name: order.places[name])

        def post(event: Event) -> None:
            with lock:
                stamped = event if isinstance(event, RunStarted) else replace(event, at=time.monotonic() - began)
                report.add(stamped)
                show(stamped)

        left_out, cold = 0, dict[str, str]()
        post(self._started(plan))
        with run.using_environments(context):
            said = self.warmth.previews(
                context,
                places,
                post=post,
                cancellation=self.cancellation,
                tests_first=context.options.tests_first,
                only_first=self._long(context),
            )
            for name, preview in said:
                if isinstance(preview, Cold):
                    cold[name] = preview.reason
                elif preview.is_green or preview.is_red:
                    left_out += preview.left_out
                    post(CellFinished(result=_result(cells[name], preview)))
                    self.post(Previewed(round=self.round, preview=preview))
        report.add(RunFinished(exit_status=0, duration=time.monotonic() - began))
        done = report.report()
        known = replace(done, cells=tuple(cell for cell in done.cells if cell.outcome is not Outcome.CANCELLED))
        count = len([cell for cell in runnable(self.plan) if not self._is_impossible(cell.id)])
        return Warmed(report=known, cold=cold, left_out=left_out, project=self.context.project.path, cells=count)

    def _is_impossible(self, cell: str) -> bool:
        """Return whether a cell could not run when it was last tried, whatever the project is."""
        earlier = self.context.history.get(cell)
        return earlier is not None and earlier.outcome in NOT_OF_THE_GRID

    def _long(self, context: RunContext) -> frozenset[str]:
        """Return the cells whose previews stop after the tests that go first."""
        if not self.may_leave_out:
            return frozenset()
        return frozenset(name for name, earlier in context.history.items() if earlier.seconds > LONG)

    def _started(self, plan: Plan) -> RunStarted:
        config = self.context.config
        return RunStarted(
            run="preview",
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            venvgrid=__version__,
            config=str(config.file),
            config_digest=config.digest,
            project=config.project.path.name,
            project_version="",
            plan=plan,
            command=config.test.command,
            workers=self.context.options.workers,
            grid=config.grid,
        )


def _result(cell: Cell, preview: Preview) -> CellResult:
    """Return a preview as a result, for the screen alone."""
    return replace(
        base_result(cell, None),
        outcome=preview.outcome,
        reason=preview.reason,
        attempts=1,
        tests=preview.tests,
        failures=preview.failures,
        durations={"test": preview.seconds},
    )
