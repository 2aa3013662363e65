"""Describes a set of cells by ranges of their axes: "python 3.11..3.13, numpy 2.0" instead of twelve ids. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.analysis import grid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    Box = Mapping[str, frozenset[str]]  # axis → values: the cells with one of the values of each axis

MIN_RUN = 3  # values in sequence that are written as a range
MAX_BOXES = 3
MAX_RUNS = 6  # of values of one axis


def described(chosen: Collection[str], cells: Mapping[str, Mapping[str, str]]) -> str:
    """Return a description of the chosen ones of `cells` (id → axes), on one line.

    Axes with one value in all cells, and those of which all values are chosen, are left out.
    """
    known = grid.values(cells.values())
    varying = {name: values for name, values in known.items() if len(values) > 1}
    picked = [cells[cell] for cell in chosen if cell in cells]
    if not varying or len(picked) == len(cells):
        return "every cell" if len(cells) > 1 else next(iter(chosen), "")
    found = boxes(picked, varying)
    lines = [_line(box, varying) for box in found[:MAX_BOXES]]
    rest = sum(_size(box) for box in found[MAX_BOXES:])
    return "; ".join([*lines, *([f"and {rest} more"] if rest else [])])


def boxes(picked: Iterable[Mapping[str, str]], varying: Mapping[str, Sequence[str]]) -> list[Box]:
    """Return boxes that together hold exactly the `picked` cells, the largest first.

    Boxes that differ in one axis only are joined along it, the last axis first, until no two can be.
    """
    found: list[dict[str, frozenset[str]]] = [
        {name: frozenset([axes.get(name, "")]) for name in varying} for axes in picked
    ]
    before = 0
    while len(found) != before:
        before = len(found)
        for axis in reversed(list(varying)):
            joined: dict[tuple[frozenset[str], ...], dict[str, frozenset[str]]] = {}
            for box in found:
                others = tuple(values for name, values in box.items() if name != axis)
                same = joined.setdefault(others, box)
                joined[others] = {**same, axis: same[axis] | box[axis]}
            found = list(joined.values())
    return sorted(found, key=_size, reverse=True)


def values_text(chosen: Collection[str], of_axis: Sequence[str]) -> str:
    """Return values of an axis as text, three or more in sequence as a range: "2.7, 3.9..3.12"."""
    runs: list[list[str]] = []
    last = -2
    for number, value in enumerate(of_axis):
        if value in chosen:
            if number != last + 1:
                runs.append([])
            runs[-1].append(value or '""')
            last = number
    parts = [f"{run[0]}..{run[-1]}" if len(run) >= MIN_RUN else ", ".join(run) for run in runs]
    more = f" and {len(parts) - MAX_RUNS} more" if len(parts) > MAX_RUNS else ""
    return ", ".join(parts[:MAX_RUNS]) + more


def _size(box: Box) -> int:
    size = 1
    for values in box.values():
        size *= len(values)
    return size


def _line(box: Box, varying: Mapping[str, Sequence[str]]) -> str:
    parts = [
        f"{name} {values_text(box[name], values)}" for name, values in varying.items() if len(box[name]) < len(values)
    ]
    return ", ".join(parts) or "every cell"
