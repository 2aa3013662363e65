"""Failures on a terminal: the end of the traceback with links, the log, and the way out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import factories as make
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from venvgrid.model import Failure, Outcome
from venvgrid.reporters.documents import ci, markdown
from venvgrid.reporters.manner import Manner
from venvgrid.reporters.terminal import lines, table

if TYPE_CHECKING:
    from venvgrid.results.report import Report

SITE = ".venvgrid/store/611e807a1fba6439/lib/python3.12/site-packages"
LONGREPR = f"""\
    def test_trapz(self):
>       np.trapz([1.0, 2.0], dx=1)

tests/test_numpy.py:445:
_ _ _ _ _ _ _ _ _
>       raise AttributeError(attr)
E       AttributeError: no trapz
E       it was removed

{SITE}/numpy/__init__.py:410: AttributeError
"""
LINK = re.compile(r"\x1b\]8;id=\d+;([^\x1b]+)\x1b\\([^\x1b]+)")


def failed(count: int = 1, **options: object) -> Report:
    """Make a report of one failure in some cells."""
    found = make.failure(longrepr=LONGREPR, kind="AttributeError", message="no trapz", signature="s @ tests/a.py:445")
    cells = [
        make.result(f"py3.{number}", Outcome.FAILED, failures=(replaced(found, **options),)) for number in range(count)
    ]
    return make.report(*cells, status=1)


def replaced(failure: Failure, **options: object) -> Failure:
    return make.failure(
        **({name: getattr(failure, name) for name in ("kind", "message", "signature", "longrepr")} | options)
    )


def shown(report: Report, manner: Manner | None = None, width: int = 120, *, colour: bool = False) -> str:
    return table.render(report, width=width, colour=colour, encoding="utf-8", manner=manner or Manner())


def test_the_end_of_the_traceback_is_shown_once() -> None:
    """With the code of each place, what the error says besides the headline, and the log below it."""
    text = shown(failed(3))
    assert (
        "      tests/test_numpy.py:445  np.trapz([1.0, 2.0], dx=1)\n"
        "      numpy/__init__.py:410  raise AttributeError(attr)\n"
        "      it was removed\n"
        "    log: .venvgrid/runs/20260101-120000-abcd/logs/py3.0.log\n"
    ) in text
    assert text.count("test_numpy.py:445") == 1


def test_places_are_links_where_there_are_links() -> None:
    """The address is that of the file as the traceback names it; a place without an address is plain."""
    manner = Manner(link=lambda file, line: f"file:///p/{file}#{line}" if "store" not in file else "")
    found = LINK.findall(shown(failed(), manner, colour=True))
    assert found == [("file:///p/tests/test_numpy.py#445", "tests/test_numpy.py:445")]
    assert "\x1b]8" not in shown(failed(), colour=True)


def test_places_in_the_project_are_shown_from_its_folder() -> None:
    """Python prints whole paths where pytest prints those of the project; the link has what was printed."""
    found = replaced(
        make.failure(message="bad"), longrepr='  File "/p/tests/a.py", line 3, in f\n    g()\nValueError: bad\n'
    )
    report = replace(
        make.report(make.result("a", Outcome.FAILED, failures=(found,)), status=1), config="/p/matrix.toml"
    )
    manner = Manner(link=lambda file, line: f"file://{file}#{line}")
    assert LINK.findall(shown(report, manner, colour=True))[:1] == [("file:///p/tests/a.py#3", "tests/a.py:3")]


def test_the_way_out_is_the_last_line_of_a_failure() -> None:
    """In the terminal, in plain lines, in Markdown and in annotations."""
    report = failed(hint='add "pip" to install.requires')
    assert '.log\n    → add "pip" to install.requires\n\n' in shown(report)
    assert '    → add "pip" to install.requires' in lines.finished(report.cells[0], "r", "utf-8")
    assert "- what to do: add &#34;pip&#34; to install.requires" in markdown.render(report)
    assert 'add "pip" to install.requires' in ci.github(report)


def test_what_the_cell_says_is_absent_has_no_way_out() -> None:
    """A cell without six fails as it should: six is not to be added."""
    failure = make.failure(kind="ModuleNotFoundError", message="No module named 'six'", hint="add it", signature="s")
    red = make.result(make.cell("a", {"python": "3.9", "six": "absent"}), Outcome.FAILED, failures=(failure,))
    green = make.result(make.cell("b", {"python": "3.9", "six": "1.16"}))
    text = shown(make.report(red, green, status=1))
    assert ("with six not installed" in text, "add it" in text) == (True, False)


def test_the_last_lines_of_a_tool_are_shown() -> None:
    """Of a cause without a traceback, if there are more than one."""
    cause = make.failure("", kind="failed", message="it broke", signature="s", longrepr="line one\n  line two\n")
    text = shown(make.report(make.result("py3.9", Outcome.FAILED, reason="it broke", failures=(cause,)), status=1))
    assert "✗ failed: it broke\n" in text
    assert "      line one\n        line two\n    log: " in text


@pytest.mark.parametrize(
    ("verbose", "expected"), [(True, "    | x No solution found\n    |   ╰─▶ Because"), (False, "")]
)
def test_the_resolvers_words(expected: str, *, verbose: bool) -> None:
    """Shown on demand, below the reason."""
    words = "x No solution found\n  ╰─▶ Because a needs b"
    cell = make.result("py3.9", Outcome.IMPOSSIBLE, reason="a needs b", words=words, log="")
    text = shown(make.report(cell, make.result("py3.10")), Manner(verbose=verbose))
    assert expected in text
    assert verbose == ("No solution" in text)


def test_wheels_that_are_missing_can_be_built() -> None:
    """Told if nothing could run, or on demand: in other runs such a cell is what the grid is for."""
    hint = '→ install.source-builds = ["numpy"] builds it from source, install.only-binary = false builds any'
    none = make.result("py3.9", Outcome.IMPOSSIBLE, reason="numpy 1.16 has no wheel for CPython 3.9 on linux-x86_64")
    assert hint in shown(make.report(none))
    assert hint not in shown(make.report(none, make.result("py3.10")))
    assert hint in shown(make.report(none, make.result("py3.10")), Manner(verbose=True))


def test_a_module_that_the_build_does_not_have() -> None:
    """Its environment is one of its own: the way out is where its requirements stand."""
    reason = "the project could not be built: ModuleNotFoundError: No module named 'yaml'"
    red = make.result("py3.9", Outcome.BUILD_FAILED, reason=reason)
    hint = '→ the build has an environment of its own: add "pyyaml" to requires in [build-system] of pyproject.toml'
    assert hint in shown(make.report(red, status=3))


@given(st.integers(20, 120), st.lists(st.text("abc \t", min_size=1, max_size=90), min_size=1, max_size=3))
def test_wrapping_loses_no_word(width: int, messages: list[str]) -> None:
    """Law: the words are those of the unwrapped text, in their order; a line that is too long cannot be broken."""
    failures = tuple(make.failure(f"t::{n}", message=text, signature=str(n)) for n, text in enumerate(messages))
    report = make.report(make.result("py3.9", Outcome.FAILED, failures=failures), status=1)
    wrapped, plain = shown(report, Manner(wrap=True), width), shown(report, width=width)
    assert wrapped.split() == plain.split()
    for line in wrapped.splitlines():
        is_whole = line.split()[:1] in (["venvgrid"], ["log:"])
        assert cell_len(line) <= width or is_whole or max(map(cell_len, line.split())) > width - 10
