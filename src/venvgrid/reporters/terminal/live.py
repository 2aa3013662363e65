"""Progress on a terminal, redrawn in place: the grid, each failure once, the running cells, the totals.

What does not fit is made smaller: the grid becomes a heatmap, failures lose their pictures, of the running cells only
the first are shown. The last lines are always there: how many cells are done, how long it will take, what signs mean.

rich draws in its own thread. The state that it reads is changed only by the thread of the events, one simple value at a
time.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, TextIO, cast

from rich.console import Console, RenderHook
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from venvgrid.model import Event, Message, Outcome, Stage
from venvgrid.reporters import text
from venvgrid.reporters.terminal import live_failures
from venvgrid.reporters.terminal.grid_view import LiveGrid, legend
from venvgrid.reporters.terminal.heatmap import Heatmap
from venvgrid.reporters.terminal.live_failures import MIN_SHAPE_HEIGHT, LiveFailures
from venvgrid.reporters.terminal.progress import Progress, Running
from venvgrid.reporters.terminal.streams import SafeStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import ConsoleOptions, ConsoleRenderable, RenderResult

PER_SECOND = 8
MAX_WIDTH = 200  # columns
NOTHING_EXPECTED: Mapping[str, float] = MappingProxyType({})
MAX_DOING_LENGTH = 60  # characters
EXPECTED_MIN_WIDTH = 60  # columns; in fewer expected durations are omitted
MAX_ROWS = 16  # of running cells
MIN_HEIGHT_OF_LEGEND = 8  # lines of the whole screen
MIN_HEIGHT_OF_GAPS = 18
_BAR = 20
MAX_MACHINE = 24  # columns of the name of a machine


class LiveReporter:
    """Draws progress from events. A context manager: on exit the live part is erased, and the lines above it stay."""

    def __init__(
        self,
        stream: TextIO,
        *,
        expected: Mapping[str, float] = NOTHING_EXPECTED,
        verbose: bool = False,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Draw on `stream`, a terminal.

        `expected` maps cells to the seconds that their tests took last time. `verbose`: print all messages. `console`
        and `clock` (seconds) are for tests.
        """
        quiet = cast("TextIO", SafeStream(stream))
        self._console = console or Console(file=quiet, highlight=False, emoji=False, markup=False)
        self._screen, self._verbose = Screen(clock, expected), verbose
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
        self._console.push_render_hook(Resized(self._screen, self._console))  # the end of rich's takes the last one
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Erase the live part and show the cursor again."""
        self._live.stop()
        self._console.pop_render_hook()

    def __call__(self, event: Event) -> None:
        """Add an event. It is drawn at the next refresh."""
        self._screen.add(event)
        if isinstance(event, Message) and (self._verbose or event.level == "warning"):
            style = "yellow" if event.level == "warning" else "bright_black"
            self._print(Text(f"{text.line(event.level)}: {text.line(event.text, 500)}", style=style))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)


class Resized(RenderHook):
    """Erases what is left of the last picture if the terminal changed its size.

    A narrower terminal makes several lines of a long one. A lower one scrolls the first lines away, and a higher one
    takes them back. (Terminals that do neither have nothing above that could be erased by mistake.)
    """

    def __init__(self, screen: Screen, console: Console) -> None:
        self._screen, self._console = screen, console
        self._size = console.size
        self._scrolled: list[int] = []  # widths of the lines of pictures that were scrolled away

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Add the missing steps upwards to those of rich, which knows the number of drawn lines only."""
        size, before = self._console.size, self._size
        if size == before:
            return renderables
        self._size = size

        def rows(columns: int) -> int:
            return max(1, -(-columns // max(1, size.width)))

        picture = list(self._screen.drawn)
        while picture and sum(map(rows, picture)) > size.height:
            self._scrolled.append(picture.pop(0))
        found = sum(map(rows, picture))
        room = size.height - before.height
        while self._scrolled and rows(self._scrolled[-1]) <= room:
            back = rows(self._scrolled.pop())
            found, room = found + back, room - back
        more = max(0, min(found, size.height) - len(self._screen.drawn))
        return [Control(*((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * more), *renderables]


class Screen:
    """The live part of the screen. `drawn` are the widths of the lines of the last picture."""

    def __init__(self, clock: Callable[[], float], expected: Mapping[str, float] = NOTHING_EXPECTED) -> None:
        """Start without cells. `clock` returns seconds since any moment."""
        self.progress = Progress()
        self.failures = LiveFailures()
        self.drawn: tuple[int, ...] = ()
        self._expected = expected
        self._grid: tuple[LiveGrid, Heatmap] | None = None
        self._clock = clock
        self._began = clock()  # time of `clock` at the start of the run

    def add(self, event: Event) -> None:
        """Add an event."""
        self.progress.add(event)
        self.failures.add(event)
        self._began = min(self._began, self._clock() - self.progress.now)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines for the current size of the terminal."""
        width = min(options.max_width - 1, MAX_WIDTH)  # some terminals wrap after the last column
        drawn = list(self.lines(max(width, 1), max(1, options.size.height - 1), console.encoding))
        for line in drawn:
            line.truncate(max(width, 1), overflow="crop")
            yield line
        self.drawn = tuple(line.cell_len for line in drawn)

    def lines(self, width: int, height: int, encoding: str) -> Iterator[Text]:
        """Yield at most `height` lines of at most `width` columns."""
        now = self._clock() - self._began
        progress = self.progress
        running = list(progress.running.values())  # one atomic step: the other thread may change it
        failures = self.failures.found
        has_legend = progress.total > 0 and height >= MIN_HEIGHT_OF_LEGEND
        gap = [Text()] if height >= MIN_HEIGHT_OF_GAPS else []
        room = height - 1 - has_legend
        count = max(len(running), len(progress.machines)) if len(progress.machines) > 1 else len(running)
        most = min(count, MAX_ROWS)
        few = min(most, max(1, room // 4)) if most else 0
        least = few + (min(MIN_SHAPE_HEIGHT, room // 3) + len(gap) if failures else 0)
        grid = self._grid_lines(width, room - least - len(gap), encoding)
        yield from [*grid, *gap] if grid else []
        room -= len(grid) + len(gap) if grid else 0
        rows = max(few, min(most, room - (least - few) * 2)) if failures else min(most, room)
        told = live_failures.lines(failures, progress.cells, width, room - rows - len(gap), encoding)
        yield from [*told, *gap] if told else []
        yield from self._rows(running, rows if told else min(most, room), width, now)
        yield self._totals(now, len(running), width, encoding)
        if has_legend:
            yield legend(progress, width, encoding)

    def _grid_lines(self, width: int, height: int, encoding: str) -> list[Text]:
        """Return the grid, or its heatmap; nothing if neither fits."""
        if self._grid is None and self.progress.cells:
            self._grid = LiveGrid(self.progress.cells), Heatmap(self.progress.cells)
        if self._grid is None:
            return []
        full, heatmap = self._grid
        fits = full.height <= height and full.width <= width
        return [*full.lines(self.progress, encoding)] if fits else heatmap.lines(self.progress, width, height, encoding)

    def _rows(self, running: list[Running], room: int, width: int, now: float) -> Iterator[Text]:
        """Yield a line for each running cell, at most `room` lines."""
        machines = dict(self.progress.machines)
        if len(machines) > 1 and room > 1:
            yield from _machine_rows(machines, running, room, width, now)
            return
        shown = running if len(running) <= room else running[: max(0, room - 1)]
        wide = max((len(row.cell) for row in shown), default=0)
        for row in shown:
            yield _row(row, now, wide, width, self._expected.get(row.cell, 0.0))
        if len(running) > len(shown) and room:
            yield Text(f"  and {len(running) - len(shown)} more", style="bright_black")

    def _totals(self, now: float, running: int, width: int, encoding: str) -> Text:
        """Return what is done and what is left, in as many words as fit."""
        progress = self.progress
        left = progress.left(self._expected, now)
        counts = [(outcome, number) for outcome in Outcome if (number := progress.done[outcome])]
        waiting = max(0, progress.total - progress.finished - running)
        parts = Text(f"{progress.finished} of {text.count(progress.total, 'cell')}", style="bold")
        for index, (outcome, number) in enumerate(counts):
            parts.append(": " if index == 0 else ", ")
            parts.append(f"{number} {outcome.value}", style=text.colour(outcome))
        parts.append("".join([f", {running} running" if running else "", f", {waiting} waiting" if waiting else ""]))
        parts.append(f", {text.seconds(now)}")
        parts.append(f", about {_about(left)} left" if left is not None else "")
        if progress.total and parts.cell_len + _BAR + 1 <= width:
            return Text.assemble(_bar(progress.finished, progress.total, encoding), " ", parts)
        if parts.cell_len <= width:
            return parts
        short = Text(f"{progress.finished}/{progress.total}", style="bold")
        for outcome, number in counts:
            short.append(f" {text.symbol(outcome, encoding)}{number}", style=text.colour(outcome))
        return short.append(f" {_about(left)} left" if left is not None else f" {text.seconds(now)}")


def _about(seconds: float) -> str:
    """Format an estimate: in steps of 5 seconds, from a minute on in minutes."""
    if seconds < 57.5:  # noqa: PLR2004  (more is a minute)
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 100 else f"{round(minutes / 60)} h"  # noqa: PLR2004


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


def _machine_rows(
    machines: Mapping[str, int], running: list[Running], room: int, width: int, now: float
) -> Iterator[Text]:
    """Yield a line for each machine: how many cells it has done, and what it does now, the longest first."""
    busy: dict[str, list[Running]] = {name: [] for name in machines}
    for row in running:
        busy.setdefault(row.machine or "here", []).append(row)
    shown = sorted(busy, key=lambda name: (-len(busy[name]), name))
    more = len(shown) - room
    shown = sorted(shown[: room - 1] if more > 0 else shown)
    wide = min(MAX_MACHINE, max(map(len, shown), default=0))
    for name in shown:
        rows = sorted(busy[name], key=lambda row: row.since)
        doing = ", ".join(
            f"{text.line(row.cell)} {row.stage.value} {text.seconds(max(0.0, now - row.since))}" for row in rows
        )
        line = f"  {text.line(name)[:wide]:<{wide}}  {machines.get(name, 0):>5} done  {doing or 'idle'}"
        yield Text(line if len(line) <= width else f"{line[: max(1, width - 1)]}~")
    if more > 0:
        yield Text(f"  and {more + 1} more machines", style="bright_black")


def _bar(done: int, total: int, encoding: str) -> Text:
    full, empty = ("━", "─") if text.can_encode("━─", encoding) else ("#", ".")
    filled = _BAR * min(done, total) // total
    return Text.assemble((full * filled, "green"), (empty * (_BAR - filled), "bright_black"))
