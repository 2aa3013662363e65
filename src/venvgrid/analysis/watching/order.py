"""Which cells go first after an edit: a break must show in the first cells. Pure.

First the cells that are red. Then one canary: the cell with the newest of everything that is not red. Then both sides
of each rule that is known: a cell in which the failure is seen, and the one most like it in which the tests passed. The
rest follows in the order of every run. No cell is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.analysis import grid
from venvgrid.analysis.neighbours import Neighbours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from venvgrid.analysis.findings import Analysis
    from venvgrid.model import Cell


def first(cells: Sequence[Cell], red: Iterable[str], sides: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the ids of the cells that go first, in their order.

    `red` are ids of red cells; `sides` are pairs of a cell inside and one outside of a rule.
    """
    known = {cell.id for cell in cells}
    of_red = [name for name in dict.fromkeys(red) if name in known]
    canary = newest([cell for cell in cells if cell.id not in of_red])
    of_sides = (name for pair in sides for name in pair if name in known)
    return tuple(dict.fromkeys((*of_red, *([canary] if canary else ()), *of_sides)))


def newest(cells: Sequence[Cell]) -> str:
    """Return the cell that has the newest value on the most axes, the last one among equals; "" without cells."""
    values = grid.values(cell.axes for cell in cells)
    last = {name: of_axis[-1] for name, of_axis in values.items()}
    found, most = "", -1
    for cell in cells:
        count = sum(last[name] == value for name, value in cell.axes.items())
        if count >= most:
            found, most = cell.id, count
    return found


def sides(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Yield for each failure that a rule explains a cell that has it, and the most similar one that passed."""
    neighbours = Neighbours(analysis.report.cells)
    for finding in analysis.findings:
        pair = neighbours.closest(finding.group.cells, analysis.passing(finding.group))
        if pair is not None:
            inside, outside = pair
            yield inside, outside.cell
