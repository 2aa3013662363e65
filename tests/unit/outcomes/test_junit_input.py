"""A JUnit report that tests wrote is read with the care that what comes from tests needs."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.model import CaseOutcome
from venvgrid.outcomes.junit_input import Limits, read, stamp
from venvgrid.outcomes.observation import ReportFile

PYTEST = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="2" tests="99" time="0.030">
<properties><property name="a" value="b"/></properties>
<testcase classname="test_a" name="test_pass" time="0.001"><system-out>hello</system-out></testcase>
<testcase classname="test_a.T" name="test_fail" time="0.002"><failure message="ValueError: bad&#10;more">def f():
&gt;       raise ValueError("bad")
E       ValueError: bad

test_a.py:5: ValueError</failure></testcase>
<testcase classname="test_a" name="test_error" time="0.000"><error message="failed on setup with &quot;X&quot;">
file test_a.py, line 9
E       fixture 'nofix' not found</error></testcase>
<testcase classname="test_a" name="test_skip" time="0.0"><skipped type="pytest.skip" message="later"/></testcase>
<testcase classname="test_a" name="test_xfail" time="0.0"><skipped type="pytest.xfail" message=""/></testcase>
</testsuite></testsuites>"""


def report(text: str | bytes, tmp_path: Path, limits: Limits | None = None) -> ReportFile:
    """What is read from a file with this text."""
    path = tmp_path / "r.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path, limits=limits or Limits())


def case(inner: str = "", attributes: str = 'name="t"') -> str:
    """A report of one test."""
    return f"<testsuite><testcase {attributes}>{inner}</testcase></testsuite>"


def test_what_pytest_writes(tmp_path: Path) -> None:
    """Each test is counted, what the suite claims is not believed; failures have place, kind and message."""
    found = report(PYTEST, tmp_path)
    counts = {"passed": 1, "failed": 1, "error": 1, "skipped": 1, "xfailed": 1, "xpassed": 0}
    assert (counts, "") == ({str(verdict): number for verdict, number in found.counts.items()}, found.problem)
    assert [
        ("test_a.T::test_fail", "ValueError", "bad", "ValueError: bad @ test_a.py > f", 0.002),
        (
            "test_a::test_error",
            "Error",
            'failed on setup with "X"',
            'Error: failed on setup with "X" @ test_a.py',
            0.0,
        ),
    ] == [(item.test, item.kind, item.message, item.signature, item.duration) for item in found.failures]


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ('<failure type="java.lang.AssertionError" message="no">x</failure>', ("AssertionError", "no")),
        ('<failure type="AssertionError">expected 1\nto be 2</failure>', ("AssertionError", "expected 1")),
        ("<failure/>", ("Failed", "")),
        ('<error type="TypeError" message="null"/>', ("TypeError", "null")),
        ('<failure message="a"/><error message="b"/>', ("Failed", "a")),
        ("<failure><![CDATA[E   KeyError: 'x']]></failure>", ("KeyError", "'x'")),
    ],
)
def test_what_other_runners_write(inner: str, expected: tuple[str, str], tmp_path: Path) -> None:
    """Kind from the type, message from the attribute or the text; the first of several counts."""
    (failure,) = report(case(inner), tmp_path).failures
    assert expected == (failure.kind, failure.message)


@pytest.mark.parametrize(
    "text",
    [
        '<testsuite failures="1"><testcase/></testsuite>',
        '<testsuites><testsuite errors="2"><testcase/></testsuite></testsuites>',
        '<testsuite><testcase/><error message="its preparation failed"/></testsuite>',
    ],
)
def test_a_claim_that_contradicts_what_is_listed_is_a_problem(text: str, tmp_path: Path) -> None:
    """A suite that tells of failures and lists none is no proof; what it claims is never a number of tests."""
    found = report(text, tmp_path)
    assert ("failures or errors, but lists none" in found.problem, False) == (True, found.missing)


@pytest.mark.parametrize(
    ("attributes", "verdict"),
    [
        ('status="notrun"', CaseOutcome.SKIPPED),
        ('status="run" result="suppressed"', CaseOutcome.SKIPPED),
        ('status="Failed"', CaseOutcome.FAILED),
        ('status="run" result="completed"', CaseOutcome.PASSED),
    ],
)
def test_what_attributes_of_a_test_say(attributes: str, verdict: CaseOutcome, tmp_path: Path) -> None:
    """GoogleTest lists tests that are switched off, and others write no element for a failure."""
    found = report(case(attributes=attributes), tmp_path)
    assert {verdict: 1} == {name: number for name, number in found.counts.items() if number}
    assert [] == [item for item in found.failures if verdict is not CaseOutcome.FAILED]


def test_nested_suites_and_namespaces_are_counted(tmp_path: Path) -> None:
    """Suites in suites, as some runners write them."""
    text = '<j:testsuites xmlns:j="x"><j:testsuite><testsuite><testcase name="a"/></testsuite></j:testsuite>'
    assert 1 == report(text + "</j:testsuites>", tmp_path).counts[CaseOutcome.PASSED]


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>'
)
EXTERNAL = (
    '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite><testcase name="t">&a;</testcase></testsuite>'
)


TYPED = "it has a document type, which none needs"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOMB, TYPED),
        (EXTERNAL, TYPED),
        ('<!DOCTYPE testsuite SYSTEM "http://x/y.dtd"><testsuite/>', TYPED),
        ("<html/>", "it begins with <html>"),
        ("", "no element found"),
        (case()[:-5], "unclosed token"),
        ("<testsuite>&nope;</testsuite>", "undefined entity"),
        (case("<testcase/>"), "a test inside a test"),
        ("<testsuite>" * 101, "it is nested more than 100 deep"),
        (b"<testsuite>\xff\xfe</testsuite>", "not well-formed (invalid token)"),
        (b"\0" * 100, "not well-formed (invalid token)"),
        ('<?xml version="1.0" encoding="klingon"?><testsuite/>', "unknown encoding: klingon"),
    ],
    ids=["bomb", "external", "dtd", "html", "empty", "cut", "entity", "nested", "deep", "bytes", "zeros", "encoding"],
)
def test_what_is_not_a_plain_report_is_refused(text: str | bytes, problem: str, tmp_path: Path) -> None:
    """Nothing of it is counted, and the problem says why."""
    found = report(text, tmp_path)
    assert (f"r.xml is not a JUnit report: {problem}", {}, ()) == (
        found.problem.partition(": line")[0],
        found.counts,
        found.failures,
    )


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        *(("1.5", 1.5), ("1,234.5", 10.0), ("-3", 0.0), ("NaN", 0.0), ("inf", 0.0), ("-inf", 0.0), ("1e999", 0.0)),
        *(("soon", 0.0), ("", 0.0), ("99999", 10.0)),
    ],
)
def test_durations_are_put_right(time: str, expected: float, tmp_path: Path) -> None:
    """None is negative, no number, or longer than the command took."""
    found = report(case("<failure/>", f'name="t" time="{time}"'), tmp_path, Limits(elapsed=10.0))
    assert expected == found.failures[0].duration


def test_a_report_that_is_too_big_is_refused(tmp_path: Path) -> None:
    """By its size, before it is read."""
    found = report(case() + " " * 2_000_000, tmp_path, Limits(bytes=1_000_000))
    assert "r.xml is too big: 2 MB, more than 1" == found.problem


def test_too_many_tests_are_refused(tmp_path: Path) -> None:
    """A million by default, ten here."""
    text = f"<testsuite>{'<testcase/>' * 11}</testsuite>"
    assert "r.xml lists more than 10 tests" == report(text, tmp_path, Limits(tests=10)).problem


def test_texts_and_failures_are_bounded(tmp_path: Path) -> None:
    """Long output is cut; failures beyond the limit are counted without their text."""
    one = f'<testcase name="{"n" * 5000}"><failure>{"x" * 5000}</failure></testcase>'
    text = f"<testsuite>{one * 20}</testsuite>"
    found = report(text, tmp_path, Limits(characters=1000, failures=7))
    assert (20, 7) == (found.counts[CaseOutcome.FAILED], len(found.failures))
    assert {(1000, 1000)} == {(len(item.test), len(item.longrepr)) for item in found.failures}


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """20 MB of output of one test are read within 2 MB."""
    path = tmp_path / "r.xml"
    path.write_text(case(f"<system-out>{'x y ' * 5_000_000}</system-out>"), encoding="utf-8")
    tracemalloc.start()
    found = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (1, True) == (found.counts[CaseOutcome.PASSED], peak < 2_000_000)


def test_a_report_that_is_not_there_is_missing(tmp_path: Path) -> None:
    """Said as such: the verdict differs from that of a broken one."""
    assert ReportFile(problem="r.xml was not written", missing=True) == read(tmp_path / "r.xml")


def test_a_report_of_an_earlier_run_is_missing(tmp_path: Path) -> None:
    """One that the command left as it was is not the command's."""
    path = tmp_path / "r.xml"
    path.write_text(case(), encoding="utf-8")
    before = stamp(path)
    assert (True, "r.xml was not written by this run: it is as it was before") == (
        read(path, before).missing,
        read(path, before).problem,
    )
    path.unlink()
    path.write_text(case() + "\n", encoding="utf-8")
    assert 1 == read(path, before).counts[CaseOutcome.PASSED]


def test_a_report_from_before_that_was_deleted_is_missing(tmp_path: Path) -> None:
    """The command removed it and wrote none."""
    path = tmp_path / "r.xml"
    path.write_text(case(), encoding="utf-8")
    before = stamp(path)
    path.unlink()
    assert read(path, before).missing


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are files there")
def test_what_is_not_a_file_does_not_block(tmp_path: Path) -> None:
    """A pipe, a folder, a device in the report's place."""
    pipe = tmp_path / "pipe.xml"
    os.mkfifo(pipe)
    problems = [read(path).problem for path in (pipe, tmp_path, Path("/dev/zero"))]
    folder = f"{tmp_path.name} cannot be read: Is a directory"
    assert ["pipe.xml is not a file", folder, "zero is not a file"] == problems


@given(
    st.one_of(st.binary(max_size=300), st.text(max_size=100).map(lambda text: case(text).encode("utf-8", "replace")))
)
def test_no_content_breaks_the_reader(data: bytes) -> None:
    """A report or a problem, never an exception."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "r.xml"
        path.write_bytes(data)
        found = read(path)
        assert bool(found.problem) != bool(found.counts)


def test_a_file_that_pytest_could_not_collect_is_no_test(tmp_path: Path) -> None:
    """It counts as an error and apart, with the exception instead of "collection failure", and what to type."""
    said = "tests/b.py:1: in &lt;module&gt;\n    import nope\nE   ModuleNotFoundError: No module named 'nope'"
    uncollected = f'<testcase classname="" name="b"><error message="collection failure">{said}</error></testcase>'
    failed = case('<failure message="assert 0">E assert 0</failure>')
    found = report(f"<testsuite>{uncollected}{failed}</testsuite>", tmp_path)
    assert (1, 1) == (found.counts[CaseOutcome.ERROR], found.uncollected)
    assert [("ModuleNotFoundError", "No module named 'nope'"), ("AssertionError", "assert 0")] == [
        (item.kind, item.message) for item in found.failures
    ]
    assert "if a distribution provides nope, add it to install.requires" == found.failures[0].hint


def test_classnames_name_no_store(tmp_path: Path) -> None:
    """With --pyargs they begin with the path of the environment, which differs from cell to cell."""
    store = ".venvgrid.store.0123456789abcdef.lib.python3.12.site-packages.pkg"
    one = case('<failure message="assert 0"/>', f'classname="{store}.test_a" name="test_x"')
    (failure,) = report(f"<testsuite>{one}</testsuite>", tmp_path).failures
    assert "site-packages.pkg.test_a::test_x" == failure.test
