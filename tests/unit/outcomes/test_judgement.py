"""What was seen of a command and how it ended becomes an outcome, and nothing but a proof becomes green."""
# ruff: noqa: SIM300 - expected == actual; hypothesis gives booleans by name

from __future__ import annotations

from dataclasses import replace

import pytest
from seen import ATTESTED, ORIGIN, PREFIX, SESSION, judged, outcome, reports, session

from venvgrid.model import CaseOutcome, Outcome
from venvgrid.outcomes.judgement import CommandExit
from venvgrid.outcomes.records import Collected, Finished, Record, Reported, Started, Stopped


def test_a_complete_session_of_passing_tests_is_green() -> None:
    """Everything began, finished, is accounted for, and is what the cell says: passed, with counts and attestation."""
    found = judged(session(*reports("passed", "skipped", "xfailed", "xpassed")))
    assert (Outcome.PASSED, "", ()) == (found.outcome, found.reason, found.failures)
    assert {"passed": 1, "failed": 0, "error": 0, "skipped": 1, "xfailed": 1, "xpassed": 1} == found.tests
    assert f"cpython 3.9.18 {PREFIX}/bin/python" == found.attested.python
    assert ({"numpy": "1.26.4", "scipy": ""}, ORIGIN, 4) == (
        found.attested.packages,
        found.attested.project_origin,
        found.attested.collected,
    )


def test_failed_tests_make_the_cell_fail() -> None:
    """The reason counts them and quotes the first; each is a failure with its signature."""
    found = judged(session(*reports("passed", "failed", "error"), status=1), CommandExit(exit_code=1))
    assert (Outcome.FAILED, "1 failed and 1 error of 3 tests: test_1: ValueError: bad") == (found.outcome, found.reason)
    assert [("test_1", "ValueError", "ValueError: bad"), ("test_2", "ValueError", "ValueError: bad")] == [
        (item.test, item.kind, item.signature) for item in found.failures
    ]


def test_a_swallowed_exit_status_does_not_turn_failures_green() -> None:
    """`pytest || true`: what was streamed counts."""
    expected = "1 failed of 1 test, though the command exited with status 0: test_0: ValueError: bad"
    assert (Outcome.FAILED, expected) == outcome(session(*reports("failed"), status=1))


def test_a_swallowed_status_of_the_session_is_red() -> None:
    """A coverage threshold that failed the session, behind a wrapper that says 0."""
    expected = "pytest ended its session with status 1, but the command exited with status 0"
    assert (Outcome.FAILED, expected) == outcome(session(*reports("passed"), status=1))


@pytest.mark.parametrize(
    ("tests", "code", "expected"),
    [
        (2, 1, "all 2 tests passed, but the command exited with status 1"),
        (1, 3, "the only test passed, but the command exited with status 3 (internal error)"),
    ],
)
def test_an_exit_status_outranks_passing_tests(tests: int, code: int, expected: str) -> None:
    """All tests passed and the command failed all the same: failed, and the reason says so."""
    assert (Outcome.FAILED, expected) == outcome(
        session(*reports(*["passed"] * tests), status=code), CommandExit(exit_code=code)
    )


def test_an_exit_in_the_middle_is_red_although_the_status_is_zero() -> None:
    """`os._exit(0)` in a test: the session never finished, and the test that was running is named."""
    records = [*session(*reports("passed"), collected=3)[:-2], Started(source="1", id="test_b")]
    expected = "stopped in test_b: the process ended with status 0 before the session finished"
    assert (Outcome.FAILED, expected) == outcome(records)


def test_an_exit_between_tests_names_the_last_one() -> None:
    """The process went away in a hook after a test."""
    records = session(*reports("passed"), collected=3)[:-2]
    expected = "stopped after test_0: the process ended with status 0 before the session finished"
    assert (Outcome.FAILED, expected) == outcome(records)


def test_an_exit_before_collecting_is_red() -> None:
    """`os._exit(0)` in a conftest.py."""
    expected = "stopped: the process ended with status 0 before the session finished"
    assert (Outcome.FAILED, expected) == outcome([SESSION])


def test_a_usage_error_is_named() -> None:
    """The statuses that pytest gives are explained."""
    expected = "pytest ended with status 4 (usage error) before it collected tests"
    assert (Outcome.FAILED, expected) == outcome([SESSION], CommandExit(exit_code=4))


def test_tests_without_a_report_are_missed() -> None:
    """A session that finished well but lost a test is red."""
    expected = "only 2 of 3 tests reported a result"
    assert (Outcome.FAILED, expected) == outcome(session(*reports("passed", "passed"), collected=3))


def test_an_unknown_number_of_tests_is_no_proof() -> None:
    """Tests that passed without pytest having said how many there are might be half of them."""
    records = [record for record in session(*reports("passed")) if not isinstance(record, Collected)]
    expected = "1 test reported a result, but pytest never said how many there are"
    assert (Outcome.FAILED, expected) == outcome(records)


@pytest.mark.parametrize(
    ("records", "code", "expected"),
    [
        (session(status=5), 5, "pytest collected no tests"),
        (session(status=5), 0, "pytest collected no tests"),
        (session(collected=3), 0, "pytest collected 3 tests and ran none"),
        (session(*reports("skipped", "skipped")), 0, "all 2 tests were skipped (no display)"),
        (session(*reports("skipped")), 0, "the only test was skipped (no display)"),
        ([SESSION, Finished(source="1", exitstatus=None)], 0, "pytest ran no tests: it was asked for something else"),
    ],
)
def test_no_executed_test_is_never_green(records: list[Record], code: int, expected: str) -> None:
    """Nothing collected, --collect-only, everything skipped, --help."""
    assert (Outcome.NO_TESTS, expected) == outcome(records, CommandExit(exit_code=code))


def test_a_module_that_skips_itself_counts_as_skipped() -> None:
    """An importorskip for a whole file, which pytest ends with status 5."""
    skipped = Reported(source="1", id="test_a.py", verdict=CaseOutcome.SKIPPED, message="no numpy", collecting=True)
    assert (Outcome.NO_TESTS, "the only test was skipped (no numpy)") == outcome(
        session(skipped, status=5), CommandExit(exit_code=5)
    )


def test_a_file_that_cannot_be_collected_is_no_failed_test() -> None:
    """Even where the other tests ran and something swallowed the status."""
    error = Reported(
        source="1", id="test_b.py", verdict=CaseOutcome.ERROR, kind="ImportError", message="no x", collecting=True
    )
    expected = (
        "1 test file could not be collected, though the command exited with status 0: test_b.py: ImportError: no x"
    )
    assert (Outcome.FAILED, expected) == outcome(session(error, *reports("passed"), status=1))


def test_no_session_and_status_zero_is_no_tests_with_a_hint() -> None:
    """The command was not pytest: the hint names the setting."""
    found = outcome([])
    assert (Outcome.NO_TESTS, True) == (found[0], "set `reports` in [test]" in found[1])


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (CommandExit(exit_code=2), "the command exited with status 2 before pytest began"),
        (CommandExit(exit_code=127), "the command exited with status 127 (command not found) before pytest began"),
        (CommandExit(exit_code=None, error="could not start pytset: not found"), "could not start pytset: not found"),
    ],
)
def test_a_command_that_fails_before_pytest_fails(ended: CommandExit, expected: str) -> None:
    """The reason is the command's."""
    assert (Outcome.FAILED, expected) == outcome([], ended)


@pytest.mark.parametrize(
    ("why", "kind", "message", "expected"),
    [
        ("interrupt", "Exit", "enough", "pytest was stopped in test_b: Exit: enough"),
        ("interrupt", "KeyboardInterrupt", "", "pytest was stopped in test_b: KeyboardInterrupt"),
        ("internal error", "RuntimeError", "x", "pytest had an internal error in test_b: RuntimeError: x"),
    ],
)
def test_a_stopped_session_is_red_whatever_the_status(why: str, kind: str, message: str, expected: str) -> None:
    """`pytest.exit("enough", returncode=0)` and internal errors."""
    stopped = Stopped(source="1", why=why, kind=kind, message=message)
    records = session(*reports("passed"), Started(source="1", id="test_b"), stopped, collected=2)
    assert (Outcome.FAILED, expected) == outcome(records)


def test_every_session_of_a_command_counts() -> None:
    """`pytest a; pytest b` where the second found nothing: one of them proves nothing."""
    other: list[Record] = [
        replace(SESSION, source="2"),
        Collected(source="2", ids=0),
        replace(ATTESTED, source="2"),
        Finished(source="2", exitstatus=5),
    ]
    expected = "one of 2 pytest sessions ran no tests"
    assert (Outcome.NO_TESTS, expected) == outcome([*session(*reports("passed")), *other])


def test_sessions_add_up() -> None:
    """Two sessions may hold tests of the same name: both count."""
    other = [replace(record, source="2") for record in session(*reports("passed", "passed"))]
    found = judged([*session(*reports("passed")), *other])
    assert (Outcome.PASSED, 3, 3) == (found.outcome, found.tests["passed"], found.attested.collected)
