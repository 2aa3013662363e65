"""Sends installer progress to the task that runs in the current thread, by a context variable.

The functions between a task and an installer need not pass it on.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_LINE_BYTES = 4_096  # of a line without an end

_notify: ContextVar[Callable[[str], None] | None] = ContextVar("venvgrid_notify", default=None)
_PROGRESS = re.compile(rb"\s*((?:Downloading|Building|Collecting|Preparing) [^\r\n]+)")


@contextmanager
def reporting_to(notify: Callable[[str], None]) -> Iterator[None]:
    """Call `notify` with each line about a download or a build, perhaps from another thread."""
    token = _notify.set(notify)
    try:
        yield
    finally:
        _notify.reset(token)


def sink() -> Callable[[bytes], None] | None:
    """Return a function that takes an installer's output in any pieces, or None without a listener."""
    notify = _notify.get()
    if notify is None:
        return None
    rest = b""

    def listen(data: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[-MAX_LINE_BYTES:]
        for line in lines:
            found = _PROGRESS.match(line)
            if found:
                notify(found[1].decode("utf-8", "replace"))

    return listen
