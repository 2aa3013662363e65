"""JUnit XML: what GitHub's, GitLab's and Jenkins' readers make of a run."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.parsers import expat

import factories as make
import hostile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.model import CaseOutcome, CellResult, Outcome
from venvgrid.reporters.documents import junit

if TYPE_CHECKING:
    from venvgrid.model import Event
    from venvgrid.results.report import Report


def parsed(report: Report) -> ET.Element:
    """Parse what is rendered with expat, and again into elements."""
    text = junit.render(report)
    parser = expat.ParserCreate()
    parser.Parse(text.encode(), True)  # noqa: FBT003  (it takes it by position only)
    return ET.fromstring(text.encode())


def suite_of(*events: object, **options: object) -> ET.Element:
    """Return the suite of one cell "py3.9", with events about its tests."""
    cell = make.result("py3.9", **options)  # type: ignore[arg-type]  # of the fields' types, by the callers below
    suite = parsed(make.report(cell, extra=events)).find("testsuite")  # type: ignore[arg-type]  # events, by the callers
    assert suite is not None
    return suite


def cases_of(suite: ET.Element) -> list[tuple[str, str, list[str]]]:
    """Return classname, name and the tags inside of every test case."""
    return [
        (case.get("classname", ""), case.get("name", ""), [child.tag for child in case])
        for case in suite.iter("testcase")
    ]


def test_a_cell_is_a_suite_with_what_it_was() -> None:
    """Its properties hold axes, Python and packages; its time is that of all stages."""
    suite = suite_of(allow_failure=True, notes=("a note",))
    assert (suite.get("name"), suite.get("time"), suite.get("timestamp")) == (
        "py3.9",
        "2.100",
        "2026-01-01T12:00:00+00:00",
    )
    properties = {item.get("name"): item.get("value") for item in suite.iter("property")}
    assert properties == {
        "outcome": "passed",
        "axis.python": "3.9",
        "python": "cpython 3.12.1",
        "package.numpy": "1.23.2",
        "allow-failure": "true",
        "log": "logs/py3.9.log",
        "note": "a note",
    }


@pytest.mark.parametrize(
    ("test", "classname", "name", "file"),
    [
        ("tests/test_a.py::test_b", ".tests.test_a", "test_b", "tests/test_a.py"),
        ("tests/test_a.py::TestC::test_b[x/y::z]", ".tests.test_a.TestC", "test_b[x/y::z]", "tests/test_a.py"),
        ("test_a.py::test_b", ".test_a", "test_b", "test_a.py"),
        ("tests/broken.py", "", "tests.broken", "tests/broken.py"),
        ("suite.Class::method", ".suite.Class", "method", None),
    ],
)
def test_names_are_split_as_pytest_does_it_and_begin_with_the_cell(
    test: str, classname: str, name: str, file: str | None
) -> None:
    """Readers keep one of two tests of the same classname and name: the cell tells them apart."""
    result = make.result("py3.9")
    report = make.report(result, extra=make.tested(result, {test: CaseOutcome.PASSED}))
    for files in (True, False):
        case = ET.fromstring(junit.render(report, files=files)).find("testsuite/testcase")
        assert case is not None
        assert (case.get("classname"), case.get("name")) == (f"py3.9{classname}", name)
        assert case.get("file") == (file if files else None)


def test_every_verdict_has_its_element() -> None:
    """As pytest writes them: an expected failure is skipped, an unexpected pass has passed."""
    suite = suite_of(
        *(make.one_test("py3.9", f"t.py::{verdict}", verdict, message="why") for verdict in CaseOutcome),
        outcome=Outcome.FAILED,
    )
    assert {name: tags for _, name, tags in cases_of(suite)} == {
        "passed": [],
        "failed": ["failure"],
        "error": ["error"],
        "skipped": ["skipped"],
        "xfailed": ["skipped"],
        "xpassed": [],
    }
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["6", "1", "1", "2"]
    skipped = suite.find("testcase[@name='xfailed']/skipped")
    assert skipped is not None
    assert (skipped.get("type"), skipped.get("message"), skipped.text) == ("pytest.xfail", "why", "why")


def test_a_failure_has_its_kind_message_and_traceback() -> None:
    """Of the traceback, if it is long, the beginning and the end."""
    longrepr = "first line\n" + "x" * 50_000 + "\nE   ValueError: bad value"
    suite = suite_of(
        make.one_test("py3.9", "t.py::a", CaseOutcome.FAILED),
        outcome=Outcome.FAILED,
        failures=(make.failure("t.py::a", longrepr=longrepr),),
    )
    found = suite.find("testcase/failure")
    assert found is not None
    assert (found.get("type"), found.get("message")) == ("ValueError", "bad value")
    text = found.text or ""
    assert text.startswith("first line\n")
    assert text.endswith("\nE   ValueError: bad value")
    assert "characters are left out]" in text
    assert len(text) < 21_000


def test_a_flaky_test_says_how_it_failed_before() -> None:
    """It has passed; readers that know the element show it."""
    suite = suite_of(
        make.one_test("py3.9", "t.py::a", CaseOutcome.FAILED, message="once"),
        make.one_test("py3.9", "t.py::a", CaseOutcome.PASSED, attempt=2),
        outcome=Outcome.FLAKY,
    )
    assert cases_of(suite) == [("py3.9.t", "a", ["flakyFailure"])]
    assert suite.get("failures") == "0"


def test_a_test_that_never_ended_is_there() -> None:
    """A crash: the failure names a test that has no verdict."""
    suite = suite_of(
        make.one_test("py3.9", "t.py::a", CaseOutcome.PASSED),
        outcome=Outcome.CRASHED,
        failures=(make.failure("t.py::b", kind="SIGSEGV"),),
    )
    assert cases_of(suite) == [("py3.9.t", "a", []), ("py3.9.t", "b", ["failure"])]


@pytest.mark.parametrize(
    ("outcome", "tag"),
    [
        (Outcome.PASSED, None),
        (Outcome.IMPOSSIBLE, "skipped"),
        *(
            (outcome, "error")
            for outcome in Outcome
            if outcome.is_red or outcome in {Outcome.BUILD_FAILED, Outcome.CANCELLED}
        ),
    ],
)
def test_a_cell_without_tests_is_one_test_case(outcome: Outcome, tag: str | None) -> None:
    """Passed where tests were not watched, skipped if it cannot exist, else an error: always with the reason."""
    suite = suite_of(outcome=outcome, reason="the reason")
    assert cases_of(suite) == [("py3.9", "cell", [tag] if tag else [])]
    if tag:
        found = suite.find(f"testcase/{tag}")
        assert found is not None
        assert (found.get("type"), found.get("message")) == (outcome.value, "the reason")


def test_what_somebody_wanted_is_an_error_where_it_cannot_be() -> None:
    """An impossible cell that was named; an interpreter that was not skipped by leave."""
    assert cases_of(suite_of(outcome=Outcome.IMPOSSIBLE, named=True))[0][2] == ["error"]
    missing = make.result("py3.9", Outcome.MISSING_INTERPRETER)
    tags = [
        [child.tag for child in next(parsed(make.report(missing, status=status)).iter("testcase"))] for status in (3, 0)
    ]
    assert tags == [["error"], ["skipped"]]


def test_a_red_cell_is_red_though_all_of_its_tests_passed() -> None:
    """A mismatch: tests that passed in the wrong environment prove nothing."""
    suite = suite_of(
        make.one_test("py3.9", "t.py::a", CaseOutcome.PASSED),
        outcome=Outcome.MISMATCH,
        reason="python is 3.10",
        failures=(make.failure("", kind="mismatch", message="python is 3.10"),),
    )
    assert cases_of(suite) == [("py3.9.t", "a", []), ("py3.9", "cell", ["error"])]


def test_what_stopped_a_cell_is_told_beside_the_tests_that_failed() -> None:
    """Neither hides the other."""
    suite = suite_of(
        make.one_test("py3.9", "t.py::a", CaseOutcome.FAILED),
        outcome=Outcome.CRASHED,
        reason="SIGSEGV after the tests had finished",
        failures=(make.failure("t.py::a"), make.failure("", kind="SIGSEGV")),
    )
    assert cases_of(suite) == [("py3.9.t", "a", ["failure"]), ("py3.9", "cell", ["error"])]


@pytest.mark.parametrize(
    ("duration", "written"),
    [(0.25, "0.250"), (-1.0, "0.000"), (float("nan"), "0.000"), (float("inf"), "0.000"), (1e12, "1.200")],
)
def test_times_are_those_that_readers_take(duration: float, written: str) -> None:
    """No NaN, nothing negative, and no test that took longer than its cell (a test may freeze or move the clock)."""
    case = suite_of(make.one_test("py3.9", "t.py::a", CaseOutcome.PASSED, duration=duration)).find("testcase")
    assert case is not None
    assert case.get("time") == written


def test_every_character_of_unicode_gives_xml() -> None:
    """Those that XML can hold are kept, the others are spelt out."""
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    suite = suite_of(outcome=Outcome.FAILED, failures=(make.failure("t.py::a", message=every),))
    found = suite.find("testcase/failure")
    assert found is not None
    message = found.get("message", "")
    assert set(message) >= set(map(chr, range(0x10000, sys.maxunicode + 1))) | set("\t\n\r ~é日\ufffd")
    assert r"\x00" in message
    assert r"\ud800" in message


def test_colours_are_left_out_as_whole_sequences_and_emoji_stay() -> None:
    """No remains such as "[31m"."""
    text = "\x1b[1;31mE   bad\x1b[0m \x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\ 🎉 \x1b(B\x9b2Jend"
    suite = suite_of(outcome=Outcome.FAILED, failures=(make.failure("t.py::a", longrepr=text),))
    assert suite.findtext("testcase/failure") == "E   bad link 🎉 end"


@settings(deadline=None)
@given(
    st.lists(hostile.texts, min_size=8, max_size=8), st.floats(), st.sampled_from(Outcome), st.sampled_from(CaseOutcome)
)
def test_any_run_gives_well_formed_xml_whose_counts_are_right(
    values: list[str], duration: float, outcome: Outcome, verdict: CaseOutcome
) -> None:
    """Whatever anybody wrote anywhere; and no line of it is a command to a CI service."""
    name, test, other, kind, message, longrepr, reason, value = values
    cell: CellResult = make.result(
        make.cell("c1", {"python": value, name: value}),
        outcome,
        reason=reason,
        packages={name: value},
        notes=(reason,),
        log=name,
        durations={"test": duration},
        failures=(make.failure(test, kind=kind, message=message, longrepr=longrepr),) if outcome.is_red else (),
    )
    events = [make.one_test("c1", item, verdict, duration=duration, message=message) for item in (test, other)]
    report = make.report(cell, extra=events)
    root = parsed(report)
    for element in root.iter():
        if element.tag in {"testsuites", "testsuite"}:
            counted = [len(list(element.iter(tag))) for tag in ("testcase", "failure", "error", "skipped")]
            names = ("tests", "failures", "errors", *(("skipped",) if element.tag == "testsuite" else ()))
            assert [int(element.get(name, "")) for name in names] == counted[: len(names)]
        if "time" in element.attrib:
            assert float(element.get("time", "")) >= 0
    rendered = junit.render(report)
    assert re.search(r"^\s*::|##\[|##vso\[|[\x00-\x08\x0b-\x1f\x7f-\x9f]", rendered, re.MULTILINE) is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Outcome), st.lists(st.sampled_from(CaseOutcome), max_size=3)), max_size=4))
def test_a_suite_is_bad_just_where_its_cell_is(cells: list[tuple[Outcome, list[CaseOutcome]]]) -> None:
    """A cell that is not green and could exist has a failure or an error, one that is impossible has none."""
    results = [make.result(f"py3.{number}", outcome) for number, (outcome, _) in enumerate(cells)]
    events = [
        make.one_test(f"py3.{number}", f"t.py::{index}", verdict)
        for number, (outcome, verdicts) in enumerate(cells)
        for index, verdict in enumerate(verdicts)
        if outcome.is_red or verdict is CaseOutcome.PASSED
    ]
    root = parsed(make.report(*results, extra=events, status=1))
    for suite, result in zip(root.iter("testsuite"), results, strict=True):
        is_bad = suite.get("failures") != "0" or suite.get("errors") != "0"
        assert is_bad == (not result.outcome.is_green and result.outcome not in {Outcome.IMPOSSIBLE, Outcome.ELSEWHERE})
        assert suite.get("tests") != "0"


# What junit-10.xsd of Jenkins' xunit plugin allows: attributes (those with ! must be there), and elements inside.
PROBLEM = ("type", "message")
SCHEMA: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "testsuites": (("name", "time", "tests", "failures", "errors"), ("testsuite",)),
    "testsuite": (
        ("name!", "tests!", "failures!", "errors!", "time", "skipped", "timestamp", "hostname", "id", "package"),
        ("properties", "testcase"),
    ),
    "properties": ((), ("property",)),
    "property": (("name!", "value!"), ()),
    "testcase": (("name!", "time", "classname", "group"), ("skipped", "error", "failure", "flakyFailure")),
    "skipped": (PROBLEM, ()),
    "error": (PROBLEM, ()),
    "failure": (PROBLEM, ()),
    "flakyFailure": (("type!", "message"), ()),
}


def faults(element: ET.Element) -> list[str]:
    """Return what the schema forbids, in an element and its descendants."""
    attributes, inside = SCHEMA[element.tag]
    needed = {name.removesuffix("!") for name in attributes if name.endswith("!")}
    allowed = {name.removesuffix("!") for name in attributes}
    found = [f"{element.tag} lacks {name}" for name in needed - set(element.keys())]
    found += [f"{element.tag} has {name}" for name in set(element.keys()) - allowed]
    found += [f"{child.tag} in {element.tag}" for child in element if child.tag not in inside]
    if "time" in element.keys() and not re.fullmatch(r"\d*\.\d*", element.attrib["time"]):  # noqa: SIM118
        found.append(f"time {element.attrib['time']}")
    return found + [fault for child in element for fault in (faults(child) if child.tag in SCHEMA else [child.tag])]


@given(
    st.lists(
        st.tuples(st.sampled_from(Outcome), st.lists(st.sampled_from(CaseOutcome), max_size=6), st.booleans()),
        max_size=5,
    )
)
def test_every_report_is_valid_against_the_common_schema(
    cells: list[tuple[Outcome, list[CaseOutcome], bool]],
) -> None:
    """Law: whatever became of cells and tests, there is nothing that a strict reader refuses."""
    results: list[CellResult] = []
    events: list[Event] = []
    for number, (outcome, verdicts, flaky) in enumerate(cells):
        result = make.result(f"py3.{number}", outcome)
        results.append(result)
        tests = {f"tests/test_a.py::test_{at}": verdict for at, verdict in enumerate(verdicts)}
        if flaky:
            events += [make.one_test(result.id, test, CaseOutcome.FAILED, message="once") for test in tests]
            events += [make.one_test(result.id, test, verdict, attempt=2) for test, verdict in tests.items()]
        else:
            events += make.tested(result, tests)
    assert faults(ET.fromstring(junit.render(make.report(*results, extra=events)))) == []
