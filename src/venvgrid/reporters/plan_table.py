"""A plan for people: the grid of what will run and what cannot, and the reasons."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.model import CellResult, Outcome, Status
from venvgrid.report import Report

if TYPE_CHECKING:
    from venvgrid.model import Plan

OUTCOMES = {
    Status.IMPOSSIBLE: Outcome.IMPOSSIBLE,
    Status.MISSING_INTERPRETER: Outcome.MISSING_INTERPRETER,
    Status.FAILED: Outcome.BUILD_FAILED,
}


def render(plan: Plan, *, width: int, colour: bool, encoding: str) -> str:
    """Render the plan as the grid of a run in which every runnable cell has passed, but say "runnable"."""
    from venvgrid.reporters import table  # noqa: PLC0415  (rich takes 100 ms)

    cells = tuple(
        CellResult(
            id=item.cell.id,
            axes=item.cell.axes,
            outcome=OUTCOMES.get(item.status, Outcome.PASSED),
            reason=item.reason,
        )
        for item in plan.cells
        if item.status is not Status.EXCLUDED
    )
    excluded = tuple(item for item in plan.cells if item.status is Status.EXCLUDED)
    report = replace(Report(cells=cells, finished=True), excluded=excluded)
    return table.render(report, width=width, colour=colour, encoding=encoding, planned=True)
