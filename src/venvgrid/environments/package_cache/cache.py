"""The package cache: installed distributions in the user's cache, from which environments are populated.

The files that an installer made of a distribution are cached for its interpreter and hashes (see `ingest`). Later
environments get them file by file, without the installer (see `links` and `populate`). Compiled files are cached beside
them (see `bytecode`). A distribution is cached only if every file is what its RECORD says.

    trees/cpython-312-3.12.1-a1b2c3d4/numpy-2.2.6-HASH/tree.json    the list of its files
                                                       seals.json   ctime and link count of each verified file
                                                       site/…       files of site-packages, __pycache__ included
                                                       outside/…    scripts and data, with a placeholder for the prefix

A package with a missing or changed file is deleted, and the installer is asked again.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.environments.package_cache import seals
from venvgrid.environments.package_cache.copying import can_reflink
from venvgrid.environments.package_cache.facts import FileFacts, identity_of
from venvgrid.environments.package_cache.links import CacheFolder
from venvgrid.environments.package_cache.turns import Turns
from venvgrid.interpreters.identity import identity
from venvgrid.model.values import dataclass
from venvgrid.storage import digests, directories, json_cache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.environments.manifest import Links
    from venvgrid.model import Distribution, Interpreter

FORMAT = "venvgrid-tree-1"
PARTS = ("site", "outside", "compiled")
PREFIX_PLACEHOLDER = b"\0venvgrid: path of the environment\0"  # stands in cached scripts for their environment
LONGEST_FIRST_LINE = 127  # bytes of a script's "#!" line that every kernel reads
UNUSED_FOR = 30 * 86400.0  # seconds until an unused package is deleted
UNFINISHED_FOR = 86400.0  # seconds until a partial package of a killed process is deleted
SWEPT_EVERY = 86400.0  # seconds
# What was read of packages, with the identity of the file: caches of a folder that follow each other may share it.
Trees = dict[Path, tuple[tuple[int, ...], dict[str, Any]]]
COPIED = ".copied"  # a file beside a package: a test wrote into the package once, so it is copied, never linked


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedPackage:
    """A distribution for one interpreter. Paths are relative to the folders `site` and `outside`, with "/".

    `site_files` is the folder of the files in `site` and `compiled`, `script_files` that of the files in `outside`.
    """

    path: Path
    site: Mapping[str, FileFacts]
    outside: Mapping[str, FileFacts]
    compiled: Mapping[str, FileFacts]
    record: str
    short: bool  # its scripts name their interpreter in the "#!" line, where not every path fits
    site_files: CacheFolder
    script_files: CacheFolder

    @property
    def key(self) -> str:
        """KIND/NAME-VERSION-HASH."""
        return f"{self.path.parent.name}/{self.path.name}"

    def is_shared(self, name: str, site: Path) -> bool:
        """Return whether a file is the same file as the one of that name in an environment."""
        with suppress(OSError):
            return os.path.samefile(self.site_files.base + name, site / name)  # noqa: PTH121  (many)
        return False

    def is_intact(self, name: str, site: Path) -> bool:
        """Return whether a file of `site` is unchanged and shared with an environment."""
        return self.is_shared(name, site) and self.site_files.is_unchanged(name, self.site[name])

    def is_whole(self) -> bool:
        """Return whether all files that environments share are unchanged."""
        files = (*self.site.items(), *self.compiled.items())
        return all(self.site_files.is_unchanged(name, facts) for name, facts in files)


def cache_folders(path: Path) -> tuple[CacheFolder, CacheFolder]:
    """Return `site_files` and `script_files` of the package at `path`."""
    saved = str(path / seals.FILE)
    return (
        CacheFolder(base=f"{path}{os.sep}site{os.sep}", saved=seals.SavedSeals(saved, 0)),
        CacheFolder(base=f"{path}{os.sep}outside{os.sep}", saved=seals.SavedSeals(saved, 1)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageCache:
    """The packages of a user's cache. Safe for several threads and processes: a package appears in one step."""

    folder: Path
    known: dict[Path, CachedPackage] = field(default_factory=dict)
    touched: set[Path] = field(default_factory=set)  # packages whose seals are to be saved
    trees: Trees = field(default_factory=dict)
    reflinks: dict[int, bool] = field(default_factory=dict)  # by device: whether its file system shares blocks
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        """Make the turns of the folder."""
        object.__setattr__(self, "turns", Turns(self.folder))

    def find(self, interpreter: Interpreter, distribution: Distribution) -> CachedPackage | None:
        """Return the package of a distribution, or None if it is not cached."""
        path = self.place(interpreter, distribution)
        return None if path is None else self.known.get(path) or self._read(path)

    def by_key(self, key: str) -> CachedPackage | None:
        """Return the package of a key, or None if it is not cached."""
        path = self.folder / key
        return self.known.get(path) or self._read(path)

    def reload(self, key: str) -> CachedPackage | None:
        """Read a package again, or return None if it was deleted."""
        path = self.folder / key
        earlier = self.known.pop(path, None)
        current = self._read(path)
        if earlier is not None and current is not None:
            seals.add_later(current.site_files.seals, earlier.site_files.seals)
            current.site_files.written |= earlier.site_files.written
            current.site_files.in_use = earlier.site_files.in_use
        return current

    def place(self, interpreter: Interpreter, distribution: Distribution) -> Path | None:
        """Return the cache path of a distribution, or None if it has no hashes and cannot be cached."""
        if not distribution.hashes or distribution.direct:
            return None
        contents = [distribution.name, distribution.version, sorted(distribution.hashes)]
        name = f"{distribution.name}-{distribution.version}-{digests.of_json(contents, 20)}"
        return self.folder / kind_of(interpreter) / name

    def should_link(self, path: Path, environment: Path) -> bool:
        """Return whether an environment gets hard links to the files of the package at `path`.

        Both must be on one file system that cannot share blocks, and no test may have written into the package.
        """
        device = path.parent.stat().st_dev
        if device != environment.stat().st_dev or path.with_name(f"{path.name}{COPIED}").exists():
            return False
        if device not in self.reflinks:
            self.reflinks[device] = can_reflink(path.parent, environment)
        return not self.reflinks[device]

    def settle(self) -> None:
        """Save the seals of the packages that were used, for other processes and later runs."""
        while True:
            try:
                package = self.known.get(self.touched.pop())
            except KeyError:
                return
            if package is not None:
                package.site_files.learn()  # what others saved is not lost
                package.script_files.learn()
                seals.save(package.path, package.site_files.seals, package.script_files.seals)

    def share_seals(self) -> None:
        """Save the seals if other processes use the cache now: they need not read what this one has linked."""
        if self.turns.were_others_here():
            self.settle()

    def unlink(self, site: Path, links: Links) -> None:
        """Delete what an environment shares, before the rest of it is deleted; damaged packages are deleted too.

        So no other environment has to read these files again, and nothing that was written into them is lost sight of.
        `site` is its site-packages, `links` as in its marker.
        """
        owners: dict[str, CachedPackage] = {}
        for key, unshared in links.items():
            package = self.by_key(key)
            if package is not None:
                own = frozenset(unshared)
                owners.update({name: package for name in (*package.site, *package.compiled) if name not in own})
                self.touched.add(package.path)
        self.turns.take()
        left: dict[Path, tuple[CachedPackage, list[str]]] = {}
        start = len(str(site)) + 1
        with suppress(FileNotFoundError, NotADirectoryError):  # somebody has deleted it
            for folder, _, files, descriptor in os.fwalk(site):  # it follows no link
                prefix = f"{folder[start:]}/".lstrip("/")
                for file in files:
                    package = owners.pop(prefix + file, None)
                    if package is not None and not package.site_files.unlink(descriptor, file, prefix + file):
                        left.setdefault(package.path, (package, []))[1].append(prefix + file)
        for name, package in owners.items():  # tests deleted it, perhaps after they had written into it
            package.site_files.doubt(name)
            left.setdefault(package.path, (package, []))[1].append(name)
        for package, names in left.values():
            facts = {**package.site, **package.compiled}
            if not all(package.site_files.is_unchanged(name, facts[name]) for name in names):
                self.drop(package)

    def quarantine(self, key: str) -> None:
        """Delete a package into which a test wrote through a link; its successor is copied, never linked."""
        path = self.folder / key
        with suppress(OSError):
            path.with_name(f"{path.name}{COPIED}").touch()
        package = self.by_key(key)
        if package is not None:
            self.drop(package)

    def register(self, package: CachedPackage) -> None:
        """Note that a package is in its place."""
        self.known[package.path] = package
        self.touched.add(package.path)

    def save(self, package: CachedPackage, place: Path | None = None) -> None:
        """Save the list of a package's files in its own folder or in `place`.

        Raises:
            OSError: it cannot be written.
        """
        parts = {
            name: [[path, facts.size, facts.mtime, facts.mode, facts.digest] for path, facts in files.items()]
            for name, files in zip(PARTS, (package.site, package.outside, package.compiled), strict=True)
        }
        data = {"record": package.record, "short": package.short, **parts}
        json_cache.write((place or package.path) / "tree.json", data, format=FORMAT)
        if place is None:
            self.register(package)

    def drop(self, package: CachedPackage) -> None:
        """Delete a package; it disappears in one step."""
        self.known.pop(package.path, None)
        self.turns.take()
        directories.delete(package.path)

    def tidy(self, now: float) -> None:
        """Sweep once a day; `now` is seconds since the epoch."""
        stamp = self.folder / ".swept"
        with suppress(OSError):
            if stamp.exists() and 0 <= now - stamp.stat().st_mtime < SWEPT_EVERY:
                return
            stamp.touch()
            os.utime(stamp, (now, now))
            self.sweep(now)

    def sweep(self, now: float) -> None:
        """Delete packages that were unused for long, and partial ones that a killed process left."""
        with suppress(OSError):
            for place in self.folder.glob("*/*"):
                limit = UNFINISHED_FOR if place.name.startswith(".partial-") else UNUSED_FOR
                used = place / seals.FILE if (place / seals.FILE).is_file() else place
                if now - used.lstat().st_mtime > limit:
                    shutil.rmtree(place, ignore_errors=True)

    def _read(self, path: Path) -> CachedPackage | None:
        try:
            now = identity_of(str(file := path / "tree.json"))
            before, tree = self.trees.get(path, (None, {}))
            if now != before:
                data = json_cache.read(file, format=FORMAT)
                tree = {name: {row[0]: FileFacts._make(row[1:]) for row in data[name]} for name in PARTS}
                tree |= {"record": data["record"], "short": data["short"]}
                self.trees[path] = now, tree
        except (OSError, KeyError, TypeError, ValueError):
            return None
        site_files, script_files = cache_folders(path)
        package = CachedPackage(path=path, site_files=site_files, script_files=script_files, **tree)
        site_files.learn()
        script_files.learn()
        return self.known.setdefault(path, package)  # another thread may have read it meanwhile


def kind_of(interpreter: Interpreter) -> str:
    """Return a folder name that is unique to a build of an interpreter."""
    file = identity(interpreter.executable) or [interpreter.executable]
    build = [interpreter.executable, *file, interpreter.platform, interpreter.bits]
    build += [interpreter.free_threaded, interpreter.debug]
    name = interpreter.cache_tag or interpreter.implementation
    return f"{name}-{interpreter.version}-{digests.of_json(build, 20)[:8]}"


def has_short_first_line(python: Path) -> bool:
    """Return whether a "#!" line can hold this path; if not, installers write a line of shell instead."""
    text = os.fsencode(python)
    return b" " not in text and len(b"#!" + text + b"\n") <= LONGEST_FIRST_LINE
