"""Seals of cached files: ctime and link count at a moment at which the content was known to be right.

While a file has the ctime of a seal, nothing was written since: no program can set a ctime. Every seal of every process
is such a moment, so the latest of them is the best, whoever made it. They are kept in `seals.json` beside the files.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.environments.package_cache.facts import identity_of
from venvgrid.model.values import dataclass
from venvgrid.storage.atomic import write_whole

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

Seal = tuple[int, int]  # ctime in ns, number of names
NONE: Seal = (0, 0)
FILE = "seals.json"


@dataclass(slots=True)
class SavedSeals:
    """The seals of one folder of a package in `file`; it holds those of `site` at index 0, of `outside` at 1."""

    file: str = ""
    index: int = 0
    known: tuple[int, ...] = ()  # inode, size and mtime of what was read last

    def news(self) -> Mapping[str, Seal]:
        """Return the seals that were saved, by any process, since the last call; all at the first one."""
        with suppress(OSError, ValueError, TypeError, AttributeError, IndexError, KeyError):
            now = identity_of(self.file)
            if now == self.known:
                return {}
            self.known = now
            with open(self.file, encoding="utf-8") as stream:  # noqa: PTH123
                saved = json.load(stream)[self.index]
            return {name: (int(ctime), int(names)) for name, (ctime, names) in saved.items()}
        return {}


def seal_of(status: os.stat_result) -> Seal:
    """Return the seal (ctime, link count) of a verified file."""
    return status.st_ctime_ns, status.st_nlink


def add_later(seals: dict[str, Seal], others: Mapping[str, Seal]) -> None:
    """Add seals to others; of two seals of a file, the later one counts."""
    for name, seal in others.items():
        if seal[0] > seals.get(name, NONE)[0]:
            seals[name] = seal


def save(package: Path, site: Mapping[str, Seal], outside: Mapping[str, Seal]) -> None:
    """Save the seals of a package. A cache that cannot be written costs time only: errors are ignored."""
    with suppress(OSError):
        write_whole(package / FILE, json.dumps([site, outside]))
