"""Which stories a report shows, beside which of its failures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import factories
import pytest
from told import CULPRIT, FINDING, INVESTIGATED, STORY, red

from venvgrid.analysis import grouping, stories
from venvgrid.app.investigation import kept
from venvgrid.model import Outcome
from venvgrid.reporters.documents import markdown
from venvgrid.storage.own_folders import LinkError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from venvgrid.analysis.stories import Investigated
    from venvgrid.model import CellResult

FIRST, SECOND = FINDING.signature, "ValueError: second"
HIDDEN = replace(FINDING, culprit=replace(CULPRIT, name="flask", good="1.0", bad="2.0"), signature=SECOND)
BOTH = replace(INVESTIGATED, story=replace(STORY, findings=(FINDING, HIDDEN)))


def told(result: CellResult, *kept: Investigated) -> Mapping[str, tuple[int, ...]]:
    """Return the places of the findings that are shown, by the signature of a failure."""
    found = stories.told(factories.report(result, status=1), kept or (INVESTIGATED,))
    return {signature: parts[0].numbers for signature, parts in found.items()}


def test_a_story_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Law of the file: all of a story comes back, with its skipped releases, its company and its observations."""
    whole = replace(
        BOTH,
        story=replace(BOTH.story, rule=("a", "b"), confidence=0.9, is_certain=True, problem="?", untested={"six": "1"}),
    )
    kept.save(tmp_path, whole)
    assert kept.read(tmp_path) == (whole,)


def test_the_newest_story_of_a_failure_replaces_the_older(tmp_path: Path) -> None:
    """A failure of a cell has one story; another failure, or another cell, has its own. The newest comes first."""
    newer = replace(INVESTIGATED, when="2026-03-02T10:00:00+00:00")
    other = replace(INVESTIGATED, signature=SECOND)
    for item in (INVESTIGATED, other, newer):
        kept.save(tmp_path, item)
    assert kept.read(tmp_path) == (newer, other)


def test_few_stories_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder does not grow without end."""
    monkeypatch.setattr(kept, "MAX_KEPT", 3)
    for number in range(5):
        kept.save(tmp_path, replace(INVESTIGATED, signature=str(number)))
    assert len(kept.read(tmp_path)) == 3


def test_damaged_files_are_left_out(tmp_path: Path) -> None:
    """A file that somebody changed, or that another version wrote, is no story; no folder, no stories."""
    assert kept.read(tmp_path) == ()
    kept.save(tmp_path, INVESTIGATED)
    (file,) = (tmp_path / kept.FOLDER).iterdir()
    file.write_text(file.read_text(encoding="utf-8").replace("werkzeug", "numpy"), encoding="utf-8")
    assert kept.read(tmp_path) == ()


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """A link in place of the folder may lead to files of the user."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / kept.FOLDER).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LinkError):
        kept.save(tmp_path, INVESTIGATED)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_story_without_a_failure_is_not_kept(tmp_path: Path) -> None:
    """Where no failure of a run was meant and none was found, no report could show it."""
    kept.save(tmp_path, replace(INVESTIGATED, signature=""))
    assert kept.read(tmp_path) == ()


@pytest.mark.parametrize(
    ("result", "is_shown"),
    [
        (red(), True),
        (red(werkzeug="3.0.0"), True),
        (red(werkzeug=""), True),
        (red(werkzeug="2.3.8"), False),
        (red(werkzeug="2.2.2"), False),
        (red(packages={"flask": "2.2.2"}), False),
        (red(SECOND), False),
        (red(cell="py3.12"), False),
        (factories.result("py3.11"), False),
        (factories.result("py3.11", Outcome.IMPOSSIBLE), False),
    ],
    ids=str,
)
def test_a_stale_story_is_not_shown(result: CellResult, *, is_shown: bool) -> None:
    """It needs its cell, red, with its failure and the release to blame; packages that are not known refute nothing."""
    assert told(result) == ({FIRST: (0,)} if is_shown else {})


@pytest.mark.parametrize(("version", "is_shown"), [("2.3.8", True), ("1.0", True), ("3.0.0", False), ("4", False)])
def test_where_a_newer_release_was_needed(version: str, *, is_shown: bool) -> None:
    """The bad side is below the good release."""
    older = replace(FINDING, culprit=replace(CULPRIT, good="3.0.0", bad="2.3.8"))
    kept = replace(INVESTIGATED, story=replace(STORY, findings=(older,)))
    assert told(red(werkzeug=version), kept) == ({FIRST: (0,)} if is_shown else {})


def test_partners_have_to_be_there_too() -> None:
    """A release that breaks nothing alone is not to blame where its partner is another."""
    kept = replace(
        INVESTIGATED,
        story=replace(STORY, findings=(replace(FINDING, culprit=replace(CULPRIT, partners={"flask": "2.2.2"})),)),
    )
    assert told(red(), kept) == {FIRST: (0,)}
    assert told(red(packages={"flask": "3.0", "werkzeug": "3.1.3"}), kept) == {}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (red(FIRST, SECOND), {FIRST: (0,), SECOND: (1,)}),
        (red(FIRST), {FIRST: (0, 1)}),
        (red(SECOND, werkzeug="2.3.8"), {SECOND: (1,)}),
        (red(FIRST, werkzeug="2.3.8"), {}),
    ],
    ids=["each at its own failure", "one is hidden", "the first is mended", "the first fails for another reason"],
)
def test_each_culprit_stands_beside_its_failure(result: CellResult, expected: Mapping[str, tuple[int, ...]]) -> None:
    """A failure that another hides goes with that one, but not where that one has another cause by now."""
    assert told(result, BOTH) == expected


def test_an_investigation_without_a_culprit_is_told_too() -> None:
    """Its rule and its problem belong to the failure that was asked for, and to no other."""
    kept = replace(INVESTIGATED, story=replace(STORY, findings=(), problem="too flaky"))
    found = stories.told(factories.report(red(FIRST, SECOND), status=1), [kept])
    assert {signature: [part.is_asked for part in parts] for signature, parts in found.items()} == {FIRST: [True]}


def test_a_failure_has_few_stories_each_of_another_cell() -> None:
    """The newest of a cell, and the newest three of all."""
    cells = [f"py3.{number}" for number in range(6)]
    kept = [
        replace(INVESTIGATED, story=replace(STORY, cell=cell), when=f"2026-03-{day:02}")
        for day, cell in enumerate((*cells, cells[5]), start=1)
    ]
    found = stories.told(factories.report(*(red(cell=cell) for cell in cells), status=1), kept)
    assert [part.investigated.when for part in found[FIRST]] == ["2026-03-07", "2026-03-05", "2026-03-04"]


def test_a_red_cell_that_tells_no_failure_has_its_story_too() -> None:
    """Its outcome and its reason are its failure, whatever time it took. With another reason it is another failure."""
    result, later, other = (
        red(failures=(), reason=f"check.sh: {why}")
        for why in ("status 3 after 1.2 s", "status 3 after 11.0 s", "status 4 after 1.2 s")
    )
    (failure,) = grouping.failures_of(result)
    kept = replace(INVESTIGATED, signature=failure.signature)
    assert told(result, kept) == told(later, kept) == {failure.signature: (0,)}
    assert told(other, kept) == {}
    assert kept.command in markdown.render(factories.report(result, status=1), [kept])
    assert grouping.by_reason([result]) == ()
    assert grouping.failures_of(factories.result("py3.12")) == ()
