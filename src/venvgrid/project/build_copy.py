"""The build copy: all that a build of the project can see, hashed while it is copied.

A build never runs in the checkout. `scan` lists and hashes the checkout; `Scan.copy` writes it into a folder and hashes
what it writes. Wheels are kept under the digest of what was copied.

    the repository that holds the project, else its folder, with names, contents, modes and links
    files above it that the build's files name, and the targets of links that lead out of it
    the history, where the build may read it

What git ignores is left out, unless it lies in a package (generated code) or the build's files name it. Bytecode and
what venvgrid itself owns are always left out.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.processes.parallel import mutex
from venvgrid.project import build_files, repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from venvgrid.project.repository import Repository

LEVELS_ABOVE = 3  # folders above the project in which files that the build names are looked for
CHUNK = 1 << 20
CACHE_TAG = b"Signature: 8a477f597d28d172789f06886806bc55"
MAX_LINKED = 10_000  # files behind an absolute link whose state is part of the digest


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder or link of the checkout; `mode` is that of `os.lstat`."""

    path: str
    mode: int


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What a build of the project can see. `root` is the folder that holds all `entries`."""

    project: Path
    root: Path
    entries: tuple[Entry, ...]
    parts: tuple[str, ...]  # the files and folders that were walked
    repository: Repository | None
    salt: bytes = b""  # of the variables that a build may read

    @cached_property
    def digest(self) -> str:
        """The digest of the checkout, as it is now."""
        return self._digest(None)

    def copy(self, target: Path) -> tuple[Path, str]:
        """Copy it below a new folder; return the copy of the project and the digest of what was written."""
        top = target / (self.root.name or "root")
        top.mkdir(parents=True)
        digest = self._digest(top)
        if self.repository is not None:
            self.repository.give_to(top / self.repository.root.relative_to(self.root))
        return top / self.project.relative_to(self.root), digest

    def _digest(self, target: Path | None) -> str:
        """Hash all entries; with a target, write what is hashed."""
        whole = hashlib.blake2b(self.salt, digest_size=16)
        if self.repository is not None and build_files.reads_history(self.project):
            whole.update(self.repository.history())
        for entry in self.entries:
            name = os.path.relpath(entry.path, self.project)
            copy = None if target is None else os.path.join(target, os.path.relpath(entry.path, self.root))
            content = self._content(entry, copy)
            head = f"{name}\0{entry.mode:o}\0{len(content)}\0"
            whole.update(head.encode("utf-8", "surrogateescape") + content)
        return whole.hexdigest()

    def _content(self, entry: Entry, copy: str | None) -> bytes:
        try:
            if stat.S_ISDIR(entry.mode):
                if copy is not None:
                    os.makedirs(copy, exist_ok=True)
                    os.chmod(copy, stat.S_IMODE(entry.mode) | stat.S_IRWXU)
                return b"folder"
            if copy is not None:
                os.makedirs(os.path.dirname(copy), exist_ok=True)
            if stat.S_ISLNK(entry.mode):
                return self._link(entry.path, copy)
            return _file(entry.path, copy) if stat.S_ISREG(entry.mode) else b"special"
        except OSError as error:
            return f"unreadable {error.errno}".encode()

    def _link(self, path: str, copy: str | None) -> bytes:
        """Make a link that leads where it led: to the copy if its target is in it."""
        text = os.readlink(path)
        is_inside = _inside(_target(path), self.parts)
        if copy is not None:
            kept = text
            if os.path.isabs(text) and is_inside:
                kept = os.path.relpath(_target(path), os.path.dirname(path))
            os.symlink(kept, copy)
        return os.fsencode(text) + (b"" if is_inside else _outside(_target(path)))


def scan(project: Path, environ: Mapping[str, str] = os.environ) -> Scan:
    """List what a build of the project can see."""
    here = Path(os.path.realpath(project))
    found = repository.find(here, environ)
    walk = _Walk(here, found)
    entries = walk.entries()
    salt = repr(build_files.variables(here, environ)).encode("utf-8", "surrogatepass")
    folders = [part if os.path.isdir(part) else os.path.dirname(part) for part in walk.parts]
    root = Path(os.path.commonpath([str(here), *folders]))
    return Scan(project=here, root=root, entries=entries, parts=tuple(walk.parts), repository=found, salt=salt)


@dataclass
class _Walk:
    """Collects the entries below the project's repository, and what they lead to."""

    project: Path
    repository: Repository | None
    parts: list[str] = field(default_factory=list)

    def entries(self) -> tuple[Entry, ...]:
        """Walk all parts; links add further ones."""
        self._words = build_files.words(self.project)
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
            return not self._is_named(item.path, is_folder=is_folder)
        return is_folder and _is_environment(item.path)

    def _in_repository(self, path: str) -> str:
        if self.repository is None or not _inside(path, (str(self.repository.root),)):
            return ""
        return os.path.relpath(path, self.repository.root).replace(os.sep, "/")

    def _is_in_package(self, folder: str) -> bool:
        """Return whether a folder or one above it, below the project, is an import package."""
        known = self._packages.get(folder)
        if known is None:
            above = os.path.dirname(folder)
            is_package = os.path.exists(os.path.join(folder, "__init__.py"))
            known = is_package or (above != folder and self._is_in_package(above))
            self._packages[folder] = known
        return known

    def _is_named(self, path: str, *, is_folder: bool) -> bool:
        """Return whether the build's files name an ignored file; one word that names a folder may be anything."""
        name = os.path.relpath(path, self.project).replace(os.sep, "/")
        if is_folder and "/" not in name:
            return any(word.startswith(f"{name}/") for word in self._words)
        return any(word == name or name.startswith(f"{word}/") or word.startswith(f"{name}/") for word in self._words)

    def _named_above(self, base: str) -> Iterator[str]:
        """Yield the files and folders outside of the root that the build's files name: "../../VERSION"."""
        for word in sorted(self._words):
            places = [os.path.normpath(self.project / word)] if word.startswith("../") else []
            if "/" not in word:
                places = [str(above / word) for above in self.project.parents[:LEVELS_ABOVE]]
                places = [place for place in places if os.path.isfile(place)]
            for place in places:
                is_above = _inside(str(self.project), (place,))
                if os.path.lexists(place) and not is_above and not _inside(place, (base,)):
                    yield place

    def _follow(self, path: str) -> None:
        """Walk the target of a relative link that leads out of all parts."""
        target = _target(path)
        is_known = _inside(target, self.parts) or _inside(str(self.project), (target,))
        if not os.path.isabs(os.readlink(path)) and not is_known and os.path.lexists(target):
            self.parts.append(target)


def _file(path: str, copy: str | None) -> bytes:
    """Hash a file; with a copy, write what is hashed."""
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as source:
        if copy is None:
            while data := source.read(CHUNK):
                digest.update(data)
            return digest.digest()
        with open(copy, "xb") as target:
            while data := source.read(CHUNK):
                digest.update(data)
                target.write(data)
        shutil.copystat(path, copy)
    return digest.digest()


def _target(link: str) -> str:
    """Return where a link leads; the folder that holds it may itself be behind a link."""
    folder = os.path.realpath(os.path.dirname(link))
    return os.path.normpath(os.path.join(folder, os.readlink(link)))


def _inside(path: str, folders: tuple[str, ...] | list[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip(os.sep) + os.sep) for folder in folders)


def _outside(path: str) -> bytes:
    """Return the state of what is not copied: of a file its content, of a folder names, sizes and times."""
    digest = hashlib.blake2b(digest_size=16)
    with suppress(OSError):
        if os.path.isfile(path):
            return _file(path, None)
        count = 0
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                count += 1
                status = os.lstat(os.path.join(folder, name))
                digest.update(f"{folder}\0{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode(errors="replace"))
            if count > MAX_LINKED:
                break
    return digest.digest()


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


@dataclass
class BuildSources:
    """The sources that all builds of a run work on: scanned once, and copied once when the first wheel is missing.

    `built` are the wheels that the run has made of them.
    """

    project: Path
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    built: set[Path] = field(default_factory=set)
    _lock: AbstractContextManager[object] = field(default_factory=mutex)
    _folder: Path | None = None

    @cached_property
    def _scan(self) -> Scan:
        return scan(self.project, self.environ)

    @cached_property
    def _copied(self) -> tuple[Path, str]:
        self._folder = Path(tempfile.mkdtemp(prefix="venvgrid-sources-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._scan.copy(self._folder / "copy")

    @property
    def digest(self) -> str:
        """The digest of the sources that builds get."""
        with self._lock:
            return self._copied[1] if self._folder else self._scan.digest

    def materialise(self, folder: Path) -> tuple[Path, str]:
        """Copy the sources into a new folder for one build; return the copy of the project and the digest."""
        with self._lock:
            project, digest = self._copied
            top = Path(str(self._folder), "copy")
        shutil.copytree(top, folder, symlinks=True)
        return folder / project.relative_to(top), digest

    def original(self, text: str, folder: Path) -> str:
        """Return a text of a build in `folder` with the places of the checkout in place of the copy's."""
        copy, root = folder / (self._scan.root.name or "root"), self._scan.root
        return text.replace(copy.as_uri(), root.as_uri()).replace(str(copy), str(root))
