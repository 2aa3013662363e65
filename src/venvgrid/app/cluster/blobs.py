"""Contents by their SHA-256 in the user's cache: what a machine was given, and gives once to all its workers."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass
from venvgrid.running.executors.remote.jobs import Blob

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FOLDER = "blobs"  # in the user's cache
DIGEST = re.compile(r"[0-9a-f]{64}")
MAX_AGE = 7 * 86400.0  # seconds without use
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Blobs:
    """The contents of one machine. A file is whole under its name, or not there."""

    folder: Path
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, digest: str) -> Path | None:
        """Return the file of a content, or None if it is not there."""
        path = self.folder / digest
        if not DIGEST.fullmatch(digest) or not path.is_file():
            return None
        with suppress(OSError):
            os.utime(path)
        return path

    def lacks(self, digests: Iterable[str]) -> list[str]:
        """Return those that are not there."""
        return [digest for digest in digests if self.find(digest) is None]

    def put(self, digest: str, offset: int, data: str, *, last: bool) -> None:
        """Take a piece in base64; with the last one the content is there.

        Raises:
            OSError: a piece is missing, or the whole is something else.
        """
        if not DIGEST.fullmatch(digest):
            raise OSError(f"{digest!r:.80} is no digest")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self.folder / f"{digest}.{os.getpid()}"
        with self._lock:  # two runs may send one content at a time: their pieces are equal
            if self.find(digest) is not None:
                return
            if not offset:
                partial.touch(mode=0o600)
            with partial.open("r+b") as stream:
                if stream.seek(0, os.SEEK_END) < offset:
                    raise OSError(f"a piece of {digest[:12]} is missing at {offset}")
                stream.seek(offset)
                stream.write(base64.b64decode(data))
                if last:
                    stream.truncate()
            if last:
                if hash_of(partial).digest != digest:
                    partial.unlink()
                    raise OSError(f"what came for {digest[:12]} is something else")
                partial.replace(self.folder / digest)

    def get(self, digest: str, offset: int, size: int) -> str:
        """Return a piece in base64. Raises OSError if the content is not there."""
        path = self.find(digest)
        if path is None:
            raise OSError(f"{digest[:12]} is not there")
        with path.open("rb") as stream:
            stream.seek(offset)
            return base64.b64encode(stream.read(size)).decode("ascii")

    def keep(self, content: bytes) -> Blob:
        """Keep a content and return its name."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        blob = Blob(digest=hashlib.sha256(content).hexdigest(), size=len(content))
        if self.find(blob.digest) is None:
            handle, partial = tempfile.mkstemp(dir=self.folder)
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            os.replace(partial, self.folder / blob.digest)  # noqa: PTH105
        return blob

    def tidy(self) -> None:
        """Delete what was not used for a week."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                with suppress(OSError):
                    if time.time() - path.stat().st_mtime > MAX_AGE:
                        path.unlink()


def hash_of(path: Path) -> Blob:
    """Return the digest and size of a file. Raises OSError."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Blob(digest=digest.hexdigest(), size=size)
