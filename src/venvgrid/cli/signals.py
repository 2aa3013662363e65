"""Which signals asked venvgrid to end: the only thing that a handler leaves behind."""

from __future__ import annotations

SIGNAL_BASE = 128  # exit statuses above it are 128 and the number of a signal, as shells have it
SIGINT = 2  # everywhere; the module signal takes time to import

received: list[int] = []


def exit_status() -> int:
    """Give the exit status of an interrupted command: 130 for Ctrl-C, 143 for SIGTERM."""
    return SIGNAL_BASE + (received[0] if received else SIGINT)
