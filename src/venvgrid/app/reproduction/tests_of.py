"""The tests of a commit, or of the user's checkout, in place of those of another commit."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from venvgrid.model import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.app.reproduction.commits import History

WORK_TREE = "."  # the checkout, in place of a commit
OF_TESTS = re.compile(r"tests?|testing|test_.*\.py|.*_test\.py|conftest\.py")  # names at the top of a project


def take_tests(history: History, revision: str, inside: str, root: Path) -> None:
    """Replace the tests of the project in the folder `inside` of the checkout `root` by those of a revision.

    Raises:
        UsageError: it has none.
    """
    listed = history.read("ls-tree", "-r", "--name-only", "-z", "--full-tree", revision)
    if revision == WORK_TREE:
        listed = history.read("ls-files", "--cached", "--others", "--exclude-standard", "-z")
    names = [name for name in listed.split("\0") if is_test(name, inside)]
    if not names:
        raise UsageError(f"--tests-of {revision}: it has no tests (a folder tests, or files test_*.py)")
    for top in {_top(name, inside) for name in names}:
        place = root / top
        shutil.rmtree(place, ignore_errors=True) if place.is_dir() else place.unlink(missing_ok=True)
    for name in names:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if revision == WORK_TREE:
            if (history.root / name).is_file():
                shutil.copy2(history.root / name, target)
            continue
        target.write_bytes(history.content("show", f"{revision}:{name}") or b"")


def _top(name: str, inside: str) -> str:
    """Return the part of a path that stands at the top of the project in a folder of the repository."""
    prefix = "" if inside == "." else f"{inside}/"
    return prefix + name.removeprefix(prefix).split("/")[0]


def is_test(name: str, inside: str) -> bool:
    """Return whether a file of the repository is a test of the project in its folder `inside`."""
    prefix = "" if inside == "." else f"{inside}/"
    return name.startswith(prefix) and OF_TESTS.fullmatch(_top(name, inside).rpartition("/")[2]) is not None
