"""The gate: green only if every planned cell has an accepted result, with the proof of what was tested.

Nothing that is absent counts as success: a shard that was skipped, cancelled or never created leaves no record, and its
cells are named. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model import Outcome, Status
from venvgrid.model.values import dataclass
from venvgrid.results.merge import GREEN

if TYPE_CHECKING:
    from venvgrid.model import PlannedCell
    from venvgrid.results.merge import Merged


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the gate says. It is green without `problems`; `notes` are told, but decide nothing.

    `reported` of `planned` cells have a result that counts.
    """

    planned: int
    reported: int
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_green(self) -> bool:
        """Whether a required check may pass."""
        return not self.problems and self.planned > 0


def judge(merged: Merged, commit: str = "") -> Judgement:
    """Return what the gate says of merged records. With `commit` or its beginning, the plan must be of that commit."""
    problems = []
    if not merged.plan.commit.startswith(commit):
        made = merged.plan.commit[:12] or "no commit"
        problems.append(
            f"the plan is of {made}, not of {commit[:12]}: take the plan of this run, not of an earlier one"
        )
    problems += [f"{item.place}: {item.why}" for item in merged.refused]
    problems += [
        f"{name}: the plan has no such cell, but {place} reports it" for name, place in merged.strangers.items()
    ]
    notes = [
        f"{name}: attempt {attempt} ended without a result of it; that of attempt "
        f"{merged.chosen[name].record.header.attempt} counts"
        for name, attempt in merged.stopped.items()
    ]
    if merged.plan.is_dirty:
        notes.append(f"the plan is of files that differ from commit {merged.plan.commit[:12]}")
    cells = merged.plan.cells
    for item in cells:
        cell = merged.chosen.get(item.cell.id)
        why = "no result was reported" if cell is None else cell.problem
        if why and item.cell.allow_failure and cell is not None and cell.outcome not in GREEN:
            notes.append(f"{item.cell.id}: {why}; it may fail")
        elif why:  # a cell that may fail must still have run: nobody would notice that it never does
            problems.append(f"{item.cell.id}: {why}")
        elif cell is not None and cell.outcome == Outcome.FLAKY.value:
            notes.append(f"{item.cell.id}: flaky: {cell.reason or 'it failed, then passed'}")
    for item in merged.plan.plan.cells:
        if why := _unfit(item):
            (notes if item.cell.allow_failure else problems).append(f"{item.cell.id}: {why}: {item.reason}")
    planned = len(cells)
    if not planned:
        problems.append("the plan has no cell that can run")
    return Judgement(planned=planned, reported=len(merged.chosen), problems=tuple(problems), notes=tuple(notes))


def _unfit(item: PlannedCell) -> str:
    """Return why a cell that no shard runs is a problem; "" if it is none."""
    if item.status is Status.FAILED:
        return "the plan does not know whether it can exist"
    return (
        "it is impossible, but [[include]] asks for it" if item.status is Status.IMPOSSIBLE and item.cell.named else ""
    )
