"""A story for tests: werkzeug 3.0.0 broke the cell py3.11, and the report of a run in which that cell is red."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import factories

from venvgrid.analysis.search.culprits import GREEN, Culprit
from venvgrid.analysis.search.protocol import Observation, Verdict
from venvgrid.analysis.search.story import Effort, Ending, Finding, Story
from venvgrid.analysis.stories import Investigated
from venvgrid.model import CellResult, Outcome

PASSES = Observation(verdict=Verdict.GOOD, packages={"flask": "2.2.2", "werkzeug": "2.3.8"})
FAILS = Observation(verdict=Verdict.BAD, packages={"flask": "2.2.2", "werkzeug": "3.0.0"}, bad_runs=1)
CULPRIT = Culprit(
    name="werkzeug",
    good="2.3.8",
    bad="3.0.0",
    skipped=("2.9.0",),
    company={"click": ("8.0", "8.1")},
    acquitted=True,
    base=GREEN,
    broken=FAILS,
    whole=PASSES,
    without=PASSES,
)
FINDING = Finding(
    culprit=CULPRIT,
    failure="ImportError: cannot import name 'url_quote'",
    tests=("tests/test_shop.py::test_client",),
    longrepr="flask/app.py:30: in <module>\nE   ImportError: cannot import name 'url_quote'",
    place="tests/test_shop.py:3",
    signature="ImportError: url_quote",
    uploaded="2023-09-30",
)
STORY = Story(
    cell="py3.11",
    python="3.11.7",
    green=Ending(name="2023-02-01", verdict=Verdict.GOOD, runs=2, packages={"werkzeug": "2.2.2"}),
    red=Ending(name="today", verdict=Verdict.BAD, runs=2, packages={"werkzeug": "3.1.3"}),
    findings=(FINDING,),
    effort=Effort(resolves=9, builds=6, tests=8, seconds=12.0),
    sources="git clone https://example.org/shop sources && cd sources && git checkout abc",
    install=".",
)
INVESTIGATED = Investigated(
    story=STORY,
    signature=FINDING.signature,
    command="venvgrid why py3.11 --good 2023-02-01",
    when="2026-03-01T10:00:00+00:00",
)


def of_others(bad: str, place: str, reason: str, problem: str, name: str, command: str) -> Investigated:
    """Make an investigation that holds texts of others."""
    unknown = Observation(verdict=Verdict.UNKNOWN, reason=reason)
    culprit = replace(CULPRIT, good="", bad=bad, whole=unknown, company={name: (bad, bad)}, skipped=(bad, name))
    story = replace(
        STORY,
        findings=(FINDING, replace(FINDING, culprit=culprit, place=place, failure=reason, uploaded=bad)),
        problem=problem,
        rule=(reason, problem),
        is_certain=True,
        untested={name: bad},
    )
    return replace(INVESTIGATED, story=story, command=command)


def about(result: CellResult) -> Investigated:
    """Make an investigation of a red cell that blames its numpy, in the words of its failure."""
    failure = result.failures[0]
    unknown = Observation(verdict=Verdict.UNKNOWN, reason=failure.message)
    culprit = replace(CULPRIT, name="numpy", good="1.0", bad="1.1", without=unknown)
    item = replace(
        FINDING, culprit=culprit, signature=failure.signature, place=f"{failure.test}:3", failure=failure.message
    )
    story = replace(
        STORY, cell=result.id, findings=(item, item), rule=("a rule",), is_certain=True, problem="a problem"
    )
    return replace(INVESTIGATED, story=story, signature=failure.signature, command=f"venvgrid why {result.id}")


def red(*signatures: str, werkzeug: str = "3.1.3", cell: str = "py3.11", **options: Any) -> CellResult:
    """Make a red result with failures of these signatures; without any, with the failure of the story."""
    failures = tuple(
        factories.failure(f"tests/test_shop.py::test_{number}", signature=signature)
        for number, signature in enumerate(signatures or (FINDING.signature,))
    )
    packages = {"flask": "2.2.2", "Werkzeug": werkzeug} if werkzeug else {}
    return factories.result(cell, Outcome.FAILED, **{"failures": failures, "packages": packages, **options})
