"""Facts of a cached file: what is recorded of it, and what a look at it says."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import NamedTuple


class FileFacts(NamedTuple):  # there are tens of thousands: quicker to make than a dataclass
    """Recorded state of a file: bytes, mtime in ns, permission bits, and the sha256 of its content in hex."""

    size: int
    mtime: int
    mode: int
    digest: str


def identity_of(path: str) -> tuple[int, ...]:
    """Return what changes when another file takes the place of a cached one, which happens in one step.

    Raises:
        OSError: there is no such file.
    """
    status = os.stat(path)  # noqa: PTH116  (thousands)
    return status.st_ino, status.st_size, status.st_mtime_ns


def facts_of(path: str) -> FileFacts:
    """Read a file and return its facts.

    Raises:
        OSError: it cannot be read.
    """
    status = os.stat(path)  # noqa: PTH116  (thousands of files: no Path for each, here and below)
    return FileFacts(status.st_size, status.st_mtime_ns, stat.S_IMODE(status.st_mode), digest_of(path))


def has_facts(path: str, facts: FileFacts) -> bool:
    """Return whether a file exists and has the recorded facts; its content is read."""
    try:
        return not os.path.islink(path) and facts_of(path) == facts  # noqa: PTH114  (a path as text is at hand)
    except OSError:
        return False


def digest_of(path: str) -> str:
    """Return the sha256 of a file's content in hex."""
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_like(status: os.stat_result, facts: FileFacts) -> bool:
    """Return whether a plain file has the recorded size, mtime and mode; its content is not read."""
    return (
        stat.S_ISREG(status.st_mode)
        and status.st_size == facts.size
        and status.st_mtime_ns == facts.mtime
        and (os.name == "nt" or stat.S_IMODE(status.st_mode) == facts.mode)
    )
