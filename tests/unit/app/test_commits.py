"""The commits that bisect searches in: their line, ends that do not fit, merges, and what the repository keeps."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from rig import has

from venvgrid.app.reproduction.commits import History
from venvgrid.app.reproduction.tests_of import is_test
from venvgrid.model import UsageError
from venvgrid.processes import runner

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not has("git"), reason="needs git")


def git(root: Path, *words: str) -> str:
    argv = ("git", "-c", "user.name=n", "-c", "user.email=n@example.org", *words)
    return subprocess.run(argv, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path, subject: str) -> str:
    git(root, "commit", "-q", "--allow-empty", "-m", subject)
    return git(root, "rev-parse", "HEAD")


def history(root: Path) -> History:
    return History.of(root, {"PATH": os.environ["PATH"]}, runner.run)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository: one, two, a merge of the branch (a, b), three."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for subject in ("one", "two"):
        commit(folder, subject)
    git(folder, "checkout", "-q", "-b", "branch", "HEAD~1")
    for subject in ("a", "b"):
        commit(folder, subject)
    git(folder, "checkout", "-q", "main")
    git(folder, "merge", "-q", "--no-ff", "-m", "merge", "branch")
    commit(folder, "three")
    return folder


def subjects(found: History, names: list[str]) -> list[str]:
    return [found.titles(names)[name].partition(" (")[0] for name in names]


def test_the_line_is_that_of_first_parents(root: Path) -> None:
    """From the good commit, or from the first one, to the bad one; what a merge brought is not in it."""
    found = history(root)
    bad = found.commit("HEAD")
    assert subjects(found, found.line("", bad)) == ["one", "two", "merge", "three"]
    assert subjects(found, found.line(found.commit("main~2"), bad)) == ["two", "merge", "three"]


def test_a_good_commit_of_a_branch_leaves_out_what_it_had(root: Path) -> None:
    """The good commit stands before all that it does not have."""
    found = history(root)
    line = found.line(found.commit("branch"), found.commit("main"))
    assert subjects(found, line) == ["b", "two", "merge", "three"]


def test_what_a_merge_brought_is_a_line_of_its_own(root: Path) -> None:
    """From where the branch parted; a commit that is no merge brought nothing."""
    found = history(root)
    (line,) = found.branch(found.commit("main~1"))
    assert subjects(found, line) == ["one", "a", "b"]
    assert found.branch(found.commit("main")) == []
    assert found.branch(found.line("", found.commit("main"))[0]) == []


def test_ends_that_do_not_fit_are_mistakes(root: Path) -> None:
    """Unknown names, the same commit twice, the wrong order, and lines that parted: the message says what to type."""
    found = history(root)
    names = {name: found.commit(name) for name in ("main", "main~1", "branch", "main~2")}
    for good, bad, match in (
        ("main", "main", "both ends are commit"),
        ("main", "main~1", "is newer than the bad one"),
        ("branch", "main~2", "is no ancestor .* they parted at .* venvgrid bisect --commits"),
    ):
        with pytest.raises(UsageError, match=match):
            found.line(names[good], names[bad])
    with pytest.raises(UsageError, match="git knows no commit '--all'"):
        found.commit("--all")


def test_without_a_repository_there_is_nothing_to_search(tmp_path: Path) -> None:
    """A folder outside of git is a mistake of the user."""
    with pytest.raises(UsageError, match="in no checkout of git"):
        history(tmp_path)


def test_tests_are_known_by_their_names() -> None:
    """A folder of tests, or a test file, at the top of the project; the project may be a folder of the repository."""
    names = ["tests/a/data.txt", "test_x.py", "conftest.py", "src/tests/test_y.py", "sub/tests/test_z.py", "setup.py"]
    assert [name for name in names if is_test(name, ".")] == names[:3]
    assert [name for name in names if is_test(name, "sub")] == ["sub/tests/test_z.py"]
