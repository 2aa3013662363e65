"""Memory use of a process tree, on Linux."""

from __future__ import annotations

import os
from contextlib import suppress

SAMPLE_INTERVAL = 0.25  # seconds
MAX_PROCESSES = 10_000


def of_machine() -> int | None:
    """Return the bytes of this machine's memory, or None where nobody says."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def resident_bytes(root: int) -> int | None:
    """Return the resident bytes of a process and its descendants, or None where they cannot be measured.

    Shared memory counts for each process that shares it.
    """
    try:
        page = os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    total, pending, count = 0, [root], 0
    measured = False
    while pending and count < MAX_PROCESSES:
        pid = pending.pop()
        count += 1
        with suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123  (many, often)
                total += int(file.read().split()[1]) * page
            measured = True
        with suppress(OSError, ValueError):
            for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
                with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:  # noqa: PTH123
                    pending += map(int, file.read().split())
    return total if measured else None
