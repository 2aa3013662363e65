"""Parallel calls, the number of usable CPUs, and what child processes inherit."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

# What children inherit of the state that Linux tells of a process.
INHERITED = (
    *("Umask:", "Uid:", "Gid:", "Groups:", "Cap"),
    *("NoNewPrivs:", "Seccomp:", "Cpus_allowed_list:", "Mems_allowed_list:"),
)
A = TypeVar("A")
B = TypeVar("B")

CPU_LIMITS = (
    ("/sys/fs/cgroup/cpu.max",),
    ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
)


def usable_cpus() -> int:
    """Count the CPUs that this process may use, by its affinity and the limit of its control group; at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(count, _cgroup_limit() or count))


def _cgroup_limit() -> int | None:
    """Read the CPU limit of the control group (version 2, then 1), or None if there is none."""
    for files in CPU_LIMITS:
        try:
            words = " ".join(Path(file).read_text(encoding="ascii") for file in files).split()
            quota, period = int(words[0]), int(words[1])
        except (OSError, ValueError, IndexError):
            continue
        return max(1, -(-quota // period)) if quota > 0 else None
    return None


def map_parallel(function: Callable[[A], B], items: Iterable[A], *, workers: int = 8) -> list[B]:
    """Apply a function that waits for processes or the network to items in threads; return results in their order."""
    values = list(items)
    if len(values) < 2:  # noqa: PLR2004  (one item needs no thread)
        return [function(value) for value in values]
    with ThreadPoolExecutor(max_workers=min(workers, len(values))) as pool:
        return list(pool.map(function, values))


def mutex() -> AbstractContextManager[object]:
    """Return a lock for what the threads of a run make only once."""
    return threading.Lock()


class Vanguard:
    """Lets the first caller go alone, because it fetches what the others need too.

    These follow when it is back, or after some seconds. Safe for several threads.
    """

    def __init__(self, patience: float) -> None:
        """Begin with nobody; `patience` is in seconds."""
        self._patience, self._first, self._back = patience, mutex(), threading.Event()
        self._is_begun = False

    def call(self, function: Callable[[A], B], item: A) -> B:
        """Return the function of an item."""
        with self._first:
            is_first, self._is_begun = not self._is_begun, True
        if not is_first:
            self._back.wait(self._patience)
            return function(item)
        try:
            return function(item)
        finally:
            self._back.set()


def inherited() -> tuple[object, ...]:
    """Return what child processes inherit besides variables and may notice.

    These are umask, limits, priority and the local time zone; on Linux also what the kernel tells of the process: its
    user and rights, and the CPUs that it may use. Signals are not among them: commands of cells begin with all of them.
    """
    limits: list[object] = []
    with suppress(ImportError):  # on Windows
        import resource  # noqa: PLC0415

        names = sorted(name for name in dir(resource) if name.startswith("RLIMIT_"))
        limits = [resource.getrlimit(getattr(resource, name)) for name in names]
    priority = os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else 0
    return _of_kernel() or (_umask(),), limits, priority, time.tzname, time.timezone


def _of_kernel() -> tuple[str, ...]:
    """Return what Linux tells of this process and its children inherit; nothing elsewhere."""
    with suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
        return tuple(line for line in status if line.startswith(INHERITED))
    return ()


def _umask() -> int:
    umask = os.umask(0o077)  # only setting it tells it
    os.umask(umask)
    return umask
