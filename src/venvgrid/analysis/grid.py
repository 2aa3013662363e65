"""Layout of cells as a table: which axes vary, and the row and column of each cell. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PYTHON = "python"

_VERSION = re.compile(r"([a-z]*)(\d+(?:\.\d+)*)([a-z0-9]*)")
_MAX_ROWS = 40  # that are read without scrolling
_MAX_COLUMNS = 16  # of an axis in place of the Pythons, if there are more rows
_MIN_CELLS_PER_ROW = 2  # on average: with fewer a grid is mostly gaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Cells that differ only in the column axis. `cells` has one id a column, or ""."""

    labels: tuple[str, ...]
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Rows and columns. `fixed` are the axes with one value in all cells: (name, value)."""

    fixed: tuple[tuple[str, str], ...]
    row_axes: tuple[str, ...]
    column_axis: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def values(cells: Iterable[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """Map each axis to its values, in the cells' order. Versions that are neither ascending nor descending are sorted.

    They are unordered if an include added cells at the end, or if a strategy selected some of the cells.
    """
    found: dict[str, dict[str, None]] = {}
    for axes in cells:
        for name, value in axes.items():
            found.setdefault(name, {})[value] = None
    return {name: _in_order(tuple(of_axis)) for name, of_axis in found.items()}


def arrange(cells: Mapping[str, Mapping[str, str]]) -> Grid | None:
    """Return the layout of cells (id → axes), or None if a list is clearer.

    Columns are Pythons if these vary, else the values of the last axis that varies. Another axis takes their place if
    there are many rows, and with it half of them at most. A list is clearer if fewer than two axes vary, or if most
    places of the grid would be empty.
    """
    known = values(cells.values())
    varying = [name for name, of_axis in known.items() if len(of_axis) > 1]
    if len(varying) < 2:  # noqa: PLR2004  (rows and columns)
        return None
    column_axis = _column_axis(len(cells), {name: len(known[name]) for name in varying})
    row_axes = tuple(name for name in varying if name != column_axis)
    places: dict[tuple[str, ...], dict[str, str]] = {}
    for identifier, axes in cells.items():
        row = places.setdefault(tuple(axes.get(name, "") for name in row_axes), {})
        if row.setdefault(axes.get(column_axis, ""), identifier) != identifier:
            return None  # two cells with equal values: one would hide the other
    if len(row_axes) > 1 and len(cells) < _MIN_CELLS_PER_ROW * len(places):
        return None
    columns = known[column_axis] if all(column_axis in axes for axes in cells.values()) else (*known[column_axis], "")
    return Grid(
        fixed=tuple((name, of_axis[0]) for name, of_axis in known.items() if len(of_axis) == 1),
        row_axes=row_axes,
        column_axis=column_axis,
        columns=columns,
        rows=tuple(
            Row(labels=labels, cells=tuple(row.get(column, "") for column in columns))
            for labels, row in sorted(places.items(), key=lambda item: _position(item[0], row_axes, known))
        ),
    )


def _column_axis(cells: int, sizes: Mapping[str, int]) -> str:
    usual = PYTHON if PYTHON in sizes else list(sizes)[-1]
    if cells <= _MAX_ROWS * sizes[usual]:
        return usual
    wide = [name for name in sizes if 2 * sizes[usual] <= sizes[name] <= _MAX_COLUMNS]
    return max(wide, key=lambda name: sizes[name], default=usual)


def _position(labels: tuple[str, ...], names: tuple[str, ...], known: Mapping[str, tuple[str, ...]]) -> list[int]:
    return [known[name].index(label) if label in known[name] else -1 for name, label in zip(names, labels, strict=True)]


def _in_order(of_axis: tuple[str, ...]) -> tuple[str, ...]:
    keys = [_key(value) for value in of_axis]
    versions = [key for key in keys if key is not None]
    if len(versions) < len(keys) or versions in (sorted(versions), sorted(versions, reverse=True)):
        return of_axis
    return tuple(sorted(of_axis, key=lambda value: _key(value) or ("", (), "")))


def _key(value: str) -> tuple[str, tuple[int, ...], str] | None:
    match = _VERSION.fullmatch(value)
    return (match[1], tuple(map(int, match[2].split("."))), match[3]) if match else None
