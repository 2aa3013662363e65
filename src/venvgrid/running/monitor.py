"""Following a command while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model import TestFinished, TestsCollected
from venvgrid.outcomes import observation, records

if TYPE_CHECKING:
    from venvgrid.outcomes import probe
    from venvgrid.running.executors.base import Post


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
            failure = self.observed.add(record)
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
                        kind=failure.kind if failure else "",
                        signature=failure.signature if failure else "",
                        attempt=self._attempt,
                    ),
                )
