"""The places of cells in the HTML report: the grid, its axes in words, and small pictures of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from venvgrid.analysis import grid as grid_layout
from venvgrid.analysis.grid import Grid, Row
from venvgrid.model.values import dataclass
from venvgrid.reporters import text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from venvgrid.model import CellResult

WIDEST = 24  # places in a row of a picture, where the cells are no grid
MAX_WIDTH = 190  # pixels of a picture
STEP = 11  # pixels from place to place; fewer in wide pictures
MAX_VALUES = 4  # of an axis that are all named
UNIT = 10  # of the coordinates, from place to place


def layout(cells: Sequence[CellResult]) -> Grid | None:
    """Return the grid of the cells, also if one axis or none varies; None if a list is clearer."""
    axes = complete(cells)
    found = grid_layout.arrange(axes)
    values = grid_layout.values(axes.values())
    varying = [name for name, known in values.items() if len(known) > 1]
    if found or len(varying) > 1 or not cells:
        return found
    column = varying[0] if varying else next(iter(values), "")
    by_value = {of_cell.get(column, ""): identifier for identifier, of_cell in axes.items()}
    if len(by_value) < len(axes):
        return None
    columns = values.get(column, ("",))
    return Grid(
        fixed=tuple((name, of_axis[0]) for name, of_axis in values.items() if name != column),
        row_axes=(),
        column_axis=column,
        columns=columns,
        rows=(Row(labels=(), cells=tuple(by_value[value] for value in columns)),),
    )


def complete(cells: Sequence[CellResult]) -> dict[str, dict[str, str]]:
    """Map each cell to a value of every axis that any cell has: "" if it lacks the axis."""
    names = dict.fromkeys(name for cell in cells for name in cell.axes)
    return {cell.id: {name: cell.axes.get(name, "") for name in names} for cell in cells}


def span(values: Sequence[str]) -> str:
    """Return the values of an axis in a few words: "3.8 to 3.13 (6 values)", "fast, strict"."""
    if len(values) <= MAX_VALUES:
        return ", ".join(text.line(value or "(empty)") for value in values)
    return f"{text.line(values[0] or '(empty)')} to {text.line(values[-1] or '(empty)')} ({len(values)} values)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The column and row of each cell in pictures, and the pixels from one to the next."""

    columns: int
    rows: int
    step: int
    places: Mapping[str, tuple[int, int]]

    @property
    def width(self) -> int:
        """The width of a picture in pixels."""
        return self.columns * self.step

    @property
    def height(self) -> int:
        """The height of a picture in pixels."""
        return self.rows * self.step

    @property
    def view(self) -> str:
        """The coordinates of a picture, for `viewBox`."""
        return f"-1 -1 {self.columns * UNIT} {self.rows * UNIT}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The grid with some cells marked. Each is the outline of its places: large and dark, small and pale, a dot."""

    shape: Shape
    dark: str
    pale: str
    dots: str
    label: str


def shape(cells: Sequence[CellResult], grid: Grid | None) -> Shape:
    """Return the places of cells: those of the grid, or rows that are filled one after the other."""
    if grid is not None and len(grid.rows) > 1:
        places = {name: (x, y) for y, row in enumerate(grid.rows) for x, name in enumerate(row.cells) if name}
        columns = len(grid.columns)
    else:
        columns = min(WIDEST, len(cells)) if grid else math.ceil(math.sqrt(2 * len(cells)))
        names = [name for name in grid.rows[0].cells if name] if grid else [cell.id for cell in cells]
        places = {name: (number % columns, number // columns) for number, name in enumerate(names)}
    rows = 1 + max((y for _, y in places.values()), default=0)
    step = max(3, min(STEP, MAX_WIDTH // max(1, columns)))
    return Shape(columns=max(1, columns), rows=rows, step=step, places=places)


def picture(of: Shape, dark: Collection[str], ran: Collection[str]) -> Picture:
    """Return a picture in which `dark` cells stand out; cells that neither are nor `ran` are dots."""
    marked = [place for name, place in of.places.items() if name in dark]
    pale = [place for name, place in of.places.items() if name in ran and name not in dark]
    rest = [place for name, place in of.places.items() if name not in dark and name not in ran]
    return Picture(
        shape=of,
        dark=_squares(marked, 8),
        pale=_squares(pale, 8),
        dots=_squares(rest, 2),
        label=f"{len(marked)} of {text.count(len(of.places), 'cell')}",
    )


def _squares(places: Sequence[tuple[int, int]], size: int) -> str:
    inset = (UNIT - 2 - size) // 2
    return "".join(f"M{x * UNIT + inset} {y * UNIT + inset}h{size}v{size}h-{size}z" for x, y in places)
