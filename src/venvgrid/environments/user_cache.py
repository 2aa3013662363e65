"""Inspects, verifies and prunes the user's cache.

Deleting is safe at any time, also during a run: an item disappears in one step, and is made again when needed.
"""

from __future__ import annotations

import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.environments.package_cache.facts import facts_of
from venvgrid.environments.package_cache.turns import Turns
from venvgrid.model.values import dataclass
from venvgrid.storage import directories, json_cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from venvgrid.environments.package_cache.cache import CachedPackage, PackageCache

# Content of each folder, and the depth of the items that can be deleted one by one.
PARTS = {
    "trees": ("installed distributions and venvgrid's own modules, shared with environments", 2),
    "projects": ("wheels of projects", 2),
    "resolutions": ("answers of resolvers", 1),
    "metadata": ("metadata of projects", 1),
    "releases": ("releases that indexes list", 2),
    "tools": ("tools for old Pythons", 1),
    "downloads": ("downloads", 1),
    "interpreters": ("interpreters seen", 1),
    "virtualenv": ("files of virtualenv", 1),
    "virtualenv-old": ("files of virtualenv, for old Pythons", 1),
    "stores": ("environments of projects whose path scripts cannot hold", 0),
}
DAY = 86_400.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePart:
    """A folder of the cache: the number of its items, and their size in bytes."""

    name: str
    description: str
    items: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheItem:
    """An item that can be deleted by itself; `used` is the time of its last use, in seconds since the epoch."""

    path: Path
    size: int
    used: float


def parts(folder: Path) -> list[CachePart]:
    """Return the folders of the cache that hold something."""
    return [
        CachePart(name=name, description=description, items=len(items), size=sum(item.size for item in items))
        for name, (description, depth) in PARTS.items()
        if (items := list(_items(folder / name, depth)))
    ]


def verify(folder: Path, packages: PackageCache) -> list[str]:
    """Verify all files with a checksum or a format; delete and return the damaged ones, relative to the cache."""
    damaged = list(_broken_packages(packages))
    for name in ("resolutions", "releases", "interpreters"):
        for file in sorted((folder / name).rglob("*.json")):
            with suppress(OSError):
                try:
                    json_cache.load(file)
                except ValueError:
                    file.unlink()
                    damaged.append(file)
    for name in ("projects", "metadata"):
        for wheel in sorted((folder / name).rglob("*.whl")):
            if not _is_whole(wheel):
                with suppress(OSError):
                    wheel.unlink()
                    damaged.append(wheel)
    return [path.relative_to(folder).as_posix() for path in damaged]


def prune(folder: Path, *, now: float, days: float | None = None, max_size: int | None = None) -> tuple[int, int]:
    """Delete the items that were unused for `days`, then the longest unused until `max_size` bytes are left.

    Return the number of deleted items and their bytes.
    """
    items = [item for name, (_, depth) in PARTS.items() for item in _items(folder / name, depth) if depth]
    items.sort(key=lambda item: item.used)
    total, deleted, freed = sum(item.size for item in items), 0, 0
    if items:
        Turns(folder / "trees").take()
    for item in items:
        is_old = days is not None and now - item.used > days * DAY
        is_over = max_size is not None and total - freed > max_size
        if (is_old or is_over) and directories.delete(item.path):
            deleted, freed = deleted + 1, freed + item.size
    return deleted, freed


def _items(folder: Path, depth: int) -> Iterator[CacheItem]:
    with suppress(OSError):
        for path in folder.glob("/".join(["*"] * max(1, depth))):
            marker = path / "seals.json"
            with suppress(OSError):
                used = marker if marker.is_file() else path
                yield CacheItem(path=path, size=directories.size(path), used=used.lstat().st_mtime)


def _broken_packages(packages: PackageCache) -> Iterator[Path]:
    for place in sorted(packages.folder.glob("*/*")):
        if place.name.startswith(".partial-") or not place.is_dir():
            continue
        package = packages.by_key(f"{place.parent.name}/{place.name}")
        if package is None:
            if directories.delete(place):
                yield place
        elif not _is_intact(package):
            packages.drop(package)
            yield place


def _is_intact(package: CachedPackage) -> bool:
    """Return whether every file of a package has its recorded content; times and seals are not believed."""
    files = {
        package.site_files.base + path: facts for path, facts in (*package.site.items(), *package.compiled.items())
    }
    files |= {package.script_files.base + path: facts for path, facts in package.outside.items()}
    with suppress(OSError):
        return all(facts_of(path).digest == facts.digest for path, facts in files.items())
    return False


def _is_whole(wheel: Path) -> bool:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, ValueError, EOFError):
        return False
