"""Comparison of each cell with its last run: regressed, fixed, newly impossible, newly possible. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model import Outcome
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from venvgrid.model import CellResult
    from venvgrid.results.report import Earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Ids of the cells whose outcome changed.

    `moved` are the version changes that all regressed cells share: "pytest 8.4.2 → 9.0.0".
    """

    regressed: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    newly_impossible: tuple[str, ...] = ()
    newly_possible: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether any outcome changed."""
        return bool(self.regressed or self.fixed or self.newly_impossible or self.newly_possible)


def changes(before: Mapping[str, Earlier], cells: Iterable[CellResult]) -> Changes:
    """Compare results with earlier results of the same cells. New cells are ignored."""
    pairs = [(cell, before[cell.id]) for cell in cells if cell.id in before]
    regressed = [(cell, old) for cell, old in pairs if old.outcome.is_green and cell.outcome.is_red]
    moved = [set(moves(old.packages, cell.packages)) for cell, old in regressed]
    impossible = [cell.id for cell, old in pairs if cell.outcome is Outcome.IMPOSSIBLE and _has_run(old.outcome)]
    possible = [cell.id for cell, old in pairs if old.outcome is Outcome.IMPOSSIBLE and _has_run(cell.outcome)]
    return Changes(
        regressed=tuple(cell.id for cell, _ in regressed),
        fixed=tuple(cell.id for cell, old in pairs if old.outcome.is_red and cell.outcome.is_green),
        newly_impossible=tuple(impossible),
        newly_possible=tuple(possible),
        moved=tuple(sorted(set.intersection(*moved))) if moved else (),
    )


def _has_run(outcome: Outcome) -> bool:
    return outcome.is_green or outcome.is_red


def moves(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Return the differences of two sets of packages, by name: "numpy 1.26 → 2.0", "six 1.16 gone", "tomli 2.0 new"."""
    lines = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before and after and before != after:
            lines.append(f"{name} {before} → {after}")
        elif before and not after:
            lines.append(f"{name} {before} gone")
        elif after and not before:
            lines.append(f"{name} {after} new")
    return tuple(lines)
