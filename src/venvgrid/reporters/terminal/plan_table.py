"""A plan on a terminal: the grid with the status of each cell, and the reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model import CellResult, Outcome, Status
from venvgrid.model.result import OUTCOME_OF_STATUS
from venvgrid.reporters import text
from venvgrid.reporters.manner import Manner
from venvgrid.results.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvgrid.model import Plan

MAX_MISSING = 5
MAX_REASONS = 12


def render(plan: Plan, *, width: int, colour: bool, encoding: str, verbose: bool = False) -> str:
    """Render the plan as the grid of a run. Runnable cells are drawn as passed, with the word "runnable".

    `verbose` adds the resolver's own words about cells that cannot be.
    """
    from venvgrid.reporters.terminal import table  # noqa: PLC0415  (rich takes 100 ms)

    cells = tuple(
        CellResult(
            id=item.cell.id,
            axes=item.cell.axes,
            outcome=OUTCOME_OF_STATUS.get(item.status, Outcome.PASSED),
            reason=item.reason,
            words=item.words,
        )
        for item in plan.cells
        if item.status is not Status.EXCLUDED
    )
    excluded = tuple(item for item in plan.cells if item.status is Status.EXCLUDED)
    report = Report(cells=cells, excluded=excluded, finished=True)
    shown = table.render(
        report, width=width, colour=colour, encoding=encoding, manner=Manner(planned=True, verbose=verbose)
    )
    return shown + "".join(f"{text.encodable(line, encoding)}\n" for line in coverage(plan))


def coverage(plan: Plan) -> Iterator[str]:
    """Yield the coverage of a strategy, with the combinations that are not covered. Nothing for the full grid."""
    proof = plan.certificate
    if proof is None:
        return
    what = {1: "values", 2: "pairs", 3: "triples"}.get(proof.strength, f"combinations of {proof.strength} values")
    if proof.covered == proof.feasible:
        yield f"{plan.strategy}: all {proof.feasible} possible {what} are covered (checked)"
    else:
        yield f"{plan.strategy}: {proof.covered} of {proof.feasible} possible {what} are covered (checked)"
        shown = [", ".join(f"{name} {value}" for name, value in item.items()) for item in proof.missing[:MAX_MISSING]]
        more = proof.feasible - proof.covered - len(shown)
        yield f"  not covered: {text.some(shown, MAX_MISSING)}{f' and {more} more' if more > 0 else ''}"
    for why, number in list(proof.infeasible.items())[:MAX_REASONS]:
        yield f"  {number} impossible: {text.line(why)}"
    if plan.combinations:
        yield f"  not run: {plan.combinations - len(plan.cells):,} of {plan.combinations:,} combinations of all axes"
