"""Locks between processes. The kernel releases them when their owner ends, also by a kill."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from venvgrid.model import InfrastructureError
from venvgrid.storage import own_folders

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


@contextmanager
def run_lock(root: Path, notify: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of `.venvgrid`. A second run waits, and is told for which process.

    Raises:
        InfrastructureError: the folder cannot be locked.
    """
    owner = root / "lock.owner"

    def waiting() -> None:
        who = owner.read_text(encoding="utf-8") if owner.exists() else "another process"
        notify(f"waiting for {who}, which runs in {root}")

    def missing(why: str) -> None:
        notify(f"{root} is on a file system without locks ({why}): make sure that nothing else of venvgrid runs there")

    with held(root / own_folders.LOCK, waiting=waiting, missing=missing):
        since = datetime.now(UTC).isoformat(timespec="seconds")
        own_folders.write(root, owner.name, f"process {os.getpid()}, started {since}")
        try:
            yield
        finally:
            owner.unlink(missing_ok=True)
