"""Whether other processes add links to the files of the package cache, or delete packages.

A link of another process moves the ctime of a file, as a write does. If that process deletes an environment too, the
number of links is as before, and nothing tells the two apart. So every process that adds links or deletes packages
writes its own name into one file of the cache first. As long as the name in it is ours, nobody else has done so.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass
from venvgrid.processes.parallel import mutex
from venvgrid.storage.atomic import write_whole

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

NAME = ".linked-by"  # file in the folder of the package cache


@dataclass(slots=True)
class Turns:
    """The turns of the processes that change `folder`. Safe for several threads."""

    folder: Path
    own: str = field(default_factory=lambda: os.urandom(16).hex())
    is_ours: bool = False  # whether this process has written its name
    others: bool = False
    lock: AbstractContextManager[object] = field(default_factory=mutex, repr=False, compare=False)

    def take(self) -> None:
        """Note that this process is about to change the cache, or has files in use."""
        with self.lock:
            if self._read() == self.own:
                return
            self.others, self.is_ours = self.others or self.is_ours, True
            with suppress(OSError):
                self.folder.mkdir(parents=True, exist_ok=True)
                write_whole(self.folder / NAME, self.own)

    def were_others_here(self) -> bool:
        """Return whether another process may have changed the cache since the first turn of this one."""
        with self.lock:
            self.others = self.others or self._read() != self.own
            return self.others

    def _read(self) -> str:
        with suppress(OSError, UnicodeDecodeError):
            return (self.folder / NAME).read_text(encoding="ascii")
        return ""
