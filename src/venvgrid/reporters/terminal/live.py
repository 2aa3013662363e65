"""Progress on a terminal, redrawn in place: the grid, a line a running cell, and the count; red cells stay above.

Where the grid does not fit, running cells and the count are what is shown of it.

rich draws from a thread of its own. What it reads is changed by the events' thread alone, one simple value at a time.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, TextIO, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text

from venvgrid.model.events import CellFinished, Event, Message, Stage, TestFinished
from venvgrid.model.result import Outcome
from venvgrid.reporters import text
from venvgrid.reporters.terminal.grid_view import LiveGrid
from venvgrid.reporters.terminal.lines import finished
from venvgrid.reporters.terminal.progress import Progress, Running
from venvgrid.reporters.terminal.streams import SafeStream
from venvgrid.results.report import BAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from rich.console import ConsoleOptions, RenderResult

PER_SECOND = 8
# Short lines stay one line when the terminal is made narrower; else what they become would not be erased.
WIDEST = 100
SILENT = frozenset({Outcome.PASSED, Outcome.IMPOSSIBLE, Outcome.CANCELLED})  # told by the count, and at the end
NOTHING_EXPECTED: Mapping[str, float] = MappingProxyType({})
LONGEST_DOING = 60  # characters
ROOM_FOR_EXPECTED = 60  # columns
MAX_ROWS = 16  # of running cells: what stays above is to be seen, too
_BAR = 20


class LiveReporter:
    """A context manager, called with events; when it is left, the screen holds only what stays."""

    def __init__(
        self,
        stream: TextIO,
        *,
        expected: Mapping[str, float] = NOTHING_EXPECTED,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Draw on `stream`, a terminal; `expected` maps cells to the seconds that their tests took last time.

        `console` and `clock` (seconds) are others in tests.
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
        """Begin to draw."""
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Erase what is not to stay, and give the cursor back."""
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take in an event; it is drawn at the next refresh."""
        self._screen.add(event)
        match event:
            case TestFinished() if event.verdict in BAD and not self._has_failed:
                self._has_failed = True
                told = f"first failure: {text.line(event.cell)}: {text.line(event.test)}: {text.line(event.message)}"
                self._print(Text(told, style="red"))
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
    """What is drawn: rows of running cells, as many as there is room for, and the count below."""

    def __init__(self, clock: Callable[[], float], expected: Mapping[str, float] = NOTHING_EXPECTED) -> None:
        """Know nothing yet. `clock` gives seconds, from any beginning."""
        self.progress = Progress()
        self._expected = expected
        self._picture: LiveGrid | None = None
        self._clock = clock
        self._began = clock()  # what the clock showed when the run began

    def add(self, event: Event) -> None:
        """Take in an event."""
        self.progress.add(event)
        self._began = min(self._began, self._clock() - self.progress.now)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give the lines for the terminal as large as it is now."""
        width = min(options.max_width - 1, WIDEST)  # the last column is left free: writing it makes some terminals wrap
        for line in self.lines(width, max(1, options.size.height - 1), console.encoding):
            line.truncate(max(width, 1), overflow="crop")
            yield line

    def lines(self, width: int, height: int, encoding: str) -> Iterator[Text]:
        """Give at most `height` lines of at most `width` columns."""
        now = self._clock() - self._began
        running = list(self.progress.running.values())  # one step: the events' thread goes on meanwhile
        room = min(height - 1, MAX_ROWS)
        shown = running if len(running) <= room else running[: max(0, room - 1)]
        wide = max((len(row.cell) for row in shown), default=0)
        yield from self._drawn(width, height - 2 - min(len(running), room), encoding)
        for row in shown:
            yield _row(row, now, wide, width, self._expected.get(row.cell, 0.0))
        if len(running) > len(shown) and room:
            yield Text(f"  and {len(running) - len(shown)} more", style="bright_black")
        yield self._count(now, len(running), width, encoding)

    def _drawn(self, width: int, height: int, encoding: str) -> list[Text]:
        """Give the grid with an empty line below, if it fits."""
        if self._picture is None and self.progress.cells:
            self._picture = LiveGrid(self.progress.cells)
        if self._picture is None or self._picture.height > height or self._picture.width > width:
            return []
        return [*self._picture.lines(self.progress, encoding), Text()]

    def _count(self, now: float, running: int, width: int, encoding: str) -> Text:
        progress = self.progress
        parts = Text(f"{progress.finished} of {text.count(progress.total, 'cell')}", style="bold")
        if width > 2 * _BAR + len(parts) and progress.total:
            parts = Text.assemble(_bar(progress.finished, progress.total, encoding), " ", parts)
        told = [(f"{number} {outcome.value}", outcome) for outcome in Outcome if (number := progress.done[outcome])]
        for index, (words, outcome) in enumerate(told):
            parts.append(": " if index == 0 else ", ").append(words, style=text.colour(outcome))
        waiting = max(0, progress.total - progress.finished - running)
        parts.append("".join([f", {running} running" if running else "", f", {waiting} waiting" if waiting else ""]))
        return parts.append(f", {text.seconds(now)}")


def _row(row: Running, now: float, wide: int, width: int, expected: float) -> Text:
    """Draw "  py3.9-matplotlib3.5  test      3.4 s of 12.0 s  12 of 40, 1 failed"."""
    took = text.seconds(max(0.0, now - row.since))
    if row.stage is Stage.TEST and expected and width >= ROOM_FOR_EXPECTED:
        took += f" of {text.seconds(expected)}"
    told = ""
    if row.stage is Stage.TEST and (row.collected or row.done):
        told = f"{row.done} of {row.collected}" if row.collected else str(row.done)
    elif row.doing:
        told = text.line(row.doing, LONGEST_DOING)
    failed = f", {row.failed} failed" if row.failed else ""
    name = text.line(row.cell)
    room = min(wide, max(8, width - 36))
    shown = name if len(name) <= room else f"{name[: room - 1]}~"
    line = Text(f"  {shown:<{room}}  {row.stage.value:<7}  {took:>18}  {told}".rstrip())
    return line.append(failed, style="red")


def _bar(done: int, total: int, encoding: str) -> Text:
    full, empty = ("━", "─") if text.can_encode("━─", encoding) else ("#", ".")
    filled = _BAR * min(done, total) // total
    return Text.assemble((full * filled, "green"), (empty * (_BAR - filled), "bright_black"))
