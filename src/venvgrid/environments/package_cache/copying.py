"""Copies of cached files, with the recorded times and modes; with shared blocks where the file system can do that."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.environments.package_cache.facts import facts_of

if TYPE_CHECKING:
    from venvgrid.environments.package_cache.facts import FileFacts

CHUNK = 1024 * 1024
# ioctl: share the blocks of another file until one of the two is written. Linux: btrfs, XFS, bcachefs.
FICLONE = 0x40049409
_BINARY = getattr(os, "O_BINARY", 0)


def write_new(target: str, content: bytes, facts: FileFacts) -> None:
    """Write a new file with the recorded mode and mtime.

    Raises:
        FileExistsError: it exists.
        OSError: it cannot be written.
    """
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, facts.mode)
    try:
        written = os.write(descriptor, content)
        while written < len(content):
            written += os.write(descriptor, content[written:])
        if os.utime in os.supports_fd:
            os.fchmod(descriptor, facts.mode)
            os.utime(descriptor, ns=(facts.mtime, facts.mtime))
    finally:
        os.close(descriptor)
    if os.utime not in os.supports_fd:
        os.utime(target, ns=(facts.mtime, facts.mtime))


def copy_big(source: str, target: str, facts: FileFacts) -> None:
    """Copy a file in pieces, with the recorded mode and mtime."""
    with open(source, "rb", buffering=0) as old, open(target, "xb", buffering=0) as new:  # noqa: PTH123
        shutil.copyfileobj(old, new, CHUNK)
    _set_metadata(target, facts)


def can_reflink(folder: Path, target: Path) -> bool:
    """Return whether files of two folders can share blocks; it tries with a temporary file."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as here:
        source = Path(here, "source")
        source.write_bytes(b"x" * 4096)
        with tempfile.TemporaryDirectory(dir=target, prefix=".partial-") as there:
            return reflink(str(source), str(Path(there, "target")), facts_of(str(source)))


def reflink(source: str, target: str, facts: FileFacts) -> bool:
    """Make a file that shares its blocks with another until one is written; return False if that is not supported."""
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
    _set_metadata(target, facts)
    return True


def _set_metadata(target: str, facts: FileFacts) -> None:
    os.chmod(target, facts.mode)  # noqa: PTH101
    os.utime(target, ns=(facts.mtime, facts.mtime))
