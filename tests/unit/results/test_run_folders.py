"""Every run has a folder, and the newest is found."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.model import CellResult, InfrastructureError, Outcome
from venvgrid.results import run_folders

posix = pytest.mark.skipif(os.name != "posix", reason="symbolic links need no privilege on POSIX")

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def test_run_folder(tmp_path: Path) -> None:
    """A run's folder has its time in its name, and is found again once something has happened."""
    folder = run_folders.create(tmp_path, now=NOON)
    assert re.fullmatch(r"20261121-120000-[0-9a-f]{4}", folder.id)
    assert (tmp_path / "runs" / folder.id, True) == (folder.path, folder.logs.is_dir())
    assert (None, folder) == (run_folders.latest(tmp_path), run_folders.find(tmp_path, folder.id))
    folder.events.write_text("{}\n")
    assert folder == run_folders.latest(tmp_path)


def test_time_of_any_zone_is_utc(tmp_path: Path) -> None:
    """Ids are in UTC, so that they sort also when the clocks change."""
    now = datetime.fromisoformat("2026-11-21T01:00:00+02:00")
    assert run_folders.create(tmp_path, now=now).id.startswith("20261120-230000-")


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8))
@settings(deadline=None)
def test_ids_sort_as_runs_were_made(steps: list[int]) -> None:
    """Also within a second, and when the clock was put back: the last run is the latest."""
    with TemporaryDirectory() as name:
        root, now, made = Path(name), NOON, []
        for step in steps:
            now += timedelta(seconds=step)
            made.append(run_folders.create(root, now=now))
        assert made == run_folders.runs(root)


def test_second_that_is_full(tmp_path: Path) -> None:
    """When a second has no number left, the next one is used."""
    (tmp_path / "runs" / "20261121-120000-ffff").mkdir(parents=True)
    (tmp_path / "runs" / "20261121-120000-ffff" / "events.jsonl").touch()
    assert "20261121-120001-0000" == run_folders.create(tmp_path, now=NOON).id


def test_finding_by_prefix(tmp_path: Path) -> None:
    """The beginning of an id finds the newest such run; nothing finds nothing, nor what leads elsewhere."""
    first = run_folders.create(tmp_path, now=NOON)
    second = run_folders.create(tmp_path, now=NOON + timedelta(minutes=1))
    tries = ["20261121", "20261121-1200", second.id, "", "2027", "../runs", "."]
    assert [second, first, second, None, None, None, None] == [run_folders.find(tmp_path, text) for text in tries]


def test_no_runs(tmp_path: Path) -> None:
    """Where nothing ran there is nothing to find, and nothing to delete."""
    run_folders.prune(tmp_path / "gone")
    assert ([], None, None) == (
        run_folders.runs(tmp_path / "gone"),
        run_folders.latest(tmp_path / "gone"),
        run_folders.find(tmp_path / "gone", "2"),
    )


@pytest.mark.parametrize("keep", [0, 1, 3, 9])
def test_pruning_keeps_the_newest(tmp_path: Path, keep: int) -> None:
    """Of several runs the newest stay; the others go with all that is in them."""
    made = [run_folders.create(tmp_path, now=NOON + timedelta(minutes=minute)) for minute in range(4)]
    for run in made:
        (run.logs / "cell.log").write_text("x")
        (run.path / "results.json").write_text("{}")
    run_folders.prune(tmp_path, keep=keep)
    assert made[max(0, len(made) - keep) :] == run_folders.runs(tmp_path)
    assert min(keep, 4) == len(list((tmp_path / "runs").iterdir()))


def test_runs_of_some_cells_do_not_push_out_the_others(tmp_path: Path) -> None:
    """Of each grid, and of whole runs and of parts, the newest stay."""
    kinds = [("", False), ("", True), ("", True), ("", True), ("lowest", False), ("", False), ("", True)]
    made = [
        run_folders.create(tmp_path, now=NOON + timedelta(minutes=minute), grid=grid, is_part=is_part)
        for minute, (grid, is_part) in enumerate(kinds)
    ]
    assert kinds == [(run.grid, run.is_part) for run in run_folders.runs(tmp_path)]
    run_folders.prune(tmp_path, keep=2)
    assert [made[number] for number in (0, 3, 4, 5, 6)] == run_folders.runs(tmp_path)


def test_logs_of_this_run_and_of_others(tmp_path: Path) -> None:
    """A merged report names logs of other runs; no name leads out of the runs' folders."""
    first = run_folders.create(tmp_path, now=NOON)
    second = run_folders.create(tmp_path, now=NOON + timedelta(minutes=1))
    (first.logs / "a.log").write_text("first")
    (second.logs / "a.log").write_text("second")
    (tmp_path / "runs" / "secret.log").write_text("secret")
    (tmp_path / "secret").mkdir()
    names = ["logs/a.log", f"../{first.id}/logs/a.log", "logs/../../secret.log", "../../secret", "logs/x.log", ""]
    results = [CellResult(id="a", axes={}, outcome=Outcome.FAILED, log=name) for name in names]
    assert ["second", "first", "", "", "", ""] == [second.read_log(result) for result in results]


@posix
def test_pruning_touches_nothing_else(tmp_path: Path) -> None:
    """Folders with other names or without a journal, files, and whatever links lead to, stay."""
    base = tmp_path / "runs"
    outside = tmp_path / "outside"
    for folder in (outside, base / "my-notes", base / "20261121-120000-abcd", base / "20261121-120001-abcd"):
        folder.mkdir(parents=True)
    (base / "20261121-120000-abcd" / "notes.txt").touch()
    (outside / "events.jsonl").touch()
    (base / "my-notes" / "events.jsonl").touch()
    (base / "20261121-120001-abcd" / "events.jsonl").symlink_to(outside / "events.jsonl")
    (base / "20261121-120002-abcd").symlink_to(outside)
    (base / "20261121-120003-abcd").touch()
    run = run_folders.create(tmp_path, now=NOON + timedelta(minutes=1))
    (run.path / "link").symlink_to(outside)
    before = {path for path in tmp_path.rglob("*") if run.path not in (path, *path.parents)}
    run_folders.prune(tmp_path, keep=0)
    assert before == set(tmp_path.rglob("*"))


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A run whose folder cannot be made is an error that names the place."""
    (tmp_path / "runs").touch()
    with pytest.raises(
        InfrastructureError, match=f"^cannot make a run's folder in {re.escape(str(tmp_path / 'runs'))}: "
    ):
        run_folders.create(tmp_path, now=NOON)


def test_a_run_that_was_killed_at_its_beginning_is_passed_over(tmp_path: Path) -> None:
    """Later ids sort after what is left of it, and it goes when runs are pruned."""
    first = run_folders.create(tmp_path, now=datetime(2026, 1, 1, tzinfo=UTC))
    (first.path / "events.jsonl").unlink()
    second = run_folders.create(tmp_path, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert second.id > first.id
    assert [second.id] == [run.id for run in run_folders.runs(tmp_path)]
    run_folders.prune(tmp_path)
    assert [second.path] == list((tmp_path / "runs").iterdir())
