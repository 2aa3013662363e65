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
from rich.control import Control

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
from venvgrid.reporters.terminal import live_failures
from venvgrid.reporters.terminal.live import LiveReporter, Resized, Screen
from venvgrid.reporters.terminal.progress import Progress

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
        "·■··  ✗ failed",
        "        t::b",
        "        1 of 4 cells: python 3.10",
        "",
        "  py3.10  test                  3.4 s  2 of 40, 1 failed",
        "  py3.11  build                 3.4 s",
        "━━━━━─────────────── 1 of 4 cells: 1 passed, 2 running, 1 waiting, 3.4 s",
        "✓ passed  b building  ▸ testing  · waiting",
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
    assert all(cell_len(text) <= max(1, min(width - 1, 200)) for text in texts)


def test_an_encoding_without_signs_gets_letters() -> None:
    """The bar, too."""
    cells = [make.cell("py3.9"), make.cell("py3.10")]
    lines = drawn(make.started(cells), make.finished(make.result("py3.9"), at=0.0), encoding="ascii")
    assert lines == [
        "py3.9   +",
        "py3.10  .",
        "",
        "##########.......... 1 of 2 cells: 1 passed, 1 waiting, 0.0 s",
        "+ passed  . waiting",
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


def test_a_grid_that_does_not_fit_becomes_a_heatmap() -> None:
    """A line for each Python, a sign for each cell, no gaps; equal versions are in one column."""
    cells = two_axes(20)
    lines = drawn(
        make.started(cells),
        make.finished(make.result(cells[1]), at=0.0),
        make.finished(make.result(cells[21], Outcome.FAILED), at=0.0),
        StageStarted(cell=cells[2].id, stage=Stage.TEST, at=0.0),
        width=60,
        height=12,
    )
    assert lines[:3] == ["columns: numpy 0.0..19.0", "3.9   ·✓▸" + "·" * 17, "3.10  ·✗" + "·" * 18]


@pytest.mark.parametrize(("width", "height"), [(100, 4), (3, 3), (1, 1)])
def test_where_nothing_fits_the_count_is_left(width: int, height: int) -> None:
    """The last line is always there."""
    lines = drawn(make.started(two_axes(8)), width=width, height=height)
    assert len(lines) <= height
    assert re.search(r"0 of 16 cells|0/16", lines[-1])


def two_hundred() -> list[Cell]:
    """Make the cells of five Pythons and forty values of a variable."""
    return [
        make.cell(f"py3.{python}-A.{number}", {"python": f"3.{python}", "env.A": str(number)})
        for python in range(9, 14)
        for number in range(40)
    ]


@pytest.mark.parametrize(
    ("width", "height", "signs"), [(99, 29, 5), (79, 23, 5), (39, 14, 10), (20, 23, 15), (39, 10, 6), (199, 49, 40)]
)
def test_two_hundred_cells_are_seen_on_every_terminal(width: int, height: int, signs: int) -> None:
    """A sign for each cell: as a grid, as lines of Pythons, wrapped, or as a block; with the count and the legend."""
    lines = drawn(make.started(two_hundred()), width=width, height=height)
    dots = [line for line in lines if line.count("·") >= 5]
    assert sum(line.count("·") for line in dots) == 200
    assert len(dots) == signs
    assert lines[-2].endswith("of 200 cells, 200 waiting, 0.0 s") or lines[-2].startswith("0/200")
    assert lines[-1] == "· waiting"


def test_more_cells_than_places_share_signs() -> None:
    """The sign of several cells is that of the worst; a line says how many cells it stands for."""
    many = [make.cell(f"c{n}", {"python": "3.9", "x": str(n)}) for n in range(5000)]
    events: list[Event] = [make.started(many), make.finished(make.result(many[7], Outcome.FAILED), at=0.0)]
    lines = drawn(*events, width=39, height=20)
    assert len(lines) <= 20
    assert re.match(r"each sign: \d+ cells, the worst of them", lines[0])
    assert lines[1].startswith("✗·")


def test_expected_time_is_that_of_the_last_run() -> None:
    """A cell that was seen before says how long it takes."""
    clock = Clock()
    screen = Screen(clock, {"py3.9": 75.0})
    for event in (make.started([make.cell("py3.9")]), StageStarted(cell="py3.9", stage=Stage.TEST, at=0.0)):
        screen.add(event)
    clock.now += 2
    assert [line.plain for line in screen.lines(100, 30, "utf-8")][2] == "  py3.9  test     2.0 s of 1 min 15 s"


def test_a_failure_is_told_as_it_happens() -> None:
    """The cell goes on; the same failure of other tests is counted, another one is told for itself."""
    one, two = ({"kind": "ValueError", "message": name, "signature": f"ValueError: {name}"} for name in ("one", "two"))
    events: list[Event] = [
        make.started([make.cell("py3.9"), make.cell("py3.10")]),
        make.one_test("py3.9", "t::a", CaseOutcome.PASSED),
        make.one_test("py3.9", "t::b", CaseOutcome.FAILED, **one),
        make.one_test("py3.9", "t::c", CaseOutcome.FAILED, **one),
        make.one_test("py3.9", "t::d", CaseOutcome.FAILED, **two),
    ]
    assert drawn(*events)[3:10] == [
        "■·  ✗ ValueError: one",
        "      t::b and 1 more",
        "      1 of 2 cells: python 3.9",
        "■·  ✗ ValueError: two",
        "      t::d",
        "      1 of 2 cells: python 3.9",
        "",
    ]


def test_a_failure_of_a_running_cell_is_that_of_finished_ones() -> None:
    """Both have one signature, so they are one failure, whichever was seen first."""
    cells = [make.cell("py3.9"), make.cell("py3.10"), make.cell("py3.11")]
    failure = make.failure("t::a", message="bad")
    ended = make.finished(make.result(cells[0], Outcome.FAILED, failures=(failure,)), at=0.0)
    told = {"kind": failure.kind, "message": "bad", "signature": failure.signature}
    running = make.one_test("py3.10", "t::a", CaseOutcome.FAILED, **told)
    for events in ((ended, running), (running, ended)):
        lines = drawn(make.started(cells), *events)
        assert [line for line in lines if "bad" in line] == ["■■·  ✗ ValueError: bad"]


def failing_block(number: int = 1) -> list[Event]:
    """Fail the two newest Pythons for the first ten values, with as many different failures."""
    cells = two_hundred()
    bad = [cell for cell in cells if cell.axes["python"] in {"3.12", "3.13"} and int(cell.axes["env.A"]) < 10]
    failures = tuple(make.failure(f"t::{n}", message=f"bad {n}", signature=f"s{n}") for n in range(number))
    return [
        make.started(cells),
        *(make.finished(make.result(cell, Outcome.FAILED, failures=failures), at=0.0) for cell in bad),
    ]


def test_each_failure_is_told_once_with_its_shape_and_ranges() -> None:
    """Twenty cells with one failure are three ranges and a picture, not twenty ids."""
    lines = drawn(*failing_block(), height=29)
    start = next(number for number, line in enumerate(lines) if "bad 0" in line)
    assert lines[start : start + 6] == [
        "····················  ✗ ValueError: bad 0",
        "····················    t::0",
        "····················    20 of 200 cells: python 3.12, 3.13, env.A 0..9",
        "■■■■■···············",
        "■■■■■···············",
        "",
    ]
    assert sum("bad 0" in line for line in lines) == 1


@pytest.mark.parametrize("width", [10, 24, 39, 59, 79, 99])
@pytest.mark.parametrize("height", [3, 7, 14, 23])
@pytest.mark.parametrize("number", [1, 3, 40])
def test_failures_never_break_the_screen(width: int, height: int, number: int) -> None:
    """Whatever the size: all lines fit, the totals are there, and failures without room are counted."""
    lines = drawn(*failing_block(number), *running(9), width=width, height=height)
    assert len(lines) <= height
    told = sum("bad" in line for line in lines)
    if height >= 14 and width >= 39:
        assert told >= 1
        assert told == number or f"and {number - told} more failure" in "\n".join(lines)
    assert any("of 200 cells" in line or "20/200"[: width - 1] in line for line in lines[-2:])


def test_a_retry_and_a_result_replace_what_tests_told() -> None:
    """A test that passes in its second attempt is no failure any more; nor is a cell that became green."""
    cell = make.cell("py3.9")
    events: list[Event] = [
        make.started([cell]),
        make.one_test("py3.9", "t::a", CaseOutcome.FAILED, message="once", signature="once"),
        make.one_test("py3.9", "t::b", CaseOutcome.FAILED, message="always", signature="always"),
    ]
    assert "once" in "".join(drawn(*events))
    again = make.one_test("py3.9", "t::b", CaseOutcome.FAILED, message="always", signature="always", attempt=2)
    assert "once" not in "".join(drawn(*events, again))
    assert "always" in "".join(drawn(*events, again))
    assert "always" not in "".join(drawn(*events, again, make.finished(make.result(cell, Outcome.FLAKY))))


def test_the_picture_of_a_failure() -> None:
    """Places with failing cells are dark, mixed ones are marked; a tall grid lies down; letters if signs lack."""
    cells = {cell.id: cell.axes for cell in two_hundred()}
    bad = [name for name, axes in cells.items() if axes["env.A"] in {"0", "3"}]
    assert live_failures.shape(bad, cells, 40, 6, "utf-8") == ["■··■" + "·" * 36] * 5
    assert live_failures.shape(bad, cells, 20, 3, "utf-8") == ["▪▪" + "·" * 18] * 3
    assert live_failures.shape(bad, cells, 20, 1, "ascii") == ["++" + "." * 18]
    assert live_failures.shape(list(cells), cells, 20, 1, "ascii") == ["#" * 20]
    one_axis = {f"py3.{n}": {"python": f"3.{n}"} for n in range(4)}
    assert live_failures.shape(["py3.2"], one_axis, 20, 3, "utf-8") == ["··■·"]


def test_the_time_that_is_left() -> None:
    """Of the cells that wait and run, over the workers, from this run's durations or from those of the last."""
    cells = [make.cell(f"py3.{n}") for n in range(6)]
    progress = Progress()
    progress.add(make.started(cells))
    assert progress.left({}, 0.0) is None
    assert progress.left({cell.id: 10.0 for cell in cells}, 0.0) == 30.0
    progress.add(StageStarted(cell="py3.0", stage=Stage.TEST, at=1.0))
    progress.add(StageFinished(cell="py3.0", stage=Stage.TEST, at=5.0, duration=4.0))
    progress.add(make.finished(make.result("py3.0"), at=5.0))
    assert progress.left({}, 5.0) == 10.0
    progress.add(StageStarted(cell="py3.1", stage=Stage.TEST, at=5.0))
    assert progress.left({}, 7.0) == (2 + 4 * 4) / 2
    assert progress.left({"py3.1": 100.0}, 7.0) == 98.0
    for number in range(1, 6):
        progress.add(make.finished(make.result(f"py3.{number}"), at=8.0))
    assert progress.left({}, 8.0) is None


def test_one_estimate_for_the_run() -> None:
    """The totals say when the run will end, as soon as a cell has ended."""
    events: list[Event] = [make.started([make.cell(f"py3.{n}") for n in range(9)])]
    assert "left" not in drawn(*events)[-2]
    events += [
        StageFinished(cell="py3.0", stage=Stage.TEST, at=40.0, duration=40.0),
        make.finished(make.result("py3.0"), at=40.0),
    ]
    assert drawn(*events)[-2].endswith("1 of 9 cells: 1 passed, 8 waiting, 40.0 s, about 3 min left")
    assert drawn(*events, width=39)[-2] == "1/9 ✓1 3 min left"


def steps_up(hook: Resized) -> int:
    """Return how many lines the cursor is sent upwards, besides those that rich draws."""
    (first, *_) = [*hook.process_renderables([]), Control()]
    assert isinstance(first, Control)
    return str(first).count("\x1b[1A")


def resized(*sizes: tuple[int, int], drawn: tuple[int, ...]) -> list[int]:
    """Return the steps upwards for each size that a terminal of 100 x 30 gets; `drawn` are the widths of its lines."""
    shown, screen = console(Tty(), 100, 30), Screen(Clock())
    hook = Resized(screen, shown)
    steps: list[int] = []
    for width, height in sizes:
        screen.drawn = drawn[: shown.height - 1]  # the last picture fitted the last size
        shown.width, shown.height = width, height
        steps.append(steps_up(hook))
    return steps


def test_a_terminal_that_is_made_narrower_has_no_remains() -> None:
    """Terminals break the lines of the last picture anew; all of their pieces are erased before the next one."""
    assert resized((100, 30), drawn=(99, 50, 0)) == [0]
    assert resized((50, 30), drawn=(99, 50, 0)) == [1]
    assert resized((40, 30), drawn=(99, 50, 0)) == [2 + 1]
    assert resized((200, 30), drawn=(99, 50, 0)) == [0]


def test_a_terminal_that_is_made_lower_and_higher_has_no_remains() -> None:
    """What was scrolled away comes back with the height, and is erased then; never more lines than there are."""
    lines = (10,) * 20
    assert resized((100, 15), drawn=lines) == [0]
    assert resized((100, 15), (100, 30), drawn=lines) == [0, 5]
    assert resized((100, 15), (100, 18), (100, 30), (100, 40), drawn=lines) == [0, 3, 2, 0]
    assert resized((5, 15), (100, 30), drawn=lines) == [0, 13]  # of 40 pieces 15 were left: 13 lines came back


def test_warnings_stay_on_the_screen_and_everything_else_is_erased() -> None:
    """After the end there are the warnings that were printed, no row, no count, and the cursor; the report follows."""
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
    assert lines == ["warning: odd"]
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


def test_with_verbose_all_messages_are_printed() -> None:
    """Why a cell runs again is one of them."""
    stream = Tty()
    with LiveReporter(stream, verbose=True, console=console(stream), clock=Clock()) as live:
        live(Message(level="info", text="py3.9 runs again: changed since it passed: variables (TZ)"))
    assert final_screen(stream.getvalue())[0] == ["info: py3.9 runs again: changed since it passed: variables (TZ)"]
