"""Trees of files, links and commits for the tests of this folder."""

from __future__ import annotations

import subprocess
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SETUPTOOLS = '[build-system]\nrequires = ["setuptools>=77"]\nbuild-backend = "setuptools.build_meta"\n'
FLIT = '[build-system]\nrequires = ["flit_core>=3.4"]\nbuild-backend = "flit_core.buildapi"\n'
PROJECT = '[project]\nname = "demo"\nversion = "1.0"\ndescription = "for a test"\n'
SRC = '[tool.setuptools.packages.find]\nwhere = ["src"]\n'
DYNAMIC = PROJECT.replace('version = "1.0"', 'dynamic = ["version"]')


def tree(root: Path, files: Mapping[str, str], links: Mapping[str, str] | None = None) -> Path:
    """Write a tree; a name that ends with ! is executable."""
    for name, content in files.items():
        file = root / name.rstrip("!")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(content), encoding="utf-8")
        file.chmod(0o755 if name.endswith("!") else 0o644)
    for name, target in (links or {}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)
    return root


def git(root: Path, *words: str) -> None:
    """Run git as a user of its own."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def commit(root: Path, tag: str = "") -> None:
    """Commit everything, in a new repository if there is none."""
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "all")
    if tag:
        git(root, "tag", tag)


def state(folder: Path) -> dict[str, object]:
    """Return names, modes, times and links of all files of a tree but those of venvgrid."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if ".venvgrid" not in path.parts:
            status = path.lstat()
            link = path.is_symlink() and path.readlink()
            found[str(path)] = (status.st_mode, 0 if path.is_dir() else status.st_mtime_ns, link)
    return found
