"""The HTML report: what stands in it, and that nothing of others is ever markup."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import factories
import hostile
import told
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis.trend import PastRun
from venvgrid.model import CaseOutcome, CellResult, Certificate, Failure, Outcome
from venvgrid.reporters.documents import html
from venvgrid.results.report import Earlier

TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "p", "code", "noscript", "div"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "a", "span", "section", "ul", "li", "details"),
    *("summary", "pre", "script", "button", "main", "nav", "aside", "figure", "figcaption", "small", "b", "mark"),
    *("svg", "defs", "pattern", "rect", "path", "g"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "scope", "title", "type", "tabindex"),
    *("data-cell", "data-id", "data-number", "data-axis", "data-value", "data-row", "data-outcome"),
    *("role", "aria-label", "aria-hidden", "aria-live", "open", "rowspan", "colspan"),
    *("x", "y", "width", "height", "d", "viewbox", "preserveaspectratio", "patternunits", "patterntransform"),
}


class Page(HTMLParser):
    """Reads a page as a browser does, and keeps what matters."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.scripts: dict[str, str] = {}
        self.styles: list[str] = []
        self.policy = ""
        self.text: list[str] = []
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.tags.add(tag)
        self.attributes |= known.keys()
        self.links += [known["href"] or ""] if "href" in known else []
        if known.get("http-equiv") == "Content-Security-Policy":
            self.policy = known["content"] or ""
        if tag in {"script", "style"}:
            self._inside = f"{tag}:{known.get('id', '')}"

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag in {"script", "style"} else self._inside

    def handle_data(self, data: str) -> None:
        kind, _, name = self._inside.partition(":")
        if kind == "script":
            self.scripts[name] = self.scripts.get(name, "") + data
        elif kind == "style":
            self.styles.append(data)
        else:
            self.text.append(data)

    def data(self) -> Any:
        """Return the data of the script."""
        return json.loads(self.scripts["data"])


def test_what_stands_there_without_the_script() -> None:
    """Grid, failure, its cells and the reasons can be read where scripts are off, on paper too."""
    page = Page(html.render(factories.matplotlib_grid()))
    told = " ".join(" ".join(page.text).split())
    assert "plotlib 1.0" in told
    assert "AttributeError: module 'numpy' has no attribute 'float'" in told
    assert "has no wheel for CPython" in told
    assert "tests/test_charts.py::test_line" in told
    assert "venvgrid run -k" in told


def test_policy_allows_just_its_own_script_and_style() -> None:
    """The digests in the policy are those of the script and the style; nothing else may be loaded."""
    page = Page(html.render(factories.matplotlib_grid()))

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert page.policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest(page.styles[0])}'",
        f"script-src 'sha256-{digest(page.scripts[''])}'",
        "base-uri 'none'",
    ]
    assert all(link.startswith("#") for link in page.links)


def test_what_the_script_is_given() -> None:
    """Each test has a letter a cell, each cell its packages, and each span its cell."""
    report = factories.matplotlib_grid()
    data = Page(html.render(report)).data()
    assert [cell["id"] for cell in data["cells"]] == [cell.id for cell in report.cells]
    watched = [data["cells"][number]["id"] for number in data["watched"]]
    assert watched == [cell.id for cell in report.cells if cell.id in report.tests]
    for name, letters, longest, differs in data["tests"]:
        assert len(letters) == len(watched)
        found = [report.tests[cell].get(name) for cell in watched]
        assert [letter == "." for letter in letters] == [case is None for case in found]
        assert [letter in "fe" for letter in letters] == [
            case is not None and case.verdict in {CaseOutcome.FAILED, CaseOutcome.ERROR} for case in found
        ]
        assert longest == max(case.duration for case in found if case)
        assert isinstance(differs, bool)
    assert data["spans"]


def test_logs_of_bad_cells_come_whole_and_others_in_part() -> None:
    """A green cell keeps the end of a long log; what is left out is said, and where it is."""
    bad, good = factories.result("py3.9", Outcome.FAILED), factories.result("py3.10")
    logs = {"py3.9": "E" * 50_000, "py3.10": "x" * 50_000}
    page = Page(html.render(factories.report(bad, good), lambda cell: logs[cell.id]))
    assert json.loads(page.scripts["log-0"]) == logs["py3.9"]
    kept = json.loads(page.scripts["log-1"])
    assert kept.startswith("[the beginning is in .venvgrid/runs/")
    assert len(kept) < 10_000


def test_colours_stay_and_other_sequences_go() -> None:
    """A log keeps its colours; what moves the cursor, sets a title or is no text is spelt out or left out."""
    log = "\x1b[1;31mred\x1b[0m \x1b[2Jclear \x1b]0;title\x07 \x00 \u202e done\r\nnext"
    page = Page(html.render(factories.report(factories.result("py3.9")), lambda _cell: log))
    assert json.loads(page.scripts["log-0"]) == "\x1b[1;31mred\x1b[0m clear  \\x00 \\u202e done\nnext"


def unpacked(log: Any) -> str:
    """Return a log as the script reads it."""
    return log if isinstance(log, str) else gzip.decompress(base64.b64decode(log["gzip"])).decode()


def test_seventy_two_cells_with_long_logs_stay_small() -> None:
    """72 cells, most of them red, with 200 tests and long logs, are at most 600 kB; each log keeps its end."""
    results, events = [], []
    for number in range(72):
        cell = factories.cell(f"c{number}", {"python": f"3.{number % 6}", "numpy": f"{number // 6}"})
        red = factories.result(
            cell,
            Outcome.FAILED if number % 4 else Outcome.PASSED,
            failures=(factories.failure(message="m" * 200, longrepr="E   line\n" * 300),) if number % 4 else (),
            packages={f"package-{name}": f"1.{name}.{number % 3}" for name in range(60)},
        )
        results.append(red)
        names = {f"tests/test_module.py::TestClass::test_with_a_long_name_{test}" for test in range(200)}
        events += factories.tested(red, dict.fromkeys(sorted(names), CaseOutcome.PASSED))
    noise = random.Random(1)
    log = "".join(f"{noise.random()} tests/test_module.py::test_{line} \x1b[32mPASSED\x1b[0m\n" for line in range(1000))
    made = html.render(factories.report(*results, extra=events), lambda cell: f"{log}the end of {cell.id}")
    assert len(made.encode()) <= 600_000
    page = Page(made)
    for number in range(72):
        kept = unpacked(json.loads(page.scripts[f"log-{number}"]))
        assert kept.endswith(f"the end of c{number}")


def test_a_failure_has_its_picture_and_its_nearest_green_cell() -> None:
    """Beside the traceback stand the red cell and the next green one, with just what differs."""
    told = " ".join(" ".join(Page(html.render(factories.matplotlib_grid())).text).split())
    assert "Beside the nearest green cell ✗ py3.9-matplotlib3.5 ✓ py3.8-matplotlib3.5 python 3.9 3.8" in told
    assert 'aria-label="1 of 8 cells"' in html.render(factories.matplotlib_grid())


def test_files_that_were_not_collected_are_no_tests() -> None:
    """One failure of two test files is headed by what they are."""
    failures = tuple(
        Failure(test=f"tests/test_{name}.py", kind="ImportError", message="no x", signature="s") for name in "ab"
    )
    page = html.render(factories.report(factories.result("py3.9", Outcome.FAILED, failures=failures)))
    assert "<summary>2 test files</summary>" in page


def test_the_traceback_of_a_shared_page_names_no_place_of_this_machine() -> None:
    """Paths into an environment are shown as in a terminal; a place that is the test itself is told once."""
    site = "/home/me/p/.venvgrid/store/611e807a1fba6439/lib/python3.12/site-packages"
    failure = factories.failure(
        test="tests/test_a.py::test_a", signature="s @ tests/test_a.py::test_a", longrepr=f"E  no x ({site}/x.py)\n"
    )
    page = html.render(factories.report(factories.result("py3.9", Outcome.FAILED, failures=(failure,))))
    shown = page.partition('<section class="failure')[2].partition("</section>")[0]
    assert "no x (x.py)" in shown
    assert "store" not in shown
    assert shown.count("<code>tests/test_a.py::test_a</code>") == 1


def test_red_cells_come_first_in_the_list() -> None:
    """The list of cells begins with those that need attention; impossible cells end it."""
    page = html.render(factories.matplotlib_grid())
    found = re.findall(r'<details class="cell" id="cell-([^"]+)"', page)
    outcomes = {cell.id: cell.outcome for cell in factories.matplotlib_grid().cells}
    assert outcomes[found[0]] is Outcome.FAILED
    assert outcomes[found[-1]] is Outcome.IMPOSSIBLE


def test_flaky_tests_are_named() -> None:
    """A test that passed when it was repeated is listed, with how it failed at first."""
    result = factories.result("py3.9", Outcome.FLAKY, attempts=2)
    first = factories.one_test("py3.9", "t.py::test_a", CaseOutcome.FAILED, message="port in use")
    second = factories.one_test("py3.9", "t.py::test_a", attempt=2)
    told = " ".join(Page(html.render(factories.report(result, extra=[first, second]))).text)
    assert "Flaky tests" in told
    assert "port in use" in told


def test_the_trend_counts_each_run() -> None:
    """Each run before this one is a bar with its numbers in words."""
    past = [PastRun(run="r1", started="2026-01-01T10:00:00", duration=60.0, outcomes={Outcome.PASSED: 2})]
    report = factories.report(factories.result("py3.9", Outcome.FAILED), factories.result("py3.10"))
    page = html.render(report, past=past)
    assert "green now 1, before 2" in page
    assert "2026-01-01 10:00, 1 min 0 s: 2 passed" in page


def test_changes_are_named() -> None:
    """What regressed since the last run is said."""
    report = factories.report(factories.result("py3.9", Outcome.FAILED))
    before = {"py3.9": Earlier(run="r0", outcome=Outcome.PASSED)}
    assert "regressed" in " ".join(Page(html.render(replace(report, before=before))).text)


@given(st.lists(hostile.texts, min_size=9, max_size=9), st.sampled_from(Outcome), st.sampled_from(CaseOutcome))
def test_no_text_becomes_markup(values: list[str], outcome: Outcome, verdict: CaseOutcome) -> None:
    """Law: whatever names, messages, reasons, versions and output hold, the page has our elements and no others."""
    test, kind, message, reason, package, version, note, project, log = values
    result: CellResult = factories.result(
        factories.cell("py3.9", {"python": "3.9", project or "a": note}),
        outcome,
        reason=reason,
        failures=(factories.failure(test, kind=kind, message=message, signature=kind + message, longrepr=log),),
        packages={package or "p": version},
        notes=(note,),
    )
    events = factories.tested(result, {test or "t": verdict})
    report = replace(factories.report(result, extra=events), project=project, started=note, command=(kind, reason))
    page = Page(html.render(report, lambda _cell: log))
    assert page.tags <= TAGS
    assert page.attributes <= ATTRIBUTES
    assert all(link.startswith("#") for link in page.links)
    assert set(page.scripts) <= {"", "data", "log-0"}
    assert page.data()["cells"][0]["id"] == "py3.9"
    assert page.scripts[""] == html.script()
    assert isinstance(json.loads(page.scripts.get("log-0", '""')), str)


def test_a_failure_has_its_story() -> None:
    """Who did it and since when, the proof, company and gaps, what to do, and where it was found."""
    page = Page(html.render(factories.report(told.red(), status=1), kept=[told.INVESTIGATED]))
    words = " ".join(" ".join(page.text).split())
    for line in (
        "werkzeug 3.0.0, released 2023-09-30, broke it",
        "✓ 2023-02-01 with werkzeug 2.3.8 passes",
        "✗ 2023-02-01 with werkzeug 3.0.0 fails the same way",
        "✓ today with werkzeug 2.3.8 passes",
        "moved along with it: click 8.0 → 8.1: breaks nothing alone",
        "not tried, between 2.3.8 and 3.0.0: 2.9.0",
        "pin werkzeug<3.0.0",
        "patch tests/test_shop.py:3",
        "report venvgrid why py3.11 --good 2023-02-01 --upstream a text for its tracker",
        "venvgrid why, in py3.11 on 2026-03-01 10:00 UTC",
    ):
        assert line in words
    assert "behind it" not in words
    stale = Page(html.render(factories.report(told.red(werkzeug="2.3.8"), status=1), kept=[told.INVESTIGATED]))
    assert "broke it" not in " ".join(stale.text)


def test_a_failure_that_another_hides_is_named() -> None:
    """The second culprit of a story broke something else: a reader sees what."""
    second = replace(told.FINDING, failure="ValueError: hidden", signature="hidden")
    kept = replace(told.INVESTIGATED, story=replace(told.STORY, findings=(told.FINDING, second)))
    page = Page(html.render(factories.report(told.red(), status=1), kept=[kept]))
    assert "behind it: ValueError: hidden" in page.text


@given(st.lists(hostile.texts, min_size=6, max_size=6))
def test_no_text_of_a_story_becomes_markup(values: list[str]) -> None:
    """Law: versions, places, reasons and problems of a story are text, whatever they hold."""
    page = Page(html.render(factories.report(told.red(), status=1), kept=[told.of_others(*values)]))
    assert page.tags <= TAGS
    assert page.attributes <= ATTRIBUTES
    assert any("venvgrid why, in py3.11" in part for part in page.text)


def test_the_page_tells_what_the_cells_that_ran_cover() -> None:
    """As the Markdown report does: what of the possible pairs, and which are in no cell that ran."""
    axes = {"python": ("3.11", "3.12"), "six": ("1.15", "1.16")}
    cells = [
        factories.result(factories.cell(f"py{python}-six{six}", {"python": python, "six": six}), outcome)
        for python, six, outcome in (("3.11", "1.15", Outcome.PASSED), ("3.12", "1.16", Outcome.CANCELLED))
    ]
    missing = ({"python": "3.12", "six": "1.16"},)
    certificate = Certificate(strength=2, feasible=2, covered=2, infeasible={}, missing=missing, axes=axes)
    report = replace(factories.report(*cells), certificate=certificate)
    page = Page(html.render(report))
    assert "Cells that ran cover 1 of 2 possible pairs" in "".join(page.text)
    assert "not covered: python 3.12 + six 1.16" in "".join(page.text)
    assert "Cells that ran cover" not in "".join(Page(html.render(factories.report(*cells))).text)
