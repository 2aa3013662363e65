"""A plan on a terminal: the grid with the status of each cell, and the reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model import CellResult, Outcome, Status
from venvgrid.model.result import OUTCOME_OF_STATUS
from venvgrid.reporters import text
from venvgrid.reporters.manner import Manner
from venvgrid.results.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvgrid.model import Plan
    from venvgrid.planning.jobs import Jobs

MAX_REASONS = 12
MINUTE = 60


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


def jobs(found: Sequence[Jobs]) -> Iterator[str]:
    """Yield a table of the jobs that a plan needs, with what they take and cost; nothing if there are none."""
    if not found:
        return
    rows = [("", "jobs", "cells", "longest", "minutes", "cost")]
    rows += [
        (
            item.platform or "jobs",
            f"{item.shards}",
            f"{item.cells}",
            _minutes(item.seconds),
            *_money(item.minutes, item.cost),
        )
        for item in found
    ]
    if len(found) > 1:
        longest = max(item.seconds for item in found)
        sums = (sum(item.shards for item in found), sum(item.cells for item in found))
        paid = _money(sum(item.minutes for item in found), sum(item.cost for item in found))
        rows.append(("together", f"{sums[0]}", f"{sums[1]}", _minutes(longest), *paid))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield ""
    for name, *numbers in rows:
        yield "  ".join(
            [name.ljust(widths[0]), *(item.rjust(width) for item, width in zip(numbers, widths[1:], strict=True))]
        )
    yield "Times are those of the tests; what a job does before them comes on top."


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= MINUTE else f"{seconds:.0f} s"


def _money(minutes: int, cost: float) -> tuple[str, str]:
    return f"{minutes}", f"{cost:g}"


def coverage(plan: Plan) -> Iterator[str]:
    """Yield the coverage of a strategy, with the combinations that are not covered. Nothing for the full grid."""
    proof = plan.certificate
    if proof is None:
        return
    what = text.combinations(proof.strength)
    if proof.covered == proof.feasible:
        yield f"{plan.strategy}: cells that run cover all {proof.feasible} possible {what} (checked)"
    else:
        yield f"{plan.strategy}: cells that run cover {proof.covered} of {proof.feasible} possible {what} (checked)"
        yield f"  not covered: {text.pairs(proof.missing, proof.feasible - proof.covered)}"
    for why, number in list(proof.lost.items())[:MAX_REASONS]:
        yield f"  {number} not covered, because their cells do not run: {text.line(why.partition('; ')[0])}"
    if proof.elsewhere:
        yield f"  {proof.elsewhere} covered on other platforms only"
    for why, number in list(proof.infeasible.items())[:MAX_REASONS]:
        yield f"  {number} impossible: {text.line(why)}"
    if plan.combinations:
        # A cell of an include that has other values than the axes is none of their combinations.
        own = [
            item
            for item in plan.cells
            if item.status in {Status.RUNNABLE, Status.ELSEWHERE}
            and all(value in proof.axes.get(name, ()) for name, value in item.cell.axes.items())
        ]
        yield f"  not run: {plan.combinations - len(own):,} of {plan.combinations:,} combinations of all axes"
