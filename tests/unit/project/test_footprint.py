"""What the files that tests read mean for keeping a result."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from venvgrid.project import inputs, reads

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project with a tracked file and two that are no inputs; a file, a link and a folder are beside it."""
    root = tmp_path / "project"
    (tmp_path / "folder").mkdir()
    (root / "empty" / ".venv").mkdir(parents=True)
    (tmp_path / "file").write_text("1", encoding="utf-8")
    (tmp_path / "link").symlink_to("file")
    for name in ("input", ".venv/data", ".venv/more.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("1", encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("how", "name", "change", "is_same"),
    [
        ("r", "input", "input", True),
        ("r", ".venv/data", ".venv/data", False),
        ("s", ".venv/data", ".venv/data", True),
        ("n", ".venv/new", ".venv/new", False),
        ("n", "../new", "../new", False),
        ("r", "../new", "../new", False),
        ("l", ".venv", ".venv/new", False),
        ("r", ".venv", ".venv/new", False),
        ("p", ".venv", ".venv/new", True),
        ("p", ".venv", ".venv/new.py", False),
        ("w", ".venv/data", ".venv/data", True),
        ("s", "../file", "../file", False),
        ("s", "../link", "../file", False),
        ("s", "../link", "../link", False),
        ("s", "../folder", "../folder/new", True),
        ("l", "..", "../new", False),
        ("l", "..", "../file", False),
        ("s", ".venv/link", ".venv/link", False),
        ("n", "../none", "../none", False),
        ("p", ".venv", ".venv/new.so", False),
        ("p", ".venv", ".venv/new/__init__.py", False),
        ("p", ".venv", ".venv/new/data", False),
        ("g", "empty", "empty/.venv/new", False),
        ("e", "../file", "../file", False),
        ("e", "../none", "../none", False),
        ("p", "__pycache__", "__pycache__/new.py", True),
        ("r", ".venv/__pycache__/more.cpython-313.pyc", ".venv/more.py", False),
        ("r", "__pycache__/gone.cpython-313-pytest-8.pyc", "input", True),
        ("t", ".venv/data", ".venv/data", False),
        ("t", "input", "input", True),
        ("t", "../file", "../file", False),
        ("t", "..", "../new", True),
        ("o", ".venv", ".venv/data", False),
        ("o", "..", "../file", False),
        ("k", ".venv/data", ".venv/data", False),
        ("k", "empty", "empty/.venv/new", False),
        ("k", "../none", "../none", False),
    ],
)
def test_what_was_read_counts(root: Path, how: str, name: str, change: str, *, is_same: bool) -> None:
    """Contents of files, names in folders, whether something is there; inputs count apart."""
    (root / ".venv" / "link").symlink_to("data")
    taken = inputs.take(root)
    found = reads.judge({os.path.normpath((root / name).parent.resolve() / (root / name).name): how}, (), taken, ())
    assert found.doubt == ""
    (root / change).parent.mkdir(exist_ok=True)
    if (root / change).is_symlink():
        (root / change).unlink()
    (root / change).write_text("22", encoding="utf-8")
    assert all(reads.state_of(place) == state for place, state in found.read.items()) is is_same


def test_what_is_no_path_is_a_reason(root: Path) -> None:
    """What a process says of itself is told as it is; a folder under another name holds what git ignores."""
    assert reads.judge({"called fopen by ctypes": "d"}, (), inputs.take(root), ()).doubt == "called fopen by ctypes"
    told = reads.judge({str(root / ".venv"): "k"}, (), inputs.take(root), ()).doubt
    assert told.startswith("gave .venv another name, with .venv/")


def test_what_was_deleted_is_there_no_second_time(root: Path) -> None:
    """An ignored file and one outside: not kept. An input: a change, which is told apart."""
    told = {name: reads.judge({str(root / name): "v"}, (), inputs.take(root), ()).doubt for name in ("gone", "input")}
    assert told == {"gone": "deleted gone, which is no input", "input": ""}


def test_a_file_that_becomes_a_folder_is_another_name_in_a_list(root: Path) -> None:
    """Who lists a folder is told which of its names are folders."""
    found = reads.judge({str(root / ".venv"): "l"}, (), inputs.take(root), ())
    (root / ".venv/data").unlink()
    (root / ".venv/data").mkdir()
    assert any(reads.state_of(place) != state for place, state in found.read.items())


def test_an_ignored_file_that_was_written_in_the_run_counts_as_being_there(root: Path) -> None:
    """Data of coverage and the like have another size and time after each run."""
    found = reads.judge({str(root / ".venv/data"): "s"}, (), replace(inputs.take(root), since=0), ())
    assert list(found.read.values()) == ["file"]


def test_folders_above_those_of_the_cell_are_its_own(root: Path) -> None:
    """The temporary folder of this run has another name in the next: it does not count, and nothing in it."""
    own = root.parent / "run-1" / "cell"
    own.mkdir(parents=True)
    asked = {str(own.parent): "s", str(own): "s", str(own / "file"): "n"}
    assert reads.judge(asked, (), inputs.take(root), (str(own),)).read == {}


def test_the_kind_of_what_is_asked_for_counts(root: Path) -> None:
    """A file in place of a folder is another answer."""
    found = reads.judge({str(root / ".venv"): "s"}, (), inputs.take(root), ())
    for path in (root / ".venv").iterdir():
        path.unlink()
    assert all(reads.state_of(place) == state for place, state in found.read.items())
    (root / ".venv").rmdir()
    (root / ".venv").touch()
    assert not all(reads.state_of(place) == state for place, state in found.read.items())


@pytest.mark.parametrize(
    ("how", "name", "doubt"),
    [
        ("r", "../data", "read ../data, which is outside the project"),
        ("l", "../folder", "listed ../folder, which is outside the project"),
        ("g", "../data", "read ../data, which is outside the project"),
        ("g", "../folder", "listed ../folder, which is outside the project"),
        ("g", ".venv", "gave .venv to a program, with .venv/data, which git ignores"),
        ("g", "above", "gave above to a program, with above/.venv/data, which git ignores"),
        ("x", ".", "ran git, whose history is no input"),
        ("h", ".", "ran git, whose history is no input"),
        ("h", "../folder", "ran git in ../folder, which is outside the project"),
        ("m", "input", "its tests opened more files than are noted"),
        ("w", "../data", ""),
        ("s", "../folder", ""),
        ("p", "..", ""),
    ],
)
def test_what_cannot_be_compared_is_a_doubt(root: Path, how: str, name: str, doubt: str) -> None:
    """Files outside, the history, and what programs found in folders."""
    (root.parent / "data").touch()
    (root / "above" / ".venv").mkdir(parents=True)
    (root / "above" / ".venv" / "data").touch()
    if (how, name) == ("g", ".venv"):
        (root / ".venv" / "more.py").unlink()
    place = (root / name).resolve()
    assert reads.judge({str(place): how}, (), inputs.take(root), ()).doubt == doubt


@pytest.mark.parametrize("how", ["r", "a", "g"])
@pytest.mark.parametrize("folder", [".cache/tool", ".config", "Library/Caches/tool", "named/by/a/variable"])
def test_caches_and_settings_of_the_user_count_by_content(
    root: Path, monkeypatch: pytest.MonkeyPatch, how: str, folder: str
) -> None:
    """Matplotlib's list of fonts: the same one in each run, until it is made anew; then not before the next run."""
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.setenv("USERPROFILE", str(root.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(root.parent / "named"))
    file = root.parent / folder / "list.json"
    file.parent.mkdir(parents=True)
    file.write_text("1", encoding="utf-8")
    taken = replace(inputs.take(root), since=file.stat().st_ctime_ns + 1)
    found = reads.judge({str(file): how}, (), taken, ())
    assert (found.doubt, dict(found.read)) == ("", {str(file): reads.state_of(str(file))})
    file.write_text("22", encoding="utf-8")
    assert found.read != {str(file): reads.state_of(str(file))}
    taken = replace(taken, since=file.stat().st_ctime_ns)
    doubt = f"read ../{folder}/list.json, which was changed in this run"
    assert reads.judge({str(file): how}, (), taken, ()).doubt == doubt


def test_a_link_in_settings_of_the_user_counts_with_what_it_leads_to(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who keeps settings in a repository has links: another content there is another setting, also in this run."""
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.setenv("USERPROFILE", str(root.parent))
    kept, link = root.parent / "dotfiles" / "tool", root.parent / ".config" / "tool"
    for file in (kept, link):
        file.parent.mkdir()
    kept.write_text("1", encoding="utf-8")
    link.symlink_to(kept)
    taken = replace(inputs.take(root), since=link.lstat().st_ctime_ns + 1)
    found = reads.judge({str(link): "r"}, (), taken, ())
    assert found.doubt == ""
    kept.write_text("22", encoding="utf-8")
    assert not all(reads.state_of(place) == state for place, state in found.read.items())
    taken = replace(taken, since=kept.stat().st_ctime_ns)
    assert "changed in this run" in reads.judge({str(link): "r"}, (), taken, ()).doubt


def test_an_ignored_link_is_read_with_what_it_leads_to(root: Path) -> None:
    """To a file outside: a doubt, as if that had been opened; to another ignored file: its content counts."""
    (root / ".venv" / "out").symlink_to("../../file")
    (root / ".venv" / "in").symlink_to("data")
    taken = inputs.take(root)
    assert reads.judge({str(root / ".venv/out"): "r"}, (), taken, ()).doubt.startswith("read ../file, which is outside")
    found = reads.judge({str(root / ".venv/in"): "r"}, (), taken, ())
    assert (found.doubt, set(found.read)) == ("", {str(root / ".venv/in"), str(root / ".venv/data")})
