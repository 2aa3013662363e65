"""One process at a time: locks of the kernel, which end with their owner, however it ends."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from venvgrid.model.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 2.0  # seconds until who waits is told so
# What file systems without locks answer; some NFS answers EBADF. A file instead of a lock would outlive a killed owner.
WITHOUT = {errno.ENOLCK, errno.ENOSYS, errno.EBADF, errno.EOPNOTSUPP, errno.ENOTSUP}


@contextmanager
def held(file: Path, *, waiting: Callable[[], None], missing: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a file; its folder must exist.

    `waiting` is called when another process has held it for two seconds. Where the file system has no locks, `missing`
    is called with the reason, and nothing is held.

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
            message = f"{file.parent} cannot be locked: {error.strerror or error}"
            raise InfrastructureError(message) from error
        missing(error.strerror or str(error))
    try:
        yield
    finally:
        lock.release()
