"""A stream that may go away: the reader of a pipe leaves, a terminal closes, a disk is full. The run goes on."""

from __future__ import annotations

from typing import Any, TextIO

from venvgrid.reporters.text import encodable


class SafeStream:
    """Writes to a stream until that fails once; from then on it does nothing. Everything else is the stream's."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        self._stream = stream
        self._gone = False

    @property
    def encoding(self) -> str:
        """What the stream encodes with."""
        return self._stream.encoding or "utf-8"

    def write(self, text: str) -> int:
        """Write; what the encoding lacks is spelt out."""
        if not self._gone:
            try:
                self._stream.write(encodable(text, self.encoding))
            except (OSError, ValueError):  # ValueError: it was closed by us
                self._gone = True
        return len(text)

    def flush(self) -> None:
        """Flush."""
        if not self._gone:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._gone = True

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        try:
            return self._stream.isatty()
        except (OSError, ValueError):
            return False

    def __getattr__(self, name: str) -> Any:
        """Give what else the stream has: its file descriptor, its errors handler."""
        return getattr(self._stream, name)
