"""Progress on a terminal, redrawn in place: the grid, a line for each running cell, the totals. Red cells stay above.

If the grid does not fit, only running cells and totals are drawn.

rich draws in its own thread. The state that it reads is changed only by the thread of the events, one simple value at a
time.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, TextIO, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text

from venvgrid.model import CellFinished, Event, Message, Outcome, Stage, TestFinished
from venvgrid.reporters import text
from venvgrid.reporters.terminal.grid_view import LiveGrid
from venvgrid.reporters.terminal.lines import finished
from venvgrid.reporters.terminal.progress import Progress, Running
from venvgrid.reporters.terminal.streams import SafeStream
from venvgrid.results.report import BAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import ConsoleOptions, RenderResult

PER_SECOND = 8
# If the terminal is made narrower, longer lines would wrap and not be erased.
MAX_WIDTH = 100  # columns
SILENT = frozenset({Outcome.PASSED, Outcome.IMPOSSIBLE, Outcome.CANCELLED})  # in the totals and in the summary
NOTHING_EXPECTED: Mapping[str, float] = MappingProxyType({})
MAX_DOING_LENGTH = 60  # characters
EXPECTED_MIN_WIDTH = 60  # columns; in fewer expected durations are omitted
MAX_ROWS = 16  # of running cells: red cells above should stay visible
_BAR = 20


class LiveReporter:
    """Draws progress from events. A context manager: on exit the live part is erased, and the lines above it stay."""

    def __init__(
        self,
        stream: TextIO,
        *,
        expected: Mapping[str, float] = NOTHING_EXPECTED,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Draw on `stream`, a terminal.

        `expected` maps cells to the seconds that their tests took last time. `console` and `clock` (seconds) are for
        tests.
        """
        quiet = cast("TextIO", SafeStream(stream))
        self._console = console or Console(file=quiet, highlight=False, emoji=False, markup=False)
        self._screen = Screen(clock, expected)
        self._has_failed = False
        self._live = Live(
            self._screen,
            console=self._console,
            refresh_per_second=PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )

    def __enter__(self) -> Self:
        """Start drawing."""
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Erase the live part and show the cursor again."""
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Add an event. It is drawn at the next refresh."""
        self._screen.add(event)
        match event:
            case TestFinished() if event.verdict in BAD and not self._has_failed:
                self._has_failed = True
                message = f"first failure: {text.line(event.cell)}: {text.line(event.test)}: {text.line(event.message)}"
                self._print(Text(message, style="red"))
            case CellFinished() if event.result.outcome not in SILENT:
                first, *rest = finished(event.result, self._screen.progress.run, self._console.encoding)
                self._print(Text(first, style=text.colour(event.result.outcome)))
                for line in rest:
                    self._print(Text(line, style="bright_black"))
            case Message() if event.level == "warning":
                self._print(Text(f"warning: {text.line(event.text, 500)}", style="yellow"))
            case _:
                pass

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)


class Screen:
    """The live part of the screen: the grid if it fits, rows of running cells, the totals."""

    def __init__(self, clock: Callable[[], float], expected: Mapping[str, float] = NOTHING_EXPECTED) -> None:
        """Start without cells. `clock` returns seconds since any moment."""
        self.progress = Progress()
        self._expected = expected
        self._grid: LiveGrid | None = None
        self._clock = clock
        self._began = clock()  # time of `clock` at the start of the run

    def add(self, event: Event) -> None:
        """Add an event."""
        self.progress.add(event)
        self._began = min(self._began, self._clock() - self.progress.now)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines for the current size of the terminal."""
        width = min(options.max_width - 1, MAX_WIDTH)  # some terminals wrap after the last column
        for line in self.lines(width, max(1, options.size.height - 1), console.encoding):
            line.truncate(max(width, 1), overflow="crop")
            yield line

    def lines(self, width: int, height: int, encoding: str) -> Iterator[Text]:
        """Yield at most `height` lines of at most `width` columns."""
        now = self._clock() - self._began
        running = list(self.progress.running.values())  # one atomic step: the other thread may change it
        room = min(height - 1, MAX_ROWS)
        shown = running if len(running) <= room else running[: max(0, room - 1)]
        wide = max((len(row.cell) for row in shown), default=0)
        yield from self._grid_lines(width, height - 2 - min(len(running), room), encoding)
        for row in shown:
            yield _row(row, now, wide, width, self._expected.get(row.cell, 0.0))
        if len(running) > len(shown) and room:
            yield Text(f"  and {len(running) - len(shown)} more", style="bright_black")
        yield self._totals(now, len(running), width, encoding)

    def _grid_lines(self, width: int, height: int, encoding: str) -> list[Text]:
        """Return the grid and an empty line, or nothing if it does not fit."""
        if self._grid is None and self.progress.cells:
            self._grid = LiveGrid(self.progress.cells)
        if self._grid is None or self._grid.height > height or self._grid.width > width:
            return []
        return [*self._grid.lines(self.progress, encoding), Text()]

    def _totals(self, now: float, running: int, width: int, encoding: str) -> Text:
        progress = self.progress
        parts = Text(f"{progress.finished} of {text.count(progress.total, 'cell')}", style="bold")
        if width > 2 * _BAR + len(parts) and progress.total:
            parts = Text.assemble(_bar(progress.finished, progress.total, encoding), " ", parts)
        counts = [(f"{number} {outcome.value}", outcome) for outcome in Outcome if (number := progress.done[outcome])]
        for index, (words, outcome) in enumerate(counts):
            parts.append(": " if index == 0 else ", ").append(words, style=text.colour(outcome))
        waiting = max(0, progress.total - progress.finished - running)
        parts.append("".join([f", {running} running" if running else "", f", {waiting} waiting" if waiting else ""]))
        return parts.append(f", {text.seconds(now)}")


def _row(row: Running, now: float, wide: int, width: int, expected: float) -> Text:
    """Return "  py3.9-matplotlib3.5  test      3.4 s of 12.0 s  12 of 40, 1 failed"."""
    took = text.seconds(max(0.0, now - row.since))
    if row.stage is Stage.TEST and expected and width >= EXPECTED_MIN_WIDTH:
        took += f" of {text.seconds(expected)}"
    detail = ""
    if row.stage is Stage.TEST and (row.collected or row.done):
        detail = f"{row.done} of {row.collected}" if row.collected else str(row.done)
    elif row.doing:
        detail = text.line(row.doing, MAX_DOING_LENGTH)
    failed = f", {row.failed} failed" if row.failed else ""
    name = text.line(row.cell)
    room = min(wide, max(8, width - 36))
    shown = name if len(name) <= room else f"{name[: room - 1]}~"
    line = Text(f"  {shown:<{room}}  {row.stage.value:<7}  {took:>18}  {detail}".rstrip())
    return line.append(failed, style="red")


def _bar(done: int, total: int, encoding: str) -> Text:
    full, empty = ("━", "─") if text.can_encode("━─", encoding) else ("#", ".")
    filled = _BAR * min(done, total) // total
    return Text.assemble((full * filled, "green"), (empty * (_BAR - filled), "bright_black"))
