"""Signals, lost workers and time limits: the outcome names them and the tests that were running."""
# ruff: noqa: SIM300 - expected == actual; hypothesis gives booleans by name

from __future__ import annotations

import pytest
from seen import SESSION, judged, outcome, reports, session

from venvgrid.model import CaseOutcome, Outcome
from venvgrid.outcomes.judgement import CommandExit
from venvgrid.outcomes.records import Collected, Record, Reported, Started


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (CommandExit(exit_code=None, signal="SIGSEGV"), "SIGSEGV in test_b"),
        (CommandExit(exit_code=-11), "SIGSEGV in test_b"),
        (CommandExit(exit_code=139), "SIGSEGV in test_b"),
        (CommandExit(exit_code=134), "SIGABRT in test_b"),
        (CommandExit(exit_code=0xC0000005), "access violation in test_b"),
        (CommandExit(exit_code=-1073741819), "access violation in test_b"),
        (CommandExit(exit_code=137), "SIGKILL (by `kill -9`, or by the system for want of memory) in test_b"),
    ],
)
def test_a_signal_is_a_crash_of_the_test_that_ran(ended: CommandExit, expected: str) -> None:
    """Directly, through a shell, and as Windows says it."""
    records = [*session(*reports("passed"), collected=3)[:-2], Started(source="1", id="test_b")]
    found = judged(records, ended)
    assert (Outcome.CRASHED, expected) == (found.outcome, found.reason)
    assert ["test_b"] == [item.test for item in found.failures]


@pytest.mark.parametrize("code", [1, 2, 5, 100, 128, 200, 255, 0xFFFFFFFF])
def test_other_exit_codes_are_no_crashes(code: int) -> None:
    """A status that merely is high is no signal."""
    assert Outcome.CRASHED is not outcome(session(*reports("passed")), CommandExit(exit_code=code))[0]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], "SIGABRT before pytest began"),
        ([SESSION], "SIGABRT while pytest collected the tests"),
        ([SESSION, Collected(source="1", ids=2)], "SIGABRT before the first test"),
        (session(*reports("passed"))[:-1], "SIGABRT after test_0"),
        (session(*reports("passed")), "SIGABRT after the tests had finished"),
    ],
)
def test_a_crash_outside_of_tests_says_where(records: list[Record], expected: str) -> None:
    """The reason says how far it got, and the cell has a failure of its own."""
    found = judged(records, CommandExit(exit_code=None, signal="SIGABRT"))
    assert (Outcome.CRASHED, expected) == (found.outcome, found.reason)
    assert [("", "SIGABRT", expected)] == [(item.test, item.kind, item.message) for item in found.failures]


def test_a_crashed_worker_is_a_crash() -> None:
    """pytest-xdist goes on with another worker and ends with status 1: the test that crashed is named."""
    message = "worker 'gw0' crashed while running 'test_b'"
    lost = Reported(source="1", id="test_b", verdict=CaseOutcome.FAILED, kind="Failed", message=message, lost=True)
    found = judged(session(*reports("passed"), lost, status=1), CommandExit(exit_code=1))
    assert (Outcome.CRASHED, "a worker process crashed in test_b") == (found.outcome, found.reason)
    assert [("test_b", "crash", "crash @ test_b")] == [
        (item.test, item.kind, item.signature) for item in found.failures
    ]


def test_a_crash_in_a_forked_test_is_a_crash_with_its_signal() -> None:
    """pytest-forked reports it as a failed test."""
    message = ":-1: running the test CRASHED with signal 11"
    lost = Reported(source="1", id="test_b", verdict=CaseOutcome.FAILED, kind="Failed", message=message, lost=True)
    assert (Outcome.CRASHED, "SIGSEGV in test_b") == outcome(session(lost, status=1), CommandExit(exit_code=1))


def test_a_failure_that_only_reads_like_a_crash_is_a_failure() -> None:
    """The tests of pytest-xdist itself raise such messages."""
    message = "worker 'gw0' crashed while running 'test_b'"
    failed = Reported(source="1", id="test_b", verdict=CaseOutcome.FAILED, kind="AssertionError", message=message)
    assert Outcome.FAILED is outcome(session(failed, status=1), CommandExit(exit_code=1))[0]


def test_a_time_limit_names_the_tests_that_were_running() -> None:
    """Several of them with pytest-xdist; each becomes a failure."""
    running = [Started(source="1", id=f"test_{letter}") for letter in "abcd"]
    found = judged(
        [SESSION, Collected(source="1", ids=9), *running], CommandExit(exit_code=None, timed_out=True, limit=90.0)
    )
    assert (Outcome.TIMED_OUT, "ran into its time limit of 90 s in test_a, test_b, test_c and 1 more") == (
        found.outcome,
        found.reason,
    )
    assert ["test_a", "test_b", "test_c", "test_d"] == [item.test for item in found.failures]


def test_a_time_limit_after_the_tests_is_red() -> None:
    """A process that hangs at its exit; that its tests passed does not help."""
    assert (Outcome.TIMED_OUT, "ran into its time limit after the tests had finished") == outcome(
        session(*reports("passed")), CommandExit(exit_code=None, timed_out=True, signal="SIGTERM")
    )


def test_a_cancelled_command_is_cancelled() -> None:
    """Whatever else is known of it."""
    assert (Outcome.CANCELLED, "stopped by the user") == outcome(
        session(*reports("failed")), CommandExit(exit_code=1, cancelled=True)
    )
