"""The live grid of many cells: one sign for each cell, in a line for each value of one axis, without gaps.

If even that does not fit, the signs are a block in the order of the plan, and a sign may stand for several cells: it is
that of the worst.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from venvgrid.analysis import grid as grid_layout
from venvgrid.analysis.ranges import values_text
from venvgrid.model import Outcome, Stage
from venvgrid.reporters import text
from venvgrid.reporters.terminal.grid_view import padded, sign_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venvgrid.reporters.terminal.progress import Progress

MAX_LABEL = 20  # columns
MAX_CAPTION = 60
# Of several cells behind one sign, the first of these is shown.
SEVEREST_FIRST = (
    *(outcome for outcome in Outcome if outcome.is_red),
    Outcome.BUILD_FAILED,
    Outcome.MISSING_INTERPRETER,
    Outcome.CANCELLED,
)


class Heatmap:
    """Layout of the cells of a plan: id → axes."""

    def __init__(self, cells: Mapping[str, Mapping[str, str]]) -> None:
        """Choose the axis that has a line for each value: python, else the one with the fewest values."""
        self._cells = tuple(cells)
        varying = {name: of_axis for name, of_axis in grid_layout.values(cells.values()).items() if len(of_axis) > 1}
        self._lines: list[tuple[str, tuple[str, ...]]] = []
        self._caption = ""
        if len(varying) > 1:
            axis = grid_layout.PYTHON if grid_layout.PYTHON in varying else min(varying, key=lambda x: len(varying[x]))
            others = {name: of_axis for name, of_axis in varying.items() if name != axis}
            self._lines = _in_lines(cells, axis, varying[axis], others)
            ranges = (
                f"{text.line(name)} {text.line(values_text(of_axis, of_axis))}" for name, of_axis in others.items()
            )
            self._caption = " x ".join(ranges)
        self._label = min(MAX_LABEL, max((cell_len(label) for label, _ in self._lines), default=0))

    def lines(self, progress: Progress, width: int, height: int, encoding: str) -> list[Text]:
        """Return at most `height` lines of at most `width` columns; none if there is no room."""
        if height < 1 or width < 1 or not self._cells:
            return []
        labelled = [*self._labelled(progress, width, encoding)]
        if labelled and len(labelled) <= height:
            caption = Text(text.line(f"columns: {self._caption}", min(width, MAX_CAPTION)), style="bright_black")
            return [caption, *labelled] if len(labelled) < height else labelled
        return [*self._block(progress, width, height, encoding)]

    def _labelled(self, progress: Progress, width: int, encoding: str) -> Iterator[Text]:
        room = width - self._label - 2
        if room < 1:
            return
        for label, cells in self._lines:
            shown = label if cell_len(label) <= self._label else f"{label[: self._label - 1]}~"
            for start in range(0, len(cells), room):
                line = Text(padded(shown if start == 0 else "", self._label), style="bold").append("  ")
                for cell in cells[start : start + room]:
                    sign, style = sign_of(cell, progress, encoding)
                    line.append(sign, style=f"not bold {style}".strip())
                yield line

    def _block(self, progress: Progress, width: int, height: int, encoding: str) -> Iterator[Text]:
        each = -(-len(self._cells) // (width * height))  # cells behind one sign, rounded up
        if each > 1:
            if height < 2:  # noqa: PLR2004  (signs, and what they are)
                return
            each = -(-len(self._cells) // (width * (height - 1)))
            yield Text(text.line(f"each sign: {each} cells, the worst of them", width), style="bright_black")
        groups = [self._cells[start : start + each] for start in range(0, len(self._cells), each)]
        for start in range(0, len(groups), width):
            line = Text()
            for cells in groups[start : start + width]:
                sign, style = sign_of(worst(cells, progress), progress, encoding)
                line.append(sign, style=style)
            yield line


def worst(cells: Sequence[str], progress: Progress) -> str:
    """Return the cell that stands for several: the worst that ended, else one that is being tested, runs, or waits."""

    def rank(cell: str) -> int:
        outcome, running = progress.ended.get(cell), progress.running.get(cell)
        if outcome in SEVEREST_FIRST:
            return SEVEREST_FIRST.index(outcome)
        if running is not None:
            return len(SEVEREST_FIRST) + (running.stage is not Stage.TEST)
        return len(SEVEREST_FIRST) + (2 if outcome is None else 3)

    return min(cells, key=rank)


def _in_lines(
    cells: Mapping[str, Mapping[str, str]],
    axis: str,
    values: Sequence[str],
    others: Mapping[str, Sequence[str]],
) -> list[tuple[str, tuple[str, ...]]]:
    """Return the label and the cells of each line, so that cells with equal other values are in one column."""
    places: dict[str, dict[tuple[str, ...], str]] = {value: {} for value in values}
    for cell, axes in cells.items():
        places.setdefault(axes.get(axis, ""), {})[tuple(axes.get(name, "") for name in others)] = cell
    if sum(map(len, places.values())) < len(cells):
        return []  # two cells with equal values: one would hide the other
    order = {name: {value: number for number, value in enumerate(of_axis)} for name, of_axis in others.items()}
    columns = sorted(
        {key for of_line in places.values() for key in of_line},
        key=lambda key: [order[name].get(value, -1) for name, value in zip(others, key, strict=True)],
    )
    return [
        (text.line(value) or '""', tuple(of_line.get(key, "") for key in columns)) for value, of_line in places.items()
    ]
