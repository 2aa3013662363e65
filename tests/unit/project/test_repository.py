"""The repository of a project: found, and told why if git does not read it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from recorded import CAPSULE

from venvgrid.app.reproduction.checkout import Checkouts
from venvgrid.app.reproduction.commits import History
from venvgrid.model import UsageError
from venvgrid.processes import runner
from venvgrid.project import repository
from venvgrid.results.capsules.capsule import Sources

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for git is a shell script")

OF_ANOTHER = """
warning: unable to access '/root/.config/git/ignore': Permission denied
fatal: detected dubious ownership in repository at '/src'
To add an exception for this directory, call:

\tgit config --global --add safe.directory /src
"""


@pytest.fixture
def refused(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Return a folder in a repository, and variables with which git says that it is another user's."""
    (tmp_path / "src/.git").mkdir(parents=True)
    (tmp_path / "src/.git/HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'{OF_ANOTHER}END\nexit 128\n", encoding="utf-8")
    program.chmod(0o755)
    return tmp_path / "src", {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def test_a_repository_that_git_refuses_is_told_with_what_to_type(refused: tuple[Path, dict[str, str]]) -> None:
    """The sentence of git that says why, and its command; no repository is found."""
    folder, environ = refused
    assert repository.find(folder, environ) is None
    assert repository.refusal(folder, environ) == (
        f"git does not read {folder}: detected dubious ownership in repository at '/src'; "
        "if you trust it, type: git config --global --add safe.directory /src"
    )


def test_where_no_repository_is_refused_nothing_is_told(tmp_path: Path) -> None:
    """Outside of any repository, the folder itself is what is wrong."""
    assert repository.refusal(tmp_path, os.environ) == ""


def test_a_search_in_commits_says_why_git_refuses(refused: tuple[Path, dict[str, str]]) -> None:
    """Not that there is no checkout: it is there."""
    with pytest.raises(UsageError, match=r"dubious ownership.*safe.directory"):
        History.of(*refused, runner.run)


def test_a_capsule_is_not_told_that_there_is_no_clone(refused: tuple[Path, dict[str, str]]) -> None:
    """The clone of another user: what git says, in place of advice to go into a clone."""
    folder, environ = refused
    made = replace(CAPSULE, sources=Sources(commit="c0ffee" * 6 + "abcd"))
    checkouts = Checkouts(folder=folder, environ=environ, run=runner.run, notify=pytest.fail)
    with (
        pytest.raises(UsageError, match=r"and git does not read .*safe.directory"),
        checkouts.of(made, with_patch=False),
    ):
        pass
