"""Annotations for GitHub, code quality for GitLab, and the badge."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import factories
import hostile
import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.model import CellResult, Outcome
from venvgrid.reporters import registry

COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")


LONGREPR = """def test_one():
>       demo.work()

tests/test_a.py:12:
_ _ _ _ _

/env/lib/python3.13/site-packages/demo/core.py:80: ValueError"""


def broken(
    signature: str = "ValueError: bad @ tests/test_a.py > test_one", longrepr: str = LONGREPR, **options: str
) -> CellResult:
    """Make a cell in which one test failed."""
    failure = factories.failure(signature=signature, longrepr=longrepr, **options)
    return factories.result("py3.13", Outcome.FAILED, failures=(failure,))


def test_annotation_names_file_line_and_versions() -> None:
    """The error stands at the last line of the project, and says in which cells, by which versions, how to repeat."""
    report = factories.report(broken(), factories.result("py3.12"))
    (line,) = registry.text("github", report, folder="lib/").splitlines()
    found = COMMAND.fullmatch(line)
    assert found is not None
    assert found[1] == "error"
    assert found[2] == "file=lib/tests/test_a.py,line=12,title=ValueError%3A bad value"
    assert found[3].split("%0A") == [
        "fails in 1 of 1 cell with Python ≥ 3.13, in 0 of 1 without",
        "next tried: Python 3.12",
        "in 1 cell: py3.13",
        "1 test: tests/test_a.py::test_one",
        "repeat: venvgrid run -k py3.13",
    ]


def test_cells_that_may_fail_are_warnings() -> None:
    """An annotation of a cell that may fail is no error."""
    allowed = replace(broken(), allow_failure=True)
    assert registry.text("github", factories.report(allowed)).startswith("::warning ")


def test_ten_annotations_at_most() -> None:
    """GitHub shows ten of a step; how many more there are is said."""
    failures = tuple(factories.failure(f"t{number}", signature=f"s{number}") for number in range(25))
    report = factories.report(factories.result("py3.9", Outcome.FAILED, failures=failures))
    lines = registry.text("github", report).splitlines()
    assert len(lines) == 11
    assert "15 more failures" in lines[-1]


@given(st.lists(hostile.texts, min_size=5, max_size=5), st.sampled_from(Outcome))
def test_no_text_becomes_a_command(values: list[str], outcome: Outcome) -> None:
    """Law: every line is one command of ours, with our properties, whatever the texts hold."""
    test, kind, message, signature, longrepr = values
    failure = factories.failure(test, kind=kind, message=message, signature=signature, longrepr=longrepr)
    result = factories.result("py3.9", outcome, failures=(failure,), reason=message)
    for line in registry.text("github", factories.report(result)).splitlines():
        found = COMMAND.fullmatch(line)
        assert found is not None
        names = [pair.partition("=")[0] for pair in found[2].split(",")]
        assert names in (["title"], ["file", "line", "title"])


@given(st.lists(hostile.texts, min_size=5, max_size=5), st.sampled_from(Outcome))
def test_code_quality_is_json(values: list[str], outcome: Outcome) -> None:
    """Law: GitLab gets a list of entries with all that it asks for, and paths inside the project."""
    test, kind, message, signature, longrepr = values
    failure = factories.failure(test, kind=kind, message=message, signature=signature, longrepr=longrepr)
    report = factories.report(factories.result("py3.9", outcome, failures=(failure,)))
    for entry in json.loads(registry.text("gitlab", report)):
        assert entry["severity"] in {"major", "minor"}
        assert re.fullmatch("[0-9a-f]{64}", entry["fingerprint"])
        assert entry["description"]
        assert entry["check_name"]
        assert entry["location"]["lines"]["begin"] >= 0
        assert not entry["location"]["path"].startswith(("/", ".."))


def test_equal_failures_have_equal_fingerprints() -> None:
    """GitLab tells by the fingerprint which problem is new."""
    first, second = (
        json.loads(registry.text("gitlab", factories.report(broken(message=message))))[0]["fingerprint"]
        for message in ("at 0x1", "at 0x2")
    )
    assert first == second


@pytest.mark.parametrize(
    ("outcomes", "status", "message", "colour"),
    [
        ((Outcome.PASSED, Outcome.PASSED, Outcome.IMPOSSIBLE), 0, "2 cells pass", "brightgreen"),
        ((Outcome.PASSED, Outcome.FAILED), 1, "1 of 2 cells pass", "red"),
        ((Outcome.PASSED, Outcome.MISSING_INTERPRETER), 3, "1 of 2 cells pass", "red"),
        ((Outcome.IMPOSSIBLE,), 4, "no result", "lightgrey"),
    ],
)
def test_badge(outcomes: tuple[Outcome, ...], status: int, message: str, colour: str) -> None:
    """The badge counts what can exist; it is green only where the run was."""
    cells = [factories.result(f"py3.{number}", outcome) for number, outcome in enumerate(outcomes)]
    report = factories.report(*cells, status=status)
    assert json.loads(registry.text("shields", report)) == {
        "schemaVersion": 1,
        "label": "venvgrid",
        "message": message,
        "color": colour,
    }
    picture = ET.fromstring(registry.text("badge", report))
    assert picture.attrib["aria-label"] == f"venvgrid: {message}"


def test_badge_of_a_run_that_did_not_finish() -> None:
    """Half a run proves nothing."""
    report = replace(factories.report(factories.result("py3.9")), finished=False)
    assert "no result" in registry.text("badge", report)
