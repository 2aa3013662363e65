"""Commands that are no pytest: their exit status, and the report that they write."""

from __future__ import annotations

from dataclasses import replace

import pytest
from seen import CLEAN, EXPECTED, judged

from venvgrid.model import CaseOutcome, Outcome
from venvgrid.outcomes.judgement import CommandExit
from venvgrid.outcomes.observation import ReportFile

STATUS = replace(EXPECTED, reports="exit-status")
JUNIT = replace(EXPECTED, reports="junit:out/r.xml")


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (CLEAN, (Outcome.PASSED, "")),
        (CommandExit(exit_code=3), (Outcome.FAILED, "the command exited with status 3")),
        (CommandExit(exit_code=-9), (Outcome.CRASHED, "SIGKILL (by `kill -9`, or by the system for want of memory)")),
        (CommandExit(exit_code=None, timed_out=True, limit=5), (Outcome.TIMED_OUT, "ran into its time limit of 5 s")),
    ],
)
def test_exit_status_alone(ended: CommandExit, expected: tuple[Outcome, str]) -> None:
    """With `reports = "exit-status"` nothing but the status counts, and no tests are counted."""
    found = judged([], ended, STATUS)
    assert (*expected, {}) == (found.outcome, found.reason, found.tests)


UNITTEST = "..\n" + "-" * 70 + "\nRan {} in 0.000s\n\n{}\n"


@pytest.mark.parametrize(
    ("output", "code", "expected"),
    [
        (UNITTEST.format("0 tests", "OK"), 0, "unittest found no tests"),
        (UNITTEST.format("0 tests", "NO TESTS RAN"), 5, "unittest found no tests"),
        (UNITTEST.format("2 tests", "OK (skipped=2)"), 0, "all 2 tests were skipped"),
        ("\n===== 3 skipped, 1 warning in 0.02s =====\n", 0, "all 3 tests were skipped"),
        ("no tests ran in 0.01s\n", 0, "pytest collected no tests"),
        (UNITTEST.format("1 test", "OK (expected failures=1)"), 0, ""),
        (UNITTEST.format("3 tests", "OK (skipped=2)"), 0, ""),
        (UNITTEST.format("0 tests", "OK") + UNITTEST.format("2 tests", "OK"), 0, ""),
        (UNITTEST.format("0 tests", "OK") + "ok\n" * 8, 0, ""),
        ("1 passed, 3 skipped in 0.02s\n", 0, ""),
        ("all is well\n", 0, ""),
    ],
)
def test_a_command_that_says_that_it_ran_no_test(output: str, code: int, expected: str) -> None:
    """Its status proves nothing then: what the tool says at its end counts, not what a test prints in between."""
    found = judged([], CommandExit(exit_code=code, output=output), STATUS)
    assert (found.outcome, found.reason) == (Outcome.NO_TESTS if expected else Outcome.PASSED, expected)


PASSED = ReportFile(counts={CaseOutcome.PASSED: 2})
FAILED = ReportFile(counts={CaseOutcome.PASSED: 2, CaseOutcome.FAILED: 1})


@pytest.mark.parametrize(
    ("report", "code", "expected"),
    [
        (PASSED, 0, (Outcome.PASSED, "")),
        (PASSED, 1, (Outcome.FAILED, "all 2 tests passed, but the command exited with status 1")),
        (FAILED, 0, (Outcome.FAILED, "1 failed of 3 tests, though the command exited with status 0")),
        (ReportFile(counts={}), 0, (Outcome.NO_TESTS, "out/r.xml lists no test")),
        (ReportFile(counts={CaseOutcome.SKIPPED: 2}), 0, (Outcome.NO_TESTS, "all 2 tests were skipped")),
        (
            ReportFile(problem="r.xml was not written", missing=True),
            0,
            (Outcome.NO_TESTS, "the command exited with status 0, but r.xml was not written"),
        ),
        (
            ReportFile(problem="r.xml was not written", missing=True),
            1,
            (Outcome.FAILED, "the command exited with status 1; r.xml was not written"),
        ),
        (
            ReportFile(problem="r.xml is not a JUnit report: x"),
            0,
            (Outcome.FAILED, "r.xml is not a JUnit report: x; the command exited with status 0"),
        ),
        (None, 0, (Outcome.NO_TESTS, "the command exited with status 0, but out/r.xml was not written")),
    ],
)
def test_junit(report: ReportFile | None, code: int, expected: tuple[Outcome, str]) -> None:
    """With `reports = "junit:FILE"` the file and the exit status must both speak for it."""
    found = judged([], CommandExit(exit_code=code), JUNIT, report)
    assert expected == (found.outcome, found.reason)
