"""What a build of the project can see: the files, folders and links that a build copy has.

What git ignores is left out, unless it is code, lies in a package, or the build's files name it. Bytecode,
folders that say of themselves that they are caches, and what venvgrid itself owns are always left out.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass
from venvgrid.project import build_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from venvgrid.project.repository import Repository

LEVELS_ABOVE = 3  # folders above the project in which files that the build names are looked for
CODE = (".py", ".pyi", ".so", ".pyd")  # of what git ignores, this was generated for the project
SOURCE_ROOTS = ("src", "lib", "python")  # folders of the project that hold packages
CACHE_TAG = b"Signature: 8a477f597d28d172789f06886806bc55"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder or link of the checkout; `mode` is that of `os.lstat`."""

    path: str
    mode: int


@dataclass
class Walk:
    """Collects the entries below the project's repository, and what they lead to."""

    project: Path
    repository: Repository | None
    parts: list[str] = field(default_factory=list)

    def entries(self) -> tuple[Entry, ...]:
        """Walk all parts; links add further ones."""
        self._words, self._folders = build_files.words(self.project), build_files.folders(self.project)
        base = str(self.repository.root if self.repository else self.project)
        self._packages: dict[str, bool] = {base: False, str(self.project): False}
        self.parts = [base, *self._named_above(base)]
        found: dict[str, int] = {}
        for part in self.parts:  # it grows
            for entry in self._walk(part):
                found[entry.path] = entry.mode
                if stat.S_ISLNK(entry.mode):
                    self._follow(entry.path)
        return tuple(Entry(path, found[path]) for path in sorted(found))

    def _walk(self, part: str) -> Iterator[Entry]:
        with suppress(OSError):
            mode = os.lstat(part).st_mode
            yield Entry(part, mode)
            if stat.S_ISDIR(mode):
                yield from self._below(part)

    def _below(self, folder: str) -> Iterator[Entry]:
        try:
            with os.scandir(folder) as listing:
                items = list(listing)
        except OSError:
            return
        for item in items:
            is_folder = item.is_dir(follow_symlinks=False)
            if self._is_left_out(folder, item, is_folder=is_folder):
                continue
            with suppress(OSError):
                yield Entry(item.path, item.stat(follow_symlinks=False).st_mode)
                if is_folder:
                    yield from self._below(item.path)

    def _is_left_out(self, folder: str, item: os.DirEntry[str], *, is_folder: bool) -> bool:
        if item.name == ".venvgrid":
            return True
        if item.name == ".git":  # the history of the root is copied apart; a submodule's is a file
            return is_folder or self.repository is None or folder == str(self.repository.root)
        name = self._in_repository(item.path)
        if self.repository and name in self.repository.tracked:
            return False
        if is_folder and (item.name == "__pycache__" or _is_tagged(item.path)):
            return True
        if self._is_in_package(folder):
            return False
        if self.repository and name in self.repository.ignored:
            is_code = not is_folder and name.endswith(CODE)
            return not (is_code or self._is_named(item.path, is_folder=is_folder))
        return is_folder and _is_environment(item.path)

    def _in_repository(self, path: str) -> str:
        if self.repository is None or not inside(path, (str(self.repository.root),)):
            return ""
        return os.path.relpath(path, self.repository.root).replace(os.sep, "/")

    def _is_in_package(self, folder: str) -> bool:
        """Return whether a folder or one above it, below the project, is an import package."""
        known = self._packages.get(folder)
        if known is None:
            above = os.path.dirname(folder)
            is_package = os.path.exists(os.path.join(folder, "__init__.py")) or self._is_namespace(folder)
            known = is_package or (above != folder and self._is_in_package(above))
            self._packages[folder] = known
        return known

    def _is_namespace(self, folder: str) -> bool:
        """Return whether a folder without `__init__.py` is a package nevertheless: where code is, with code in it."""
        top, *below = os.path.relpath(folder, self.project).split(os.sep)
        if top == os.pardir or not (below if top in SOURCE_ROOTS else top in self._words):
            return False
        with suppress(OSError), os.scandir(folder) as items:
            return any(
                item.name.endswith(CODE) or os.path.exists(os.path.join(item.path, "__init__.py")) for item in items
            )
        return False

    def _is_named(self, path: str, *, is_folder: bool) -> bool:
        """Return whether the build's files name an ignored file. What setuptools left in "build" is never meant."""
        name = os.path.relpath(path, self.project).replace(os.sep, "/")
        if is_folder and "/" not in name:
            is_named = name in self._folders or any(word.startswith(f"{name}/") for word in self._words)
            return is_named and not _is_output(path)
        return any(
            word == name
            or (inside(name, (stem := word.partition("*")[0].rstrip("/"),)) and "/" in word)
            or word.startswith(f"{name}/")
            or (not is_folder and stem != word and _fits(name, word))
            for word in self._words
        )

    def _named_above(self, base: str) -> Iterator[str]:
        """Yield the files and folders outside of the root that the build's files name: "../../VERSION"."""
        for word in sorted(self._words):
            places = [os.path.normpath(self.project / word)] if word.startswith("../") else []
            if "/" not in word:
                places = [str(above / word) for above in self.project.parents[:LEVELS_ABOVE]]
                places = [place for place in places if os.path.isfile(place)]
            for place in places:
                is_above = inside(str(self.project), (place,))
                if os.path.lexists(place) and not is_above and not inside(place, (base,)):
                    yield place

    def _follow(self, path: str) -> None:
        """Walk the target of a relative link that leads out of all parts."""
        place = target(path)
        is_known = inside(place, self.parts) or inside(str(self.project), (place,))
        if not os.path.isabs(os.readlink(path)) and not is_known and os.path.lexists(place):
            self.parts.append(place)


def _fits(name: str, pattern: str) -> bool:
    """Return whether the last part of a pattern with an ending, "static/*.js", is that of a file's name."""
    last = pattern.rpartition("/")[2]
    return last.strip("*") != "" and fnmatch.fnmatchcase(name.rpartition("/")[2], last)


def target(link: str) -> str:
    """Return where a link leads; the folder that holds it may itself be behind a link."""
    folder = os.path.realpath(os.path.dirname(link))
    return os.path.normpath(os.path.join(folder, os.readlink(link)))


def inside(path: str, folders: tuple[str, ...] | list[str]) -> bool:
    """Return whether a path is one of the folders, or below one."""
    return any(path == folder or path.startswith(folder.rstrip(os.sep) + os.sep) for folder in folders)


def _is_tagged(path: str) -> bool:
    """Return whether a folder says of itself that it is a cache."""
    with suppress(OSError), open(os.path.join(path, "CACHEDIR.TAG"), "rb") as tag:
        return tag.read(len(CACHE_TAG)) == CACHE_TAG
    return False


def _is_environment(path: str) -> bool:
    """Return whether a folder is a virtual environment with a Python in it."""
    pythons = ("bin/python", "Scripts/python.exe")
    has_python = any(os.path.lexists(os.path.join(path, python)) for python in pythons)
    return has_python and os.path.exists(os.path.join(path, "pyvenv.cfg"))


def _is_output(path: str) -> bool:
    """Return whether a folder is the one that setuptools builds in."""
    with suppress(OSError):
        return any(name.startswith(("lib", "bdist.", "temp.")) for name in os.listdir(path))
    return False
