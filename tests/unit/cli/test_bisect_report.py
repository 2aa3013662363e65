"""What `venvgrid bisect` prints: the story on one screen, JSON with a schema, and what to type where it cannot tell."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources

import jsonschema  # type: ignore[import-untyped] # it has no types
import pytest

from venvgrid.analysis.search.bisection import Problem
from venvgrid.analysis.search.protocol import Verdict
from venvgrid.app.investigation.bisect import Bisection, Found, Step
from venvgrid.cli.causes.bisect import document, lines

FOUND = Bisection(
    kind="releases",
    name="numpy",
    cell="py3.11",
    failure="ImportError: cannot import name 'x' from 'numpy' (/somewhere/numpy/__init__.py)",
    tests=tuple(f"tests/test_a.py::test_{n}" for n in range(5)),
    changes=(
        Found(good="1.20.0", bad="1.21.0"),
        Found(good="1.26.4", bad="2.0.1", skipped={"2.0.0": "yanked"}, company={"pandas": ("1.5.3", "2.2.2")}),
    ),
    steps=(
        Step(name="1.21.0", verdict=Verdict.BAD, runs=1, bad_runs=1),
        Step(name="1.26.4", verdict=Verdict.GOOD, runs=3, bad_runs=0),
        Step(name="2.0.1", verdict=Verdict.BAD, runs=6, bad_runs=5, flaky=True),
        Step(name="2.1.0", verdict=Verdict.UNKNOWN, runs=0, bad_runs=0, reason="pandas needs numpy<2.1"),
    ),
    left_out={"0.9": "no wheel", "1.0": "no wheel", "1.1": "needs Python <3", "2.0.0": "yanked"},
    builds=6,
    runs=12,
)


def schema() -> object:
    text = resources.files("venvgrid").joinpath("model/schemas/bisect.schema.json").read_text("utf-8")
    return json.loads(text)


def test_the_story_fits_on_a_screen_and_keeps_nothing_back() -> None:
    """Which release, since when, the proof, and every doubt: skipped, moved along, other changes, flaky, left out."""
    assert list(lines(FOUND)) == [
        "numpy 2.0.1 broke py3.11",
        "  ImportError: cannot import name 'x' from 'numpy'",
        "    tests/test_a.py::test_0",
        "    tests/test_a.py::test_1",
        "    tests/test_a.py::test_2",
        "    and 2 tests more",
        "",
        "  good  1.26.4: passed in 3 of 3 runs",
        "  bad   2.0.1: failed in 5 of 6 runs",
        "  between them, and unknown:",
        "    2.0.0: yanked",
        "  moved along: pandas 1.5.3 → 2.2.2",
        "  it broke before, and was repaired: 1.20.0 → 1.21.0",
        "  flaky: 2.0.1 passed in some runs and failed in others",
        "  left out, as they cannot be installed: 2 (no wheel), 1 (another Python)",
        "  pin   numpy<2.0.1",
        "",
        "6 environments, 12 test runs",
    ]


def test_the_pin_keeps_away_from_what_nobody_knows() -> None:
    """If a release between could have been installed, but was not told good, the pin excludes it."""
    doubtful = replace(FOUND, changes=(Found(good="1.26.4", bad="2.0.1", skipped={"2.0.0rc1": ""}),))
    assert "  pin   numpy<=1.26.4" in list(lines(doubtful))


def test_the_json_has_a_schema() -> None:
    """Both kinds of answers are valid; good and bad are those of the latest change."""
    told = document(FOUND)
    assert (told["good"], told["bad"], told["skipped"]) == ("1.26.4", "2.0.1", ["2.0.0"])
    for found in (FOUND, replace(FOUND, kind="commits"), replace(FOUND, changes=(), problem=Problem.FLAKY, at="2.0.1")):
        jsonschema.Draft202012Validator(schema()).validate(document(found))


@pytest.mark.parametrize("problem", list(Problem))
@pytest.mark.parametrize("kind", ["releases", "commits"])
def test_where_it_cannot_tell_it_says_why_and_what_to_type(problem: Problem, kind: str) -> None:
    """The first line has the cell and the place, another one a command or what to do."""
    place = "2.1.0" if problem is Problem.UNKNOWN else "2.0.1"
    told = list(lines(replace(FOUND, kind=kind, changes=(), problem=problem, at=place)))
    assert told[0].startswith("py3.11: cannot tell: ")
    assert problem is Problem.NO_GOOD or place in told[0]
    assert problem is Problem.FLAKY or any("venvgrid " in line for line in told)
    assert told[told.index("  unknown:") + 1] == "    2.1.0: pandas needs numpy<2.1"
    assert all("{" not in line for line in told)


def test_commits_are_told_by_their_subjects() -> None:
    """A short name, subject, author and day; no pin."""
    good, bad = "a" * 40, "b" * 40
    found = replace(
        FOUND,
        kind="commits",
        changes=(Found(good=good, bad=bad),),
        steps=(
            Step(name=good, verdict=Verdict.GOOD, runs=3, bad_runs=0),
            Step(name=bad, verdict=Verdict.BAD, runs=3, bad_runs=3),
        ),
        left_out={},
        titles={good: "fine (A, 2026-01-01)", bad: "oops (B, 2026-01-02)"},
    )
    told = list(lines(found))
    assert told[0] == "commit bbbbbbbbbb oops (B, 2026-01-02) broke py3.11"
    assert told[-4:] == [
        "  good  aaaaaaaaaa fine (A, 2026-01-01): passed in 3 of 3 runs",
        "  bad   bbbbbbbbbb oops (B, 2026-01-02): failed in 3 of 3 runs",
        "",
        "6 environments, 12 test runs",
    ]


def test_unknown_ones_with_the_same_reason_stand_in_one_line() -> None:
    """Many beside each other are told by the first and the last; what was not tried is said to be."""
    skipped = {**{f"2.0.{n}": "no wheel" for n in range(5)}, "2.1": "", "2.2": "needs Python >=3.14"}
    told = list(lines(replace(FOUND, changes=(Found(good="1.26.4", bad="2.0.1", skipped=skipped),))))
    start = told.index("  between them, and unknown:")
    expected = ["    2.0.0 … 2.0.4: no wheel", "    2.1: not tried", "    2.2: needs Python >=3.14"]
    assert told[start + 1 : start + 4] == expected


@pytest.mark.parametrize(
    ("acquitted", "line"),
    [
        (True, "    what did it: its code: the commit before it passes with these versions"),
        (False, "    what did it: these versions: the commit before it fails with them in the same way"),
        (None, "    what did it: cannot be told: the commit before it does not run with these versions"),
    ],
)
def test_what_a_commit_brought_along_is_judged(acquitted: bool | None, line: str) -> None:  # noqa: FBT001
    """A commit that changed code and versions: which of the two did it is told below the versions."""
    change = Found(good="1.26.4", bad="2.0.1", company={"numpy": ("1.0", "2.0")}, acquitted=acquitted)
    found = replace(FOUND, kind="commits", changes=(change,), left_out={})
    told = list(lines(found))
    assert told[told.index("  moved along: numpy 1.0 → 2.0") + 1] == line
    assert document(found)["acquitted"] is acquitted
    jsonschema.Draft202012Validator(schema()).validate(document(found))
