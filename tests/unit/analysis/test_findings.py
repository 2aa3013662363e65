"""What results mean together: which cells count as evidence, what differs, what changed, what took long."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import factories

from venvgrid.analysis.comparison import moves
from venvgrid.analysis.findings import Analysis
from venvgrid.analysis.rules.wording import describe
from venvgrid.model import CaseOutcome, Outcome
from venvgrid.results.report import Earlier

if TYPE_CHECKING:
    from venvgrid.model import CellResult
    from venvgrid.results.report import Report

TEST = "tests/test_a.py::test_one"
OTHER = "tests/test_a.py::test_two"
PASSED, FAILED, SKIPPED = CaseOutcome.PASSED, CaseOutcome.FAILED, CaseOutcome.SKIPPED


def made(verdicts: dict[str, dict[str, CaseOutcome]], **outcomes: Outcome) -> Report:
    """Make a report of cells by what their tests did."""
    cells, events = [], []
    for name, tests in verdicts.items():
        is_bad = FAILED in tests.values()
        result = factories.result(name, outcomes.get(name, Outcome.FAILED if is_bad else Outcome.PASSED))
        if is_bad:
            failures = tuple(factories.failure(test) for test, verdict in tests.items() if verdict is FAILED)
            result = replace(result, failures=failures)
        cells.append(result)
        events += factories.tested(result, tests)[1:]
    return factories.report(*cells, extra=events)


def test_evidence_is_where_the_same_test_passed() -> None:
    """A cell in which the test was skipped or is not there says nothing about it."""
    report = made(
        {
            "py3.13": {TEST: FAILED},
            "py3.12": {TEST: PASSED},
            "py3.11": {TEST: SKIPPED, OTHER: PASSED},
            "py3.10": {OTHER: PASSED},
        }
    )
    (finding,) = Analysis(report).findings
    assert describe(finding.explanation)[0] == "fails in 1 of 1 cell with Python ≥ 3.13, in 0 of 1 without"


def test_differences() -> None:
    """Tests that fail in one cell and pass in another come before those that are only skipped somewhere."""
    report = made(
        {
            "py3.12": {"a": PASSED, "b": SKIPPED, "c": PASSED},
            "py3.13": {"a": PASSED, "b": PASSED, "c": FAILED},
        }
    )
    found = Analysis(report).differences
    assert [(item.test, item.is_broken) for item in found] == [("c", True), ("b", False)]
    assert found[0].verdicts == {"py3.12": PASSED, "py3.13": FAILED}


def test_changes_since_the_last_run() -> None:
    """Regressed, fixed, newly impossible and newly possible cells are told, with the versions that moved."""
    cells = [
        factories.result("py3.9", Outcome.FAILED, packages={"six": "1.17", "pytest": "9.0"}),
        factories.result("py3.10", Outcome.PASSED),
        factories.result("py3.11", Outcome.IMPOSSIBLE),
        factories.result("py3.12", Outcome.PASSED),
        factories.result("py3.13", Outcome.FAILED),
        factories.result("py3.14", Outcome.FAILED),
    ]
    before = {
        "py3.9": Earlier(run="r1", outcome=Outcome.PASSED, packages={"six": "1.16", "pytest": "9.0"}),
        "py3.10": Earlier(run="r1", outcome=Outcome.CRASHED),
        "py3.11": Earlier(run="r1", outcome=Outcome.PASSED),
        "py3.12": Earlier(run="r1", outcome=Outcome.IMPOSSIBLE),
        "py3.13": Earlier(run="r1", outcome=Outcome.FAILED),
    }
    changes = Analysis(replace(factories.report(*cells), before=before)).changes
    assert changes.regressed == ("py3.9",)
    assert changes.fixed == ("py3.10",)
    assert changes.newly_impossible == ("py3.11",)
    assert changes.newly_possible == ("py3.12",)
    assert changes.moved == ("six 1.16 → 1.17",)


def test_moves() -> None:
    """Packages that came, went or have another version are named."""
    assert moves({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}) == ("b 1 → 2", "c 1 gone", "d 1 new")


def test_slowest_leaves_out_what_did_not_run() -> None:
    """The seconds of a cell that kept its earlier result are not of this run."""
    slow = factories.result("py3.9", durations={"test": 9.0}, cached=True)
    quick: CellResult = factories.result("py3.10", durations={"test": 2.0})
    analysis = Analysis(factories.report(slow, quick))
    assert [(item.cell, item.seconds) for item in analysis.slowest_cells(3)] == [("py3.10", 2.0)]
