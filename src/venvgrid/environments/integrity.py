"""Integrity check: compares an environment with its manifest, and its shared files with the package cache.

It runs before every use and after the tests of every cell, over thousands of files, so each costs one system call.

    file            compared with                 difference
    own             manifest (`entry_of`)         changed
    shared          seal of the cached file       still the same file, other content: changed, package poisoned
                    (ctime, then content)         written and restored while in use: the same
                                                  deleted or replaced: changed
                                                  package no longer cached: changed, package poisoned
    compiled        seal, only where it is        still the same file, other content: changed, package poisoned
                    shared                        replaced by Python: left over
    in __pycache__  nothing                       left over

States: an environment that is marked whole and has no difference is used. One with a difference is dropped, and every
poisoned package is quarantined (see `store`).
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from venvgrid.environments.compiled import imported
from venvgrid.environments.manifest import EMPTY_FOLDER, differences, entry_of, is_empty, is_left_over, take
from venvgrid.environments.package_cache.facts import has_facts
from venvgrid.environments.venv_layout import prefix_of
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from venvgrid.environments.manifest import Links, Manifest
    from venvgrid.environments.package_cache.cache import CachedPackage, PackageCache
    from venvgrid.environments.package_cache.turns import Turns


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityReport:
    """Result of an integrity check.

    `changed` names the files that are not as they were installed, relative to the environment. `poisoned` holds the
    keys of the packages whose cached files were written into. `left_over` names compiled files and all else in
    `__pycache__` that is not shared, relative to the environment; a folder ends with "/". `imported` are the
    compiled modules among them, relative to site-packages.
    """

    changed: tuple[str, ...] = ()
    poisoned: frozenset[str] = frozenset()
    left_over: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()


def check(path: Path, site: Path, manifest: Manifest, links: Links, packages: PackageCache) -> IntegrityReport:
    """Check every file of an environment. Compiled files may come and go; those that are shared may not change."""
    if link := link_above(path, site):  # behind it are files of somebody else
        return IntegrityReport(changed=(link,))
    prefix = prefix_of(path, site)
    shared = {key: packages.by_key(key) for key in links}
    missing = [key for key, package in shared.items() if package is None]
    if missing:  # the cache was deleted: the shared files cannot be verified
        return IntegrityReport(changed=tuple(missing), poisoned=frozenset(missing))
    walk = _Walk(site, {key: package for key, package in shared.items() if package}, links)
    walk.run()
    left_over: set[str] = set()
    own = take(path, without=site, left_over=left_over) | {prefix + name: entry for name, entry in walk.own.items()}
    changed, poisoned = walk.judge(packages.turns)
    all_left = left_over.union(prefix + name for name in walk.left_over)
    return IntegrityReport(
        changed=tuple(sorted({prefix + name for name in changed}.union(differences(manifest, own)))),
        poisoned=frozenset(poisoned),
        left_over=frozenset(all_left),
        imported=imported(all_left, prefix),
    )


def link_above(path: Path, site: Path) -> str:
    """Return which folder between an environment and its site-packages is a link, relative to it, or ""."""
    names = [site, *(folder for folder in site.parents if path in folder.parents)]
    return next((folder.relative_to(path).as_posix() for folder in reversed(names) if folder.is_symlink()), "")


def still_shared(site: Path, links: Links, packages: PackageCache) -> Links:
    """Return the links of an environment after an installation into it: files that it replaced are its own."""
    found = {}
    for key, unshared in links.items():
        package = packages.by_key(key)
        if package is not None:
            replaced = (name for name in package.site if name not in unshared and not package.is_intact(name, site))
            found[key] = [*unshared, *replaced]
    return found


class _Walk:
    """A walk through site-packages. `expected` maps each shared file to the ctime of its seal."""

    def __init__(self, site: Path, packages: Mapping[str, CachedPackage], links: Links) -> None:
        self.site, self.packages = site, packages
        self.own: Manifest = {}
        self.left_over: set[str] = set()
        self.doubtful: set[str] = set()  # shared files with another ctime
        self.expected: dict[str, int] = {}
        self.optional: dict[str, int] = {}  # compiled files that may be shared
        for key, package in packages.items():
            ctimes = {name: seal[0] for name, seal in package.site_files.seals.copy().items()}  # builds add to them
            unshared = frozenset(links[key])
            self.expected.update({name: ctimes.get(name, 0) for name in package.site if name not in unshared})
            self.doubtful.update(package.site_files.written)
            self.optional.update({name: ctimes.get(name, 0) for name in package.compiled})

    def run(self) -> None:
        """Visit every file once."""
        base, expected, doubtful, seen = f"{self.site}{os.sep}", self.expected.get, self.doubtful, 0
        pending = [""]
        while pending:
            prefix = pending.pop()
            items = _entries(base + prefix)
            sources = {item.name for item in items if item.name.endswith(".py")}
            for item in items:
                name = prefix + item.name
                ctime = expected(name)
                if ctime is not None:
                    seen += 1
                    if item.stat(follow_symlinks=False).st_ctime_ns != ctime:
                        doubtful.add(name)
                elif is_left_over(name, item.name, sources):
                    self._visit_compiled(name, item)
                elif item.is_dir(follow_symlinks=False):
                    pending.append(f"{name}/")
                else:
                    self._visit_own(name, item)
            if is_empty(prefix, items):
                self.own[prefix] = EMPTY_FOLDER
        if seen < len(self.expected):
            doubtful.update(name for name in self.expected if not os.path.lexists(base + name))

    def _visit_compiled(self, name: str, item: os.DirEntry[str]) -> None:
        ctime = self.optional.get(name)
        if ctime is None:
            self.left_over.add(f"{name}/" if item.is_dir(follow_symlinks=False) else name)
        elif item.stat(follow_symlinks=False).st_ctime_ns != ctime:
            self.doubtful.add(name)

    def _visit_own(self, name: str, item: os.DirEntry[str]) -> None:
        if item.is_symlink():
            self.own[name] = [os.readlink(item.path)]  # noqa: PTH115  (a path as text is at hand)
        else:
            self.own[name] = entry_of(item.stat(follow_symlinks=False))

    def judge(self, turns: Turns) -> tuple[set[str], set[str]]:
        """Return the shared files that changed, and the keys of the packages that were written into.

        A deleted or replaced file is a change of this environment alone, if it still shares others of the package.
        Else the package was dropped meanwhile, perhaps because tests elsewhere wrote into it: this file may be theirs.
        A compiled file that is no longer shared is left over: Python has written a new one. If other processes used
        the cache meanwhile, they may have moved ctimes or deleted cached files; then the content alone decides.
        """
        changed, poisoned = set(), set()
        shares_any = functools.cache(self._shares_any)  # asked for each of its files, which may be thousands
        for key, package in self.packages.items():
            for name in self.doubtful:
                facts = package.site.get(name) or package.compiled.get(name)
                if facts is None:
                    continue
                is_shared = package.is_shared(name, self.site)
                files = package.site_files
                if is_shared and not (
                    files.is_unchanged(name, facts) and (name not in files.written or turns.were_others_here())
                ):
                    poisoned.add(key)
                    changed.add(name)
                elif not is_shared and name in self.expected:
                    files.doubt(name)  # who deletes a file may have written into it before
                    if not (turns.were_others_here() and has_facts(f"{self.site}{os.sep}{name}", facts)):
                        changed.add(name)
                        if not shares_any(key):
                            poisoned.add(key)
                elif not is_shared and name in package.compiled and os.path.lexists(self.site / name):
                    self.left_over.add(name)
        return changed, poisoned

    def _shares_any(self, key: str) -> bool:
        package = self.packages[key]
        return any(name in self.expected and package.is_shared(name, self.site) for name in package.site)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Return the entries of a folder; none if it is gone: then its files are missing."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
