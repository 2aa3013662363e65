"""From an environment that an installer has just filled to the packages of its distributions (see `packages`).

Nothing of the project or of a test has run in it yet. A distribution whose files are not what its RECORD says, that
shares a file with another, or whose scripts name their interpreter in a way that cannot be told, makes no package: the
installer is asked for it every time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.environments.package_cache import record
from venvgrid.environments.package_cache.bytecode import SOURCE_TIME, shares_bytecode
from venvgrid.environments.package_cache.cache import (
    PREFIX_PLACEHOLDER,
    CachedPackage,
    cache_folders,
    has_short_first_line,
)
from venvgrid.environments.package_cache.links import FileFacts, facts_of, write_new
from venvgrid.environments.package_cache.populate import Populated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvgrid.environments.package_cache.cache import PackageCache
    from venvgrid.environments.package_cache.record import InstalledFiles
    from venvgrid.model.environment import Distribution, Interpreter

FIRST_LINES = 3  # of a script, in which it says what runs it


class NotCacheableError(Exception):
    """A distribution makes no package; the message says why."""


def add_installed(
    packages: PackageCache,
    environment: Path,
    site: Path,
    python: Path,
    interpreter: Interpreter,
    wanted: Iterable[Distribution],
) -> Populated:
    """Make packages of the distributions that have none; gives what the environment shares with them now."""
    populated = Populated()
    there = record.distributions(site)
    shared = record.owned_twice(there)
    for distribution in wanted:
        place = packages.place(interpreter, distribution)
        found = there.get((distribution.name, distribution.version))
        exists = packages.find(interpreter, distribution) is not None  # made meanwhile, for another environment
        if exists or place is None or found is None or not shared.isdisjoint(found.files):
            continue
        with suppress(NotCacheableError, OSError):
            _Ingestion(packages, environment, site, python, interpreter).add_installed(
                found, distribution, place, populated
            )
    return populated


class _Ingestion:
    """Makes packages from one environment."""

    def __init__(
        self, packages: PackageCache, environment: Path, site: Path, python: Path, interpreter: Interpreter
    ) -> None:
        self.packages, self.environment, self.site, self.python = packages, environment, site, python
        self.interpreter = interpreter
        self.fixed_time = shares_bytecode(interpreter)
        self.prefix = site.relative_to(environment).as_posix() + "/"
        self.may_link = True

    def add_installed(
        self, found: InstalledFiles, distribution: Distribution, place: Path, populated: Populated
    ) -> None:
        """Make a package beside its place and move it there; what is left of a damaged one gives way."""
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=place.parent))
        try:
            unshared: list[str] = []
            self.may_link = self.packages.should_link(place, self.environment)
            outside = self._outside(found, partial)
            inside = self._inside(found, partial, unshared)
            site_files, script_files = cache_folders(place)
            for kept, made, files in zip(
                (site_files, script_files), cache_folders(partial), (inside, outside), strict=True
            ):
                for path in files:
                    made.seal(path)
                kept.seals.update(made.seals)
            package = CachedPackage(
                path=place,
                site=inside,
                outside=outside,
                compiled={},
                record=found.record,
                short=has_short_first_line(self.python),
                site_files=site_files,
                script_files=script_files,
            )
            self.packages.save(package, partial)
            self._move(partial, package, distribution)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        populated.packages[package.key] = package
        if self.may_link:
            populated.links[package.key] = unshared

    def _move(self, partial: Path, package: CachedPackage, distribution: Distribution) -> None:
        """Move a whole package to its place, in one step: another thread or process may be about to do the same."""
        for is_last in (False, True):
            try:
                partial.rename(package.path)
            except OSError:
                if is_last or self.packages.find(self.interpreter, distribution) is not None:
                    raise NotCacheableError("it was made meanwhile") from None
                self.packages.drop(package)  # what is there is none
            else:
                self.packages.register(package)
                return

    def _inside(self, found: InstalledFiles, partial: Path, unshared: list[str]) -> dict[str, FileFacts]:
        """Take what is in site-packages, as links where that may be; what is not one file goes into `unshared`."""
        facts = {}
        folders: set[Path] = set()
        for path, digest in found.files.items():
            if path.startswith("../"):
                continue  # see `_outside`
            if not record.is_inside(path):
                raise NotCacheableError(f"{path} leads out of the environment")
            source, target = str(self.site / path), partial / "site" / path
            if self.fixed_time and path.endswith(".py"):
                os.utime(source, (SOURCE_TIME, SOURCE_TIME))
            facts[path] = self._checked(source, digest)
            if target.parent not in folders:
                target.parent.mkdir(parents=True, exist_ok=True)
                folders.add(target.parent)
            if not (self.may_link and _try_link(source, str(target))):
                write_new(str(target), Path(source).read_bytes(), facts[path])
                unshared.append(path)
        return facts

    def _outside(self, found: InstalledFiles, partial: Path) -> dict[str, FileFacts]:
        """Take scripts and data; what differs between environments is left open."""
        facts = {}
        here = os.fsencode(self.environment)
        for path, digest in found.files.items():
            if not path.startswith("../"):
                continue
            name = record.below_environment(path, self.prefix.count("/"))
            if not name:
                raise NotCacheableError(f"{path} leads out of the environment")
            known = self._checked(str(self.environment / name), digest)
            content = (self.environment / name).read_bytes()
            target = partial / "outside" / name
            if not _is_relocatable(name, content, here):
                raise NotCacheableError(f"{name} names its interpreter in a way of its own")
            target.parent.mkdir(parents=True, exist_ok=True)
            opened = content.replace(here, PREFIX_PLACEHOLDER)
            write_new(str(target), opened, known)
            facts[name] = facts_of(str(target))
        return facts

    def _checked(self, path: str, digest: str) -> FileFacts:
        """Look at a file that RECORD lists."""
        if os.path.islink(path):  # noqa: PTH114
            raise NotCacheableError(f"{path} is a link")
        facts = facts_of(path)
        if digest and digest != facts.digest:
            raise NotCacheableError(f"{path} is not what RECORD says")
        return facts


def _is_relocatable(name: str, content: bytes, here: bytes) -> bool:
    """Whether a file outside of site-packages can be made for another environment."""
    if name.lower().endswith(".exe") or PREFIX_PLACEHOLDER in content:
        return False
    first = b"".join(content.splitlines(keepends=True)[:FIRST_LINES])
    return not content.startswith(b"#!") or here in first or not (b"python" in first or b"pypy" in first)


def _try_link(source: str, target: str) -> bool:
    try:
        os.link(source, target)
    except OSError:
        return False
    return True
