"""Progress as plain lines, one a finished cell: for CI, for pipes, and without colours."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from venvgrid.model import CellFinished, CellPlanned, Event, Message, Outcome, RunStarted, Stage, StageFinished, Status
from venvgrid.reporters import text
from venvgrid.reporters.terminal.progress import Progress, Running
from venvgrid.reporters.terminal.streams import SafeStream

if TYPE_CHECKING:
    from venvgrid.model import CellResult

MAX_FAILURES = 5  # of a cell
MAX_RUNNING = 4  # cells in a line of progress
PERIOD = 30.0  # seconds without output before a line of progress


class LinesReporter:
    """Writes lines for events. Stops writing when the stream is closed."""

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        """Write to `stream`. `verbose` adds lines for resolved cells, built environments and all messages."""
        self._stream, self._verbose = SafeStream(stream), verbose
        self._progress = Progress()
        self._built: dict[str, float] = {}
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        """Write the lines of an event."""
        self._progress.add(event)
        match event:
            case RunStarted():
                self._started(event)
            case StageFinished() if event.stage is Stage.BUILD:
                self._build(event)
            case CellPlanned() if self._verbose and event.status is Status.RUNNABLE:
                self._line(f"  {event.cell}: resolved, environment {event.environment}")
            case CellFinished():
                self._finished(event.result)
            case Message() if event.level == "warning" or self._verbose:
                self._line(f"{text.line(event.level)}: {text.line(event.text, 500)}")
            case _:
                pass
        if self._progress.now - self._last >= PERIOD:
            self._line(_so_far(self._progress))

    def _started(self, event: RunStarted) -> None:
        project = f"{event.project} {event.project_version}".strip() or "the project"
        cells = text.count(self._progress.total, "cell")
        self._line(
            f"venvgrid {event.venvgrid}: {text.line(project)}, {cells}, {text.count(event.workers, 'worker')}, "
            f"run {text.line(event.run)}"
        )

    def _build(self, event: StageFinished) -> None:
        self._built[event.cell] = event.duration
        if self._verbose:
            what = text.line(event.detail or "built")
            self._line(f"  {event.cell}: environment {what} in {text.seconds(event.duration)}")

    def _finished(self, result: CellResult) -> None:
        build = self._built.get(result.id)
        known = replace(result, durations={"build": build, **result.durations}) if build else result
        for line in finished(known, self._progress.run, self._stream.encoding):
            self._line(line)

    def _line(self, line: str) -> None:
        self._stream.write(text.guard(f"{line}\n"))
        self._stream.flush()
        self._last = self._progress.now


def finished(result: CellResult, run: str, encoding: str) -> list[str]:
    """Return the lines of a finished cell: a summary, then the reasons if it is not green."""
    head = f"{text.mark(result, encoding)} {text.line(result.id)} {result.outcome.value}"
    tests, times = text.tests_of(result), _times(result)
    details = [*filter(None, [tests]), *times]
    if result.cached:
        return [f"{head}: {text.line(result.reason)}"]
    first = f"{head}{':' if tests else ''} {' '.join(details)}" if details else head
    if result.outcome in {Outcome.PASSED, Outcome.MISSING_INTERPRETER}:  # the reason of the latter is below the grid
        return [first]
    failing = [failure for failure in result.failures if failure.test]
    lines = [first]
    if result.reason and (result.outcome is not Outcome.FAILED or not failing):
        reason = text.line(result.reason, 500)
        lines = [first, f"    {reason}"] if details else [f"{first}: {reason}"]
    for failure in failing[:MAX_FAILURES]:
        what = ": ".join(filter(None, (failure.kind, failure.message)))
        lines.append(f"    {text.line(failure.test)}: {text.line(what)}")
    if len(failing) > MAX_FAILURES:
        lines.append(f"    and {len(failing) - MAX_FAILURES} more")
    if hint := next((item.hint for item in result.failures if item.hint), ""):
        lines.append(f"    → {text.line(hint, 500)}")
    if result.log and not result.outcome.is_green:
        lines.append(f"    log: {text.line(f'.venvgrid/runs/{run}/{result.log}')}")
    return lines


def _times(result: CellResult) -> list[str]:
    """Return the durations: "in 1.2 s", "(build 0.8 s)"."""
    if "test" not in result.durations:
        return []
    build = result.durations.get("build", 0.0)
    return [
        f"in {text.seconds(result.durations['test'])}",
        *([f"(build {text.seconds(build)})"] if build >= 0.05 else []),  # noqa: PLR2004  (less is 0.0 s)
    ]


def _so_far(progress: Progress) -> str:
    parts = [_doing(running) for running in list(progress.running.values())[:MAX_RUNNING]]
    more = len(progress.running) - MAX_RUNNING
    parts += [f"{more} more"] if more > 0 else []
    now = f"; now {', '.join(parts)}" if parts else ""
    return f"  {text.seconds(progress.now)}: {progress.finished} of {text.count(progress.total, 'cell')} done{now}"


def _doing(running: Running) -> str:
    if running.stage is Stage.TEST and running.collected:
        return f"{text.line(running.cell)} test {running.done} of {running.collected}"
    return f"{text.line(running.cell)} {running.stage.value}"
