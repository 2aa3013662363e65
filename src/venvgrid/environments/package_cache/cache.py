"""Distributions as they are installed, kept once in the user's cache and put into every environment that has them.

What the installer made of a distribution in one environment is kept as a tree of files, for this interpreter and these
hashes, and later environments get it file by file, without the installer: see `cloning`. With it are kept its compiled
files (see `bytecode`). A distribution is kept only if every file is what its RECORD says (see `harvest`).

    trees/cpython-312-3.12.1-a1b2c3d4/numpy-2.2.6-HASH/tree.json    what is in it
                                                       seals.json   how each file was when it was last known to be right
                                                       site/…       what goes into site-packages, __pycache__ too
                                                       outside/…    scripts and data; scripts without their environment

A tree in which anything is missing or different is deleted, and the installer is asked again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.environments.package_cache.links import CacheFolder, FileFacts, can_reflink
from venvgrid.interpreters.identity import identity
from venvgrid.storage.atomic import read_sealed, write_sealed, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.model.environment import Distribution, Interpreter

FORMAT = "venvgrid-tree-1"
PARTS = ("site", "outside", "compiled")
PREFIX_PLACEHOLDER = b"\0venvgrid: path of the environment\0"  # stands in scripts for what differs between environments
LONGEST_FIRST_LINE = 127  # bytes of a script's "#!" line that every kernel reads
UNUSED_FOR = 30 * 86400.0  # seconds after which a tree that nothing used is deleted
UNFINISHED_FOR = 86400.0
SWEPT_EVERY = 86400.0
COPIED = ".copied"  # beside a tree: a test wrote into it once, so it is no longer linked


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedPackage:
    """One distribution for one interpreter. Paths are relative to `site` and `outside`, and written with "/".

    `inner` keeps the files of `site` and `compiled`, `outer` those of `outside`.
    """

    path: Path
    site: Mapping[str, FileFacts]
    outside: Mapping[str, FileFacts]
    compiled: Mapping[str, FileFacts]
    record: str
    short: bool  # whether its scripts name their interpreter in the "#!" line: not every path fits there
    inner: CacheFolder
    outer: CacheFolder

    @property
    def key(self) -> str:
        """Its name: KIND/NAME-VERSION-HASH."""
        return f"{self.path.parent.name}/{self.path.name}"

    def is_intact(self, name: str, site: Path) -> bool:
        """Whether one of its files is what it was, and one with the file of that name in an environment."""
        facts = self.site.get(name) or self.compiled.get(name)
        with suppress(OSError):
            return (
                facts is not None
                and os.path.samefile(self.inner.base + name, site / name)  # noqa: PTH121  (many)
                and self.inner.is_unchanged(name, facts)
            )
        return False

    def is_whole(self) -> bool:
        """Whether all files that environments share are what they were."""
        files = (*self.site.items(), *self.compiled.items())
        return all(self.inner.is_unchanged(name, facts) for name, facts in files)


def keeper(path: Path) -> tuple[CacheFolder, CacheFolder]:
    """Give what keeps the files of the tree at `path`: `inner` and `outer`."""
    return CacheFolder(base=f"{path}{os.sep}site{os.sep}"), CacheFolder(base=f"{path}{os.sep}outside{os.sep}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageCache:
    """The trees of a user's cache. Used by several threads and processes at once: trees only ever appear whole."""

    folder: Path
    known: dict[Path, CachedPackage] = field(default_factory=dict)
    touched: set[Path] = field(default_factory=set)  # trees whose seals are to be written down
    reflinks: dict[int, bool] = field(default_factory=dict)  # whether the file system of a device shares blocks

    def find(self, interpreter: Interpreter, distribution: Distribution) -> CachedPackage | None:
        """Give the tree of a distribution; None if there is none."""
        path = self.place(interpreter, distribution)
        return None if path is None else self.known.get(path) or self._read(path)

    def by_key(self, key: str) -> CachedPackage | None:
        """Give the tree of that key; None if there is none."""
        path = self.folder / key
        return self.known.get(path) or self._read(path)

    def reload(self, tree: CachedPackage) -> CachedPackage | None:
        """Give a tree as it is now; None if it was deleted."""
        earlier = self.known.pop(tree.path, None)
        current = self._read(tree.path)
        if earlier is not None and current is not None:
            current.inner.seals.update(earlier.inner.seals)
        return current

    def place(self, interpreter: Interpreter, distribution: Distribution) -> Path | None:
        """Give where the tree of a distribution is or would be; None for what is not told by hashes what it is."""
        if not distribution.hashes or distribution.direct:
            return None
        contents = [distribution.name, distribution.version, sorted(distribution.hashes)]
        name = f"{distribution.name}-{distribution.version}-{_digest(contents)}"
        return self.folder / kind_of(interpreter) / name

    def should_link(self, path: Path, environment: Path) -> bool:
        """Whether the files of the tree at `path` are to be one with those of an environment.

        Both have to be on one file system, and it cannot share blocks; and no test has ever written into the tree.
        """
        device = path.parent.stat().st_dev
        if device != environment.stat().st_dev or path.with_name(f"{path.name}{COPIED}").exists():
            return False
        if device not in self.reflinks:
            self.reflinks[device] = can_reflink(path.parent, environment)
        return not self.reflinks[device]

    def settle(self) -> None:
        """Write down, for later runs, how the files of the trees that were used are when they are right."""
        while self.touched:
            tree = self.known.get(self.touched.pop())
            if tree is not None:
                with suppress(OSError):
                    write_whole(tree.path / "seals.json", json.dumps([tree.inner.seals, tree.outer.seals]))

    def quarantine(self, key: str) -> None:
        """Delete a tree into which a test wrote through a link; when it is made again, it is copied, never linked."""
        path = self.folder / key
        with suppress(OSError):
            path.with_name(f"{path.name}{COPIED}").touch()
        tree = self.by_key(key)
        if tree is not None:
            self.drop(tree)

    def take_in(self, tree: CachedPackage) -> None:
        """Know a tree that is in its place now."""
        self.known[tree.path] = tree
        self.touched.add(tree.path)

    def save(self, tree: CachedPackage, place: Path | None = None) -> None:
        """Write down what is in a tree, in its own folder or in `place`.

        Raises:
            OSError: it cannot be written.
        """
        parts = {
            name: [[path, facts.size, facts.mtime, facts.mode, facts.digest] for path, facts in files.items()]
            for name, files in zip(PARTS, (tree.site, tree.outside, tree.compiled), strict=True)
        }
        data = {"format": FORMAT, "record": tree.record, "short": tree.short, **parts}
        write_sealed((place or tree.path) / "tree.json", json.dumps(data))
        if place is None:
            self.take_in(tree)

    def drop(self, tree: CachedPackage) -> None:
        """Delete a tree: it is out of the way at once."""
        self.known.pop(tree.path, None)
        with suppress(OSError):
            trash = Path(tempfile.mkdtemp(prefix=".partial-", dir=tree.path.parent))
            tree.path.rename(trash / "tree")
            shutil.rmtree(trash, ignore_errors=True)

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
        """Delete what was not used for long, and what was being made or deleted when its process was killed."""
        with suppress(OSError):
            for place in self.folder.glob("*/*"):
                limit = UNFINISHED_FOR if place.name.startswith(".partial-") else UNUSED_FOR
                used = place / "seals.json" if (place / "seals.json").is_file() else place
                if now - used.lstat().st_mtime > limit:
                    shutil.rmtree(place, ignore_errors=True)

    def _read(self, path: Path) -> CachedPackage | None:
        try:
            data = json.loads(read_sealed(path / "tree.json"))
            if data["format"] != FORMAT:
                return None
            parts = {name: {row[0]: FileFacts(*row[1:]) for row in data[name]} for name in PARTS}
            inner, outer = keeper(path)
            tree = CachedPackage(
                path=path, record=data["record"], short=data["short"], inner=inner, outer=outer, **parts
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        with suppress(OSError, ValueError, TypeError, AttributeError):
            known = json.loads((path / "seals.json").read_text(encoding="utf-8"))
            for kept, seals in zip((inner, outer), known, strict=True):
                kept.seals.update({name: (ctime, names) for name, (ctime, names) in seals.items()})
        return self.known.setdefault(path, tree)  # another thread may have read it meanwhile


def kind_of(interpreter: Interpreter) -> str:
    """Name an interpreter so that everything that is installed or compiled for it is good for no other build."""
    build = [interpreter.executable, *identity(interpreter.executable), interpreter.platform, interpreter.bits]
    build += [interpreter.free_threaded, interpreter.debug]
    return f"{interpreter.cache_tag or interpreter.implementation}-{interpreter.version}-{_digest(build)[:8]}"


def has_short_first_line(python: Path) -> bool:
    """Whether a script can name this interpreter in its "#!" line; else installers write a shell's line or two."""
    text = os.fsencode(python)
    return b" " not in text and len(b"#!" + text + b"\n") <= LONGEST_FIRST_LINE


def _digest(data: object) -> str:
    return hashlib.blake2b(json.dumps(data).encode(), digest_size=10).hexdigest()
