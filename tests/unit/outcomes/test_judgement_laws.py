"""Laws of verdicts: whatever was seen, green is a proof, and red has a reason, in bounded words and memory."""
# ruff: noqa: SIM300, FBT001 - expected == actual; hypothesis gives booleans by name

from __future__ import annotations

from collections import Counter
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st
from seen import CLEAN, SESSION, judged, outcome, reports, session

from venvgrid.model import CaseOutcome, Outcome
from venvgrid.model.result import worst
from venvgrid.outcomes.judgement import CommandExit
from venvgrid.outcomes.records import Collected, Record, Reported, Same, Started

verdicts = st.lists(st.sampled_from(list(CaseOutcome)), max_size=6)


@given(
    verdicts,
    st.integers(0, 6),
    st.sampled_from([0, 1, 2, 5, None]),
    st.sampled_from([0, 1, 2, 5, 139, None]),
    st.booleans(),
)
def test_green_is_always_a_proof(
    tests: list[CaseOutcome], collected: int, status: int | None, code: int | None, is_finished: bool
) -> None:
    """Green means: status 0 twice, a finished session, every test reported, none bad, one executed, and no more."""
    records = session(*reports(*[verdict.value for verdict in tests]), collected=collected, status=status)
    found = judged(records if is_finished else records[:-1], CommandExit(exit_code=code))
    bad = {CaseOutcome.FAILED, CaseOutcome.ERROR}
    executed = [verdict for verdict in tests if verdict is not CaseOutcome.SKIPPED]
    proof = is_finished and code == 0 and status == 0 and not bad & set(tests) and executed and len(tests) >= collected
    assert bool(proof) == found.outcome.is_green


@given(verdicts, st.sampled_from([0, 1, 2, 5, 139, None]), st.booleans())
def test_every_red_cell_has_a_reason_in_one_line_and_a_failure(
    tests: list[CaseOutcome], code: int | None, is_finished: bool
) -> None:
    """Reports group failures: no red cell may be without one."""
    records = session(*reports(*[verdict.value for verdict in tests]), status=code)
    found = judged(records if is_finished else records[:-1], CommandExit(exit_code=code))
    assert found.outcome.is_green or (found.reason and len(found.reason.splitlines()) == 1 and found.failures)


def test_reasons_stay_short_and_in_one_line() -> None:
    """The name of a test may be of any length and hold any character."""
    name = "test_a[" + "x" * 10_000 + "\n\x1b[31m]"
    records: list[Record] = [SESSION, Collected(source="1", ids=1), Started(source="1", id=name)]
    reason = outcome(records, CommandExit(exit_code=-11))[1]
    assert (True, True) == (len(reason) < 250, reason.isprintable())


def test_memory_for_long_failures_is_bounded() -> None:
    """The first failures keep their long text, all of them their message."""
    records: list[Record] = [SESSION, Collected(source="1", ids=1000)]
    records += [
        Reported(source="1", id=f"t{n}", verdict=CaseOutcome.FAILED, kind="E", message="m", longrepr="x" * 20_000)
        for n in range(1000)
    ]
    failures = judged(records, CommandExit(exit_code=1)).failures
    assert (1000, True, True) == (
        len(failures),
        sum(len(item.longrepr) for item in failures) <= 4_000_000,
        all(item.message == "m" for item in failures),
    )


def test_a_test_that_ran_twice_has_its_worst_verdict() -> None:
    """pytest-xdist's `--dist each`: once in every worker."""
    twice = [
        Reported(source="1", id="t", verdict=CaseOutcome.PASSED),
        Reported(source="1", id="t", verdict=CaseOutcome.FAILED, kind="E", message="m"),
        Reported(source="1", id="t", verdict=CaseOutcome.PASSED),
    ]
    found = judged(session(*twice, collected=1, status=1), CommandExit(exit_code=1))
    assert ("1 failed of 1 test: t: E: m", 1) == (found.reason, len(found.failures))


@given(st.lists(st.sampled_from(list(CaseOutcome)), min_size=2, max_size=5), st.integers(2, 5))
def test_tests_that_share_an_id_count_each(found: list[CaseOutcome], tests: int) -> None:
    """Each result is that of a test; of more results than tests, the last ones are one."""
    results = [
        Reported(source="1", id="t", verdict=verdict, kind="E", message=f"m{number}")
        for number, verdict in enumerate(found)
    ]
    same = Same(source="1", id="t", tests=tests)
    seen = judged([SESSION, same, *session(*results, collected=tests)[1:]], CLEAN)
    number = min(len(found), tests)
    assert sum(seen.tests.values()) == number
    alone = Counter(found[: number - 1]) + Counter([reduce(worst, found[number - 1 :])])
    assert alone == +Counter({CaseOutcome(name): count for name, count in seen.tests.items()})
    red = {CaseOutcome.FAILED, CaseOutcome.ERROR}
    if red & set(found):
        assert len(seen.failures) == sum(verdict in red for verdict in found)
    elif len(found) < tests:
        assert f"only {len(found)} of {tests} tests" in seen.reason


def test_records_without_a_session_do_not_count() -> None:
    """A line of another program that happens to look like one."""
    assert Outcome.NO_TESTS is outcome(reports("passed", source="9"))[0]
