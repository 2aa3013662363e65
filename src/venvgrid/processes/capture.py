"""Keeps what a command prints, within bounds: the beginning and the end, and how much was left out between.

Memory does not grow with the output, and nothing here stops a command from printing: what cannot be kept is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

MEMORY_HEAD = 8 * 1024 * 1024
LOG_HEAD = 16 * 1024 * 1024
TAIL = 1024 * 1024
LAST = 64 * 1024


class Sink(Protocol):
    """Takes output as it comes, from one thread."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""

    def finish(self) -> str:
        """Write what is still kept back, let go of everything, and give the text that is known of the output."""


class Cleaner(Protocol):
    """Takes out of output what must not be kept, in pieces."""

    def add(self, data: bytes) -> bytes:
        """Take the next bytes and give those that can be kept."""

    def end(self) -> bytes:
        """Give what was kept back."""


class Tail:
    """The last `size` bytes of what it was given."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._data = bytearray()
        self.dropped = 0

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        self._data += data
        if len(self._data) > 2 * self._size:  # seldom, so that a byte is moved once on average
            self._shrink()

    def _shrink(self) -> None:
        excess = len(self._data) - self._size
        if excess > 0:
            del self._data[:excess]
            self.dropped += excess

    def end(self) -> bytes:
        """Give the last `size` bytes; `dropped` says how many were before them."""
        self._shrink()
        return bytes(self._data)


class TailBuffer:
    """Keeps head and tail in memory."""

    def __init__(self, head: int = MEMORY_HEAD, tail: int = TAIL) -> None:
        self._room = head
        self._head = bytearray()
        self._tail = Tail(tail)

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        kept, rest = data[: self._room], data[self._room :]
        self._room -= len(kept)
        self._head += kept
        if rest:
            self._tail.add(rest)

    def finish(self) -> str:
        """Give head and tail as text, with a line between that says how many bytes are not in it."""
        tail = self._tail.end()
        return decode(bytes(self._head) + omission(self._tail.dropped) + tail)


class Log:
    """Appends the head to a file as it comes and the tail at the end; keeps the last bytes of all as text.

    Raises:
        OSError: when it is made: the file cannot be opened. A disk that fills up later only ends the log.
    """

    def __init__(
        self, path: Path, head: int = LOG_HEAD, tail: int = TAIL, last: int = LAST, clean: Cleaner | None = None
    ) -> None:
        self._path = path
        self._room = head
        self._tail = Tail(tail)
        self._last = Tail(last)
        self._trouble = ""
        self._clean = clean
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._take(self._clean.add(data) if self._clean else data)

    def _take(self, data: bytes) -> None:
        self._last.add(data)
        kept, rest = data[: self._room], data[self._room :]
        self._room -= len(kept)
        self._store(kept)
        if rest:
            self._tail.add(rest)

    def finish(self) -> str:
        """Write the tail, close the file, and give the last of the output."""
        if self._clean:
            self._take(self._clean.end())
        tail = self._tail.end()
        self._store(omission(self._tail.dropped) + tail)
        try:
            self._file.close()
        except OSError as error:  # some network file systems only now say that the disk is full
            self._trouble = self._trouble or (error.strerror or str(error))
        text = decode(self._last.end())
        if self._trouble:
            text += f"\n[venvgrid could not write all of {self._path}: {self._trouble}]\n"
        return text

    def _store(self, data: bytes) -> None:
        view = memoryview(data)
        while view and not self._trouble:
            try:
                view = view[self._file.write(view) :]
            except OSError as error:
                self._trouble = error.strerror or str(error)


def omission(dropped: int) -> bytes:
    """Give the line that stands for `dropped` bytes; nothing for none."""
    return f"\n[venvgrid left out {dropped} bytes here]\n".encode() if dropped else b""


def decode(data: bytes) -> str:
    """Give output as text that every strict writer takes: bytes that are no UTF-8 become U+FFFD."""
    return data.decode("utf-8", "replace")
