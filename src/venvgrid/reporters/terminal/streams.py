"""A text stream that ignores write errors: closed pipe, closed terminal, full disk. The run continues."""

from __future__ import annotations

from typing import Any, TextIO

from venvgrid.reporters.text import encodable


class SafeStream:
    """Wraps a stream. After the first write error all output is discarded."""

    def __init__(self, stream: TextIO) -> None:
        """Wrap `stream`."""
        self._stream = stream
        self._failed = False

    @property
    def encoding(self) -> str:
        """Encoding of the stream, "utf-8" if it has none."""
        return self._stream.encoding or "utf-8"

    def write(self, text: str) -> int:
        """Write text. Characters that the encoding lacks are replaced."""
        if not self._failed:
            try:
                self._stream.write(encodable(text, self.encoding))
            except (OSError, ValueError):  # ValueError: it was closed in this process
                self._failed = True
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        if not self._failed:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._failed = True

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        try:
            return self._stream.isatty()
        except (OSError, ValueError):
            return False

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the stream."""
        return getattr(self._stream, name)
