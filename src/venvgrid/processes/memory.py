"""How much memory a process and all of its descendants hold: on Linux; elsewhere nobody knows."""

from __future__ import annotations

import os
from contextlib import suppress

LOOKED_AT_EVERY = 0.25  # seconds
MAX_PROCESSES = 10_000


def of_tree(process: int) -> int | None:
    """Give the resident bytes of a process and its descendants, None where they cannot be known.

    Memory that processes share is counted for each of them.
    """
    try:
        page = os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    total, waiting, seen = 0, [process], 0
    known = False
    while waiting and seen < MAX_PROCESSES:
        number = waiting.pop()
        seen += 1
        with suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{number}/statm", "rb") as file:  # noqa: PTH123  (many, often)
                total += int(file.read().split()[1]) * page
            known = True
        with suppress(OSError, ValueError):
            for thread in os.listdir(f"/proc/{number}/task"):  # noqa: PTH208
                with open(f"/proc/{number}/task/{thread}/children", "rb") as file:  # noqa: PTH123
                    waiting += map(int, file.read().split())
    return total if known else None
