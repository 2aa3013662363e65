"""Text of others on our screen and in our files' lines."""

from __future__ import annotations

import re
import unicodedata

import factories as make
import hostile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.model import Outcome
from venvgrid.reporters import text

COMMAND = re.compile(r"^\s*::|##\[|##vso\[|##teamcity\[", re.MULTILINE)


@settings(deadline=None)
@given(hostile.texts)
def test_a_line_is_one_line_without_anything_that_a_terminal_obeys(raw: str) -> None:
    """No control character, separator of lines, mark of direction or surrogate is left; and it is not too long."""
    line = text.line(raw)
    categories = {unicodedata.category(character) for character in line}
    assert not categories & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(line) & set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
    assert len(line) <= text.MAX_LINE_LENGTH


def test_escapes_are_spelt_out_and_colours_left_out() -> None:
    """One sees what was tried."""
    assert text.line("a \x1b[1;31mred\x1b[0m b\x1b]0;x\x07\udcff") == r"a red b\x1b]0;x\x07\udcff"


def test_long_texts_are_cut_with_a_sign_of_it() -> None:
    """Also when what is cut is mostly blanks."""
    assert (text.line("x" * 400)[-2:], len(text.line("x" * 400))) == ("x…", 300)
    assert text.line("a" + " " * 5000 + "b") == "a…"


@settings(deadline=None)
@given(st.lists(hostile.texts, max_size=4).map("\n".join))
def test_no_guarded_text_has_a_command_to_a_ci_service(raw: str) -> None:
    """In no line, after any blanks; guarding twice changes nothing more."""
    guarded = text.guard(raw)
    assert COMMAND.search(guarded) is None
    assert text.guard(guarded) == guarded


def test_ordinary_text_is_not_changed_by_the_guard() -> None:
    """Names of tests have colons, and headings have hashes."""
    usual = "tests/a.py::test_b[c::d]\n  a::b ## [x]\n: :\n"
    assert text.guard(usual) == usual


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "latin-1", "utf-8", "no-such-encoding"])
@settings(deadline=None)
@given(raw=hostile.texts.map(text.line))
def test_any_encoding_can_write_what_is_shown(encoding: str, raw: str) -> None:
    """What it lacks is spelt out."""
    shown = text.encodable(raw, encoding)
    shown.encode("ascii" if encoding == "no-such-encoding" else encoding)
    if encoding == "utf-8":
        assert shown == raw


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_every_outcome_has_a_sign_of_its_own(encoding: str) -> None:
    """They are told apart without colour, and each is one character."""
    signs = [text.symbol(outcome, encoding) for outcome in Outcome]
    assert len(signs) == len(set(signs))
    assert {len(sign) for sign in signs} == {1}


def test_marks_tell_of_earlier_runs_and_of_cells_that_may_fail() -> None:
    """Only a bad cell that may fail is in brackets."""
    may = make.cell("py3.9", allow_failure=True)
    assert [
        text.mark(make.result("py3.9", cached=True), "utf-8"),
        text.mark(make.result(may, Outcome.FAILED), "utf-8"),
        text.mark(make.result(may), "utf-8"),
        text.mark(make.result("py3.9", cached=True), "ascii"),
    ] == ["✓↻", "(✗)", "✓", "+*"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.04, "0.0 s"),
        (21.34, "21.3 s"),
        (59.96, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3725, "1 h 2 min"),
        (-1, "0.0 s"),
        (float("nan"), "0.0 s"),
        (float("inf"), "0.0 s"),
    ],
)
def test_durations_are_written_for_people(value: float, written: str) -> None:
    """Also those that a broken clock made."""
    assert text.seconds(value) == written


@pytest.mark.parametrize(
    ("counts", "written"),
    [
        ({}, ""),
        ({"passed": 1}, "1 test"),
        ({"passed": 3, "skipped": 2}, "5 tests, 2 skipped"),
        ({"passed": 3, "failed": 1, "error": 1}, "2 of 5 tests failed"),
        ({"skipped": 2}, "2 tests, 2 skipped"),
    ],
)
def test_tests_are_counted_in_words(counts: dict[str, int], written: str) -> None:
    """What is bad comes first."""
    assert text.tests(counts) == written


def test_the_tally_counts_each_outcome() -> None:
    """Also which of them are of an earlier run."""
    cells = [make.result("a"), make.result("b", cached=True), make.result("c", Outcome.FAILED)]
    assert text.tally(cells, {}) == "3 cells: 2 passed (1 from an earlier run), 1 failed"
    assert text.tally([], {}) == "no cells"


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        (("a.py::t",), "1 test"),
        (("a.py",), "1 test file"),
        (("a.py::t", "b.py", "c.py"), "1 test and 2 test files"),
        (("a test without a name", "T::t"), "2 tests"),
    ],
)
def test_files_are_no_tests(tests: tuple[str, ...], expected: str) -> None:
    """A file that was not collected has no "::"."""
    assert expected == text.named(tests)
