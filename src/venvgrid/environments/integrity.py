"""Integrity check: compares an environment with its manifest, and its shared files with the package cache.

It runs before every use and after the tests of every cell, over thousands of files, so each costs one system call.

    file            compared with                 difference
    own             manifest (`entry_of`)         changed
    shared          seal of the cached file       still the same file, other content: changed, package poisoned
                    (ctime, then content)         deleted or replaced: changed
    compiled        seal, only where it is        still the same file, other content: changed, package poisoned
                    shared                        replaced by Python: no difference

States: an environment that is marked whole and has no difference is used. One with a difference is dropped, and every
poisoned package is quarantined (see `store`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from venvgrid.environments.manifest import COMPILED, differences, entry_of, take
from venvgrid.environments.venv_layout import prefix_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from venvgrid.environments.manifest import Links, Manifest
    from venvgrid.environments.package_cache.cache import CachedPackage, PackageCache


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityReport:
    """Result of an integrity check.

    `changed` names the files that are not as they were installed, relative to the environment. `poisoned` holds the
    keys of the packages whose cached files were written into. `compiled` names the compiled files, relative to
    site-packages.
    """

    changed: tuple[str, ...] = ()
    poisoned: frozenset[str] = frozenset()
    compiled: frozenset[str] = frozenset()


def check(path: Path, site: Path, manifest: Manifest, links: Links, packages: PackageCache) -> IntegrityReport:
    """Check every file of an environment. Compiled files may change, except those that are shared."""
    prefix = prefix_of(path, site)
    shared = {key: packages.by_key(key) for key in links}
    missing = [key for key, package in shared.items() if package is None]
    if missing:  # the cache was deleted: the shared files cannot be verified
        return IntegrityReport(changed=tuple(missing), poisoned=frozenset(missing))
    walk = _Walk(site, {key: package for key, package in shared.items() if package}, links)
    walk.run()
    own = take(path, without=site) | {prefix + name: entry for name, entry in walk.own.items()}
    changed, poisoned = walk.judge()
    return IntegrityReport(
        changed=tuple(sorted({prefix + name for name in changed}.union(differences(manifest, own)))),
        poisoned=frozenset(poisoned),
        compiled=frozenset(walk.compiled),
    )


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
        self.compiled: set[str] = set()
        self.doubtful: set[str] = set()  # shared files with another ctime
        self.expected: dict[str, int] = {}
        self.optional: dict[str, int] = {}  # compiled files that may be shared
        for key, package in packages.items():
            ctimes = {name: seal[0] for name, seal in package.site_files.seals.items()}
            unshared = frozenset(links[key])
            self.expected.update({name: ctimes.get(name, 0) for name in package.site if name not in unshared})
            self.optional.update({name: ctimes.get(name, 0) for name in package.compiled})

    def run(self) -> None:
        """Visit every file once."""
        base, expected, doubtful, seen = f"{self.site}{os.sep}", self.expected.get, self.doubtful, 0
        pending = [""]
        while pending:
            prefix = pending.pop()
            with os.scandir(base + prefix) as entries:
                for item in entries:
                    name = prefix + item.name
                    ctime = expected(name)
                    if ctime is not None:
                        seen += 1
                        if item.stat(follow_symlinks=False).st_ctime_ns != ctime:
                            doubtful.add(name)
                    elif item.is_dir(follow_symlinks=False):
                        pending.append(f"{name}/")
                    else:
                        self._visit_own(name, prefix, item)
        if seen < len(self.expected):
            doubtful.update(name for name in self.expected if not os.path.lexists(base + name))

    def _visit_own(self, name: str, prefix: str, item: os.DirEntry[str]) -> None:
        if name.endswith(COMPILED):
            self.compiled.add(name)
            ctime = self.optional.get(name)
            if ctime is not None and item.stat(follow_symlinks=False).st_ctime_ns != ctime:
                self.doubtful.add(name)
        elif item.is_symlink():
            self.own[name] = [os.readlink(item.path)]  # noqa: PTH115  (a path as text is at hand)
        elif not prefix.endswith("__pycache__/"):
            self.own[name] = entry_of(item.stat(follow_symlinks=False))

    def judge(self) -> tuple[set[str], set[str]]:
        """Return the shared files that changed, and the keys of the packages that were written into.

        A deleted or replaced file is a change of this environment alone. A compiled file that is no longer shared is
        no change: Python has written a new one.
        """
        changed, poisoned = set(), set()
        for key, package in self.packages.items():
            for name in self.doubtful:
                facts = package.site.get(name) or package.compiled.get(name)
                if facts is None:
                    continue
                is_shared = package.is_shared(name, self.site)
                if is_shared and not package.site_files.is_unchanged(name, facts):
                    poisoned.add(key)
                    changed.add(name)
                elif not is_shared and name in package.site:
                    changed.add(name)
        return changed, poisoned
