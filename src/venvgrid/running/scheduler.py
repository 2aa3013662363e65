"""The scheduler: decides which tasks become ready when one finishes. Pure: it starts nothing and knows no time.

    a cell:  planned ──▶ resolved ──▶ built ──▶ tested ──▶ finished
                │           │           │          └─▶ built alone ──▶ tested again   (another cell may have written)
                └───────────┴───────────┴─▶ finished   (impossible, missing, failed, unchanged, stopped)

Cells that differ only in variables are resolved once; cells with equal lock entries share an environment. A cell waits
for its interpreter and for the project's wheel (see `prerequisites`). A task that failed ends its own cells alone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.installers.base import ResolveFailed, Unresolvable
from venvgrid.model import Message, RunFinished, Stage, Status
from venvgrid.processes.redaction import redact
from venvgrid.running import tasks
from venvgrid.running.builds import Builds
from venvgrid.running.prerequisites import Parked, Prerequisites
from venvgrid.running.run_state import RunState, arrivals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from venvgrid.model import Cell, CellResult, Event, LockEntry
    from venvgrid.running.request import RunRequest

    Followed = tuple[list[Event], list[tasks.Task]]


class Scheduler:
    """Schedules one run; see `loop.Decisions`. `state` may be read when it is over.

    `cached` returns an earlier result for a cell, its lock entry and the digest of the project; `why` why it has none.
    `append_log` writes a failed step's output into a cell's log and returns its name; `clean` removes secrets.
    """

    def __init__(
        self,
        request: RunRequest,
        *,
        cached: Callable[[Cell, LockEntry, str], CellResult | None],
        append_log: Callable[[str, str], str],
        why: Callable[[str], str] = lambda _cell: "",
        clean: Callable[[str], str] = redact,
    ) -> None:
        """Begin with the request alone."""
        self.request, self._cached, self._append_log, self._why = request, cached, append_log, why
        self.state = RunState(request, clean)
        self.interrupted = False
        self._failed_fast = False
        self._unbuilt: dict[str, tuple[str, str]] = {}  # executable that could not build the project → why, its output
        self._prerequisites = Prerequisites(request)
        # Groups that wait for the metadata; resolved cells that wait for the wheel.
        self._unresolved: Parked[tuple[Cell, ...]] = Parked(self._prerequisites)
        self._unasked: Parked[Cell] = Parked(self._prerequisites)
        self._builds = Builds(request, self.state, self._prerequisites)
        self._awaiting: defaultdict[str, list[Cell]] = defaultdict(list)  # value of the python axis → its cells

    def stop(self) -> None:
        """End the run for the user. It may be called by a signal's handler."""
        self.interrupted = True

    @property
    def is_stopping(self) -> bool:
        """Whether no further task may start."""
        return self.interrupted or self._failed_fast

    def start(self) -> Iterator[Followed]:
        """Yield what follows from the cells as the run comes to them."""
        events: list[Event] = [self.state.started()]
        for cells in arrivals(self.request):
            for more, ready in self._arrived(cells):
                yield [*events, *more], ready
                events = []

    def _arrived(self, cells: Sequence[Cell]) -> Iterator[Followed]:
        """Finish the cells without interpreter, and resolve the others.

        Cells that are locked and may have a recorded result follow after what is sure to run: to compare so many
        results takes time.
        """
        self.state.arrived(cells)
        events: list[Event] = []
        waiting: list[Cell] = []
        locked: list[Cell] = []
        recorded: list[Cell] = []
        for cell in cells:
            value = cell.axes["python"]
            found = self._prerequisites.python(value)
            if found and found.executable in self._unbuilt:
                events += self._ended([cell], *self._unbuilt[found.executable])
            elif found is None and self._prerequisites.surrogate(value) is None:
                events += self._missing(cell)
            elif cell.id not in self.request.locked:
                waiting.append(cell)
            else:
                (recorded if cell.id in self.request.recorded else locked).append(cell)
        self._wait(waiting)
        more, ready = self._locked(locked)
        yield [*events, *more], ready
        if recorded:
            yield self._locked(recorded)

    def _locked(self, cells: Sequence[Cell]) -> Followed:
        """Return what follows from the lock of cells, and what else can be done."""
        events = [event for cell in cells for event in self._answered(cell, self.request.locked[cell.id])]
        events += self.state.refuse_locked(self._prerequisites.metadata_for, cells)
        more, ready = self._go_on()
        return [*events, *more], ready

    def done(self, task: tasks.Task, result: tasks.TaskResult) -> Followed:
        """Return what follows from the result of a task."""
        if isinstance(result, tasks.TaskFailed):
            return self._failed(task, result)
        match task:
            case tasks.ResolveTask():
                return self._resolved(task, tasks.expect(tasks.ResolveDone, result))
            case tasks.WheelTask():
                return self._wheel_built(task, tasks.expect(tasks.WheelDone, result))
            case tasks.DownloadTask():
                return self._downloaded(task, tasks.expect(tasks.DownloadDone, result))
            case tasks.BuildTask():
                return [], self._builds.built(tasks.expect(tasks.BuildDone, result))
            case tasks.TestTask():
                return self._tested(task, tasks.expect(tasks.TestDone, result))
            case tasks.CompileTask():
                tasks.expect(tasks.CompileDone, result)
                return [], []

    def finish(self) -> list[Event]:
        """Finish every cell without a result, and return the last events."""
        events: list[Event] = []
        if self.request.until is Stage.TEST:
            fast = "stopped after the first failure (--fail-fast)" if self._failed_fast else ""
            by_user = "stopped by the user" if self.interrupted else ""
            events += self.state.given_up(by_user or fast or "no result: a bug in venvgrid")
        return [*events, RunFinished(exit_status=self.state.exit_status(interrupted=self.interrupted))]

    # Interpreters and the project's wheel.

    def _missing(self, cell: Cell) -> list[Event]:
        reason = self._prerequisites.missing(cell.axes["python"])
        return self.state.end(cell, Status.MISSING_INTERPRETER, reason)

    def _want_interpreters(self, cells: Iterable[Cell]) -> Followed:
        """Download the interpreters of cells that need them, or finish the cells as missing."""
        events: list[Event] = []
        ready: list[tasks.Task] = []
        came: list[Cell] = []
        for cell in cells:
            value = cell.axes["python"]
            if self._prerequisites.python(value) is not None:  # it came while this cell was being resolved
                came.append(cell)
            elif self._prerequisites.can_download(value):
                ready += self._prerequisites.download(value)
                self._awaiting[value].append(cell)
            else:
                events += self._missing(cell)
        self._wait(came)
        return events, ready

    def _downloaded(self, task: tasks.DownloadTask, done: tasks.DownloadDone) -> Followed:
        """Resolve the cells of an interpreter again, now with itself, or finish them as missing."""
        self._prerequisites.downloaded(task.value, done.interpreter)
        waiting = self._awaiting.pop(task.value, [])
        if isinstance(done.interpreter, str):
            return [event for cell in waiting for event in self._missing(cell)], []
        self._wait(waiting)
        return self._go_on()

    def _wheel_built(self, task: tasks.WheelTask, done: tasks.WheelDone) -> Followed:
        self._prerequisites.built(task.interpreter, done.wheel)
        refused = self.state.refuse_locked(self._prerequisites.metadata_for)
        more, ready = self._go_on()
        return [*refused, *more], ready

    def _go_on(self) -> Followed:
        """Begin the first wheels, resolve what can be resolved, finish what need not run, build what can be built."""
        values = [value for value, cells in self.state.unfinished_of.items() if cells]
        wheels = self._prerequisites.first_wheels(values)
        events, ready = self._resolve_waiting()
        return [*events, *self._unchanged()], [*wheels, *ready, *self._builds.ready()]

    # Resolving.

    def _wait(self, cells: Iterable[Cell]) -> None:
        groups: defaultdict[object, list[Cell]] = defaultdict(list)
        for cell in cells:
            groups[cell.versions].append(cell)
        for some in groups.values():
            self._unresolved.add(tuple(some))

    def _resolve_waiting(self) -> Followed:
        """Resolve the groups whose requirements are known. Others wait for a wheel, or for their interpreter."""
        events: list[Event] = []
        ready: list[tasks.Task] = []
        for cells in self._unresolved.take():
            found = self._prerequisites.python(cells[0].axes["python"])
            if cells[0].id in self.state.results:
                continue
            if self._prerequisites.can_resolve(found):
                ready.append(self._resolve_task(cells))
            elif found or self._prerequisites.will_build(found):
                self._unresolved.keep(cells)
            else:  # no interpreter here can build the wheel that has the metadata
                more, wanted = self._want_interpreters(cells)
                events += more
                ready += wanted
        return events, ready

    def _resolve_task(self, cells: tuple[Cell, ...]) -> tasks.Task:
        value = cells[0].axes["python"]
        found = self._prerequisites.python(value)
        interpreter, metadata = found or self.request.surrogates[value], self._prerequisites.metadata_for(found)
        order = float(all(cell.id in self.request.recorded for cell in cells))  # what is sure to run goes first
        task = tasks.ResolveTask(cells=cells, interpreter=interpreter, metadata=metadata, order=order)
        return task if found else replace(task, surrogate=True)

    def _resolved(self, task: tasks.ResolveTask, done: tasks.ResolveDone) -> Followed:
        if task.surrogate and not isinstance(done.answer, Unresolvable):
            missing, wanted = self._want_interpreters(task.cells)
            more, others = self._go_on()
            return [*missing, *more], [*wanted, *others]
        events: list[Event] = []
        for cell in task.cells:
            self.state.durations[cell.id]["resolve"] = done.took
            events += self._answered(cell, done.answer)
        return [*events, *self._unchanged()], self._builds.ready()

    def _answered(self, cell: Cell, answer: tasks.CellAnswer) -> list[Event]:
        if isinstance(answer, Unresolvable):
            return self.state.end(cell, Status.IMPOSSIBLE, answer.reason, words=answer.words)
        if isinstance(answer, ResolveFailed):
            # A resolve that was stopped has not failed.
            reason = f"could not be resolved: {answer.reason}"
            return [] if self.is_stopping else self.state.end(cell, Status.FAILED, reason, words=answer.words)
        if self.request.until is Stage.TEST:
            self._unasked.add(cell)
        self._builds.resolved(cell, answer)
        return [self.state.resolved(cell, answer)]

    def _unchanged(self) -> list[Event]:
        """Finish the cells that need not run, once it is known with which wheel they would."""
        events: list[Event] = []
        for cell in self._unasked.take():
            entry = self.state.entries[cell.id]
            if cell.id in self.state.results:
                continue
            if not self._prerequisites.is_ready(entry.interpreter):
                self._unasked.keep(cell)
            elif earlier := self._cached(cell, entry, self._prerequisites.state_of(entry.interpreter)):
                events.append(self.state.finished(earlier))
            elif why := self._why(cell.id):
                events.append(Message(level="info", text=f"{cell.id} runs again: {why}"))
        return events

    # Testing.

    def _tested(self, task: tasks.TestTask, done: tasks.TestDone) -> Followed:
        """Finish a cell, or test it again if another cell may have written into its environment."""
        if self._builds.is_doubtful(task, done) and not self.is_stopping:
            return [], self._builds.again(task)
        result, ready = self._builds.tested(task, done)
        events: list[Event] = [self.state.finished(result)]
        if self.request.fail_fast and result.outcome.is_red and not result.allow_failure:
            self._failed_fast = True
        return events, ready

    # Results.

    def _failed(self, task: tasks.Task, failed: tasks.TaskFailed) -> Followed:
        """Finish all cells of a task that failed."""
        if self.is_stopping:
            return [], []  # it was stopped, it did not fail
        what = {tasks.WheelTask: "the project could not be built: ", tasks.ResolveTask: "could not be resolved: "}
        waiting = self._awaiting.pop(task.value, []) if isinstance(task, tasks.DownloadTask) else []
        cells = waiting or self.state.cells_of(task, self._prerequisites.python)
        reason = f"{what.get(type(task), '')}{failed.reason}"
        events = self._ended(cells, reason, failed.detail)
        if isinstance(task, tasks.BuildTask):
            self._builds.failed(task.entry)
        if not isinstance(task, tasks.WheelTask):
            return events, self._builds.ended(task) if isinstance(task, tasks.TestTask) else []
        self._prerequisites.refused()  # other interpreters may still build it
        self._unbuilt[task.interpreter.executable] = reason, failed.detail
        more, ready = self._go_on()
        return [*events, *more], ready

    def _ended(self, cells: Iterable[Cell], reason: str, detail: str) -> list[Event]:
        """Finish cells with what failed for them."""
        events: list[Event] = []
        for cell in cells:
            if cell.id not in self.state.results:
                events += self.state.end(cell, Status.FAILED, reason, log=self._append_log(cell.id, detail))
        return events
