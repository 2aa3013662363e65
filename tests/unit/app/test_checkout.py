"""The sources of a capsule: the checkout itself if it fits, else a copy of the commit that leaves no trace."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from recorded import CAPSULE
from rig import has

from venvgrid.app.reproduction.checkout import Checkouts
from venvgrid.model import UsageError
from venvgrid.processes import runner
from venvgrid.results.capsules.capsule import Sources

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not has("git"), reason="needs git")
GIT = ("git", "-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "protocol.file.allow=always")


def git(root: Path, *words: str) -> str:
    return subprocess.run([*GIT, *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def repository(root: Path, content: str) -> Path:
    """Make a repository with one file and one commit."""
    root.mkdir()
    (root / "file.py").write_text(content, encoding="utf-8")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")
    return root


def checkouts(folder: Path, told: list[str]) -> Checkouts:
    return Checkouts(folder=folder, environ={"PATH": os.environ["PATH"]}, run=runner.run, notify=told.append)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return repository(tmp_path / "project", "x = 1\n")


def test_a_clean_checkout_of_the_commit_is_used_as_it_is(root: Path) -> None:
    """Also from a folder in it."""
    (root / "sub").mkdir()
    (root / "sub/x").touch()
    git(root, "add", "-A")
    git(root, "commit", "-qm", "y")
    made = replace(CAPSULE, sources=Sources(commit=git(root, "rev-parse", "HEAD")))
    with checkouts(root / "sub", []).of(made, with_patch=False) as found:
        assert (found.root, found.notes) == (root, ())


def test_another_commit_is_copied_with_its_submodules_and_the_copy_goes(root: Path, tmp_path: Path) -> None:
    """Submodules come from the clone, at the commits of that time; what it does not have is told."""
    inner = repository(tmp_path / "inner", "y = 1\n")
    git(root, "submodule", "--quiet", "add", str(inner), "libs/inner")
    git(root, "commit", "-qm", "with a submodule")
    commit, before = git(root, "rev-parse", "HEAD"), sorted((root / ".git").rglob("*"))
    (inner / "file.py").write_text("y = 2\n", encoding="utf-8")
    git(inner, "commit", "-qam", "z")
    (root / "file.py").write_text("x = 3\n", encoding="utf-8")
    told: list[str] = []
    made = replace(CAPSULE, sources=Sources(commit=commit))
    with checkouts(root, told).of(made, with_patch=False) as found:
        assert found.root != root
        assert (found.root / "file.py").read_text(encoding="utf-8") == "x = 1\n"
        assert (found.root / "libs/inner/file.py").read_text(encoding="utf-8") == "y = 1\n"
        place = found.root.parent
    assert not place.exists()
    assert sorted((root / ".git").rglob("*")) == before
    assert (root / "file.py").read_text(encoding="utf-8") == "x = 3\n"
    assert len(told) == 1
    git(root, "submodule", "--quiet", "deinit", "--force", "libs/inner")
    with checkouts(root, told).of(made, with_patch=False) as found:
        assert not list((found.root / "libs/inner").iterdir())
    assert told[-1].endswith("libs/inner")


@pytest.mark.parametrize(
    "patch",
    [
        "--- a/../../evil.py\n+++ b/../../evil.py\n@@ -0,0 +1 @@\n+x\n",
        "--- /dev/null\n+++ b/.git/hooks/post-checkout\n@@ -0,0 +1 @@\n+x\n",
        "--- /dev/null\n+++ /../../../evil.py\n@@ -0,0 +1 @@\n+x\n",
        "no patch at all",
        "--- a/file.py\n+++ b/file.py\n@@ -1 +1 @@\n-other\n+x\n",
    ],
)
def test_a_patch_stays_in_the_copy(root: Path, tmp_path: Path, patch: str) -> None:
    """Names that lead out of it, into .git or nowhere are refused, and nothing is written."""
    made = replace(CAPSULE, sources=Sources(commit=git(root, "rev-parse", "HEAD"), dirty=True, patch=patch))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="git refuses the patch"), checkouts(root, []).of(made, with_patch=True):
        pass
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_missing_is_told_with_the_command_that_helps(root: Path, tmp_path: Path) -> None:
    """A commit of a merge is fetched by its name; outside of a clone there is nothing to test."""
    sources = Sources(commit="c0ffee" * 6 + "abcd", reference="refs/pull/7/merge")
    made = replace(CAPSULE, sources=sources)
    with (
        pytest.raises(UsageError, match=r"git fetch origin refs/pull/7/merge"),
        checkouts(root, []).of(made, with_patch=False),
    ):
        pass
    with pytest.raises(UsageError, match="in a clone of it"), checkouts(tmp_path, []).of(made, with_patch=False):
        pass
    with pytest.raises(UsageError, match="has no patch"), checkouts(root, []).of(made, with_patch=True):
        pass
    alone = replace(CAPSULE, sources=Sources(config="matrix.toml"))
    with pytest.raises(UsageError, match="has no matrix"), checkouts(tmp_path, []).of(alone, with_patch=False):
        pass
