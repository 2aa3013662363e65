"""ZIP archives within archives: read only what is asked for, and no content twice."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DAMAGED = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)
Known = dict[tuple[int, bytes], str]  # compression and digest of what is stored → digest of the content
_DIRECT = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1  # flag of a member
_LOCAL = struct.Struct("<26xHH")  # the header before a member: the lengths of its name and of its extra field


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stored bytes of a member are in the file of its archive, and how they are compressed."""

    start: int
    size: int
    compression: int

    def stored(self, stream: IO[bytes]) -> bytes:
        """Return the stored bytes."""
        stream.seek(self.start)
        return stream.read(self.size)

    def read(self, path: Path) -> bytes:
        """Return the member, b"" if it cannot be read: without the directory, which may name 1,000 logs."""
        try:
            with path.open("rb") as stream:
                stored = self.stored(stream)
            return stored if self.compression == zipfile.ZIP_STORED else zlib.decompress(stored, -zlib.MAX_WBITS)
        except DAMAGED:
            return b""


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

    def place(self, folder: str, name: str) -> Place | None:
        """Return where a member is; None if there is none, or it is compressed or encrypted in another way."""
        try:
            info = self.file.getinfo(folder + name)
            found = self._place(info)
        except DAMAGED:
            return None
        return found if info.compress_type in _DIRECT and not info.flag_bits & _ENCRYPTED else None

    def digest(self, folder: str, name: str, *, known: Known, digest: Callable[[bytes], str]) -> str:
        """Return the digest of a member. Equal stored bytes are unpacked once: `known` remembers them.

        The records of a plan all hold the same plan, which may have 100,000 cells.
        """
        try:
            place = self._place(self.file.getinfo(folder + name))
            key = place.compression, hashlib.sha256(place.stored(self._stream)).digest()
        except DAMAGED:
            return digest(b"")
        if key in known:
            return known[key]
        found = digest(content := self.read(folder, name))
        if content:  # else the directory may be damaged, and the same bytes be right in another archive
            known[key] = found
        return found

    def _place(self, info: zipfile.ZipInfo) -> Place:
        stream = self._stream
        stream.seek(info.header_offset)
        lengths = _LOCAL.unpack(stream.read(_LOCAL.size))
        return Place(info.header_offset + _LOCAL.size + sum(lengths), info.compress_size, info.compress_type)

    @property
    def _stream(self) -> IO[bytes]:
        if self.file.fp is None:
            raise ValueError("the archive is closed")
        return self.file.fp


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
