"""Compiled files of an environment between its uses: those of the package cache, and no others.

What tests leave in `__pycache__` is deleted, because it may be anything. The compiled files that venvgrid made of
verified sources are added again before the next use (see `package_cache.bytecode`). pytest's own, of plugins that it
rewrites, are not in the cache: they stay if the tests wrote no compiled file themselves, until they change.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.environments.manifest import MARKER
from venvgrid.environments.package_cache.links import DamagedError
from venvgrid.environments.package_cache.populate import make_folders

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from venvgrid.environments.package_cache.cache import CachedPackage, PackageCache

REWRITTEN = "-pytest-"  # in the name of a file that pytest compiled
OURS = ("__pycache__/_venvgrid_", "_venvgrid_")


def clean(path: Path, left_over: Iterable[str], *, is_plain: bool, is_used: bool) -> None:
    """Delete what is left over in the environment at `path`.

    After its use, the files of pytest stay if the tests are known to have written no compiled file themselves
    (`is_plain`). Before it, they stay if they have not changed since.
    """
    with suppress(OSError):
        accepted = os.lstat(path / MARKER).st_mtime_ns
        for name in left_over:
            place = f"{path}{os.sep}{name}"
            status = os.lstat(place)
            if REWRITTEN in name and (is_plain if is_used else status.st_ctime_ns <= accepted):
                continue
            if name.endswith("/"):
                shutil.rmtree(place, ignore_errors=True)
            else:
                with suppress(FileNotFoundError):  # another cell has deleted it
                    os.unlink(place)  # noqa: PTH108
        os.utime(path / MARKER)


def imported(left_over: Iterable[str], prefix: str) -> frozenset[str]:
    """Return the names of modules' compiled files, relative to site-packages, which is at `prefix`."""
    names = (name.removeprefix(prefix) for name in left_over if name.startswith(prefix) and name.endswith(".pyc"))
    return frozenset(name for name in names if REWRITTEN not in name and not name.startswith(OURS))


def add(site: Path, packages: Iterable[CachedPackage], linked: Iterable[str], cache: PackageCache) -> None:
    """Add the compiled files of packages that an environment lacks; `linked` are the packages whose files it shares."""
    shared, base = frozenset(linked), f"{site}{os.sep}"
    for package in packages:
        missing = {name: facts for name, facts in package.compiled.items() if not os.path.lexists(base + name)}
        if not missing:
            continue
        cache.turns.take()
        try:
            make_folders(base, missing)
            package.site_files.copy_or_link(base, missing, may_link=package.key in shared)
        except DamagedError:
            cache.drop(package)
        except OSError:  # without them imports are slower, nothing else
            continue
