"""Atomic writes: a file stays whole through a kill, a full disk or a power cut."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from venvgrid.model import InfrastructureError
from venvgrid.storage import digests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


def write_atomic(path: Path, text: str | bytes) -> None:
    """Write a text as UTF-8, or bytes, durably: readers see the old file or the new one, also after a power cut.

    A symbolic link is followed. Devices and pipes (`/dev/stdout`) are written to as they are.

    Raises:
        InfrastructureError: the file cannot be written; the old one is unchanged.
    """
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    try:
        target = path.resolve()
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and not stat.S_ISREG(mode):
            target.write_bytes(data)
        else:
            _replace(target, data, mode)
    except OSError as error:
        raise trouble("cannot write", path, error) from error


def write_whole(path: Path, text: str) -> None:
    """Write a text as UTF-8: readers see the old file or the new one; a power cut may lose both.

    For files that can be made again.

    Raises:
        OSError: the file cannot be written; the old one is unchanged.
    """
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=".venvgrid-", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(partial, path)  # noqa: PTH105  (a text is at hand)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)  # noqa: PTH108
        raise


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Return a context whose value takes the bytes of a file: readers see the old file or, afterwards, the new one.

    Raises:
        OSError: the file cannot be written; the old one is unchanged.
    """
    partial = path.with_name(f".venvgrid-{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        with partial.open("xb") as stream:
            yield stream
            stream.flush()
            sync(stream.fileno())
        _rename(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def write_sealed(path: Path, text: str) -> None:
    """Write a text as `write_whole` does, with a digest by which `read_sealed` detects changes.

    Raises:
        OSError: the file cannot be written; the old one is unchanged.
    """
    write_whole(path, f"{text}\n{digests.of_text(text)}\n")


def read_sealed(path: Path) -> str:
    """Return the text that `write_sealed` wrote.

    Raises:
        OSError: the file cannot be read.
        ValueError: it was changed since.
    """
    text, _, digest = path.read_text(encoding="utf-8").rstrip("\n").rpartition("\n")
    if digest != digests.of_text(text):
        raise ValueError(f"{path} is damaged")
    return text


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    partial = target.with_name(f".venvgrid-{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            sync(file.fileno())
        if mode is not None:
            partial.chmod(stat.S_IMODE(mode))
        _rename(partial, target)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
    sync_folder(target.parent)


def _rename(partial: Path, target: Path) -> None:
    for pause in (0.01, 0.1, 0.5) if os.name == "nt" else ():  # virus scanners and indexers hold files open for a while
        with suppress(PermissionError):
            partial.replace(target)
            return
        time.sleep(pause)
    partial.replace(target)


def sync(descriptor: int) -> None:
    """Flush a file's data to the disk, where the file system supports it."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EROFS}:  # not supported
            raise


def sync_folder(folder: Path) -> None:
    """Flush a folder's names to the disk."""
    if os.name != "posix":
        return  # elsewhere folders cannot be opened
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def trouble(action: str, path: Path, error: OSError) -> InfrastructureError:
    """Return the error to raise: the failed action, the path, the cause, and a remedy."""
    hint = {
        errno.ENOENT: "" if path.parent.is_dir() else f"; there is no folder {path.parent}, make it first",
        errno.EISDIR: "; give the name of a file in it",
        errno.ENOSPC: "; make room on the disk",
        errno.EDQUOT: "; make room in your quota",
        errno.EACCES: "; check its permissions",
        errno.EPERM: "; check its permissions",
        errno.EROFS: "; the file system is mounted read-only",
    }.get(error.errno or 0, "")
    return InfrastructureError(f"{action} {path}: {error.strerror or error}{hint}")
