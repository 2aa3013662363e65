"""Progress as plain lines, and what both the lines and the live view count."""

from __future__ import annotations

import io
import re

import factories as make
import hostile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.model import CaseOutcome, Event, Message, Outcome, Stage, StageStarted, TestsCollected
from venvgrid.reporters.terminal.lines import LinesReporter, finished
from venvgrid.reporters.terminal.progress import Progress
from venvgrid.reporters.terminal.streams import SafeStream


class Broken(io.StringIO):
    """A stream whose reader leaves after `lines` lines; it counts what is tried afterwards."""

    def __init__(self, lines: int, error: type[Exception] = BrokenPipeError) -> None:
        super().__init__()
        self.left, self.error, self.tried = lines, error, 0

    def write(self, text: str) -> int:
        if self.left <= 0:
            self.tried += 1
            raise self.error
        self.left -= 1
        return super().write(text)


class Ascii(io.StringIO):
    """A stream that encodes as ASCII."""

    encoding = "ascii"


def shown(*events: Event, verbose: bool = False, stream: io.StringIO | None = None) -> list[str]:
    stream = stream or io.StringIO()
    reporter = LinesReporter(stream, verbose=verbose)
    for event in events:
        reporter(event)
    return stream.getvalue().splitlines()


def test_a_run_is_a_line_for_its_start_and_one_for_every_finished_cell() -> None:
    """A green cell has one line with its tests and times."""
    cell = make.cell("py3.9")
    assert shown(make.started([cell]), *make.tested(make.result(cell), {"t::a": CaseOutcome.PASSED}), make.ended()) == [
        "venvgrid 0.1.0: plotlib 1.0, 1 cell, 2 workers, run 20260101-120000-abcd",
        "✓ py3.9 passed: 3 tests in 1.2 s (build 0.8 s)",
    ]


def test_a_failed_cell_has_its_failures_below_and_the_log() -> None:
    """The first few of them; the reason is no news beside them."""
    failures = tuple(make.failure(f"t::{n}") for n in range(7))
    lines = finished(make.result("py3.9", Outcome.FAILED, reason="7 failed", failures=failures), "R", "utf-8")
    assert lines == [
        "✗ py3.9 failed: 1 of 3 tests failed in 1.2 s (build 0.8 s)",
        *(f"    t::{n}: ValueError: bad value" for n in range(5)),
        "    and 2 more",
        "    log: .venvgrid/runs/R/logs/py3.9.log",
    ]


@pytest.mark.parametrize(
    ("outcome", "log", "lines"),
    [
        (Outcome.IMPOSSIBLE, "", ["- py3.9 impossible: why"]),
        (Outcome.BUILD_FAILED, "l", ["B py3.9 build-failed: why", "    log: .venvgrid/runs/R/l"]),
        (
            Outcome.CRASHED,
            "l",
            ["C py3.9 crashed: 1 of 3 tests failed in 1.2 s (build 0.8 s)", "    why", "    log: .venvgrid/runs/R/l"],
        ),
        (Outcome.FLAKY, "l", ["~ py3.9 flaky: 3 tests in 1.2 s (build 0.8 s)", "    why"]),
    ],
)
def test_every_other_outcome_has_its_reason(outcome: Outcome, log: str, lines: list[str]) -> None:
    """On the same line where there is nothing else to say."""
    assert finished(make.result("py3.9", outcome, reason="why", log=log), "R", "ascii") == lines


def test_a_shared_environment_tells_how_long_it_took_to_build() -> None:
    """The time comes from the event where the result has none."""
    bare = make.result("py3.9", durations={"test": 1.2})
    assert shown(*make.tested(bare, {})) == ["✓ py3.9 passed: 3 tests in 1.2 s (build 0.8 s)"]


def test_a_command_that_counts_no_tests() -> None:
    """Its time alone is told."""
    bare = make.result("py3.9", tests={}, durations={"test": 1.2})
    assert finished(bare, "R", "utf-8") == ["✓ py3.9 passed in 1.2 s"]


def test_verbose_tells_what_was_resolved_and_built() -> None:
    """Messages that only inform are told, too."""
    cell = make.result("py3.9")
    assert shown(*make.tested(cell, {}), Message(level="info", text="hello"), verbose=True) == [
        "  py3.9: resolved, environment e1",
        "  py3.9: environment built in 0.8 s",
        "✓ py3.9 passed: 3 tests in 1.2 s (build 0.8 s)",
        "info: hello",
    ]
    assert shown(Message(level="info", text="hello"), Message(level="warning", text="odd")) == ["warning: odd"]


def test_a_long_silence_is_broken_by_a_line_of_progress() -> None:
    """Every 30 seconds without a line one says what is done and what runs."""
    cells = [make.cell(f"py3.{n}") for n in range(9)]
    lines = shown(
        make.started(cells),
        make.finished(make.result("py3.0"), at=10.0),
        StageStarted(cell="py3.1", stage=Stage.TEST, at=11.0),
        TestsCollected(cell="py3.1", collected=40, at=12.0),
        *(StageStarted(cell=f"py3.{n}", stage=Stage.BUILD, at=13.0) for n in range(2, 7)),
        make.one_test("py3.1", "t::a", CaseOutcome.PASSED, at=39.9),
        make.one_test("py3.1", "t::b", CaseOutcome.PASSED, at=40.0),
        make.one_test("py3.1", "t::c", CaseOutcome.PASSED, at=69.0),
        make.one_test("py3.1", "t::d", CaseOutcome.PASSED, at=75.0),
    )
    assert lines[2:] == [
        "  40.0 s: 1 of 9 cells done; now py3.1 test 2 of 40, py3.2 build, py3.3 build, py3.4 build, 2 more",
        "  1 min 15 s: 1 of 9 cells done; now py3.1 test 4 of 40, py3.2 build, py3.3 build, py3.4 build, 2 more",
    ]


@pytest.mark.parametrize("error", [BrokenPipeError, OSError, ValueError])
def test_a_stream_that_goes_away_is_not_written_to_again(error: type[Exception]) -> None:
    """The run goes on, silently: a closed pipe, a full disk, a stream that was closed."""
    stream = Broken(2, error)
    events = [make.finished(make.result(f"py3.{n}")) for n in range(6)]
    assert len(shown(make.started([]), *events, stream=stream)) == 2
    assert stream.tried == 1


def test_a_stream_that_fails_to_flush_is_not_written_to_again() -> None:
    """A full disk is noticed then."""

    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError

    stream = Full()
    assert len(shown(make.started([]), make.finished(make.result("py3.9")), stream=stream)) == 1


def test_a_quiet_stream_is_otherwise_the_stream() -> None:
    """It has what the stream has, and survives questions to a closed one."""
    stream = io.StringIO()
    quiet = SafeStream(stream)
    assert (quiet.isatty(), quiet.encoding, quiet.getvalue()) == (False, "utf-8", "")
    stream.close()
    quiet.flush()
    assert (quiet.isatty(), quiet.write("x")) == (False, 1)


def test_an_encoding_without_signs_gets_letters() -> None:
    """Names of tests that it cannot write are spelt out."""
    cell = make.result("py3.9", Outcome.FAILED, failures=(make.failure("t::é…"),))
    lines = shown(make.finished(cell), stream=Ascii())
    assert lines[:2] == [
        "x py3.9 failed: 1 of 3 tests failed in 1.2 s (build 0.8 s)",
        r"    t::\xe9...: ValueError: bad value",
    ]


@settings(deadline=None)
@given(st.lists(hostile.texts, min_size=4, max_size=4))
def test_no_text_of_others_commands_a_terminal_or_a_ci_service(values: list[str]) -> None:
    """Whatever tests, messages and reasons hold, lines are ours."""
    test, kind, message, reason = values
    failures = (make.failure(test or "t", kind=kind, message=message),)
    stream = io.StringIO()
    shown(
        make.started([], project=message, run=reason),
        make.finished(make.result("a", Outcome.CRASHED, reason=reason, failures=failures, log=test)),
        make.finished(make.result("b", Outcome.IMPOSSIBLE, reason=reason)),
        Message(level="warning", text=message),
        stream=stream,
    )
    text = stream.getvalue()
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e]", text) is None
    assert re.search(r"^\s*::|##\[|##vso\[", text, re.MULTILINE) is None


# what is counted


def test_progress_knows_what_runs_and_what_is_done() -> None:
    """A second result of a cell takes the place of the first; a new attempt counts its tests anew."""
    progress = Progress()
    cells = [make.cell("a", {}), make.cell("b", {})]
    for event in (
        make.started(cells),
        StageStarted(cell="a", stage=Stage.TEST, at=1.0),
        TestsCollected(cell="a", collected=3, at=1.0),
        make.one_test("a", "t::1", CaseOutcome.FAILED, at=2.0),
        make.one_test("a", "t::1", CaseOutcome.PASSED, at=3.0, attempt=2),
        make.finished(make.result("b", Outcome.FAILED), at=4.0),
        make.finished(make.result("b"), at=5.0),
    ):
        progress.add(event)
    running = progress.running["a"]
    assert (running.stage, running.since, running.collected, running.done, running.failed) == (Stage.TEST, 1.0, 3, 1, 0)
    assert (progress.total, progress.finished, progress.now, +progress.done) == (2, 1, 5.0, {Outcome.PASSED: 1})


def test_progress_takes_cells_that_it_does_not_know() -> None:
    """A test of a cell that never began is a cell that runs."""
    progress = Progress()
    progress.add(make.one_test("x", "t::1", CaseOutcome.PASSED, at=2.0))
    assert (progress.running["x"].done, progress.running["x"].since) == (1, 2.0)


def test_a_missing_interpreter_has_its_reason_once() -> None:
    """The reason is long, equal for many cells, and below the grid; the line only names the cell."""
    result = make.result("py3.99", Outcome.MISSING_INTERPRETER, reason="no CPython 3.99 on this machine; looked in …")
    assert finished(result, "R", "utf-8") == ["? py3.99 missing-interpreter"]
