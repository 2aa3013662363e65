"""Signals that end venvgrid: their handlers, and the exit status that they give."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

SIGNAL_BASE = 128  # exit statuses above it are 128 and the number of a signal, as shells have it
SIGINT = 2  # everywhere; the module signal takes time to import

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")

received: list[int] = []


def exit_status() -> int:
    """Return the exit status of an interrupted command: 130 for Ctrl-C, 143 for SIGTERM."""
    return SIGNAL_BASE + (received[0] if received else SIGINT)


@contextmanager
def listening(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` for Ctrl-C and its like while a run goes on, instead of raising KeyboardInterrupt."""
    import signal  # noqa: PLC0415  (takes time, and `--help` needs none)

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        stop()

    earlier = {}
    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None:
            with suppress(ValueError, OSError):  # not in the main thread: a test's, or an embedding program's
                earlier[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
