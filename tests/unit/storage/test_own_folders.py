"""Nothing below `.venvgrid` is written or deleted through a link, at any level."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from venvgrid.results import run_folders
from venvgrid.storage import own_folders
from venvgrid.storage.own_folders import LinkError

if TYPE_CHECKING:
    from pathlib import Path

RUN = "20261121-143005-ab12"
LEVELS = (
    *("", "runs", f"runs/{RUN}", "store", "store/0123456789abcdef", "envs", "cells", "cells/CELL"),
    *("cells/CELL/measured", "cells/CELL/pytest", "results-cache", "results-cache/CELL", "coverage", "lock"),
)
pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """Return a folder of the user with files."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("a.json", "b.json"):
        (folder / name).write_text("mine")
    return folder


def linked(root: Path, level: str, target: Path) -> Path:
    place = root / level
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)
    return place


@pytest.mark.parametrize("level", LEVELS)
def test_a_link_at_any_level_is_refused_by_name(tmp_path: Path, users: Path, level: str) -> None:
    """The error names the link and the remedy, and its target keeps its files."""
    root = tmp_path / "state"
    place = linked(root, level, users / "a.json" if level == "lock" else users)
    with pytest.raises(LinkError, match=f"{place} is a link: remove it"):
        own_folders.check_all(root)
    assert sorted(item.name for item in users.iterdir()) == ["a.json", "b.json"]


def test_real_folders_pass(tmp_path: Path) -> None:
    """Folders, missing ones, links of `envs` and plain files beside them are in order."""
    own_folders.check_all(tmp_path / "missing")
    own_folders.make(tmp_path, "cells", "CELL", "measured")
    own_folders.make(tmp_path, "envs")
    (tmp_path / "envs" / "CELL").symlink_to(tmp_path)
    (tmp_path / "lock").touch()
    (tmp_path / "results-cache").mkdir()
    (tmp_path / "results-cache" / "notes.txt").touch()
    own_folders.check_all(tmp_path)


@pytest.mark.parametrize("link", ["symlink", "hardlink"])
def test_a_small_file_replaces_a_link(tmp_path: Path, users: Path, link: str) -> None:
    """The user's file behind it is unchanged."""
    root = own_folders.make(tmp_path, "state")
    mine = users / "a.json"
    (root / "lock.owner").symlink_to(mine) if link == "symlink" else (root / "lock.owner").hardlink_to(mine)
    own_folders.write(root, "lock.owner", "ours")
    assert ((root / "lock.owner").read_text(), mine.read_text()) == ("ours", "mine")


def test_a_lock_that_is_another_name_of_a_file_is_refused(tmp_path: Path, users: Path) -> None:
    """Locking empties the file."""
    (tmp_path / "lock").hardlink_to(users / "a.json")
    with pytest.raises(LinkError, match="lock is a link"):
        own_folders.check_all(tmp_path)


def test_a_link_is_deleted_and_its_target_stays(tmp_path: Path, users: Path) -> None:
    """Also below a folder that is deleted."""
    linked(tmp_path / "state", "coverage", users)
    linked(tmp_path / "state", "store/trash-1/inner", users)
    own_folders.delete(tmp_path / "state", "coverage")
    own_folders.delete(tmp_path / "state", "store", "trash-1")
    own_folders.delete(tmp_path / "state", "store", "missing")
    assert ([item.name for item in (tmp_path / "state").iterdir()], len(list(users.iterdir()))) == (["store"], 2)
    assert list((tmp_path / "state" / "store").iterdir()) == []
    linked(tmp_path / "state", "cells", users)
    with pytest.raises(LinkError):
        own_folders.delete(tmp_path / "state", "cells", "a.json")
    assert len(list(users.iterdir())) == 2


def test_old_runs_are_not_pruned_through_links(tmp_path: Path, users: Path) -> None:
    """Neither through `runs`, nor the empty logs of a run that is a link."""
    (users / "logs").mkdir()
    newest = own_folders.make(tmp_path, "runs", RUN)
    (newest / "events.jsonl").touch()
    linked(tmp_path, "runs/20251121-143005-ab12", users)
    run_folders.prune(tmp_path, keep=0)
    assert (users / "logs").is_dir()
    other = tmp_path / "other"
    linked(other, "runs", tmp_path / "runs")
    with pytest.raises(LinkError):
        run_folders.prune(other, keep=0)


def test_what_a_killed_run_began_to_delete_is_deleted(tmp_path: Path) -> None:
    """A sweep touches nothing else, and deletes a link, not what it leads to."""
    for name in (f"{own_folders.TRASH}1", "0123456789abcdef"):
        (tmp_path / name / "inside").mkdir(parents=True)
    (tmp_path / f"{own_folders.TRASH}2").symlink_to(tmp_path / "0123456789abcdef")
    own_folders.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["0123456789abcdef"]
    assert (tmp_path / "0123456789abcdef" / "inside").is_dir()
