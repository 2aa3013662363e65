"""From events to a report: every planned cell has a result, and nothing is green without one."""

from __future__ import annotations

import itertools

import factories as make
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.analysis import grouping
from venvgrid.model import (
    CaseOutcome,
    Cell,
    CellFinished,
    CellPlanned,
    CellResult,
    Event,
    Message,
    Outcome,
    PlannedCell,
    Stage,
    StageFinished,
    StageStarted,
    Status,
    TestsCollected,
)
from venvgrid.results.exit_status import exit_status
from venvgrid.results.report import build_report

CELLS = [make.cell("py3.9"), make.cell("py3.10"), make.cell("py3.11")]


def test_a_finished_run_gives_its_cells_in_the_order_of_the_plan() -> None:
    """Results arrive in any order; the report has that of the plan, and what the first and last events say."""
    results = [make.result(cell) for cell in CELLS]
    folded = build_report([make.started(CELLS), *map(make.finished, reversed(results)), make.ended(0, 21.3)])
    assert [cell.id for cell in CELLS] == [cell.id for cell in folded.cells]
    assert (
        folded.exit_status,
        folded.duration,
        folded.finished,
        folded.project,
        folded.project_version,
        folded.config_digest,
        folded.command,
    ) == (0, 21.3, True, "plotlib", "1.0", "d1", ("pytest",))


def test_excluded_cells_and_warnings_are_kept_apart() -> None:
    """An excluded cell is no cell of the report; warnings of the plan and of the run are both there."""
    excluded = PlannedCell(cell=CELLS[0], status=Status.EXCLUDED, reason="excluded by exclude[0]")
    start = make.started([excluded, CELLS[1]])
    messages = [Message(level="warning", text="odd"), Message(level="info", text="fine")]
    folded = build_report([start, *messages, make.finished(make.result(CELLS[1])), make.ended()])
    assert [cell.id for cell in folded.cells] == ["py3.10"]
    assert ((excluded,), ("odd",)) == (folded.excluded, folded.warnings)


@pytest.mark.parametrize(
    ("stage_events", "doing"),
    [
        ([], "waiting"),
        ([StageStarted(cell="py3.9", stage=Stage.RESOLVE, at=1.0)], "being resolved"),
        ([StageStarted(cell="py3.9", stage=Stage.BUILD, at=1.0)], "being built"),
        (
            [
                StageStarted(cell="py3.9", stage=Stage.BUILD, at=1.0),
                StageFinished(cell="py3.9", stage=Stage.BUILD, at=2.0, duration=1.0),
            ],
            "waiting",
        ),
        (
            [
                StageStarted(cell="py3.9", stage=Stage.TEST, at=1.0),
                TestsCollected(cell="py3.9", collected=40, at=1.0),
                make.one_test("py3.9", "t::a"),
            ],
            "being tested (1 of 40 tests done)",
        ),
    ],
)
def test_a_killed_run_says_what_each_cell_was_at(stage_events: list[Event], doing: str) -> None:
    """A planned cell without a result is cancelled, says where it was, and the run counts as interrupted."""
    folded = build_report([make.started(CELLS[:2]), make.finished(make.result(CELLS[1])), *stage_events])
    lost = folded.cells[0]
    assert (Outcome.CANCELLED, f"no result: the run was killed while this cell was {doing}") == (
        lost.outcome,
        lost.reason,
    )
    assert (folded.exit_status, folded.finished) == (130, False)


def test_tests_of_a_killed_cell_are_counted() -> None:
    """What was seen before the kill is not lost."""
    events = [make.one_test("py3.9", "a"), make.one_test("py3.9", "b", CaseOutcome.FAILED)]
    folded = build_report([make.started(CELLS[:1]), StageStarted(cell="py3.9", stage=Stage.TEST, at=1.0), *events])
    assert folded.cells[0].tests == {"passed": 1, "failed": 1}
    assert folded.cells[0].log == "logs/py3.9.log"


def test_a_cell_known_to_be_impossible_stays_so_without_its_result() -> None:
    """Between CellPlanned and CellFinished a kill loses nothing."""
    planned = CellPlanned(cell="py3.9", status=Status.IMPOSSIBLE, reason="no wheel", at=1.0)
    folded = build_report([make.started(CELLS[:1]), planned])
    assert (folded.cells[0].outcome, folded.cells[0].reason) == (Outcome.IMPOSSIBLE, "no wheel")


def test_a_green_run_with_a_result_missing_is_not_green() -> None:
    """The last event says 0, but the journal lost a cell's line: that proves nothing."""
    folded = build_report([make.started(CELLS[:2]), make.finished(make.result(CELLS[0])), make.ended(0)])
    assert folded.exit_status == 3
    assert folded.cells[1].reason == "no result: the run's journal holds none for this cell; run it again"
    without_plan = build_report([make.finished(make.result(CELLS[0])), make.ended(0)])
    assert without_plan.exit_status == 3


def test_strange_events_are_taken_as_they_are() -> None:
    """A cell that is not in the plan is shown if it has a result; of two results the last one wins."""
    stranger = make.result("py2.7", Outcome.FAILED)
    again = make.result(CELLS[0], Outcome.FAILED)
    events: list[Event] = [make.one_test("nobody", "t"), make.finished(stranger), make.finished(make.result(CELLS[0]))]
    folded = build_report([make.started(CELLS[:1]), *events, make.finished(again), make.ended(1)])
    assert [(item.id, item.outcome) for item in folded.cells] == [("py3.9", Outcome.FAILED), ("py2.7", Outcome.FAILED)]


def test_a_report_of_nothing_is_a_report() -> None:
    """No event at all: no cells, and not green."""
    folded = build_report([])
    assert (folded.cells, folded.finished, folded.exit_status) == ((), False, 130)


def test_durations_of_stages_come_from_their_events() -> None:
    """An environment that cells share was built once: each of them says how long it took."""
    bare = make.result(CELLS[0], durations={"test": 1.2})
    folded = build_report([make.started(CELLS[:1]), *make.tested(bare, {}), make.ended()])
    assert folded.cells[0].durations == {"resolve": 0.1, "build": 0.8, "test": 1.2}


def test_tests_have_their_last_attempt_and_say_how_an_earlier_one_failed() -> None:
    """A retry begins anew; within one attempt the worst verdict counts."""
    events = [
        make.one_test("py3.9", "a", CaseOutcome.FAILED, message="ValueError: x"),
        make.one_test("py3.9", "gone"),
        make.one_test("py3.9", "a", CaseOutcome.PASSED, attempt=2),
        make.one_test("py3.9", "b", CaseOutcome.FAILED, attempt=2),
        make.one_test("py3.9", "b", CaseOutcome.PASSED, attempt=2),
    ]
    cases = build_report([make.started(CELLS[:1]), *events]).tests["py3.9"]
    assert {name: case.verdict for name, case in cases.items()} == {"a": CaseOutcome.PASSED, "b": CaseOutcome.FAILED}
    assert {name: case.earlier for name, case in cases.items()} == {"a": "ValueError: x", "b": ""}


# the exit status

GREEN, RED = (Outcome.PASSED, Outcome.FLAKY), tuple(outcome for outcome in Outcome if outcome.is_red)


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ((Outcome.PASSED,), 0),
        ((Outcome.FLAKY,), 0),
        ((Outcome.PASSED, Outcome.IMPOSSIBLE), 0),
        *(((Outcome.PASSED, outcome), 1) for outcome in RED),
        *(((outcome, Outcome.BUILD_FAILED, Outcome.MISSING_INTERPRETER), 1) for outcome in RED),
        ((Outcome.PASSED, Outcome.BUILD_FAILED), 3),
        ((Outcome.PASSED, Outcome.MISSING_INTERPRETER), 3),
        ((Outcome.PASSED, Outcome.CANCELLED), 3),
        ((Outcome.MISSING_INTERPRETER,), 3),
        ((Outcome.IMPOSSIBLE,), 4),
        ((), 4),
    ],
)
def test_the_exit_status_is_that_of_the_documented_table(outcomes: tuple[Outcome, ...], status: int) -> None:
    """Red goes before what could not be tried, and that before green; nothing that ran is never green."""
    assert status == exit_status(make.result(f"py3.{n}", outcome) for n, outcome in enumerate(outcomes))


def test_an_impossible_cell_is_a_failure_if_somebody_wants_it() -> None:
    """Named by an include, or with --strict: 3."""
    passed, impossible = make.result("py3.9"), make.result("py3.8", Outcome.IMPOSSIBLE)
    named = make.result(make.cell("py3.8", named=True), Outcome.IMPOSSIBLE)
    assert (
        exit_status([passed, impossible]),
        exit_status([passed, impossible], strict=True),
        exit_status([passed, named]),
    ) == (0, 3, 3)


def test_missing_interpreters_may_be_skipped_but_nothing_is_never_green() -> None:
    """--skip-missing-interpreters: 0 as long as something ran."""
    missing = make.result("py3.99", Outcome.MISSING_INTERPRETER)
    assert (
        exit_status([make.result("py3.9"), missing], skip_missing=True),
        exit_status([missing], skip_missing=True),
    ) == (0, 4)


def test_an_interrupted_run_says_so_whatever_it_found() -> None:
    """130 also when all is green or something red."""
    assert (
        exit_status([make.result("py3.9")], interrupted=True),
        exit_status([make.result("py3.9", Outcome.FAILED)], interrupted=True),
    ) == (130, 130)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Outcome), st.booleans()), max_size=6))
def test_cells_that_may_fail_never_change_the_status_of_the_others(cells: list[tuple[Outcome, bool]]) -> None:
    """As soon as one cell that counts has run, the status is that of the cells that count."""
    results = [
        make.result(make.cell(f"py3.{n}", allow_failure=may_fail), outcome)
        for n, (outcome, may_fail) in enumerate(cells)
    ]
    counted = [item for item in results if not item.allow_failure]
    ran = any(item.outcome.is_green or item.outcome.is_red for item in counted)
    if ran:
        assert exit_status(counted) == exit_status(results)


@settings(deadline=None)
@given(st.lists(st.sampled_from(Outcome), min_size=1, max_size=5), st.booleans(), st.booleans())
def test_zero_means_that_something_ran_and_nothing_that_counts_is_bad(
    outcomes: list[Outcome],
    strict: bool,  # noqa: FBT001  (hypothesis gives it)
    skip_missing: bool,  # noqa: FBT001
) -> None:
    """The law behind the table."""
    results = [make.result(f"py3.{n}", outcome) for n, outcome in enumerate(outcomes)]
    fine = {*GREEN, Outcome.ELSEWHERE} | (set() if strict else {Outcome.IMPOSSIBLE})
    fine |= {Outcome.MISSING_INTERPRETER} if skip_missing else set()
    green = set(outcomes) <= fine and bool(set(outcomes) & {*GREEN})
    assert green == (exit_status(results, strict=strict, skip_missing=skip_missing) == 0)


# however the journal was left


@st.composite
def _journals(draw: st.DrawFn) -> tuple[list[Cell], list[Event]]:
    """Draw the events of a run in some order, some twice, some lost."""
    cells = [make.cell(f"py3.{n}") for n in range(draw(st.integers(1, 4)))]
    outcomes = [draw(st.sampled_from(Outcome)) for _ in cells]
    whole = [
        event
        for cell, outcome in zip(cells, outcomes, strict=True)
        for event in make.tested(make.result(cell, outcome), {"t::a": CaseOutcome.PASSED})
    ]
    kept = draw(st.lists(st.sampled_from(whole), max_size=30))
    last = draw(st.lists(st.just(make.ended(0)), max_size=1))
    return cells, [make.started(cells), *kept, *last]


@settings(deadline=None)
@given(_journals())
def test_every_planned_cell_has_one_result_and_green_is_proven(journal: tuple[list[Cell], list[Event]]) -> None:
    """Whatever is lost or doubled: each planned cell is there once, and status 0 needs the result of each."""
    cells, events = journal
    folded = build_report(events)
    assert [cell.id for cell in cells] == [cell.id for cell in folded.cells]
    finished = {event.result.id for event in events if isinstance(event, CellFinished)}
    assert all(not cell.outcome.is_green for cell in folded.cells if cell.id not in finished)
    if folded.exit_status == 0:
        assert finished == {cell.id for cell in cells}


# groups


def _red(name: str, *failures: str, **options: bool) -> CellResult:
    made = tuple(make.failure(f"t::{text}", signature=text, message=text) for text in failures)
    return make.result(make.cell(name, None, **options), Outcome.FAILED, failures=made)


def test_failures_are_grouped_by_signature_the_largest_group_first() -> None:
    """A group names its cells in the plan's order, its tests, and the log of the first cell."""
    folded = make.report(_red("py3.9", "rare", "often"), _red("py3.10", "often"), status=1)
    found = grouping.by_signature(folded.cells)
    assert [(group.signature, group.cells, group.tests, group.count) for group in found] == [
        ("often", ("py3.9", "py3.10"), ("t::often",), 2),
        ("rare", ("py3.9",), ("t::rare",), 1),
    ]
    assert found[0].log == "logs/py3.9.log"


def test_failures_of_cells_that_may_fail_come_last() -> None:
    """However many cells have them."""
    may = [_red(f"py3.{n}", "allowed", allow_failure=True) for n in range(3)]
    found = grouping.by_signature(make.report(*may, _red("py3.9", "real"), status=1).cells)
    assert [(group.signature, group.allowed) for group in found] == [("real", False), ("allowed", True)]


def test_a_failure_of_no_test_is_a_group_without_tests() -> None:
    """A broken environment has a failure, too: no test's."""
    broken = make.result("py3.9", Outcome.BROKEN_ENV, failures=(make.failure("", signature="import"),))
    (group,) = grouping.by_signature(make.report(broken, status=1).cells)
    assert (group.tests, group.outcome) == ((), Outcome.BROKEN_ENV)


def test_cells_that_were_not_tested_are_grouped_by_outcome_and_reason() -> None:
    """Equal reasons are one group; a cell with failures is in none, nor is a green one."""
    results = [
        make.result("py3.8", Outcome.BUILD_FAILED, reason="no compiler"),
        make.result("py3.9"),
        make.result("py3.10", Outcome.BUILD_FAILED, reason="no compiler"),
        _red("py3.11", "x"),
        make.result("py3.12", Outcome.IMPOSSIBLE, reason="no compiler"),
    ]
    assert [
        (group.outcome, group.reason, group.cells)
        for group in grouping.by_reason(make.report(*results, status=3).cells)
    ] == [
        (Outcome.BUILD_FAILED, "no compiler", ("py3.8", "py3.10")),
        (Outcome.IMPOSSIBLE, "no compiler", ("py3.12",)),
    ]


def test_impossible_cells_whose_reasons_differ_in_their_python_are_one_group() -> None:
    """The Pythons are listed; a requirement on Python is no such difference."""
    reasons = [f"matplotlib 2.2 has no wheel for CPython 3.{minor} on linux-x86_64" for minor in (8, 9, 13)]
    reasons += ["numpy 2.2 needs Python >=3.10", "numpy 2.3 needs Python >=3.11"]
    results = [make.result(f"py3.{n}", Outcome.IMPOSSIBLE, reason=text) for n, text in enumerate(reasons)]
    assert [group.reason for group in grouping.by_reason(make.report(*results, status=4).cells)] == [
        "matplotlib 2.2 has no wheel for CPython 3.8, 3.9, 3.13 on linux-x86_64",
        "numpy 2.2 needs Python >=3.10",
        "numpy 2.3 needs Python >=3.11",
    ]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Outcome), st.sampled_from(["a", "b CPython 3.8", "b CPython 3.9", ""]))))
def test_every_cell_that_is_not_green_is_in_a_group(cells: list[tuple[Outcome, str]]) -> None:
    """No bad cell gets lost between failures and reasons, and none is in two groups of reasons."""
    results = [
        make.result(f"py3.{n}", outcome, reason=reason, failures=(make.failure(),) if outcome.is_red else ())
        for n, (outcome, reason) in enumerate(cells)
    ]
    folded = make.report(*results, status=1)
    in_failures = {cell for group in grouping.by_signature(folded.cells) for cell in group.cells}
    in_reasons = list(itertools.chain.from_iterable(group.cells for group in grouping.by_reason(folded.cells)))
    bad = {item.id for item in results if not item.outcome.is_green}
    assert sorted(bad - in_failures) == sorted(in_reasons)
