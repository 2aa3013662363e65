"""Folders below `.venvgrid`: venvgrid writes and deletes only in real folders, never through a link.

A link may have come with the project, or lead to files of the user. Everything below `.venvgrid` that is written or
deleted goes through `make`, `check`, `write` or `delete`. Each of them checks every folder from `.venvgrid` down.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.model import InfrastructureError
from venvgrid.storage.atomic import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

JUNCTION = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)  # of Windows
# Folders of venvgrid with a folder or an entry for each cell, run or environment.
WITH_FOLDERS = ("runs", "store", "cells", "results-cache")
CELL_FOLDERS = ("measured", "pytest", "preview")
LOCK = "lock"
TRASH = "trash-"  # the name of what is being deleted begins so


class LinkError(InfrastructureError):
    """A folder below `.venvgrid` is a link."""


def check(root: Path, *names: str) -> Path:
    """Return the folder `names` below `root`, checked: each folder on the way is real, or missing.

    Raises:
        LinkError: one is not.
    """
    path = root
    _check(path)
    for name in names:
        path /= name
        _check(path)
    return path


def make(root: Path, *names: str) -> Path:
    """Return the folder `names` below `root`, checked and made.

    Raises:
        LinkError: a folder on the way is not real.
        OSError: it cannot be made.
    """
    path = check(root, *names)
    path.mkdir(parents=True, exist_ok=True)
    return path


def make_plain(root: Path, *names: str) -> Path:
    """Return a folder for other programs to write into: checked, made, and without links and files of two names in it.

    Raises:
        LinkError: a folder on the way is not real.
        OSError: it cannot be made, or a link cannot be deleted.
    """
    path = make(root, *names)
    for folder, folders, files in os.walk(path):
        for place in (os.path.join(folder, name) for name in (*folders, *files)):  # noqa: PTH118  (many)
            status = os.lstat(place)
            if _is_junction(status):
                os.rmdir(place)  # noqa: PTH106
            elif stat.S_ISLNK(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink > 1):
                os.unlink(place)  # noqa: PTH108
    return path


def write(root: Path, name: str, text: str) -> None:
    """Write a small file in the folder `root`; a link or another name of the old file is replaced, not followed.

    Raises:
        LinkError: `root` is not a real folder.
        OSError: it cannot be written.
    """
    write_whole(check(root) / name, text)


def delete(root: Path, *names: str) -> None:
    """Delete a file, link or folder below `root`, if it is there; links are deleted, never followed.

    Raises:
        LinkError: a folder on the way is not real.
        OSError: a file or link cannot be deleted. Of folders, the rest is left.
    """
    path = check(root, *names[:-1]) / names[-1]
    with suppress(FileNotFoundError):
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode) and not _is_junction(status):
            shutil.rmtree(path, ignore_errors=True)
        elif _is_junction(status):
            path.rmdir()
        else:
            path.unlink()


def keep_only(root: Path, names: frozenset[str]) -> None:
    """Delete all other files in the folder `root`, and in those in it; the names are relative to it.

    Raises:
        OSError: a file cannot be deleted.
    """
    for folder, _, files in os.walk(root):
        for place in (Path(folder, name) for name in files):
            if place.relative_to(root).as_posix() not in names:
                place.unlink(missing_ok=True)  # a process of a killed run may still tidy up


def sweep(root: Path) -> None:
    """Finish the deletions of a killed run in the folder `root`."""
    for trash in root.glob(f"{TRASH}*"):
        delete(root, trash.name)


def check_all(root: Path) -> None:
    """Check every folder below `.venvgrid` that venvgrid writes to.

    Raises:
        LinkError: one is a link.
    """
    check(root)
    for name in (*WITH_FOLDERS, "envs", "coverage"):
        check(root, name)
    for name in WITH_FOLDERS:
        for entry in _entries(root / name):
            check(root / name / entry.name)
            for inner in CELL_FOLDERS if name == "cells" else ():
                check(root / name / entry.name / inner)
    lock = root / LOCK
    if lock.is_symlink() or (lock.exists() and lock.stat().st_nlink > 1):
        raise LinkError(f"{lock} is a link: remove it (venvgrid empties that file)")


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError), os.scandir(folder) as found:
        yield from found


def _check(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(status.st_mode) or _is_junction(status):
        raise LinkError(f"{path} is a link: remove it (venvgrid writes and deletes only in real folders)")


def _is_junction(status: os.stat_result) -> bool:
    return getattr(status, "st_reparse_tag", 0) == JUNCTION
