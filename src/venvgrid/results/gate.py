"""The gate: green only if every planned cell has an accepted result, with the proof of what was tested.

Nothing that is absent counts as success: a shard that was skipped, cancelled or never created leaves no record, and its
cells are named. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from venvgrid.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.model import Cell
    from venvgrid.results.merge import Merged

GREEN = frozenset({Outcome.PASSED.value, Outcome.FLAKY.value})


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


def judge(merged: Merged) -> Judgement:
    """Return what the gate says of merged records."""
    problems = [f"{item.place}: {item.why}" for item in merged.refused]
    problems += [
        f"{name}: the plan has no such cell, but {place} reports it" for name, place in merged.strangers.items()
    ]
    notes: list[str] = []
    for item in merged.plan.cells:
        cell = merged.chosen.get(item.cell.id)
        why = "no result was reported" if cell is None else _wrong(item.cell, cell)
        if why and item.cell.allow_failure:
            notes.append(f"{item.cell.id}: {why}; it may fail")
        elif why:
            problems.append(f"{item.cell.id}: {why}")
        elif cell is not None and cell["outcome"] == Outcome.FLAKY.value:
            notes.append(f"{item.cell.id}: flaky: {cell.get('reason') or 'it failed, then passed'}")
    planned = len(merged.plan.cells)
    if not planned:
        problems.append("the plan has no cell that can run")
    return Judgement(planned=planned, reported=len(merged.chosen), problems=tuple(problems), notes=tuple(notes))


def _wrong(cell: Cell, result: Mapping[str, Any]) -> str:
    """Return why a result is not accepted, or ""."""
    if result["outcome"] not in GREEN:
        return " ".join(filter(None, [f"{result['outcome']}:", str(result.get("reason", ""))])).rstrip(":")
    if result.get("axes") != dict(cell.axes):
        return f"it is of other values: {result.get('axes')}"
    attested = result.get("attested")
    if not isinstance(attested, dict) or not attested.get("python"):
        return "it is green without an attestation of what was tested"
    packages = attested.get("packages")
    for name, version in packages.items() if isinstance(packages, dict) else ():
        if version and result.get("packages", {}).get(name, version) != version:
            return f"it attests {name} {version}, but {result['packages'][name]} was installed"
    counts = result.get("tests")
    if not isinstance(counts, dict) or counts.get("failed") or counts.get("error"):
        return f"it is green with failed tests: {counts}"
    return ""
