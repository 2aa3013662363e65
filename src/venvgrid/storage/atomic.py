"""Files that are whole whatever happens: a kill, a full disk, a power cut."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.model.errors import InfrastructureError
from venvgrid.storage import digests

if TYPE_CHECKING:
    from pathlib import Path


def write_atomic(path: Path, text: str) -> None:
    """Put `text` into a file as UTF-8, durably: whoever reads it, also after a power cut, sees the old or the new.

    A symbolic link is followed; what is no plain file (`/dev/stdout`) is just written to.

    Raises:
        InfrastructureError: it cannot be written; then the old file is as it was.
    """
    data = text.encode("utf-8", "replace")
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
    """Put `text` into a file as UTF-8: whoever reads it sees the old or the new; a power cut may lose it.

    For what can be made again.

    Raises:
        OSError: it cannot be written; then the old file is as it was.
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


def write_sealed(path: Path, text: str) -> None:
    """Put `text` into a file as `write_whole` does, with a digest: `read_sealed` notices if it was changed.

    Raises:
        OSError: it cannot be written; then the old file is as it was.
    """
    write_whole(path, f"{text}\n{digests.of_text(text)}\n")


def read_sealed(path: Path) -> str:
    """Give what `write_sealed` put into a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what was written.
    """
    text, _, digest = path.read_text(encoding="utf-8").rstrip("\n").rpartition("\n")
    if digest != digests.of_text(text):
        message = f"{path} is damaged"
        raise ValueError(message)
    return text


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    partial = target.with_name(f".venvgrid-{os.getpid()}-{secrets.token_hex(4)}.tmp")
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
    """Have a file's data on the disk when it returns, where the file system knows how to."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EROFS}:  # file systems that know no such thing
            raise


def sync_folder(folder: Path) -> None:
    """Have a folder's names on the disk when it returns."""
    if os.name != "posix":
        return  # elsewhere folders cannot be opened
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def trouble(what: str, path: Path, error: OSError) -> InfrastructureError:
    """Give the error to raise: what could not be done with which path, why, and what to do about it."""
    hint = {
        errno.ENOSPC: "; make room on the disk",
        errno.EDQUOT: "; make room in your quota",
        errno.EACCES: "; check its permissions",
        errno.EPERM: "; check its permissions",
        errno.EROFS: "; the file system is mounted read-only",
    }.get(error.errno or 0, "")
    return InfrastructureError(f"{what} {path}: {error.strerror or error}{hint}")
