"""Following a command while it runs, and reading what it ended with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvgrid.model.events import TestFinished, TestsCollected
from venvgrid.outcomes import observation, records

if TYPE_CHECKING:
    from venvgrid.outcomes import probe
    from venvgrid.processes.runner import Completed
    from venvgrid.running.executor import Post


class ProgressMonitor:
    """Follows the probe's stream while the command runs, and says what happens."""

    def __init__(
        self,
        cell: str,
        stream: probe.Stream | None,
        post: Post,
        attempt: int,
    ) -> None:
        """Follow `stream` (None: there is no probe) for a cell's attempt, the first being 1."""
        self.observed = observation.Observation()
        self._cell, self._stream, self._post, self._attempt = cell, stream, post, attempt

    def poll(self) -> None:
        """Read what is new."""
        if self._stream is None:
            return
        for record in self._stream.read_new():
            self.observed.add(record)
            if isinstance(record, records.Collected):
                self._post(TestsCollected(cell=self._cell, collected=self.observed.collected))
            elif isinstance(record, records.Reported):
                self._post(
                    TestFinished(
                        cell=self._cell,
                        test=record.id,
                        verdict=record.verdict,
                        duration=record.duration,
                        message=record.message,
                        attempt=self._attempt,
                    ),
                )


def last_exception(completed: Completed) -> tuple[str, str]:
    """Give the kind and message of the exception that a traceback ends with."""
    if completed.error:
        return "", completed.error
    if completed.signal:
        return completed.signal, f"the interpreter was killed by {completed.signal}"
    if completed.timed_out:
        return "", f"no answer in {completed.duration:.0f} s"
    for line in reversed(completed.stdout.splitlines()):
        match = re.match(r"([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning)): ?(.*)", line)
        if match:
            return match.group(1), match.group(2)
    lines = completed.stdout.strip().splitlines()
    return "", lines[-1] if lines else f"exit status {completed.exit_code}"


def with_last_line(reason: str, output: str) -> str:
    """Add to a reason what the command said last, where nothing else tells why it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"{reason}: {lines[-1][:200]}" if lines else reason
