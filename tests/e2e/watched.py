"""`venvgrid watch` on a terminal of its own, for tests: what it shows, and keys for it."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Self

import rig

if TYPE_CHECKING:
    from pathlib import Path

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x1b\x07]*(?:\x1b\\|\x07)|\x1b[()][A-Z0-9]|\r")


class Watching:
    """A session of watch. A context manager: its end kills the session."""

    def __init__(self, root: Path, cache: Path, *arguments: str, **more: str) -> None:
        """Start it in a project."""
        self._master, slave = os.openpty()
        env = rig.environment(cache, TERM="xterm", COLUMNS="120", LINES="40", **more)
        self._process = subprocess.Popen(
            rig.argv("watch", *arguments), cwd=root, env=env, stdin=slave, stdout=slave, stderr=slave, process_group=0
        )
        os.close(slave)
        self._raw = b""
        self._seen = 0  # characters of the text that were waited for

    @property
    def pid(self) -> int:
        """The process id of venvgrid."""
        return self._process.pid

    @property
    def text(self) -> str:
        """All that was shown, without the codes of terminals."""
        return CODES.sub("", self._raw.decode("utf-8", "replace"))

    def wait(self, *words: str) -> str:
        """Wait until all words are shown, after those that were waited for before; return the text up to there."""
        deadline = time.monotonic() + rig.LIMIT
        while True:
            new = self.text[self._seen :]
            places = [new.find(word) for word in words]
            if min(places) >= 0:
                end = max(place + len(word) for place, word in zip(places, words, strict=True))
                self._seen += end
                return new[:end]
            left = deadline - time.monotonic()
            assert left > 0, f"{words} did not come:\n{self.text[-4000:]}"
            ready, _, _ = select.select([self._master], [], [], left)
            if ready:
                try:
                    data = os.read(self._master, 65536)
                except OSError:  # it has ended
                    data = b""
                assert data, f"it ended before {words} came:\n{self.text[-4000:]}"
                self._raw += data

    def press(self, keys: str) -> None:
        """Type keys."""
        os.write(self._master, keys.encode())

    def ended(self) -> int:
        """Wait for its end, and return its exit status."""
        while True:  # what it prints must be read, or it waits
            ready, _, _ = select.select([self._master], [], [], 0.05)
            with contextlib.suppress(OSError):
                self._raw += os.read(self._master, 65536) if ready else b""
            if (status := self._process.poll()) is not None:
                return status

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._master)
