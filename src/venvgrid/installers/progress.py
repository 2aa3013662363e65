"""Who hears what an installer is doing: the task in whose thread it was called, whatever stands between them.

A context variable, so that the functions between a task and an installer need not pass on what is no concern of theirs.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_LINE_BYTES = 4_096  # bytes that are kept of a line without an end

_say: ContextVar[Callable[[str], None] | None] = ContextVar("venvgrid_say", default=None)
_WORTH_TELLING = re.compile(rb"\s*((?:Downloading|Building|Collecting|Preparing) [^\r\n]+)")


@contextmanager
def reporting_to(notify: Callable[[str], None]) -> Iterator[None]:
    """Have `say` called with each line that tells what is being downloaded or built, perhaps from another thread."""
    token = _say.set(notify)
    try:
        yield
    finally:
        _say.reset(token)


def sink() -> Callable[[bytes], None] | None:
    """Give what an installer's output is to be passed to, in any pieces; None if nobody listens."""
    notify = _say.get()
    if notify is None:
        return None
    rest = b""

    def listen(data: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[-MAX_LINE_BYTES:]
        for line in lines:
            found = _WORTH_TELLING.match(line)
            if found:
                notify(found[1].decode("utf-8", "replace"))

    return listen
