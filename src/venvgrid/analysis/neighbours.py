"""The cell that is most like a red one and in which its tests passed: the shortest list of suspects. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.analysis import grid
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from venvgrid.model import CellResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An axis or a package that differs; a value is "" if the package is not installed."""

    name: str
    here: str
    there: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A cell to compare with. `rows` are the differences, axes first; `equal` is the number of equal packages."""

    cell: str
    rows: tuple[Row, ...]
    equal: int


class Neighbours:
    """Finds neighbours among the cells of a run. Distances are computed once."""

    def __init__(self, cells: Iterable[CellResult]) -> None:
        """Store the cells."""
        self._cells = {cell.id: cell for cell in cells}
        self._order = grid.values(cell.axes for cell in self._cells.values())
        self._known: dict[tuple[str, str], tuple[int, int, int, bool]] = {}

    def closest(self, cells: Iterable[str], others: Collection[str]) -> tuple[str, Neighbour] | None:
        """Return the one of `cells` that is nearest to one of `others` (ids), with that neighbour.

        The nearest has the fewest different packages, then the fewest different axes, then the nearest values of these,
        then it is green. None if there are no others.
        """
        pairs = [(cell, other) for cell in cells for other in others]
        if not pairs:
            return None
        cell, other = min(pairs, key=lambda pair: self._distance(*pair))
        return cell, _compared(self._cells[cell], self._cells[other])

    def _distance(self, cell: str, other: str) -> tuple[int, int, int, bool]:
        if (cell, other) not in self._known:
            one, two = self._cells[cell], self._cells[other]
            axes = [name for name in {**one.axes, **two.axes} if one.axes.get(name) != two.axes.get(name)]
            steps = sum(abs(self._position(one, name) - self._position(two, name)) for name in axes)
            self._known[cell, other] = len(_differing(one, two)), len(axes), steps, not two.outcome.is_green
        return self._known[cell, other]

    def _position(self, cell: CellResult, name: str) -> int:
        values, value = self._order[name], cell.axes.get(name, "")
        return values.index(value) if value in values else -1


def _differing(cell: CellResult, other: CellResult) -> set[str]:
    """Return the packages that differ; none if nothing is known of the packages of a cell."""
    if not cell.packages or not other.packages:
        return set()
    return {name for name, _ in cell.packages.items() ^ other.packages.items()}


def _compared(cell: CellResult, other: CellResult) -> Neighbour:
    differing = _differing(cell, other)
    rows = []
    for name in {**cell.axes, **other.axes}:
        here, there = cell.axes.get(name, ""), other.axes.get(name, "")
        if here == there:
            continue
        if name in differing:  # the exact versions say more
            here, there = cell.packages.get(name, ""), other.packages.get(name, "")
        elif name == grid.PYTHON and _version(cell) != _version(other):
            here, there = _version(cell) or here, _version(other) or there
        rows.append(Row(name=name, here=here, there=there))
    named = {row.name for row in rows}
    rows += [
        Row(name=name, here=cell.packages.get(name, ""), there=other.packages.get(name, ""))
        for name in sorted(differing - named)
    ]
    both = len(cell.packages.items() & other.packages.items())
    return Neighbour(cell=other.id, rows=tuple(rows), equal=both)


def _version(cell: CellResult) -> str:
    return cell.interpreter.version if cell.interpreter else ""
