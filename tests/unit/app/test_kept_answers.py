"""The answers to probes that the next investigation may use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import factories
import pytest

from venvgrid.app.investigation.kept import COUNTS_FOR, Answers
from venvgrid.model import Outcome
from venvgrid.model.result import Footprint

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = Footprint(read={"/etc/hosts": "as it was"})
LATER = datetime.now(UTC) + COUNTS_FOR + timedelta(hours=1)


def kept(file: Path, *, state: str = "as it was", now: datetime | None = None) -> set[str]:
    """Return the keys of the answers in a file that still count."""
    return set(Answers.read(file, lambda _place: state, now).known)


def answered(file: Path, footprint: Footprint, outcome: Outcome = Outcome.FAILED) -> None:
    """Write the answer to one probe."""
    Answers.read(file, lambda _place: "").add("a.0", factories.result("py3.11", outcome, footprint=footprint))


def test_an_answer_of_comparable_files_counts_until_one_changes(tmp_path: Path) -> None:
    """However old it is; a file that changed makes it count for a day, so that an interrupted search goes on."""
    file = tmp_path / "answers.json"
    answered(file, PLAIN)
    assert kept(file, now=LATER) == {"a.0"}
    assert kept(file, state="changed") == {"a.0"}
    assert not kept(file, state="changed", now=LATER)


@pytest.mark.parametrize("ago", [COUNTS_FOR + timedelta(hours=1), -timedelta(hours=1)])
def test_an_answer_that_may_depend_on_anything_expires(tmp_path: Path, ago: timedelta) -> None:
    """A test that used the network may pass tomorrow; an answer of a later time is not believed either."""
    file = tmp_path / "answers.json"
    answered(file, Footprint(doubt="used the network"))
    assert kept(file) == {"a.0"}
    assert not kept(file, now=datetime.now(UTC) + ago)


@pytest.mark.parametrize("outcome", [Outcome.BUILD_FAILED, Outcome.CANCELLED])
def test_what_says_nothing_is_not_kept(tmp_path: Path, outcome: Outcome) -> None:
    """A build may have failed for the network."""
    answered(tmp_path / "answers.json", Footprint(), outcome)
    assert not kept(tmp_path / "answers.json")


def test_a_damaged_file_holds_no_answers(tmp_path: Path) -> None:
    """It costs time only."""
    (tmp_path / "answers.json").write_text("{")
    assert not kept(tmp_path / "answers.json")
