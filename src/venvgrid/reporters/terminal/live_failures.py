"""The failures of a run while it goes on: each once, with a small picture of the grid in which its cells are dark."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from venvgrid.analysis import grid as grid_layout
from venvgrid.analysis import ranges
from venvgrid.model import CellFinished, CellResult, Event, Failure, Outcome, TestFinished
from venvgrid.model.values import dataclass
from venvgrid.reporters import text
from venvgrid.results.report import BAD

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

SILENT = frozenset({Outcome.PASSED, Outcome.FLAKY, Outcome.IMPOSSIBLE, Outcome.ELSEWHERE, Outcome.CANCELLED})
MAX_SHAPE_HEIGHT = 6  # lines
MIN_SHAPE_HEIGHT = 3  # of a failure among others
MAX_SHAPE_WIDTH = 24  # columns
MIN_TEXT_WIDTH = 28  # columns beside a picture
MAX_CELLS = 2_000  # of more no ranges are computed eight times a second
ALL, SOME, NONE = ("■", "#"), ("▪", "+"), ("·", ".")


@dataclass(slots=True, kw_only=True)
class Failing:
    """One failure. `cells` map to the number of their tests that failed so; `tests` are distinct."""

    headline: str
    outcome: Outcome
    tests: dict[str, None] = field(default_factory=dict)
    cells: Counter[str] = field(default_factory=Counter)


class LiveFailures:
    """Collects failures from events, by their signature."""

    def __init__(self) -> None:
        self._known: dict[str, Failing] = {}  # by signature, or by outcome and reason
        self._attempts: dict[str, int] = {}

    def add(self, event: Event) -> None:
        """Add an event. The result of a cell replaces what its tests told before."""
        match event:
            case TestFinished():
                if event.attempt > self._attempts.setdefault(event.cell, event.attempt):
                    self._attempts[event.cell] = event.attempt
                    self._forget(event.cell)
                if event.verdict in BAD:
                    self._add_failure(event, event.cell, Outcome.FAILED)
            case CellFinished():
                self._forget(event.result.id)
                self._finish(event.result)
            case _:
                pass

    @property
    def found(self) -> list[Failing]:
        """The failures with the most cells first, equals in the order in which they were seen."""
        present = [failing for failing in list(self._known.values()) if failing.cells]
        return sorted(present, key=lambda failing: -len(failing.cells))

    def _finish(self, result: CellResult) -> None:
        if result.outcome in SILENT:
            return
        for failure in result.failures:
            self._add_failure(failure, result.id, result.outcome)
        if not result.failures:
            what = text.line(result.reason or result.outcome.value)
            self._add(f"{result.outcome}: {what}", what, result.id, result.outcome)

    def _add_failure(self, of: Failure | TestFinished, cell: str, outcome: Outcome) -> None:
        what = text.line(": ".join(filter(None, (of.kind, of.message))) or outcome.value)
        self._add(f"signature {of.signature}", what, cell, outcome, of.test)

    def _add(self, key: str, headline: str, cell: str, outcome: Outcome, test: str = "") -> None:
        failing = self._known.setdefault(key, Failing(headline=headline, outcome=outcome))
        failing.cells[cell] += 1
        if test:
            failing.tests[test] = None

    def _forget(self, cell: str) -> None:
        for failing in self._known.values():
            failing.cells.pop(cell, None)


def lines(
    found: Sequence[Failing], cells: Mapping[str, Mapping[str, str]], width: int, height: int, encoding: str
) -> list[Text]:
    """Return at most `height` lines of at most `width` columns for failures; those without room are counted."""
    shown: list[Text] = []
    for number, failing in enumerate(found):
        left, room = len(found) - number, height - len(shown)
        share = min(MAX_SHAPE_HEIGHT, max(MIN_SHAPE_HEIGHT, room // left))
        drawn = _failure(failing, cells, width, min(share, room - (left > 1)), encoding)  # with a line for the others
        if not drawn:
            break
        shown += drawn
    else:
        return shown
    rest = len(found) - number
    return [*shown, Text(f"and {text.count(rest, 'more failure' if shown else 'failure')}", style="red")][:height]


def _failure(
    failing: Failing, cells: Mapping[str, Mapping[str, str]], width: int, height: int, encoding: str
) -> list[Text]:
    """Return the lines of one failure: its picture on the left, what, where and in which cells beside it."""
    if height < 1:
        return []
    room = min(MAX_SHAPE_WIDTH, width - MIN_TEXT_WIDTH - 2)
    picture = shape(failing.cells.keys(), cells, room, height, encoding) if room > 1 and height > 1 else []
    beside = max(map(cell_len, picture), default=0)
    beside += 2 if beside else 0
    told = _told(failing, cells, width - beside, height, encoding)
    drawn = []
    for number in range(max(len(picture), len(told))):
        left = picture[number] if number < len(picture) else ""
        words, style = told[number] if number < len(told) else ("", "")
        line = Text(left + " " * (beside - cell_len(left)), style="red").append(words, style=style)
        line.rstrip()
        drawn.append(line)
    return drawn


def _told(
    failing: Failing, cells: Mapping[str, Mapping[str, str]], width: int, height: int, encoding: str
) -> list[tuple[str, str]]:
    """Return what failed, the first test, and in which cells, each line with its style; tests are left out first."""
    head = (_cut(f"{text.symbol(failing.outcome, encoding)} {failing.headline}", width), "red")
    many = f"{len(failing.cells)} of {text.count(len(cells), 'cell')}"
    where = ranges.described(list(failing.cells), cells) if len(cells) <= MAX_CELLS else ""
    room = max(1, width - 2)
    places = textwrap.wrap(text.line(f"{many}: {where}" if where else many), room)
    if len(places) >= height and where:  # where is more than how many
        places = [_cut(text.line(where), room)]
    told = [head, *((f"  {line}", "bright_black") for line in places)]
    tests = list(failing.tests)
    if tests and len(told) < height:
        more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
        told.insert(1, (f"  {_shortened(text.line(tests[0]), room - len(more))}{more}", "default"))
    return told[:height]


def _cut(line: str, room: int) -> str:
    return line if cell_len(line) <= room else f"{line[: max(0, room - 1)]}~"


def shape(
    chosen: Collection[str], cells: Mapping[str, Mapping[str, str]], width: int, height: int, encoding: str
) -> list[str]:
    """Return the picture of some cells in the grid: "■" for these, "·" for others, "▪" for a place with both kinds.

    A grid that is too large is made smaller: neighbours share a place. It lies down if that suits `width` and `height`.
    Cells of one axis are one line; where the axes give no grid, the cells are a block in their order.
    """
    rows = _places(cells)
    wide, high = max(map(len, rows)), len(rows)
    lying = [list(column) for column in zip(*rows, strict=True)]
    if _shrinks(wide, high, width, height) > _shrinks(high, wide, width, height):
        rows, wide, high = lying, high, wide
    across, down = -(-wide // width), -(-high // height)
    plain = not text.can_encode("".join(sign for sign, _ in (ALL, SOME, NONE)), encoding)
    picture = []
    for top in range(0, high, down):
        signs = []
        for left in range(0, wide, across):
            place = [cell for row in rows[top : top + down] for cell in row[left : left + across] if cell]
            inside = sum(cell in chosen for cell in place)
            sign = ALL if inside and inside == len(place) else SOME if inside else NONE
            signs.append(sign[plain] if place else " ")
        picture.append("".join(signs).rstrip())
    return picture


def _places(cells: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    """Return the ids of cells in rows of equal length, "" where there is none."""
    arranged = grid_layout.arrange(cells)
    if arranged is not None:
        return [list(row.cells) for row in arranged.rows]
    return [list(cells)] if cells else [[""]]


def _shrinks(wide: int, high: int, width: int, height: int) -> int:
    """Return how many cells share a place."""
    return -(-wide // width) * -(-high // height)


def _shortened(name: str, room: int) -> str:
    """Cut the beginning of a test's name: its end is more specific."""
    return name if cell_len(name) <= room else f"~{name[-max(1, room - 1) :]}"
