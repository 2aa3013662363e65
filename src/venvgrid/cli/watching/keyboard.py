"""The keys of a terminal, read one by one, beside messages of other threads."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from venvgrid.app.watching.messages import Message, Pressed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO


TURN = 0.05  # seconds between two looks at the keyboard, where the system cannot wait for both


class Inbox:
    """Messages of threads, and keys of `stream` if it is a terminal. `post` may be called from any thread."""

    def __init__(self, stream: TextIO | None) -> None:
        """Begin without messages."""
        self._queue = queue.SimpleQueue[Message]()
        self._stream = stream if stream is not None and stream.isatty() else None
        self._reading, self._writing = os.pipe()

    def post(self, message: Message) -> None:
        """Add a message."""
        self._queue.put(message)
        if os.name == "posix":
            with contextlib.suppress(OSError):
                os.write(self._writing, b"\0")

    @property
    def has_keys(self) -> bool:
        """Whether there is a keyboard."""
        return self._stream is not None

    def line(self) -> str:
        """Return a line that is typed; inside of `lines`. Raises EOFError: there will be none."""
        text = self._stream.readline() if self._stream is not None else ""
        if not text:
            raise EOFError
        return text.rstrip("\n")

    def next(self) -> Message:
        """Return the next message or key; wait for one."""
        if self._stream is None:
            return self._queue.get()
        return self._next_posix(self._stream.fileno()) if os.name == "posix" else self._next_windows()

    def _next_posix(self, keys: int) -> Message:
        import select  # noqa: PLC0415  (not on Windows, for a terminal)

        while True:
            with contextlib.suppress(queue.Empty):
                return self._queue.get_nowait()
            ready, _, _ = select.select([keys, self._reading], [], [])
            if self._reading in ready:
                os.read(self._reading, 4096)
                continue
            try:
                data = os.read(keys, 1)
            except OSError:  # the terminal is gone
                data = b""
            return Pressed(key=data.decode("ascii", "replace"))

    def _next_windows(self) -> Message:
        while True:
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=TURN)
            if sys.platform == "win32":
                import msvcrt  # noqa: PLC0415  (only there)

                if msvcrt.kbhit():
                    return Pressed(key=msvcrt.getwch())

    @contextmanager
    def single_keys(self) -> Iterator[None]:
        """Let keys come without Enter, and unseen; afterwards the terminal is as it was."""
        if self._stream is None or os.name != "posix":
            yield
            return
        import termios  # noqa: PLC0415  (not on Windows)
        import tty  # noqa: PLC0415

        before = termios.tcgetattr(self._stream)
        tty.setcbreak(self._stream)
        try:
            yield
        finally:
            termios.tcsetattr(self._stream, termios.TCSADRAIN, before)

    @contextmanager
    def lines(self) -> Iterator[None]:
        """Let the terminal be used as usual for a while: to type a line, in a shell."""
        if self._stream is None or os.name != "posix":
            yield
            return
        import termios  # noqa: PLC0415  (not on Windows)
        import tty  # noqa: PLC0415

        now = termios.tcgetattr(self._stream)
        cooked = [*now]
        cooked[3] |= termios.ICANON | termios.ECHO
        termios.tcsetattr(self._stream, termios.TCSADRAIN, cooked)
        try:
            yield
        finally:
            tty.setcbreak(self._stream)
