"""Files that environments share or get a copy of, and how one knows that such a file is still what it was.

A file of a package (see `packages`) comes into an environment as a copy that shares its blocks (reflink) where the file
system knows how, else as a hard link: that is quick, and costs neither room nor an inode. A hard link is one file with
several names: who writes into it writes into all. So each file is remembered with size, mtime, mode and the sha256 of
its content, and sealed with its ctime, which no program can set: while that is the same, nobody wrote. A link that is
made or removed changes it as well: then the content is read again, unless every environment that shared the file is
gone, for each was looked at after its last tests.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SMALL = 64 * 1024  # bytes: read and written in one chunk, and not worth a reflink
CHUNK = 1024 * 1024
# ioctl: share the blocks of another file until one of the two is written. Linux: btrfs, XFS, bcachefs.
FICLONE = 0x40049409
CANNOT_LINK = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOTSUP, errno.EACCES, errno.ENOSYS})


Seal = tuple[int, int]  # ctime in ns, number of names


class DamagedError(Exception):
    """A file of the cache is not what it was; the message names it."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file: bytes, ns since the epoch, permission bits, and the sha256 of its content in hex."""

    size: int
    mtime: int
    mode: int
    digest: str


def facts_of(path: str) -> FileFacts:
    """Look at a file and read it.

    Raises:
        OSError: it cannot be read.
    """
    status = os.stat(path)  # noqa: PTH116  (thousands of files: no Path for each, here and below)
    return FileFacts(status.st_size, status.st_mtime_ns, stat.S_IMODE(status.st_mode), digest_of(path))


def seal_of(status: os.stat_result) -> Seal:
    """Give what is remembered of a file that is right just now."""
    return status.st_ctime_ns, status.st_nlink


def digest_of(path: str) -> str:
    """Give the sha256 of a file's content in hex."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFolder:
    """A folder of the cache whose files come into environments. `base` is its path with a separator at the end.

    `seals` remembers, by path in the folder, how a file was when it was last known to be right.
    """

    base: str
    seals: dict[str, Seal] = field(default_factory=dict)
    platform: str = os.name

    def is_unchanged(self, name: str, known: FileFacts) -> bool:
        """Whether a file is as it is known to be; its content is read only where its ctime changed."""
        path = self.base + name
        try:
            status = os.lstat(path)
            if not _has_facts(status, known):
                return False
            if not self._is_sealed(name, status):
                if digest_of(path) != known.digest:
                    return False
                self.seals[name] = seal_of(status)
        except OSError:
            return False
        return True

    def seal(self, name: str) -> None:
        """Remember that a file is right just now."""
        self.seals[name] = seal_of(os.lstat(self.base + name))

    def copy_or_link(self, target: str, files: Mapping[str, FileFacts], *, may_link: bool) -> list[str]:
        """Make files, none of which may exist, from those of the folder; give which are not one file with theirs.

        `target` is put before the paths in `files`; the folders are there.

        Raises:
            DamagedError: a file of the cache is not what is known.
            FileExistsError: a target exists.
            OSError: one cannot be written.
        """
        unshared = []
        lstat, link, seals, base = os.lstat, os.link, self.seals, self.base
        for name, known in files.items():
            if may_link and self._is_linkable(name):
                if not self.is_unchanged(name, known):
                    raise DamagedError(base + name)
                try:
                    link(base + name, target + name)
                except OSError as error:
                    if error.errno not in CANNOT_LINK:
                        raise
                else:
                    seals[name] = seal_of(lstat(base + name))
                    continue
            self._copy(name, target + name, known)
            unshared.append(name)
        return unshared

    def _copy(self, name: str, target: str, known: FileFacts) -> None:
        if known.size < SMALL:
            write_new(target, self._read_small(name, known), known)
            return
        if not self.is_unchanged(name, known):
            raise DamagedError(self.base + name)
        if not _reflink(self.base + name, target, known):
            _copy_big(self.base + name, target, known)

    def _is_linkable(self, name: str) -> bool:
        """Windows refuses to delete a file by any of its names while a process has it loaded."""
        return self.platform != "nt" or not name.lower().endswith((".pyd", ".dll", ".exe"))

    def _read_small(self, name: str, known: FileFacts) -> bytes:
        """Read with few calls: there are thousands of small files."""
        source = self.base + name
        try:
            descriptor = os.open(source, os.O_RDONLY | _NOFOLLOW | _BINARY)
        except OSError as error:
            raise DamagedError(source) from error
        try:
            status = os.fstat(descriptor)
            content = os.read(descriptor, SMALL)
        finally:
            os.close(descriptor)
        if not _has_facts(status, known) or len(content) != known.size:
            raise DamagedError(source)
        if not self._is_sealed(name, status):
            if hashlib.sha256(content).hexdigest() != known.digest:
                raise DamagedError(source)
            self.seals[name] = seal_of(status)
        return content

    def _is_sealed(self, name: str, status: os.stat_result) -> bool:
        ctime, names = self.seals.get(name, (0, 0))
        return ctime == status.st_ctime_ns or (names > 1 and status.st_nlink == 1)


def write_new(target: str, content: bytes, known: FileFacts) -> None:
    """Write a file that must not exist, with the mode and mtime that are known.

    Raises:
        FileExistsError: it exists.
        OSError: it cannot be written.
    """
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, known.mode)
    try:
        written = os.write(descriptor, content)
        while written < len(content):
            written += os.write(descriptor, content[written:])
        if os.utime in os.supports_fd:
            os.fchmod(descriptor, known.mode)
            os.utime(descriptor, ns=(known.mtime, known.mtime))
    finally:
        os.close(descriptor)
    if os.utime not in os.supports_fd:
        os.utime(target, ns=(known.mtime, known.mtime))


def _copy_big(source: str, target: str, known: FileFacts) -> None:
    with open(source, "rb", buffering=0) as old, open(target, "xb", buffering=0) as new:  # noqa: PTH123
        while chunk := old.read(CHUNK):
            new.write(chunk)
    _set_metadata(target, known)


def can_reflink(folder: Path, target: Path) -> bool:
    """Whether files of one folder can share blocks with files of another: tried with a file of its own."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as here:
        source = Path(here, "source")
        source.write_bytes(b"x" * 4096)
        with tempfile.TemporaryDirectory(dir=target, prefix=".partial-") as there:
            return _reflink(str(source), str(Path(there, "target")), facts_of(str(source)))


def _reflink(source: str, target: str, known: FileFacts) -> bool:
    """Have the file system make a file that shares its blocks with another until one is written; False if it cannot."""
    try:
        import fcntl  # noqa: PLC0415  (not on Windows)
    except ImportError:
        return False
    with open(source, "rb", buffering=0) as old, open(target, "xb", buffering=0) as new:  # noqa: PTH123
        try:
            fcntl.ioctl(new.fileno(), FICLONE, old.fileno())
        except OSError:
            os.unlink(target)  # noqa: PTH108
            return False
    _set_metadata(target, known)
    return True


def _set_metadata(target: str, known: FileFacts) -> None:
    os.chmod(target, known.mode)  # noqa: PTH101
    os.utime(target, ns=(known.mtime, known.mtime))


def _has_facts(status: os.stat_result, known: FileFacts) -> bool:
    return (
        stat.S_ISREG(status.st_mode)
        and status.st_size == known.size
        and status.st_mtime_ns == known.mtime
        and (os.name == "nt" or stat.S_IMODE(status.st_mode) == known.mode)
    )


_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
