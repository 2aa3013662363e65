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


PASTES, NO_PASTES = b"\x1b[?2004h", b"\x1b[?2004l"  # lets terminals mark what is pasted, or not
PASTED, END_OF_PASTE = b"[200~", b"\x1b[201~"
BURST = 0.02  # seconds in which the rest of a sequence comes
LAST_OF_PASTE = 1.0  # seconds without more of a paste
TURN = 0.05  # seconds between two looks at the keyboard, where the system cannot wait for both


class Inbox:
    """Messages of threads, and keys of `stream` if it is a terminal. `post` may be called from any thread.

    What is pasted is no key, nor are the sequences of arrows and the like. `marks_pastes`: the terminal knows codes.
    """

    def __init__(self, stream: TextIO | None, *, marks_pastes: bool = False) -> None:
        """Begin without messages."""
        self._marks_pastes = marks_pastes
        self._queue = queue.SimpleQueue[Message]()
        self._stream = stream if stream is not None and stream.isatty() else None
        self._reading, self._writing = os.pipe()
        self._is_single = False  # whether keys come one by one

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
            if data == b"\x1b":
                _pass_over(keys)
                continue
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
        import signal  # noqa: PLC0415  (takes time)
        import termios  # noqa: PLC0415  (not on Windows)

        before = termios.tcgetattr(self._stream)
        # After Ctrl-Z and fg the terminal is as the shell left it.
        earlier = signal.signal(signal.SIGCONT, self._continued)
        self._listen()
        try:
            yield
        finally:
            self._is_single = False
            self._mark(NO_PASTES)
            signal.signal(signal.SIGCONT, earlier)
            termios.tcsetattr(self._stream, termios.TCSADRAIN, before)

    def _continued(self, *_: object) -> None:
        if self._is_single:
            self._listen()

    def _listen(self) -> None:
        """Let keys come one by one, unless the terminal is another program's at the moment."""
        import termios  # noqa: PLC0415  (not on Windows)
        import tty  # noqa: PLC0415

        self._is_single = True
        if self._stream is not None and _is_in_foreground(self._stream):
            with contextlib.suppress(termios.error):
                tty.setcbreak(self._stream, termios.TCSANOW)  # keeps what was typed
            self._mark(PASTES)

    def _mark(self, code: bytes) -> None:
        if self._marks_pastes and self._stream is not None:
            with contextlib.suppress(OSError):
                os.write(self._stream.fileno(), code)

    @contextmanager
    def lines(self) -> Iterator[None]:
        """Let the terminal be used as usual for a while: to type a line, in a shell."""
        if self._stream is None or os.name != "posix":
            yield
            return
        import termios  # noqa: PLC0415  (not on Windows)

        now = termios.tcgetattr(self._stream)
        cooked = [*now]
        cooked[3] |= termios.ICANON | termios.ECHO
        self._is_single = False
        self._mark(NO_PASTES)
        termios.tcsetattr(self._stream, termios.TCSADRAIN, cooked)
        try:
            yield
        finally:
            self._listen()


def _pass_over(keys: int) -> None:
    """Read the rest of what a terminal sends for one key that is no letter, or for a paste."""
    import select  # noqa: PLC0415  (not on Windows, for a terminal)

    read, end, patience = b"", b"", BURST
    while select.select([keys], [], [], patience)[0] and (byte := os.read(keys, 1)):
        read += byte
        if read == PASTED:
            end, patience = END_OF_PASTE, LAST_OF_PASTE
        elif (end and read.endswith(end)) or (not end and read not in {b"[", b"O"} and b"@" <= byte <= b"~"):
            return


def _is_in_foreground(stream: TextIO) -> bool:
    """Return whether the terminal is this process's: another one that sets its mode is stopped."""
    try:
        return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except OSError:  # it controls no session
        return True
