"""An investigation as text, Markdown and JSON."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING

import jsonschema  # type: ignore[import-untyped] # it has no types
import pytest
from told import CULPRIT, FINDING, STORY

from venvgrid.analysis.search.culprits import RED
from venvgrid.analysis.search.protocol import Observation, Verdict
from venvgrid.analysis.search.story import Ending
from venvgrid.reporters.documents.why import as_json, screen, tracker

if TYPE_CHECKING:
    from venvgrid.analysis.search.story import Story


def test_one_screen_has_culprit_proof_and_advice() -> None:
    """Who, since when, the failure, three lines of proof, company, gaps, and what to do."""
    shown = screen.render(STORY)
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
    assert max(map(len, shown.splitlines())) <= 80


def test_a_release_that_is_too_old_is_no_upgrade_that_broke() -> None:
    """Where the bad release is the older one, the text says that a newer one is needed."""
    older = replace(FINDING, culprit=replace(CULPRIT, good="3.0.0", bad="2.3.8"))
    shown = screen.render(replace(STORY, findings=(older,)))
    assert "it needs a newer werkzeug: 3.0.0 passes, and 2.3.8 does not" in " ".join(shown.split())
    assert "pin    werkzeug>2.3.8" in shown
    assert "--upstream" not in shown


def test_the_text_for_a_tracker_reproduces_in_three_lines() -> None:
    """It has the failure, both releases, and three commands with the exact versions."""
    told = tracker.upstream(STORY)
    lines = told.split("```")[1].strip().splitlines()
    assert lines == [
        "git clone https://example.org/shop sources && cd sources && git checkout abc",
        "python3.11 -m venv cell && cell/bin/python -m pip install --no-deps flask==2.2.2 werkzeug==3.0.0 .",
        "cell/bin/python -m pytest tests/test_shop.py::test_client",
    ]
    assert "It passes with werkzeug 2.3.8 and fails with werkzeug 3.0.0" in told


def test_a_proof_that_keeps_to_the_red_world_has_no_line_twice() -> None:
    """Where only the red world without the culprit could be tried, it is told once, by the name of that world."""
    found = replace(FINDING, culprit=replace(CULPRIT, base=RED))
    shown = screen.render(replace(STORY, findings=(found,)))
    assert shown.count("today with werkzeug 2.3.8  passes") == 1
    assert "today with werkzeug 3.0.0  fails the same way" in shown


def test_each_culprit_has_a_text_for_its_own_tracker() -> None:
    """The command that a culprit's section names prints a text for that culprit too."""
    second = replace(FINDING, culprit=replace(CULPRIT, name="flask", good="1.0", bad="2.0"))
    told = tracker.upstream(replace(STORY, findings=(FINDING, second)))
    assert [line for line in told.splitlines() if line.endswith("'url_quote'") and not line.startswith("E")] == [
        "werkzeug 3.0.0: ImportError: cannot import name 'url_quote'",
        "flask 2.0: ImportError: cannot import name 'url_quote'",
    ]


def test_a_traceback_does_not_end_its_block() -> None:
    """Backticks in a traceback are fenced with more of them."""
    told = tracker.upstream(replace(STORY, findings=(replace(FINDING, longrepr="```\n# not a heading"),)))
    assert "````\n```\n# not a heading\n````" in told


def test_advice_repeats_the_command_that_was_typed() -> None:
    """With another good end, `why` might find something else."""
    shown = screen.render(STORY, "venvgrid why py3.11 --good 2023-02-01")
    assert "report  venvgrid why py3.11 --good 2023-02-01 --upstream\n" in shown
    assert "report  venvgrid why py3.11 --upstream  (a text for its tracker)" in screen.render(STORY)


LONG = replace(
    STORY,
    green=Ending(name="cell py3.11-werkzeug2.3-flask2.2-sqlalchemy1.4-oldest", verdict=Verdict.GOOD, runs=2),
    findings=(
        replace(FINDING, failure="ValueError: " + "word " * 40),
        replace(
            FINDING,
            culprit=replace(
                CULPRIT,
                partners={f"partner-{number}": "1.0" for number in range(6)},
                skipped=tuple(f"2.{number}.0" for number in range(40)),
                company={f"other-{number}": ("1.0", "2.0") for number in range(9)},
                without=Observation(verdict=Verdict.UNKNOWN, reason="No module named 'something_else' " * 3),
            ),
        ),
    ),
    rule=("fails in 3 of 3 cells " * 8,),
    problem="it could not be told " * 9,
    untested={f"held-{number}": "1.0" for number in range(9)},
)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_lines_fit_the_terminal(width: int) -> None:
    """Prose is broken at 80 columns or less, however much there is to say; nothing of it is lost."""
    shown = screen.render(LONG, width=width)
    worlds = ("cell py3.11-werkzeug2.3", "today with")  # names are not broken
    long = [line for line in shown.splitlines() if len(line) > min(width, 80) and not any(w in line for w in worlds)]
    assert [line for line in long if "--upstream" not in line] == []
    flat = " ".join(shown.split())
    assert "fails in another way: No module named 'something_else'" in flat
    assert "and 32 more" in flat
    assert "held-8 1.0" in flat


def test_colours_only_where_asked() -> None:
    """Bold for who did it, green and red for the proof: the same words with and without."""
    plain, coloured = screen.render(STORY), screen.render(STORY, colour=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
    assert "\x1b[1mpy3.11 (Python 3.11.7): werkzeug 3.0.0, released 2023-09-30, broke it\x1b[0m" in coloured
    assert coloured.count("\x1b[32mpasses\x1b[0m") == 2
    assert "\x1b[31mfails the same way\x1b[0m" in coloured


def test_an_encoding_without_arrows() -> None:
    """Signs that the terminal lacks are spelt in ASCII."""
    assert "click 8.0 -> 8.1" in " ".join(screen.render(STORY, encoding="ascii").split())
    assert screen.render(STORY, encoding="ascii").isascii()


@pytest.mark.parametrize("hostile", ["\x1b[31mred\x1b[0m\x07", "::error::x", "a | b `c` <script>"])
def test_text_of_a_failure_does_nothing(hostile: str) -> None:
    """Escape sequences and commands of CI services in a message are spelt out."""
    story = replace(STORY, findings=(replace(FINDING, failure=hostile, tests=(hostile,), longrepr=hostile),))
    for shown in (screen.render(story), tracker.upstream(story)):
        assert "\x1b" not in shown
        assert "\n::error" not in shown


@pytest.mark.parametrize(
    "story",
    [STORY, replace(STORY, findings=(), green=None, red=None, problem="too flaky"), replace(STORY, rule=("a", "b"))],
)
def test_json_fits_its_schema(story: Story) -> None:
    """What --json prints is what the schema says."""
    schema = json.loads((resources.files("venvgrid") / "model/schemas/why.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(json.dumps(as_json.document(story))), schema)
