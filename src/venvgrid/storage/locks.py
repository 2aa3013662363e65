"""Locks between processes. The kernel releases them when their owner ends, also by a kill."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from venvgrid.model import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 2.0  # seconds of waiting until it is reported
# Errors of file systems without locks; some NFS gives EBADF. A file instead of a lock would outlive a killed owner.
WITHOUT = {errno.ENOLCK, errno.ENOSYS, errno.EBADF, errno.EOPNOTSUPP, errno.ENOTSUP}


@contextmanager
def held(file: Path, *, waiting: Callable[[], None], missing: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a file; its folder must exist.

    `waiting` is called once after two seconds in which another process holds it. If the file system has no locks,
    `missing` is called with the reason, and no lock is held.

    Raises:
        InfrastructureError: the file cannot be written.
    """
    lock = FileLock(file, fallback_to_soft=False)
    try:
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            waiting()
            lock.acquire()
    except NotImplementedError as error:  # filelock before it could fall back
        missing(str(error))
    except OSError as error:
        if error.errno not in WITHOUT:
            raise InfrastructureError(f"{file.parent} cannot be locked: {error.strerror or error}") from error
        missing(error.strerror or str(error))
    try:
        yield
    finally:
        lock.release()
