"""The live grid: a sign for each cell, in rows and columns if two axes vary, else in a list."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from venvgrid.analysis import grid as grid_layout
from venvgrid.model import Outcome, Stage
from venvgrid.reporters import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvgrid.reporters.terminal.progress import Progress

GAP = 2
MAX_LISTED = 12  # cells: of more the heatmap is clearer
WAITING = ("·", ".", "bright_black")
STAGES = {Stage.RESOLVE: ("r", "r", "bright_black"), Stage.BUILD: ("b", "b", "cyan"), Stage.TEST: ("▸", ">", "cyan")}

STAGE_WORDS = {Stage.RESOLVE: "resolving", Stage.BUILD: "building", Stage.TEST: "testing"}


class LiveGrid:
    """Layout of the cells. `width` and `height` are its size; it never fits if a list would be too long."""

    def __init__(self, cells: Mapping[str, Mapping[str, str]]) -> None:
        """Arrange the cells of a plan: id → axes."""
        grid = grid_layout.arrange(cells)
        if grid is not None:
            self._head = [text.line(label) or '""' for label in (*grid.row_axes, *grid.columns)]
            self._beside = len(grid.row_axes)
            self._rows = [([text.line(label) or '""' for label in row.labels], row.cells) for row in grid.rows]
        else:
            self._head, self._beside = [], 1
            self._rows = [([text.line(cell)], (cell,)) for cell in cells] if len(cells) <= MAX_LISTED else []
        columns = [*zip(*(labels for labels, _ in self._rows), strict=True)]
        widths = [max(map(cell_len, column)) for column in columns]
        heads = [cell_len(label) for label in self._head] or [*widths, 1]
        self._widths = [max(pair) for pair in zip(heads, [*widths, *(1 for _ in heads[len(widths) :])], strict=True)]
        self.width = sum(self._widths) + GAP * (len(self._widths) - 1)
        self.height = len(self._rows) + bool(self._head) if self._rows else sys.maxsize

    def lines(self, progress: Progress, encoding: str) -> Iterator[Text]:
        """Yield the lines for the current progress."""
        if self._head:
            yield Text(self._joined(self._head).rstrip(), style="bold")
        for labels, cells in self._rows:
            line = Text(self._joined(labels))
            for cell, wide in zip(cells, self._widths[self._beside :], strict=True):
                sign, style = sign_of(cell, progress, encoding)
                left = (wide - cell_len(sign)) // 2
                line.append(" " * (GAP + left)).append(sign, style=style)
                line.append(" " * (wide - left - cell_len(sign)))
            line.rstrip()
            yield line

    def _joined(self, labels: list[str]) -> str:
        columns = enumerate(zip(labels, self._widths, strict=False))
        return (" " * GAP).join((padded if number < self._beside else centred)(*column) for number, column in columns)


def padded(label: str, wide: int) -> str:
    """Return a label with blanks after it, `wide` columns together."""
    return label + " " * (wide - cell_len(label))


def centred(label: str, wide: int) -> str:
    """Return a label with blanks around it, `wide` columns together."""
    left = (wide - cell_len(label)) // 2
    return " " * left + padded(label, wide - left)


def sign_of(cell: str, progress: Progress, encoding: str) -> tuple[str, str]:
    """Return the sign of a cell and its colour; a blank for no cell."""
    outcome, running = progress.ended.get(cell), progress.running.get(cell)
    if not cell:
        return " ", ""
    if outcome is not None:
        return text.symbol(outcome, encoding), text.colour(outcome)
    sign, plain, style = STAGES[running.stage] if running else WAITING
    return (sign if text.can_encode(sign, encoding) else plain), style


def legend(progress: Progress, width: int, encoding: str) -> Text:
    """Return the meaning of the signs on the screen, as many as fit into `width` columns."""
    ended, stages = {*list(progress.ended.values())}, {row.stage for row in list(progress.running.values())}
    entries = [
        (text.symbol(outcome, encoding), outcome.value, text.colour(outcome)) for outcome in Outcome if outcome in ended
    ]
    plain = text.is_plain(encoding)
    entries += [(STAGES[stage][plain], STAGE_WORDS[stage], STAGES[stage][2]) for stage in STAGES if stage in stages]
    if progress.finished + len(progress.running) < progress.total:
        entries.append((WAITING[plain], "waiting", WAITING[2]))
    line = Text()
    for sign, words, style in entries:
        between = "  " if line else ""
        if cell_len(line.plain) + len(between) + cell_len(sign) + 1 + len(words) > width:
            break
        line.append(between).append(sign, style=style).append(f" {words}", style="bright_black")
    return line
