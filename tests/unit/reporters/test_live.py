"""Progress on a terminal: what is drawn, what stays, and that nothing else does."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import factories as make
import hostile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from venvgrid.model import (
    CaseOutcome,
    Event,
    Message,
    Outcome,
    Stage,
    StageFinished,
    StageProgress,
    StageStarted,
    TestsCollected,
)
from venvgrid.reporters.terminal.live import LiveReporter, Screen

if TYPE_CHECKING:
    from venvgrid.model import Cell

CONTROL = re.compile(r"\x1b\[(\??)(\d*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")


class Clock:
    """Shows what it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Tty(io.StringIO):
    """A terminal, as far as it says."""

    def isatty(self) -> bool:
        return True


class HungUp(Tty):
    """A terminal that was closed."""

    def write(self, text: str) -> int:
        del text
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def final_screen(written: str) -> tuple[list[str], bool]:
    """Play what was written to a terminal that is wide and high enough; give its lines and whether the cursor shows."""
    lines, row, column, cursor = [""], 0, 0, True
    for private, number, name, carriage_return, line_feed, text in CONTROL.findall(written):
        if text:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
            column += len(text)
        elif carriage_return:
            column = 0
        elif line_feed:
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif name == "A":
            row = max(0, row - int(number or 1))
        elif name == "K":
            lines[row] = ""
        elif private:
            cursor = name == "h"
        elif name != "m":
            pytest.fail(f"the terminal was sent {name!r}")
    return [line for line in lines if line.strip()], cursor


def console(stream: io.StringIO, width: int = 100, height: int = 30) -> Console:
    return Console(
        file=stream,
        force_terminal=True,
        width=width,
        height=height,
        color_system=None,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
        _environ={"TERM": "xterm"},
    )


def drawn(*events: Event, width: int = 100, height: int = 30, encoding: str = "utf-8", later: float = 0.0) -> list[str]:
    clock = Clock()
    screen = Screen(clock)
    for event in events:
        screen.add(event)
    clock.now += later
    return [line.plain for line in screen.lines(width, height, encoding)]


def running(number: int) -> list[Event]:
    return [StageStarted(cell=f"py3.{n}", stage=Stage.BUILD, at=0.0) for n in range(number)]


def test_running_cells_have_a_line_and_the_count_is_below() -> None:
    """Stage, seconds and tests of each; then what is done, what runs and what waits."""
    cells = [make.cell(name) for name in ("py3.9", "py3.10", "py3.11", "py3.12")]
    lines = drawn(
        make.started(cells),
        make.finished(make.result("py3.9"), at=0.0),
        StageStarted(cell="py3.10", stage=Stage.TEST, at=0.0),
        TestsCollected(cell="py3.10", collected=40, at=0.0),
        make.one_test("py3.10", "t::a", CaseOutcome.PASSED, at=0.0),
        make.one_test("py3.10", "t::b", CaseOutcome.FAILED, at=0.0),
        StageStarted(cell="py3.11", stage=Stage.BUILD, at=0.0),
        later=3.4,
    )
    assert lines == [
        "py3.9   ✓",
        "py3.10  ▸",
        "py3.11  b",
        "py3.12  ·",
        "",
        "  py3.10  test                  3.4 s  2 of 40, 1 failed",
        "  py3.11  build                 3.4 s",
        "━━━━━─────────────── 1 of 4 cells: 1 passed, 2 running, 1 waiting, 3.4 s",
    ]


def test_time_goes_on_between_events() -> None:
    """Events that arrive late do not make the clock jump back."""
    stage = StageStarted(cell="py3.9", stage=Stage.TEST, at=5.0)
    assert drawn(stage, later=2.0)[0].split()[-2:] == ["2.0", "s"]
    assert drawn(stage, later=2.0)[-1].endswith(", 7.0 s")


def test_many_running_cells_are_a_window_with_a_count() -> None:
    """As many as the terminal is high, and never so many that nothing else is seen."""
    low = drawn(make.started([]), *running(30), height=6)
    assert (len(low), low[4]) == (6, "  and 26 more")
    high = drawn(make.started([]), *running(30), height=100)
    assert (len(high), high[15]) == (17, "  and 15 more")
    assert len(drawn(make.started([]), *running(3), height=1)) == 1


@pytest.mark.parametrize("width", [1, 2, 10, 24, 40, 80, 300])
@pytest.mark.parametrize("height", [1, 2, 3, 10])
def test_no_terminal_is_too_small(width: int, height: int) -> None:
    """What is drawn always fits, with the last column and row free."""
    stream = io.StringIO()
    small = console(stream, width, height)
    screen = Screen(Clock())
    for event in (make.started([make.cell(f"py3.{n}") for n in range(9)]), *running(9)):
        screen.add(event)
    lines = small.render_lines(screen, small.options, pad=False)
    assert len(lines) <= max(1, height - 1)
    texts = ["".join(segment.text for segment in line) for line in lines]
    assert all(cell_len(text) <= max(1, min(width - 1, 100)) for text in texts)


def test_an_encoding_without_signs_gets_letters() -> None:
    """The bar, too."""
    cells = [make.cell("py3.9"), make.cell("py3.10")]
    lines = drawn(make.started(cells), make.finished(make.result("py3.9"), at=0.0), encoding="ascii")
    assert lines == [
        "py3.9   +",
        "py3.10  .",
        "",
        "##########.......... 1 of 2 cells: 1 passed, 1 waiting, 0.0 s",
    ]


def two_axes(rows: int = 2) -> list[Cell]:
    """Make cells of two Pythons and as many numpys as there are to be rows."""
    return [
        make.cell(f"py{python}-numpy{numpy}.0", {"python": python, "numpy": f"{numpy}.0"})
        for python in ("3.9", "3.10")
        for numpy in range(rows)
    ]


def test_the_grid_fills_in() -> None:
    """Where two axes vary: rows and columns, a sign for what each cell is doing or became."""
    cells = two_axes()
    lines = drawn(
        make.started(cells),
        make.finished(make.result(cells[0]), at=0.0),
        make.finished(make.result(cells[1], Outcome.FAILED), at=0.0),
        StageStarted(cell=cells[2].id, stage=Stage.TEST, at=0.0),
    )
    assert lines[:4] == ["numpy  3.9  3.10", "0.0     ✓    ▸", "1.0     ✗    ·", ""]


@pytest.mark.parametrize(("width", "height"), [(10, 30), (100, 8), (100, 3)])
def test_a_grid_that_does_not_fit_is_left_out(width: int, height: int) -> None:
    """The cells that run and the count are shown all the same."""
    cells = two_axes(8)
    lines = drawn(
        make.started(cells), StageStarted(cell=cells[0].id, stage=Stage.TEST, at=0.0), width=width, height=height
    )
    assert len(lines) == 2
    assert "0 of 16 cells" in lines[1]


def test_two_hundred_cells() -> None:
    """Ten Pythons and twenty versions fit a common terminal; a hundred rows do not, and never scroll it."""
    many = [
        make.cell(f"py3.{python}-numpy{numpy}.0", {"python": f"3.{python}", "numpy": f"{numpy}.0"})
        for python in range(4, 14)
        for numpy in range(20)
    ]
    lines = drawn(make.started(many), height=40)
    assert len(lines) == 1 + 20 + 1 + 1
    assert len(drawn(make.started(two_axes(100)), height=24)) == 1


def test_expected_time_is_that_of_the_last_run() -> None:
    """A cell that was seen before says how long it takes."""
    clock = Clock()
    screen = Screen(clock, {"py3.9": 75.0})
    for event in (make.started([make.cell("py3.9")]), StageStarted(cell="py3.9", stage=Stage.TEST, at=0.0)):
        screen.add(event)
    clock.now += 2
    assert [line.plain for line in screen.lines(100, 30, "utf-8")][2] == "  py3.9  test     2.0 s of 1 min 15 s"


def test_the_first_failure_is_told_as_it_happens() -> None:
    """Its cell goes on; later failures are told with their cells."""
    stream = Tty()
    with LiveReporter(stream, console=console(stream), clock=Clock()) as live:
        live(make.started([make.cell("py3.9")]))
        live(make.one_test("py3.9", "t::a", CaseOutcome.PASSED))
        live(make.one_test("py3.9", "t::b", CaseOutcome.FAILED, message="ValueError: one"))
        live(make.one_test("py3.9", "t::c", CaseOutcome.FAILED, message="ValueError: two"))
    assert final_screen(stream.getvalue())[0] == ["first failure: py3.9: t::b: ValueError: one"]


def test_bad_cells_stay_on_the_screen_and_everything_else_is_erased() -> None:
    """After the end there are the failures and warnings that were printed, no row, no count, and the cursor."""
    stream = Tty()
    cells = [make.cell(name) for name in ("py3.9", "py3.10", "py3.11")]
    bad = make.result("py3.10", Outcome.FAILED, failures=(make.failure(),))
    with LiveReporter(stream, console=console(stream), clock=Clock()) as live:
        live(make.started(cells))
        for event in running(3):
            live(event)
        live(make.finished(make.result("py3.9")))
        live(make.finished(bad))
        live(Message(level="warning", text="odd"))
        live(Message(level="info", text="silent"))
        live(StageFinished(cell="py3.11", stage=Stage.BUILD, at=1.0, duration=1.0))
    lines, cursor = final_screen(stream.getvalue())
    assert lines == [
        "✗ py3.10 failed: 1 of 3 tests failed in 1.2 s (build 0.8 s)",
        "    tests/test_a.py::test_one: ValueError: bad value",
        "    log: .venvgrid/runs/20260101-120000-abcd/logs/py3.10.log",
        "warning: odd",
    ]
    assert cursor
    assert "\x1b[?25l" in stream.getvalue()


def test_an_exception_leaves_a_clean_screen_too() -> None:
    """Also when nothing had been drawn but the first picture."""
    stream = Tty()

    def interrupted() -> None:
        with LiveReporter(stream, console=console(stream)) as live:
            live(make.started([make.cell("py3.9")]))
            live(StageStarted(cell="py3.9", stage=Stage.TEST, at=0.0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert final_screen(stream.getvalue()) == ([], True)


def test_a_terminal_that_hangs_up_stops_nothing() -> None:
    """Neither an event nor the end raises, and rich's thread dies of nothing."""
    with LiveReporter(HungUp()) as live:
        live(make.started([make.cell("py3.9")]))
        live(make.finished(make.result("py3.9", Outcome.FAILED)))


@settings(deadline=None)
@given(st.lists(hostile.texts, min_size=3, max_size=3))
def test_text_of_others_moves_no_cursor(values: list[str]) -> None:
    """What is printed above and drawn below holds no control character but rich's own."""
    test, message, reason = values
    stream = Tty()
    failures = (make.failure(test or "t", message=message),)
    with LiveReporter(stream, console=console(stream), clock=Clock()) as live:
        live(make.started([make.cell("a")]))
        live(make.finished(make.result("a", Outcome.CRASHED, reason=reason, failures=failures)))
        live(Message(level="warning", text=message))
    final_screen(stream.getvalue())  # fails at any other control sequence
    assert not re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]", stream.getvalue())


def test_what_is_being_downloaded_is_told() -> None:
    """A long build says what it is at."""
    lines = drawn(
        make.started([make.cell("py3.9")]),
        StageStarted(cell="py3.9", stage=Stage.BUILD, at=0.0),
        StageProgress(cell="py3.9", stage=Stage.BUILD, text="Downloading torch (2.1GiB)", at=0.0),
    )
    assert lines[2].endswith("Downloading torch (2.1GiB)")
