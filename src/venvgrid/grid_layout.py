"""From cells to rows and columns: which axes vary, and where each cell stands. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PYTHON = "python"
ROWS_WITHOUT_AXIS = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Columns are values of `column_axis`; a row is a combination of values of the other axes that vary.

    `places` maps (row, column) to the id of a cell. `title` names the axes of the rows.
    """

    title: str
    column_axis: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    places: Mapping[tuple[str, str], str]


def varying(axes_of: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """Name the axes that have more than one value among the cells, in their order."""
    values: dict[str, set[str]] = {}
    for axes in axes_of:
        for name, value in axes.items():
            values.setdefault(name, set()).add(value)
    return tuple(name for name, found in values.items() if len(found) > 1)


def arrange(cells: Mapping[str, Mapping[str, str]]) -> Grid:
    """Arrange cells (id → axes): Pythons are columns where they vary, else the longest axis is."""
    names = varying(cells.values())
    first = next(iter(cells.values()), {})
    by_length = {name: len({axes.get(name, "") for axes in cells.values()}) for name in names}
    column_axis = PYTHON if PYTHON in names or not names else max(names, key=lambda name: by_length[name])
    others = [name for name in names if name != column_axis]
    if not others and column_axis in first:
        others = [name for name in first if name != column_axis and not name.startswith("env.")][:1]
    places = {(_row(axes, others), axes.get(column_axis, "")): identifier for identifier, axes in cells.items()}
    return Grid(
        title=" ".join(others),
        column_axis=column_axis,
        columns=tuple(dict.fromkeys(column for _, column in places)),
        rows=tuple(dict.fromkeys(row for row, _ in places)),
        places=places,
    )


def _row(axes: Mapping[str, str], names: list[str]) -> str:
    return " ".join(axes.get(name, "") or "none" for name in names)
