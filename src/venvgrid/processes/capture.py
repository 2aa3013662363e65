"""Bounded capture of output: its head and its tail, with a line that counts the bytes in between.

Memory does not grow with the output, and a command never blocks: output beyond the bounds is dropped.
"""

from __future__ import annotations

import os
import select
import threading
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MEMORY_HEAD = 8 * 1024 * 1024  # bytes, as all of these sizes
LOG_HEAD = 16 * 1024 * 1024
TAIL = 1024 * 1024
TEXT_TAIL = 64 * 1024
CHUNK = 64 * 1024
DRAIN_LIMIT = 1024 * 1024  # read after the end, as much as a pipe holds: a descendant may keep on writing
SMALL = 4 * 1024
GATHER = 0.01  # seconds
DRAIN_TIMEOUT = 60.0  # seconds, for a busy machine or a slow disk


class Sink(Protocol):
    """Receives the output of one stream, from one thread."""

    def write(self, data: bytes) -> None:
        """Receive the next bytes."""

    def finish(self) -> str:
        """Flush, close, and return the captured text."""


class OutputFilter(Protocol):
    """Removes secrets from output that comes in pieces."""

    def add(self, data: bytes) -> bytes:
        """Add the next bytes and return the clean ones."""

    def end(self) -> bytes:
        """Return the bytes that were held back."""


class Tail:
    """A buffer of the last `size` bytes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._data = bytearray()
        self.dropped = 0

    def add(self, data: bytes) -> None:
        """Append bytes."""
        self._data += data
        if len(self._data) > 2 * self._size:  # seldom, so that a byte is moved once on average
            self._shrink()

    def _shrink(self) -> None:
        excess = len(self._data) - self._size
        if excess > 0:
            del self._data[:excess]
            self.dropped += excess

    def end(self) -> bytes:
        """Return the last `size` bytes; `dropped` counts those before them."""
        self._shrink()
        return bytes(self._data)


class TailBuffer:
    """A sink that keeps head and tail in memory."""

    def __init__(self, head: int = MEMORY_HEAD, tail: int = TAIL) -> None:
        self._room = head
        self._head = bytearray()
        self._tail = Tail(tail)

    def write(self, data: bytes) -> None:
        """Receive the next bytes."""
        kept, rest = data[: self._room], data[self._room :]
        self._room -= len(kept)
        self._head += kept
        self._tail.add(rest)

    def finish(self) -> str:
        """Return head and tail as text, with a line in between that counts the dropped bytes."""
        tail = self._tail.end()
        return decode(bytes(self._head) + omission(self._tail.dropped) + tail)


class Log:
    """A sink that appends the head to a file at once and the tail at the end; the text is the last bytes of all.

    Raises:
        OSError: the file cannot be opened. A later error, such as a full disk, only ends the log.
    """

    def __init__(
        self,
        path: Path,
        head: int = LOG_HEAD,
        tail: int = TAIL,
        last: int = TEXT_TAIL,
        clean: OutputFilter | None = None,
    ) -> None:
        self._path = path
        self._room = head
        self._tail = Tail(tail)
        self._last = Tail(last)
        self._error = ""
        self._clean = clean
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        """Receive the next bytes."""
        self._keep(self._clean.add(data) if self._clean else data)

    def _keep(self, data: bytes) -> None:
        self._last.add(data)
        kept, rest = data[: self._room], data[self._room :]
        self._room -= len(kept)
        self._store(kept)
        self._tail.add(rest)

    def finish(self) -> str:
        """Write the tail, close the file, and return the last of the output."""
        if self._clean:
            self._keep(self._clean.end())
        tail = self._tail.end()
        self._store(omission(self._tail.dropped) + tail)
        try:
            self._file.close()
        except OSError as error:  # some network file systems report a full disk only here
            self._error = self._error or (error.strerror or str(error))
        text = decode(self._last.end())
        if self._error:
            text += f"\n[venvgrid could not write all of {self._path}: {self._error}]\n"
        return text

    def _store(self, data: bytes) -> None:
        view = memoryview(data)
        while view and not self._error:
            try:
                view = view[self._file.write(view) :]
            except OSError as error:
                self._error = error.strerror or str(error)


class Pump(threading.Thread):
    """A thread that moves output from a pipe into a sink.

    `text` is the text of the sink when all has been read, None until then.
    """

    patience = 100  # ms after which it looks whether the command has ended but something else keeps its output open

    def __init__(self, stream: IO[bytes], sink: Sink, listen: Callable[[bytes], None] | None = None) -> None:
        """Prepare to read from `stream`; `listen` is called with all bytes."""
        super().__init__(name="venvgrid-output", daemon=True)
        self._stream = stream
        self._sink = sink
        self._listen = listen
        self.text: str | None = None
        self._over = threading.Event()
        self._drained = 0  # bytes since the end

    def run(self) -> None:
        """Read until the pipe ends, or until it is empty after the end of the command.

        After a small piece others are let gather: pytest writes a point for each test, and each piece costs a switch
        between threads, two system calls and a search for secrets.
        """
        with self._stream:
            descriptor = self._stream.fileno()
            while self._may_read(descriptor) and (data := os.read(descriptor, CHUNK)):
                self._sink.write(data)
                if self._listen is not None:
                    self._listen(data)
                self._drained += len(data) if self._over.is_set() else 0
                if len(data) < SMALL:
                    self._over.wait(GATHER)
        self.text = self._sink.finish()

    def _may_read(self, descriptor: int) -> bool:
        """Wait for output; return False if the command has ended and the pipe is empty."""
        if os.name != "posix":
            return True  # a blocking read does: the job is closed before `finish`, which ends the pipe
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        while True:
            is_over = self._over.is_set()  # before the poll: else output in between would be lost
            if poller.poll(0 if is_over else self.patience):
                return self._drained < DRAIN_LIMIT
            if is_over:
                return False

    def command_ended(self) -> None:
        """Stop reading as soon as the pipe is empty."""
        self._over.set()

    def finish(self) -> str | None:
        """Read the rest and return the text, or None if that takes too long."""
        self.command_ended()
        self.join(DRAIN_TIMEOUT)
        return self.text


def omission(dropped: int) -> bytes:
    """Return the line that replaces `dropped` bytes, or nothing for none."""
    return f"\n[venvgrid left out {dropped} bytes here]\n".encode() if dropped else b""


def decode(data: bytes) -> str:
    """Decode output as UTF-8; invalid bytes become U+FFFD, so that every strict encoder accepts the text."""
    return data.decode("utf-8", "replace")
