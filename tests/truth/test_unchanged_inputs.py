"""A cached green cell: every input is the same. Each test changes one kind of input, and the cell must run again."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from conftest import cell
from rig import HERE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

MATRIX = f'[project]\ninstall = "none"\n[axes]\npython = ["{HERE}"]\n[test]\ncommand = ["pytest", "-q"]\n'
PLAIN = "def test_it():\n    assert True\n"


@pytest.fixture
def again(venvgrid: Command) -> Callable[..., dict[str, object]]:
    """Return a function that runs the project; it returns the cell's result."""

    def run(root: Path, *options: str, **more: str) -> dict[str, object]:
        ended = venvgrid("run", "-q", *options, cwd=root, env=more)
        assert ended.status in {0, 1}, ended.out + ended.err
        return cell(root)

    return run


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def git(root: Path, *arguments: str) -> None:
    own = ("-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "tag.gpgSign=false")
    subprocess.run(["git", *own, *arguments], cwd=root, check=True, capture_output=True)


def point_elsewhere(root: Path) -> None:
    (root / "data").unlink()
    (root / "data").symlink_to(root.parent / "two")


CHANGES: dict[str, Callable[[Path], object]] = {
    "a link to a folder leads elsewhere": point_elsewhere,
    "a file behind a link": lambda root: write(root.parent / "two" / "value", "3"),
    "a mode": lambda root: (root / "script.sh").chmod(0o755),
    "an empty folder": lambda root: (root / "empty").rmdir(),
    "pytest.toml above": lambda root: write(root.parent / "pytest.toml", "[pytest]\n"),
    ".pytest.toml above": lambda root: write(root.parent / ".pytest.toml", "[pytest]\n"),
    "a folder env": lambda root: write(root / "env" / "value", "2"),
    "a folder with a pyvenv.cfg": lambda root: write(root / "fixture" / "pyvenv.cfg", "home = /x\n"),
    "data in dist": lambda root: write(root / "dist" / "value", "2"),
    "a file whose name ends with .pyc": lambda root: write(root / "sample.pyc", "2"),
    "a link that led nowhere": lambda root: write(root.parent / "later", "1"),
    "another name of a file": lambda root: (root.parent / "name").hardlink_to(root / "script.sh"),
    "an owner": lambda root: os.chown(root / "script.sh", -1, max(os.getgroups()) if os.getuid() else 1),
    "a fifo": lambda root: os.mkfifo(root / "fifo"),
}


def test_every_input_of_the_project_counts(
    project: Write, again: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    """Links and what they lead to, modes, folders of any name, settings above: each change makes the cell run again."""
    for name in ("one", "two"):
        write(tmp_path / name / "value", "1")
    root = project(MATRIX, {"tests/test_demo.py": PLAIN, "env/value": "1", "fixture/pyvenv.cfg": "home = /\n"})
    for name in ("script.sh", "dist/value", "sample.pyc"):
        write(root / name, "1")
    (root / "empty").mkdir()
    (root / "data").symlink_to(tmp_path / "one")
    (root / "dangling").symlink_to(tmp_path / "later")
    assert again(root)["cached"] is False
    assert again(root)["cached"] is True
    for name, change in CHANGES.items():
        change(root)
        assert (name, again(root)["cached"]) == (name, False)
    assert again(root)["cached"] is True


def test_git_decides_what_is_left_out(project: Write, again: Callable[..., dict[str, object]]) -> None:
    """A tracked file in an ignored folder or a tool's counts; an ignored file counts once tests open it."""
    test = "from pathlib import Path\n\n\ndef test_it():\n    assert Path('local.cfg').read_text()\n"
    root = project(MATRIX, {"tests/test_demo.py": test, ".gitignore": "env/\nlocal.cfg\nother.cfg\n"})
    write(root / "env/value", "1")
    write(root / "tests/__pycache__/golden.txt", "1")
    write(root / "local.cfg", "1")
    write(root / "other.cfg", "1")
    git(root, "init", "-q")
    git(root, "add", "-f", "env", "tests/__pycache__/golden.txt")
    assert again(root)["notes"] == []
    assert again(root)["cached"] is True
    write(root / "other.cfg", "2")
    assert again(root)["cached"] is True, "ignored, and nothing opened it"
    for name in ("env/value", "tests/__pycache__/golden.txt", "local.cfg"):
        write(root / name, "2")
        assert (name, again(root)["cached"]) == (name, False)
        assert again(root)["cached"] is True


def test_a_tag_counts_where_the_version_comes_from_the_history(
    project: Write, again: Callable[..., dict[str, object]]
) -> None:
    """A project of setuptools-scm gets another version by a tag alone; a test that runs git is never kept."""
    text = '[build-system]\nrequires = ["setuptools-scm"]\n'
    root = project(MATRIX, {"tests/test_demo.py": PLAIN, "pyproject.toml": text, ".gitignore": ".venvgrid\n"})
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    again(root)
    assert again(root)["cached"] is True
    git(root, "tag", "v2.0")
    assert again(root)["cached"] is False
    write(root / "pyproject.toml", "")
    write(
        root / "tests/test_demo.py", "import subprocess\n\n\ndef test_it():\n    subprocess.run(['git', 'describe'])\n"
    )
    assert any("ran git" in note for note in again(root)["notes"])  # type: ignore[attr-defined]
    assert again(root)["cached"] is False


READS = {
    "../data.csv": "open('../data.csv').read()",
    "../data.csv of a child": "import subprocess; subprocess.check_call(['cat', '../data.csv'])",
    "../data.csv of a fork": (
        "import os\n    pid = os.fork()\n    if not pid:\n        open('../data.csv').read(); os._exit(0)\n"
        "    os.waitpid(pid, 0)"
    ),
    "../data.csv by descriptor": "import os; os.close(os.open('../data.csv', os.O_RDONLY))",
    "../folder": "import os; os.listdir('../folder')",
    "../data.db": "import sqlite3; sqlite3.connect('../data.db').execute('create table if not exists a (b)')",
}


@pytest.mark.parametrize("name", READS)
def test_what_lies_outside_is_not_trusted(
    project: Write, again: Callable[..., dict[str, object]], tmp_path: Path, name: str
) -> None:
    """A test that reads a file outside of the project is green and not kept, and the cell says which file it was."""
    write(tmp_path / "data.csv", "1")
    (tmp_path / "folder").mkdir()
    root = project(MATRIX, {"tests/test_demo.py": f"def test_it():\n    {READS[name]}\n"})
    told = str(again(root)["notes"][0])  # type: ignore[index]
    assert told.removeprefix("read ").removeprefix("listed ") == (
        f"{name.split(maxsplit=1)[0]}, which is outside the project: not kept"
    )
    assert again(root)["cached"] is False


def test_a_file_that_was_not_there_counts(
    project: Write, again: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    """A test looked for settings outside of the project and found none: when they appear, the cell runs again."""
    test = "def test_it():\n    try:\n        open('../override')\n    except OSError:\n        pass\n"
    root = project(MATRIX, {"tests/test_demo.py": test})
    again(root)
    assert again(root)["cached"] is True
    write(tmp_path / "override", "1")
    assert again(root)["cached"] is False
