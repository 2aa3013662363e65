"""Progress as plain lines: one a finished cell. For CI, for pipes, and for those who want no colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from venvgrid.events import CellFinished, CellPlanned, Event, Message, RunStarted, Stage, StageFinished
from venvgrid.model import Outcome, Status
from venvgrid.reporters import text

if TYPE_CHECKING:
    from venvgrid.model import CellResult

SHOWN_FAILURES = 5


class LinesReporter:
    """Writes a line for what happened; a stream that is closed is not written to again."""

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        """Write to `stream`; `verbose` tells also of what was resolved and built."""
        self._stream, self._verbose = stream, verbose
        self._closed = False
        self._built: dict[str, StageFinished] = {}

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        match event:
            case RunStarted():
                self._started(event)
            case StageFinished() if event.stage is Stage.BUILD:
                self._built[event.cell] = event
                if self._verbose:
                    self._line(f"  {event.cell}: environment {event.detail} in {text.seconds(event.duration)}")
            case CellPlanned() if self._verbose and event.status is Status.RUNNABLE:
                self._line(f"  {event.cell}: resolved, environment {event.environment}")
            case CellFinished():
                self._finished(event.result)
            case Message():
                self._line(f"{event.level}: {event.text}")
            case _:
                pass

    def _started(self, event: RunStarted) -> None:
        cells = sum(item.status is not Status.EXCLUDED for item in event.plan.cells)
        version = f" {event.project_version}" if event.project_version else ""
        many = text.count(event.workers, "worker")
        self._line(f"{event.project}{version}: {text.count(cells, 'cell')}, {many}, run {event.run}")

    def _finished(self, result: CellResult) -> None:
        sign = text.symbol(result.outcome, self._stream.encoding or "ascii")
        may = " (may fail)" if result.allow_failure and not result.outcome.is_green else ""
        told = self._told(result)
        short = result.reason if not told and result.reason else ""
        self._line(
            f"{sign} {result.id} {result.outcome.value}{may}{told}{': ' if short else ''}{text.line(short, 400)}"
        )
        if result.outcome is Outcome.PASSED:
            return
        if result.reason and told:
            self._line(f"    {text.line(result.reason, 400)}")
        for failure in [item for item in result.failures if item.test][:SHOWN_FAILURES]:
            self._line(f"    {text.line(failure.test)}: {text.line(failure.kind)}: {text.line(failure.message)}")

    def _told(self, result: CellResult) -> str:
        """Say how many tests there were and how long it took."""
        if "test" not in result.durations:
            return ""
        tests = sum(result.tests.values())
        told = f"{text.count(tests, 'test')} in " if tests else ""
        built = self._built.get(result.id)
        build = f", environment {built.detail} in {text.seconds(built.duration)}" if built else ""
        return f": {told}{text.seconds(result.durations['test'])}{build}"

    def _line(self, line: str) -> None:
        if self._closed:
            return
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):  # the reader has gone; the run goes on
            self._closed = True
