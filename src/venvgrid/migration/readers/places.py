"""The folder in which commands run: a configuration has one, `test.working-directory`."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from venvgrid.migration.readers import commands
from venvgrid.migration.readers.substitution import UNAVAILABLE, display
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from venvgrid.migration.model import Notes

_UNIMPORTANT = commands.SILENT | commands.LINTERS | {"coverage"}
_FILES = (".", "-r", "-c", "-e", "--requirement", "--constraint", "--editable")  # beginnings of words that name files


@dataclass(frozen=True, slots=True)
class Placed:
    """A command, and the folder in which it runs: relative to the project, "" there."""

    argv: tuple[str, ...]
    folder: str = ""


def enter(current: str, folder: str) -> str:
    """Return the folder to which `cd folder` leads from `current`."""
    found = posixpath.normpath(posixpath.join(current, folder))
    return "" if found == "." else found


def installs_files(words: Sequence[str]) -> bool:
    """Whether the arguments of an installation name files, which are relative to where it runs."""
    return any(word.startswith(_FILES) for word in words)


def folder_of_tests(placed: Sequence[Placed], root: Path, notes: Notes, where: str) -> str:
    """Return the folder of the tests, and of the commands before them; what no configuration can say is lost."""
    for item in placed:
        if item.folder and "install" in item.argv and installs_files(item.argv):
            notes.lose(f"{where}: `{display(' '.join(item.argv))[:80]}` in the folder {display(item.folder)}")
    last = max((at for at, item in enumerate(placed) if commands.kind(item.argv) in commands.RUNNERS), default=-1)
    found: dict[str, tuple[str, ...]] = {}
    for item in placed[: last + 1]:
        if "install" not in item.argv and commands.kind(item.argv) not in _UNIMPORTANT:
            found.setdefault(item.folder, item.argv)
    if len(found) > 1:
        told = " and ".join(f"`{display(' '.join(argv))[:60]}` in {folder or '.'}" for folder, argv in found.items())
        notes.lose(f"{where}: {told}: write one working-directory into [test]")
        return ""
    folder = next(iter(found), "")
    if folder.startswith(("..", "/", "~")) or UNAVAILABLE in folder or "$" in folder or not (root / folder).is_dir():
        notes.lose(f"{where}: it runs in the folder {display(folder)}, which is not in the project")
        return ""
    return folder
