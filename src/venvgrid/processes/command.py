"""The values of `runner`, and all that a fake of it needs: a command, its result, its cancellation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.processes.capture import OutputFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command to run. `env` is the whole environment of the child; `timeout` and `grace_period` are seconds."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    timeout: float | None = None
    grace_period: float = 5.0  # between SIGTERM to the group and SIGKILL to all
    log: Path | None = None  # gets stdout and stderr together, appended and bounded
    # Makes the filter that removes secrets from the log.
    clean: Callable[[], OutputFilter] | None = field(default=None, compare=False, repr=False)
    memory: int | None = None  # limit in bytes for it and its descendants, where that can be measured
    supervised: bool = False  # its descendants do not survive it, nor the death of venvgrid
    # Called with output as it comes, in any pieces, from one thread for each stream.
    listen: Callable[[bytes], None] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """Result of a command. `exit_code` is None if it did not start or a signal ended it. `duration`: seconds."""

    argv: tuple[str, ...]
    exit_code: int | None
    signal: str = ""  # "SIGSEGV"; on Windows the exception, "ACCESS_VIOLATION"
    timed_out: bool = False
    cancelled: bool = False
    over_memory: bool = False  # it exceeded its memory limit and was killed
    duration: float = 0.0
    stdout: str = ""  # with a log: the last 64 KiB of both streams
    stderr: str = ""
    error: str = ""  # why it could not be started, one line
    leaked: int = 0  # descendants that outlived it and were killed

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with exit code 0."""
        return self.exit_code == 0 and not (self.timed_out or self.cancelled or self.over_memory or self.error)


class Cancellation:
    """A thread-safe flag: the first `set` stops the commands that hold it, the second kills them at once."""

    def __init__(self) -> None:
        self._calls: list[None] = []  # threads may append and read its length concurrently

    def set(self) -> None:
        """Stop the commands that hold this flag; the second time without a grace period."""
        self._calls.append(None)

    def is_set(self) -> bool:
        """Whether `set` was called."""
        return len(self._calls) > 0

    def is_urgent(self) -> bool:
        """Whether `set` was called more than once."""
        return len(self._calls) > 1


Runner = Callable[[Command], Completed]
