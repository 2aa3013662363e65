"""ZIP archives within archives: read only what is asked for, and no content twice."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DAMAGED = (OSError, zipfile.BadZipFile, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError, struct.error)
Known = dict[tuple[int, bytes], str]  # compression and digest of what is stored → digest of the content
_LOCAL = struct.Struct("<26xHH")  # the header before a member: the lengths of its name and of its extra field


@dataclass(frozen=True, slots=True)
class Archive:
    """An open archive. `names` are its members."""

    file: zipfile.ZipFile
    names: frozenset[str]

    def read(self, folder: str, name: str) -> bytes:
        """Return a member, b"" if there is none of that name or it is damaged; `folder` is put before the name."""
        try:
            return self.file.read(folder + name) if folder + name in self.names else b""
        except DAMAGED:
            return b""

    def digest(self, folder: str, name: str, *, known: Known, digest: Callable[[bytes], str]) -> str:
        """Return the digest of a member. Equal stored bytes are unpacked once: `known` remembers them.

        The records of a plan all hold the same plan, which may have 100,000 cells.
        """
        try:
            key = self._stored(folder + name)
        except DAMAGED:
            return digest(b"")
        if key not in known:
            known[key] = digest(self.read(folder, name))
        return known[key]

    def _stored(self, name: str) -> tuple[int, bytes]:
        info, stream = self.file.getinfo(name), self.file.fp
        if stream is None:
            raise ValueError("the archive is closed")
        stream.seek(info.header_offset)
        stream.seek(sum(_LOCAL.unpack(stream.read(_LOCAL.size))), io.SEEK_CUR)
        return info.compress_type, hashlib.sha256(stream.read(info.compress_size)).digest()


@contextmanager
def opened(path: Path, inside: tuple[str, ...] = ()) -> Iterator[Archive]:
    """Open an archive, or the one that `inside` leads to: names of archives, each a member of the one before.

    Raises:
        one of `DAMAGED`: there is none, or it is damaged.
    """
    with ExitStack() as stack:
        file = stack.enter_context(zipfile.ZipFile(path))
        for name in inside:
            file = stack.enter_context(zipfile.ZipFile(io.BytesIO(file.read(name))))
        yield Archive(file, frozenset(file.namelist()))
