"""The build copy: all that a build of the project can see, hashed while it is copied.

A build never runs in the checkout. `scan` lists and hashes the checkout; `Scan.copy` writes it into a folder and hashes
what it writes. Wheels are kept under the digest of what was copied.

    the repository that holds the project, else its folder, with names, contents, modes and links
    files above it that the build's files name, and the targets of links that lead out of it
    the history, where the build may read it

See `build_scope` for what is left out.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import weakref
from contextlib import suppress
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass
from venvgrid.processes.parallel import mutex
from venvgrid.project import build_files, repository
from venvgrid.project.build_scope import Walk, inside, target

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from venvgrid.project.build_scope import Entry
    from venvgrid.project.repository import Repository

CHUNK = 1 << 20
MAX_LINKED = 10_000  # files behind an absolute link whose state is part of the digest


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
        is_inside = inside(target(path), self.parts)
        if copy is not None:
            kept = text
            if os.path.isabs(text) and is_inside:
                kept = os.path.relpath(target(path), os.path.dirname(path))
            os.symlink(kept, copy)
        return os.fsencode(text) + (b"" if is_inside else _outside(target(path)))


def scan(project: Path, environ: Mapping[str, str] = os.environ, known: tuple[Path, ...] = ()) -> Scan:
    """List what a build of the project can see. `known` are projects whose build requires this one."""
    here = Path(os.path.realpath(project))
    found = repository.find(here, environ)
    walk = Walk(here, found)
    entries = walk.entries()
    required = [_required(place, environ, (*known, here)) for place in build_files.local_requirements(here)]
    salt = repr((build_files.variables(here, environ), *required)).encode("utf-8", "surrogatepass")
    folders = [part if os.path.isdir(part) else os.path.dirname(part) for part in walk.parts]
    root = Path(os.path.commonpath([str(here), *folders]))
    return Scan(project=here, root=root, entries=entries, parts=tuple(walk.parts), repository=found, salt=salt)


def _required(place: Path, environ: Mapping[str, str], known: tuple[Path, ...]) -> str:
    """Return the state of a file or folder that a build requires."""
    real = Path(os.path.realpath(place))
    if real in known:
        return ""
    return scan(real, environ, known).digest if real.is_dir() else _outside(str(real)).hex()


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
