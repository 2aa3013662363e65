"""Adds the distributions of a new environment to the package cache, before any code of the project runs in it.

A distribution is not cached if a file differs from its RECORD, if it shares a file with another distribution, or if a
script names its interpreter in an unknown way. The installer is then asked for it every time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.environments.package_cache import record
from venvgrid.environments.package_cache.bytecode import SOURCE_TIME, shares_bytecode
from venvgrid.environments.package_cache.cache import (
    PREFIX_PLACEHOLDER,
    CachedPackage,
    cache_folders,
    has_short_first_line,
)
from venvgrid.environments.package_cache.copying import write_new
from venvgrid.environments.package_cache.facts import FileFacts, facts_of
from venvgrid.environments.package_cache.populate import Populated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from venvgrid.environments.package_cache.cache import PackageCache
    from venvgrid.environments.package_cache.record import InstalledFiles
    from venvgrid.model import Distribution, Interpreter

FIRST_LINES = 3  # of a script: those that may name its interpreter


class NotCacheableError(Exception):
    """A distribution cannot be cached; the message says why."""


def add_installed(
    packages: PackageCache,
    environment: Path,
    site: Path,
    python: Path,
    interpreter: Interpreter,
    wanted: Iterable[Distribution],
) -> Populated:
    """Cache the distributions that are not cached yet; return what the environment now shares with the cache."""
    populated = Populated()
    installed = record.distributions(site)
    ambiguous = record.owned_twice(installed)
    for distribution in wanted:
        place = packages.place(interpreter, distribution)
        found = installed.get((distribution.name, distribution.version))
        is_cached = packages.find(interpreter, distribution) is not None  # meanwhile, from another environment
        if is_cached or place is None or found is None or not ambiguous.isdisjoint(found.files):
            continue
        with suppress(NotCacheableError, OSError):
            _Ingestion(packages, environment, site, python, interpreter).add(found, place, populated)
    return populated


def keep(
    packages: PackageCache,
    partial: Path,
    place: Path,
    *,
    site: Mapping[str, FileFacts],
    outside: Mapping[str, FileFacts] = MappingProxyType({}),
    record: str = "",
    short: bool = False,
) -> CachedPackage:
    """Seal the files in the folder `partial`, make it the package at `place` in one step, and return that.

    Raises:
        NotCacheableError: another thread or process was quicker.
        OSError: a file cannot be written.
    """
    site_files, script_files = cache_folders(place)
    for target, source, files in zip((site_files, script_files), cache_folders(partial), (site, outside), strict=True):
        for path in files:
            source.seal(path)
        target.seals.update(source.seals)
    package = CachedPackage(
        path=place,
        site=site,
        outside=outside,
        compiled={},
        record=record,
        short=short,
        site_files=site_files,
        script_files=script_files,
    )
    packages.save(package, partial)
    for is_last in (False, True):
        try:
            partial.rename(place)
        except OSError:
            if is_last or packages.by_key(package.key) is not None:
                raise NotCacheableError("it was cached meanwhile") from None
            packages.drop(package)  # a damaged one
        else:
            packages.register(package)
            break
    return package


class _Ingestion:
    """Adds distributions of one environment to the cache."""

    def __init__(
        self, packages: PackageCache, environment: Path, site: Path, python: Path, interpreter: Interpreter
    ) -> None:
        self.packages, self.environment, self.site, self.python = packages, environment, site, python
        self.interpreter = interpreter
        self.fixed_time = shares_bytecode(interpreter)
        self.prefix = site.relative_to(environment).as_posix() + "/"
        self.may_link = True

    def add(self, found: InstalledFiles, place: Path, populated: Populated) -> None:
        """Build a package beside its place and move it there; it replaces a damaged one."""
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=place.parent))
        try:
            unshared: list[str] = []
            self.may_link = self.packages.should_link(place, self.environment)
            scripts = self._add_scripts(found, partial)
            site = self._add_site(found, partial, unshared)
            short = has_short_first_line(self.python)
            package = keep(self.packages, partial, place, site=site, outside=scripts, record=found.record, short=short)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        populated.packages.append(package.key)
        if self.may_link:
            populated.links[package.key] = unshared

    def _add_site(self, found: InstalledFiles, partial: Path, unshared: list[str]) -> dict[str, FileFacts]:
        """Link or copy the files of site-packages; add those that were copied to `unshared`."""
        facts = {}
        folders: set[Path] = set()
        for path, digest in found.files.items():
            if path.startswith("../"):
                continue  # see `_add_scripts`
            if not record.is_inside(path):
                raise NotCacheableError(f"{path} leads out of the environment")
            source, target = str(self.site / path), partial / "site" / path
            if self.fixed_time and path.endswith(".py"):
                os.utime(source, (SOURCE_TIME, SOURCE_TIME))
            facts[path] = self._verified(source, digest)
            if target.parent not in folders:
                target.parent.mkdir(parents=True, exist_ok=True)
                folders.add(target.parent)
            if not (self.may_link and _try_link(source, str(target))):
                write_new(str(target), Path(source).read_bytes(), facts[path])
                unshared.append(path)
        return facts

    def _add_scripts(self, found: InstalledFiles, partial: Path) -> dict[str, FileFacts]:
        """Copy scripts and data, with a placeholder for the path of the environment."""
        scripts = {}
        prefix = os.fsencode(self.environment)
        for path, digest in found.files.items():
            if not path.startswith("../"):
                continue
            name = record.below_environment(path, self.prefix.count("/"))
            if not name:
                raise NotCacheableError(f"{path} leads out of the environment")
            facts = self._verified(str(self.environment / name), digest)
            content = (self.environment / name).read_bytes()
            target = partial / "outside" / name
            if not _is_relocatable(name, content, prefix):
                raise NotCacheableError(f"{name} names its interpreter in a way of its own")
            target.parent.mkdir(parents=True, exist_ok=True)
            write_new(str(target), content.replace(prefix, PREFIX_PLACEHOLDER), facts)
            scripts[name] = facts_of(str(target))
        return scripts

    def _verified(self, path: str, digest: str) -> FileFacts:
        """Return the facts of a file that RECORD lists, if its digest is right."""
        if os.path.islink(path):  # noqa: PTH114
            raise NotCacheableError(f"{path} is a link")
        facts = facts_of(path)
        if digest and digest != facts.digest:
            raise NotCacheableError(f"{path} differs from its RECORD")
        return facts


def _is_relocatable(name: str, content: bytes, prefix: bytes) -> bool:
    """Return whether a file outside of site-packages can be rewritten for another environment."""
    if name.lower().endswith(".exe") or PREFIX_PLACEHOLDER in content:
        return False
    first = b"".join(content.splitlines(keepends=True)[:FIRST_LINES])
    return not content.startswith(b"#!") or prefix in first or not (b"python" in first or b"pypy" in first)


def _try_link(source: str, target: str) -> bool:
    try:
        os.link(source, target)
    except OSError:
        return False
    return True
