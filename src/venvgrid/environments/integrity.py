"""Whether an environment is what it was: its own files by its manifest, those that it shares by their seals.

It is looked at before every use and after the tests of every cell, thousands of files each time, so each costs one call
of the system and little else.
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

    from venvgrid.environments.manifest import Manifest
    from venvgrid.environments.package_cache.cache import CachedPackage, PackageCache

Links = dict[str, list[str]]  # see `filling.Given`


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityReport:
    """What is to be seen in an environment.

    `changed` names files that are not as they were installed, relative to the environment; `poisoned` are the keys of
    the packages whose own files are among them; `compiled` names the compiled files, relative to site-packages.
    """

    changed: tuple[str, ...] = ()
    poisoned: frozenset[str] = frozenset()
    compiled: frozenset[str] = frozenset()


def check(
    path: Path, site: Path, manifest: Manifest, links: Mapping[str, list[str]], packages: PackageCache
) -> IntegrityReport:
    """Look at every file of an environment. Compiled files are its own business, but for those that it shares."""
    prefix = prefix_of(path, site)
    shared = {key: packages.by_key(key) for key in links}
    gone = [key for key, package in shared.items() if package is None]
    if gone:  # the cache was deleted: nobody can say whether the files are right
        return IntegrityReport(changed=tuple(gone), poisoned=frozenset(gone))
    walk = _Walk(site, {key: package for key, package in shared.items() if package}, links)
    walk.run()
    own = take(path, without=site) | {prefix + name: entry for name, entry in walk.own.items()}
    wrong, poisoned = walk.judge()
    return IntegrityReport(
        changed=tuple(sorted({prefix + name for name in wrong}.union(differences(manifest, own)))),
        poisoned=frozenset(poisoned),
        compiled=frozenset(walk.compiled),
    )


def still_shared(site: Path, links: Mapping[str, list[str]], packages: PackageCache) -> Links:
    """Give the links of an environment after something was installed into it: what is no longer shared is its own."""
    found = {}
    for key, unshared in links.items():
        package = packages.by_key(key)
        if package is not None:
            found[key] = [
                *unshared,
                *(name for name in package.site if name not in unshared and not package.is_intact(name, site)),
            ]
    return found


class _Walk:
    """One walk through site-packages. `expected` maps each file that is shared to the ctime that it is to have."""

    def __init__(self, site: Path, packages: Mapping[str, CachedPackage], links: Mapping[str, list[str]]) -> None:
        self.site, self.packages = site, packages
        self.own: Manifest = {}
        self.compiled: set[str] = set()
        self.doubtful: set[str] = set()  # shared files whose ctime is another one
        self.expected: dict[str, int] = {}
        self.optional: dict[str, int] = {}  # compiled files that may be shared
        for key, package in packages.items():
            ctimes = {name: seal[0] for name, seal in package.site_files.seals.items()}
            unshared = frozenset(links[key])
            self.expected.update({name: ctimes.get(name, 0) for name in package.site if name not in unshared})
            self.optional.update({name: ctimes.get(name, 0) for name in package.compiled})

    def run(self) -> None:
        """Look at every file once."""
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
                        self._other(name, prefix, item)
        if seen < len(self.expected):
            doubtful.update(name for name in self.expected if not os.path.lexists(base + name))

    def _other(self, name: str, prefix: str, item: os.DirEntry[str]) -> None:
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
        """Give the shared files that are not what they were, and the keys of the packages that were written into.

        A file that was deleted or replaced is the environment's loss alone. A compiled file that is no longer shared is
        no loss at all: Python has written a new one.
        """
        wrong, poisoned = set(), set()
        for key, package in self.packages.items():
            for name in self.doubtful:
                facts = package.site.get(name) or package.compiled.get(name)
                if facts is None:
                    continue
                is_shared = self._is_shared(package, name)
                if is_shared and not package.site_files.is_unchanged(name, facts):
                    poisoned.add(key)
                    wrong.add(name)
                elif not is_shared and name in package.site:
                    wrong.add(name)
        return wrong, poisoned

    def _is_shared(self, package: CachedPackage, name: str) -> bool:
        try:
            return os.path.samefile(package.site_files.base + name, self.site / name)  # noqa: PTH121  (a path as text is at hand)
        except OSError:
            return False
