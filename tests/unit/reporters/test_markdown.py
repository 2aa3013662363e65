"""Markdown for a job's summary: what GitHub makes of it, and that it never drops it."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import factories as make
import hostile
import told
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from venvgrid.model import CaseOutcome, CellResult, Event, Message, Outcome
from venvgrid.reporters import text
from venvgrid.reporters.documents import markdown
from venvgrid.results.report import build_report

GITHUB_LIMIT = 900_000
OWN_TAGS = {"details", "summary", "code", "pre"}
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


class Tags(HTMLParser):
    """Collects what a browser would see as elements."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.data: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.data.append(data)


def rows(page: str) -> list[list[str]]:
    """Return the cells of the table of a page, as a Markdown parser reads it."""
    found: list[list[str]] = []
    for token in PARSER.parse(page):
        if token.type == "tr_open":
            found.append([])
        elif token.type == "inline" and found and len(token.map or ()) == 2 and token.level > 3:
            found[-1].append("".join(child.content for child in token.children or () if child.type == "text"))
    return found


def test_the_grid_is_a_table() -> None:
    """As a Markdown parser reads it."""
    page = markdown.render(make.matplotlib_grid())
    assert rows(page) == [
        ["matplotlib", "3.6", "3.8", "3.9", "3.10"],
        ["2.2", "✅", "–", "–", "–"],  # noqa: RUF001
        ["3.5", "–", "✅", "❌", "✅"],  # noqa: RUF001
    ]
    assert "**8 cells: 3 passed, 1 failed, 4 impossible** in 21.3 s\n" in page
    assert "<summary>4 cells impossible</summary>" in page
    assert (
        "has no attribute &#x27;float&#x27;</code> — 1 test in 1 of 8 cells</summary>\n\n"
        "- fails in 1 of 1 cell with Python 3.9, in 0 of 3 without\n- about 52 % sure\n- tests: `tests/test_ch" in page
    )


def test_one_axis_is_a_list_of_cells() -> None:
    """With outcome, tests and time; brackets become words."""
    may = make.cell("py3.10", allow_failure=True)
    cells = [
        make.result("py3.9", cached=True),
        make.result(may, Outcome.CRASHED),
        make.result("py3.8", Outcome.NO_TESTS),
    ]
    assert rows(markdown.render(make.report(*cells, status=1))) == [
        ["cell", "outcome", "tests", "time"],
        ["py3.9", "✅ passed ↻", "3 tests", "1.2 s"],
        ["py3.10", "❌ crashed (may fail)", "1 of 3 tests failed", "1.2 s"],
        ["py3.8", "❌ no-tests", "", ""],
    ]


def test_a_grid_names_what_is_neither_passed_nor_failed() -> None:
    """Signs alone would have to be explained."""
    outcomes = [Outcome.TIMED_OUT, Outcome.MISSING_INTERPRETER, Outcome.FLAKY, Outcome.BUILD_FAILED]
    cells = [
        make.result(make.cell(f"{n}", {"python": f"3.{n % 2}", "a": f"{n // 2}"}), outcome)
        for n, outcome in enumerate(outcomes)
    ]
    assert rows(markdown.render(make.report(*cells, status=1)))[1:] == [
        ["0", "❌ timed-out", "❔ no interpreter"],
        ["1", "✅ flaky", "❌ build-failed"],
    ]


def test_flaky_tests_notes_and_an_unfinished_run_are_told() -> None:
    """Folded, but for the last."""
    cell = make.result("py3.9", Outcome.FLAKY, notes=("changed",))
    events: list[Event] = [
        make.started([make.cell("py3.9")]),
        make.one_test("py3.9", "t::a", CaseOutcome.FAILED, message="once"),
        make.one_test("py3.9", "t::a", CaseOutcome.PASSED, attempt=2),
        Message(level="warning", text="odd"),
        make.finished(cell),
    ]
    page = markdown.render(build_report(events))
    assert "The run did not finish" in page
    assert "- `t::a` in `py3.9`: passed after `once`\n" in page
    assert "- `changed` (`py3.9`)\n- `odd`\n" in page


def test_no_page_is_larger_than_github_takes_and_what_is_left_out_is_counted() -> None:
    """5,000 failing cells, each with a failure of its own: rows and failures that are shown and left out add up."""
    cells = [
        make.result(
            f"py3.{n}", Outcome.FAILED, failures=(make.failure(f"t::{n}", signature=str(n), longrepr="é|`\n" * 2000),)
        )
        for n in range(5000)
    ]
    page = markdown.render(make.report(*cells, status=1))
    assert len(page.encode()) < GITHUB_LIMIT
    more = {noun: int(number) for number, noun in re.findall(r"^(\d+) more (\w+) in results.json$", page, re.MULTILINE)}
    shown = len(rows(page)) - 1
    assert shown + more.get("rows", 0) == 5000
    assert page.count("<details>") + more["failures"] == 5000


def test_rows_that_do_not_fit_are_those_in_which_all_is_well() -> None:
    """What one looks for is there."""
    cells = [make.result(make.cell(f"{'x' * 60}{n}", {"python": str(n)})) for n in range(5000)]
    bad = make.result("bad", Outcome.FAILED)
    page = markdown.render(make.report(*cells, bad, status=1))
    assert rows(page)[1][0] == "bad"
    assert " more rows in results.json" in page
    assert len(page.encode()) < GITHUB_LIMIT


@settings(deadline=None)
@given(hostile.texts)
def test_prose_means_nothing_to_markdown(raw: str) -> None:
    """In a cell of a table it is read as the text that it is: no link, no emphasis, no HTML, no further column."""
    tokens = PARSER.parse(f"| a | b |\n| --- | --- |\n| x{markdown.prose(raw)} | y |\n")
    cells = [token for token in tokens if token.type == "inline"][2:]
    assert len(cells) == 2
    children = cells[0].children or []
    assert {child.type for child in children} <= {"text", "text_special"}
    assert "".join(child.content for child in children) == f"x{text.line(raw)}"


@settings(deadline=None)
@given(hostile.texts)
def test_code_is_shown_as_it_is(raw: str) -> None:
    """Whatever backticks it holds."""
    (inline,) = [token for token in PARSER.parse(f"x {markdown.code(raw)} y") if token.type == "inline"]
    found = [child for child in inline.children or [] if child.content.strip()]
    if text.line(raw):
        assert [(child.type, child.content) for child in found[1:-1]] == [("code_inline", text.line(raw))]


@settings(deadline=None)
@given(st.lists(hostile.texts, max_size=3).map("\n".join))
def test_escaped_text_has_no_element(raw: str) -> None:
    """In a <pre> a browser sees one element and the text; a Markdown parser sees one block."""
    block = f"<pre>\n{markdown.escaped(raw)}\n</pre>"
    tags = Tags()
    tags.feed(block)
    tags.close()
    assert tags.seen == {"pre"}
    assert [token.type for token in PARSER.parse(block)] == ["html_block"]


@settings(deadline=None)
@given(st.lists(hostile.texts, min_size=6, max_size=6))
def test_no_text_of_others_becomes_an_element_or_a_command(values: list[str]) -> None:
    """Rendered to HTML, the page has our elements, no attributes, and a table of the right size."""
    test, kind, message, longrepr, reason, value = values
    cells: list[CellResult] = [
        make.result(
            make.cell(f"{python}{number}", {"python": python, "a": f"{value}{number}"}),
            outcome,
            reason=reason,
            notes=(message,),
            failures=(make.failure(test, kind=kind, message=message, longrepr=longrepr),) if outcome.is_red else (),
        )
        for number, outcome in enumerate((Outcome.FAILED, Outcome.IMPOSSIBLE, Outcome.BUILD_FAILED))
        for python in ("3.9", "3.10")
    ]
    page = markdown.render(make.report(*cells, extra=[Message(level="warning", text=message)], status=1))
    tags = Tags()
    tags.feed(PARSER.render(page))
    tags.close()
    table = {"table", "thead", "tbody", "tr", "th", "td"}
    assert tags.seen <= OWN_TAGS | table | {"h3", "h4", "p", "strong", "ul", "li"}
    assert not tags.attributes
    assert [len(row) for row in rows(page)] == [3, 3, 3, 3]
    assert re.search(r"^\s*::|##\[|##vso\[|[\x00-\x09\x0b-\x1f\x7f-\x9f]", page, re.MULTILINE) is None


def test_a_failure_has_its_story() -> None:
    """Who did it and since when, the proof in three lines, company and gaps, what to do: below its headline."""
    page = markdown.render(make.report(told.red(), status=1), [told.INVESTIGATED])
    (items,) = re.findall(r"^- \*\*werkzeug.*?(?=^- tests)", page, re.MULTILINE | re.DOTALL)
    assert html.unescape(items).splitlines() == [
        "- **werkzeug 3.0.0, released 2023-09-30, broke it** (venvgrid why, in py3.11 on 2026-03-01 10:00 UTC)",
        "  - 2023-02-01 with werkzeug 2.3.8: passes",
        "  - 2023-02-01 with werkzeug 3.0.0: fails the same way",
        "  - today with werkzeug 2.3.8: passes",
        "  - moved along with it: click 8.0 → 8.1: breaks nothing alone",
        "  - not tried, between 2.3.8 and 3.0.0: 2.9.0",
        "  - pin: `werkzeug<3.0.0`",
        "  - patch: `tests/test_shop.py:3`",
        "  - report: `venvgrid why py3.11 --good 2023-02-01 --upstream` (a text for its tracker)",
    ]
    kept = replace(told.INVESTIGATED, story=replace(told.STORY, findings=(told.FINDING, told.FINDING)))
    assert "- behind it, `ImportError: " in markdown.render(make.report(told.red(), status=1), [kept])
    stale = markdown.render(make.report(told.red(werkzeug="2.3.8"), status=1), [told.INVESTIGATED])
    assert "broke it" not in stale


@settings(deadline=None)
@given(st.lists(hostile.texts, min_size=6, max_size=6))
def test_no_text_of_a_story_becomes_an_element_or_a_command(values: list[str]) -> None:
    """Versions, places, reasons and problems of a story are text, whatever they hold."""
    page = markdown.render(make.report(told.red(), status=1), [told.of_others(*values)])
    tags = Tags()
    tags.feed(PARSER.render(page))
    tags.close()
    table = {"table", "thead", "tbody", "tr", "th", "td"}
    assert tags.seen <= OWN_TAGS | table | {"h3", "h4", "p", "strong", "ul", "li"}
    assert not tags.attributes
    assert re.search(r"^\s*::|##\[|##vso\[|[\x00-\x09\x0b-\x1f\x7f-\x9f]", page, re.MULTILINE) is None
