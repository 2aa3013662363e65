"""Inspects, verifies and prunes the user's cache.

Deleting is safe at any time, also during a run: an item disappears in one step, and what is needed is made again.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from venvgrid.environments.package_cache.links import facts_of
from venvgrid.storage import directories, json_cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from venvgrid.environments.package_cache.cache import CachedPackage, PackageCache

# What each folder holds, and how deep the things lie that can be deleted one by one.
PARTS = {
    "trees": ("installed distributions, shared with environments", 2),
    "projects": ("wheels of projects", 2),
    "resolutions": ("what resolvers answered", 1),
    "metadata": ("what projects declare", 1),
    "releases": ("what indexes have", 2),
    "tools": ("tools for old Pythons", 1),
    "downloads": ("what was downloaded", 1),
    "interpreters": ("interpreters seen", 1),
    "virtualenv": ("what virtualenv keeps", 1),
    "virtualenv-old": ("what virtualenv keeps, for old Pythons", 1),
    "stores": ("environments of projects whose path scripts cannot hold", 0),
}
DAY = 86_400.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePart:
    """A folder of the cache: its size in bytes, and how many things are in it."""

    name: str
    what: str
    things: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheItem:
    """What can be deleted by itself; `used` is when it was last used, in seconds since the epoch."""

    path: Path
    size: int
    used: float


def parts(folder: Path) -> list[CachePart]:
    """Give what is in the cache."""
    found = []
    for name, (what, depth) in PARTS.items():
        things = list(_items(folder / name, depth))
        size = sum(thing.size for thing in things)
        if things:
            found.append(CachePart(name=name, what=what, things=len(things), size=size))
    return found


def verify(folder: Path, packages: PackageCache) -> list[str]:
    """Read all that has a checksum or a format, and delete what is damaged; gives that, relative to the cache."""
    damaged = [_relative(path, folder) for path in _broken_packages(packages)]
    for name in ("resolutions", "releases", "interpreters"):
        for file in sorted((folder / name).rglob("*.json")):
            with suppress(OSError):
                try:
                    json_cache.load(file)
                except ValueError:
                    file.unlink()
                    damaged.append(_relative(file, folder))
    for name in ("projects", "metadata"):
        for wheel in sorted((folder / name).rglob("*.whl")):
            if not _is_whole(wheel):
                with suppress(OSError):
                    wheel.unlink()
                    damaged.append(_relative(wheel, folder))
    return damaged


def prune(folder: Path, *, now: float, days: float | None = None, most: int | None = None) -> tuple[int, int]:
    """Delete what was not used for so many days, then the longest unused until `most` bytes are left.

    Gives how many things were deleted, and their bytes.
    """
    things = [thing for name, (_, depth) in PARTS.items() for thing in _items(folder / name, depth) if depth]
    things.sort(key=lambda thing: thing.used)
    total, gone, freed = sum(thing.size for thing in things), 0, 0
    for thing in things:
        is_old = days is not None and now - thing.used > days * DAY
        is_much = most is not None and total - freed > most
        if (is_old or is_much) and _delete(thing.path):
            gone, freed = gone + 1, freed + thing.size
    return gone, freed


def _items(folder: Path, depth: int) -> Iterator[CacheItem]:
    with suppress(OSError):
        for path in folder.glob("/".join(["*"] * max(1, depth))):
            marker = path / "seals.json"
            with suppress(OSError):
                used = marker if marker.is_file() else path
                yield CacheItem(path=path, size=directories.size(path), used=used.lstat().st_mtime)


def _delete(path: Path) -> bool:
    """Delete in one step: whoever is about to use it finds all of it or nothing."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            trash = tempfile.mkdtemp(prefix=".partial-", dir=path.parent)
            path.rename(f"{trash}/gone")
            shutil.rmtree(trash, ignore_errors=True)
        else:
            path.unlink()
        return True
    return False


def _broken_packages(packages: PackageCache) -> Iterator[Path]:
    for place in sorted(packages.folder.glob("*/*")):
        if place.name.startswith(".partial-") or not place.is_dir():
            continue
        package = packages.by_key(f"{place.parent.name}/{place.name}")
        if package is None:
            if _delete(place):
                yield place
        elif not _is_intact(package):
            packages.drop(package)
            yield place


def _is_intact(package: CachedPackage) -> bool:
    """Whether every file of a package has the content that it had, whatever its times say."""
    for kept, files in (
        (package.site_files, package.site),
        (package.site_files, package.compiled),
        (package.script_files, package.outside),
    ):
        for path, facts in files.items():
            try:
                if facts_of(kept.base + path).digest != facts.digest:
                    return False
            except OSError:
                return False
    return True


def _is_whole(wheel: Path) -> bool:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, ValueError, EOFError):
        return False


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
