"""`venvgrid cache`: what is in the user's cache, whether it is what it was, and less of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from venvgrid.config.values import BadValueError, size
from venvgrid.environments import user_cache
from venvgrid.environments.package_cache.cache import PackageCache
from venvgrid.model import ExitStatus, UsageError
from venvgrid.storage import directories

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal

MEGABYTE = 1_000_000


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Perform the action and return the exit status, 1 if damage was found and removed."""
    folder = directories.cache_folder(terminal.environ)
    if not folder.is_dir():
        terminal.data(f"{folder}: there is no cache yet")
        return 0
    directories.check_owner(folder)
    if arguments.action == "verify":
        damaged = user_cache.verify(folder, PackageCache(folder=folder / "trees"))
        for name in damaged:
            terminal.data(f"damaged, and removed: {name}")
        terminal.message(f"{folder}: {len(damaged) or 'nothing'} damaged")
        return ExitStatus.TESTS_FAILED if damaged else ExitStatus.PASSED
    if arguments.action == "prune":
        return _prune(arguments, terminal)
    found = user_cache.parts(folder)
    terminal.data(f"{folder}")
    for part in found:
        terminal.data(f"{part.size / MEGABYTE:10,.1f} MB  {part.items:6,}  {part.name}: {part.description}")
    terminal.data(f"{sum(part.size for part in found) / MEGABYTE:10,.1f} MB in all")
    return 0


def _prune(arguments: argparse.Namespace, terminal: Terminal) -> int:
    try:
        most = size(arguments.max_size) if arguments.max_size else None
    except BadValueError as error:
        raise UsageError(f"--max-size: {error}") from None
    days = arguments.older_than if arguments.older_than is not None or most is not None else 30
    folder = directories.cache_folder(terminal.environ)
    gone, freed = user_cache.prune(folder, now=time.time(), days=days, max_size=most)
    terminal.message(f"{folder}: {gone:,} deleted, {freed / MEGABYTE:,.1f} MB")
    return 0
