"""Failures that one cell alone has: which are run again, and what the second run says of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import factories
import pytest

from venvgrid.analysis import document
from venvgrid.analysis.findings import Analysis
from venvgrid.app.repeating.lone_failures import LONGEST, Lone, lone_failures, told
from venvgrid.model import CaseOutcome, Outcome

if TYPE_CHECKING:
    from venvgrid.model import CellResult
    from venvgrid.results.report import Report

TEST = "tests/test_a.py::test_one"
OTHER = "tests/test_a.py::test_two"
PASSED, FAILED = CaseOutcome.PASSED, CaseOutcome.FAILED
PYTHONS = ("py3.9", "py3.10", "py3.11", "py3.12", "py3.13")


def report(red: dict[str, CellResult]) -> Report:
    """Make a report of five cells in which a test passed, but for the red ones."""
    cells = [red.get(name) or factories.result(name) for name in PYTHONS]
    events = []
    for cell in cells:
        failing = {item.test for item in cell.failures}
        cases = {name: FAILED if name in failing else PASSED for name in (TEST, OTHER)}
        events += factories.tested(cell, cases)[1:]
    return factories.report(*cells, extra=events)


def red(name: str, *tests: str, **options: Any) -> CellResult:
    """Make a cell that failed."""
    failures = tuple(factories.failure(test) for test in tests or (TEST,))
    return replace(factories.result(name, Outcome.FAILED, failures=failures), **options)


def test_a_failure_of_one_cell_is_run_again() -> None:
    """The cell and its failing tests are named; a failure of two cells is evidence enough."""
    (found,) = lone_failures(report({"py3.11": red("py3.11", TEST, OTHER)}))
    assert found == Lone(cell="py3.11", signatures=frozenset({"ValueError: bad value"}), tests=(TEST, OTHER))
    assert not lone_failures(report({name: red(name) for name in ("py3.11", "py3.12")}))


@pytest.mark.parametrize(
    "options",
    [
        {"attempts": 2},
        {"cached": True},
        {"outcome": Outcome.CRASHED},
        {"outcome": Outcome.TIMED_OUT},
        {"failures": (factories.failure("tests/test_a.py"),)},
        {"failures": (factories.failure(""),)},
    ],
)
def test_what_ran_again_or_cannot_run_by_itself_is_left_alone(options: dict[str, Any]) -> None:
    """Retries are repetitions already; a crash, a time limit and a file that is not collected are no tests."""
    assert not lone_failures(report({"py3.11": red("py3.11", **options)}))


def test_tests_that_take_long_are_not_run_again() -> None:
    """A second run is to be cheap."""
    made = report({"py3.11": red("py3.11")})
    slow = {name: {test: replace(case, duration=LONGEST + 1) for test, case in cases.items()}
            for name, cases in made.tests.items()}  # fmt: skip
    assert not lone_failures(replace(made, tests=slow))


def second(outcome: Outcome, *failing: str) -> Report:
    """Make the report of a second run of both tests."""
    failures = tuple(factories.failure(test) for test in failing)
    cell = factories.result("py3.11.again", outcome, failures=failures)
    cases = {name: FAILED if name in failing else PASSED for name in (TEST, OTHER)}
    return factories.report(cell, extra=factories.tested(cell, cases)[1:])


@pytest.mark.parametrize(
    ("again", "expected", "line"),
    [
        (second(Outcome.PASSED), PASSED, "passed when it ran again by itself"),
        (second(Outcome.FAILED, TEST), FAILED, "fails in 1 of 1 cell with"),
        (second(Outcome.FAILED, OTHER), PASSED, "passed when it ran again by itself"),
        (factories.report(factories.result("py3.11.again", Outcome.BUILD_FAILED)), None, "fails in 1 of 1 cell with"),
    ],
)
def test_the_second_run_decides_whether_a_rule_is_told(again: Report, expected: CaseOutcome, line: str) -> None:
    """The cell stays red. A failure that passed has no rule, and one that failed again is believed."""
    first = report({"py3.11": red("py3.11")})
    (lone,) = lone_failures(first)

    result = told(first.cells[2], lone, again)

    assert result.outcome is Outcome.FAILED
    assert result.failures[0].again is expected
    (finding,) = Analysis(replace(first, cells=(*first.cells[:2], result, *first.cells[3:]))).findings
    assert line in " ".join(finding.lines)
    assert finding.explanation.confidence >= (
        Analysis(first).findings[0].explanation.confidence if expected is FAILED else 0
    )
    assert document.cell_from(document.from_cell(result)).failures == result.failures
