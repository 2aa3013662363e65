"""An investigation as text, Markdown and JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources

import jsonschema  # type: ignore[import-untyped] # it has no types
import pytest

from venvgrid.analysis.search.culprits import GREEN, Culprit
from venvgrid.analysis.search.protocol import Observation, Verdict
from venvgrid.analysis.search.story import Effort, Ending, Finding, Story
from venvgrid.reporters.documents import why, why_json

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


def test_one_screen_has_culprit_proof_and_advice() -> None:
    """Who, since when, the failure, three lines of proof, company, gaps, and what to do."""
    shown = why.screen(STORY)
    assert "py3.11 (Python 3.11.7): werkzeug 3.0.0, released 2023-09-30, broke it" in shown
    for line in (
        "2023-02-01 with werkzeug 2.3.8  passes",
        "2023-02-01 with werkzeug 3.0.0  fails the same way",
        "today with werkzeug 2.3.8       passes",
        "moved along with it: click 8.0 → 8.1: breaks nothing alone",
        "not tried, between 2.3.8 and 3.0.0: 2.9.0",
        "pin     werkzeug<3.0.0",
        "patch   tests/test_shop.py:3",
        "6 environments, 8 test runs, 12.0 s",
    ):
        assert line in shown
    assert max(map(len, shown.splitlines())) <= 120


def test_a_release_that_is_too_old_is_no_upgrade_that_broke() -> None:
    """Where the bad release is the older one, the text says that a newer one is needed."""
    older = replace(FINDING, culprit=replace(CULPRIT, good="3.0.0", bad="2.3.8"))
    shown = why.screen(replace(STORY, findings=(older,)))
    assert "it needs a newer werkzeug: 3.0.0 passes, and 2.3.8 does not" in shown
    assert "pin     werkzeug>2.3.8" in shown


def test_the_text_for_a_tracker_reproduces_in_three_lines() -> None:
    """It has the failure, both releases, and three commands with the exact versions."""
    told = why.upstream(STORY)
    lines = told.split("```")[1].strip().splitlines()
    assert lines == [
        "git clone https://example.org/shop sources && cd sources && git checkout abc",
        "python3.11 -m venv cell && cell/bin/python -m pip install --no-deps flask==2.2.2 werkzeug==3.0.0 .",
        "cell/bin/python -m pytest tests/test_shop.py::test_client",
    ]
    assert "It passes with werkzeug 2.3.8 and fails with werkzeug 3.0.0" in told


@pytest.mark.parametrize("hostile", ["\x1b[31mred\x1b[0m\x07", "::error::x", "a | b `c` <script>"])
def test_text_of_a_failure_does_nothing(hostile: str) -> None:
    """Escape sequences and commands of CI services in a message are spelt out."""
    story = replace(STORY, findings=(replace(FINDING, failure=hostile, tests=(hostile,), longrepr=hostile),))
    for shown in (why.screen(story), why.upstream(story), why.markdown(story)):
        assert "\x1b" not in shown
        assert "\n::error" not in shown
    assert "<script>" not in why.markdown(story).replace("`a | b `c` <script>`", "")


@pytest.mark.parametrize(
    "story",
    [STORY, replace(STORY, findings=(), green=None, red=None, problem="too flaky"), replace(STORY, rule=("a", "b"))],
)
def test_json_fits_its_schema(story: Story) -> None:
    """What --json prints is what the schema says."""
    schema = json.loads((resources.files("venvgrid") / "model/schemas/why.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(json.dumps(why_json.document(story))), schema)
