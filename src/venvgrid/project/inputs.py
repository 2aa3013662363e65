"""The inputs of a verdict: all that tests can read in the project, behind its links, and above it.

Left out are `.venvgrid`, what git ignores, and untracked folders of tools. If tests open one of these files, it counts
nevertheless (see `reads`). Each file has a stamp (mode, inode, size, mtime, ctime), so that a change during a run is
noticed even if it was undone, and a digest, by which the next run knows it again.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass
from venvgrid.project import history

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OURS = ".venvgrid"
# Folders of tools: no inputs, except for files in them that git tracks.
TOOLS = frozenset((
    *(".git", ".hg", ".svn", ".tox", ".nox", "__pycache__"),
    *(".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"),
))  # fmt: skip
TOOLS_WITHOUT_GIT = TOOLS | {".venv", ".eggs", "node_modules", ".idea", ".vscode"}
COMPILED = (".pyc", ".pyo")
PYTEST_SETTINGS = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")
READ_ABOVE = (*PYTEST_SETTINGS, "pyproject.toml", "tox.ini", "setup.cfg", "conftest.py")
MAX_BEHIND_LINKS = 20_000  # files; a link may lead to the whole machine
CHUNK = 1 << 20  # bytes
Stamp = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Files that are not as at the beginning of a run: changed or deleted ones, and new ones."""

    changed: tuple[str, ...] = ()
    created: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self.changed or self.created)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The inputs at the beginning of a run. `stamps` and `contents` are by path: relative, outside of it absolute.

    `outside` are the real paths of what links lead to outside of the project. `problem` is why no verdict can be kept,
    or "". `known` is what git says of the files. `written` is a glob for reports of the tests. `since` is in ns since
    the epoch. `versions` is the state of the history, if the version may come from it.
    """

    path: Path
    stamps: Mapping[str, Stamp]
    contents: Mapping[str, str]
    outside: tuple[str, ...]
    versions: str
    problem: str
    known: history.Files | None
    written: str
    since: int

    @property
    def digest(self) -> str:
        """The digest of all inputs."""
        text = "\0".join(f"{name}\0{content}" for name, content in sorted(self.contents.items()))
        return hashlib.blake2b(
            f"{self.versions}\0{text}".encode("utf-8", "surrogateescape"), digest_size=20
        ).hexdigest()

    def is_report(self, name: str) -> bool:
        """Return whether a file is a report of the tests."""
        return bool(self.written) and fnmatch.fnmatchcase(name, self.written)

    def changes(self) -> Changes:
        """Compare the project with its state at the beginning, by stamps alone."""
        now = _walk(self.path, self.known, self.written).stamps
        created = now.keys() - self.stamps.keys()
        if created:  # git may ignore them
            created &= _walk(self.path, history.files(self.path), self.written).stamps.keys()
        changed = (name for name, stamp in self.stamps.items() if now.get(name) != stamp)
        return Changes(changed=tuple(sorted(changed)), created=tuple(sorted(created)))


def take(path: Path, written: str = "") -> Inputs:
    """Read the inputs of the project at `path`, except for files that match the glob `written`."""
    since, known = time.time_ns(), history.files(path)
    walk = _walk(path, known, written)
    base = f"{path}{os.sep}"
    return Inputs(
        path=path,
        stamps=walk.stamps,
        contents={name: content_of(os.path.join(base, name)) for name in walk.stamps},  # noqa: PTH118
        outside=tuple(sorted(walk.outside)),
        versions=history.state(path),
        problem=walk.problem,
        known=known,
        written=written,
        since=since,
    )


def content_of(path: str) -> str:
    """Return what is at a path: of a file mode, owner, number of its names and digest; "" if there is nothing.

    Of a folder it is mode and owner, of a link its target.
    """
    try:
        status = os.lstat(path)
        mode = f"{status.st_mode:o} {status.st_uid} {status.st_gid}"
        if stat.S_ISLNK(status.st_mode):
            return f"link {os.readlink(path)} {os.path.realpath(path)}"  # noqa: PTH115  (a path as text is at hand)
        if not stat.S_ISREG(status.st_mode):
            return mode
        digest = hashlib.blake2b(digest_size=16)
        with open(path, "rb", buffering=0) as stream:  # noqa: PTH123
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"unreadable {error.errno}"
    return f"{mode} {status.st_nlink} {digest.hexdigest()}"


def stamp_of(status: os.stat_result) -> Stamp:
    """Return the stamp of a file; of a folder only its mode, because entries come and go."""
    if stat.S_ISDIR(status.st_mode):
        return (status.st_mode,)
    ctime = 0 if os.name == "nt" else status.st_ctime_ns  # on Windows it is the time of birth
    return status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, ctime


def _walk(path: Path, known: history.Files | None, written: str) -> _Walk:
    walk = _Walk(path, known, written)
    walk.project()
    for folder in path.absolute().parents:
        for name in READ_ABOVE:
            walk.add(str(folder / name))
    walk.follow()
    return walk


class _Walk:
    """A walk through the inputs; see `Inputs` for its results."""

    def __init__(self, path: Path, known: history.Files | None, written: str) -> None:
        self.root, self._written = str(path), re.compile(fnmatch.translate(written) if written else r"(?!)")
        self.stamps: dict[str, Stamp] = {}
        self.outside: set[str] = set()
        self.problem = ""
        self._links: list[str] = []
        self._tools = TOOLS if known else TOOLS_WITHOUT_GIT
        self._ignored = known.ignored if known else frozenset()
        self._tracked = known.tracked if known else frozenset()
        tracked_folders = (name.rpartition("/")[0] for name in self._tracked if not TOOLS.isdisjoint(name.split("/")))
        self._tracked_tools = tuple(f"{folder}/" for folder in tracked_folders)

    def project(self) -> None:
        """Visit the project itself."""
        pending = [""]
        while pending:
            prefix = pending.pop()
            is_tools = not self._tools.isdisjoint(prefix.split("/"))
            with suppress(OSError), os.scandir(os.path.join(self.root, prefix)) as entries:  # noqa: PTH118
                items = list(entries)
                names = {item.name for item in items}
                for item in items:
                    name = prefix + item.name
                    if self._is_left_out(name, item, names, is_tools=is_tools):
                        continue
                    with suppress(OSError):
                        self.stamps[name] = stamp_of(item.stat(follow_symlinks=False))
                    if item.is_symlink():
                        self._links.append(os.path.join(self.root, name))  # noqa: PTH118
                    elif item.is_dir():
                        pending.append(f"{name}/")

    def _is_left_out(self, name: str, item: os.DirEntry[str], names: set[str], *, is_tools: bool) -> bool:
        if name == OURS or name in self._ignored or f"{name}/" in self._ignored:
            return True
        if name in self._tracked or self._written.match(name):
            return name not in self._tracked
        if item.is_dir(follow_symlinks=False):
            if item.name in self._tools or is_tools:
                return not any(folder.startswith(f"{name}/") for folder in self._tracked_tools)
            return _is_environment(item.path) and not any(entry.startswith(f"{name}/") for entry in self._tracked)
        if is_tools or item.name in self._tools:
            return True
        return item.name.endswith(COMPILED) and f"{item.name[:-4]}.py" in names

    def add(self, path: str) -> None:
        """Add one file outside of the project, if it exists."""
        with suppress(OSError):
            status = os.lstat(path)
            self.stamps[path] = stamp_of(status)
            if stat.S_ISLNK(status.st_mode):
                self._links.append(path)

    def follow(self) -> None:
        """Visit what links lead to, where it is no input already."""
        root, seen, budget = os.path.realpath(self.root), set[str](), MAX_BEHIND_LINKS
        while self._links and not self.problem:
            target = os.path.realpath(self._links.pop())
            inside = os.path.relpath(target, root).replace(os.sep, "/") if target.startswith(root + os.sep) else ""
            if target in seen or inside in self.stamps or target == root:
                continue
            seen.add(target)
            self.outside.add(target)
            budget = self._add_all(target, seen, budget)
            if not budget:
                self.problem = f"a link leads to {target}, which holds more than {MAX_BEHIND_LINKS:,} files"

    def _add_all(self, target: str, seen: set[str], budget: int) -> int:
        """Add a file, or a folder with all that is in it; return what is left of the budget."""
        self.add(target)
        pending = [target]
        while pending and budget:
            here = pending.pop()
            with suppress(OSError), os.scandir(here) as entries:
                for item in entries:
                    if item.name in TOOLS:
                        continue
                    budget = max(0, budget - 1)
                    self.add(item.path)
                    if item.is_dir(follow_symlinks=False) and item.path not in seen:
                        seen.add(item.path)
                        pending.append(item.path)
        return budget


def _is_environment(folder: str) -> bool:
    """Return whether a folder is a virtual environment with an interpreter."""
    names = ("bin/python", "Scripts/python.exe")
    return os.path.lexists(f"{folder}/pyvenv.cfg") and any(os.path.lexists(f"{folder}/{name}") for name in names)
