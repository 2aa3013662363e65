"""A command on a terminal of its own: what it shows, and keys for it. POSIX; for tests and benchmarks."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import termios
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x1b\x07]*(?:\x1b\\|\x07)|\x1b[()][A-Z0-9]|\r")
SIZE = {"TERM": "xterm", "COLUMNS": "120", "LINES": "50"}
LIMIT = 600.0  # seconds of one wait; only a hang takes so long
GRACE = 10.0  # seconds to quit


class OnTerminal:
    """A command on a terminal. A context manager: its end quits it, and kills it if it does not."""

    def __init__(self, argv: Sequence[str | Path], root: Path, environ: Mapping[str, str]) -> None:
        """Start it in a folder."""
        self._master, slave = os.openpty()
        self.process = subprocess.Popen(
            argv, cwd=root, env={**environ, **SIZE}, stdin=slave, stdout=slave, stderr=slave, process_group=0
        )
        os.close(slave)
        self._raw = b""
        self._seen = 0  # characters of the text that were waited for

    @property
    def pid(self) -> int:
        """The process id of the command."""
        return self.process.pid

    @property
    def text(self) -> str:
        """All that was shown, without the codes of terminals."""
        return CODES.sub("", self._raw.decode("utf-8", "replace"))

    def wait(self, *wanted: str | re.Pattern[str]) -> str:
        """Wait until all of this is shown, after what was waited for before; return the text up to there."""
        patterns = [re.compile(re.escape(item)) if isinstance(item, str) else item for item in wanted]
        deadline = time.monotonic() + LIMIT
        while True:
            new = self.text[self._seen :]
            found = [pattern.search(new) for pattern in patterns]
            ends = [match.end() for match in found if match]
            if len(ends) == len(found):
                self._seen += max(ends)
                return new[: max(ends)]
            assert self._read(deadline - time.monotonic()), f"{wanted} did not come:\n{self.text[-4000:]}"

    def _read(self, timeout: float) -> bool:
        """Read what is shown next; return False if nothing comes any more."""
        if timeout <= 0 or not select.select([self._master], [], [], timeout)[0]:
            return False
        data = b""
        with contextlib.suppress(OSError):  # it has ended
            data = os.read(self._master, 65536)
        self._raw += data
        return bool(data)

    def press(self, keys: str) -> None:
        """Type keys."""
        os.write(self._master, keys.encode())

    def let_lines_come(self) -> None:
        """Set the terminal as a shell does while it reads a command: what is typed comes with Enter."""
        mode = termios.tcgetattr(self._master)
        mode[3] |= termios.ICANON | termios.ECHO
        termios.tcsetattr(self._master, termios.TCSANOW, mode)

    def ended(self) -> int:
        """Wait for its end, and return its exit status."""
        while (status := self.process.poll()) is None:
            self._read(0.05)  # what it prints must be read, or it waits
        return status

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Quit or kill it."""
        deadline = time.monotonic() + GRACE
        with contextlib.suppress(OSError):
            self.press("q")
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)
