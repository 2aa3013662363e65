"""What follows from what in a run: the state that the engine's loop owns.

A cell is resolved (cells that differ only in variables once), its environment is built when the project's wheel is
there, and it is tested. Every task gives a value; a `Trouble` is the trouble of its cells alone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.environments.builder import BuildError
from venvgrid.installers.base import ResolveFailed, Unresolvable
from venvgrid.model.config import AxisKind
from venvgrid.model.environment import Interpreter, LockEntry
from venvgrid.model.errors import InfrastructureError
from venvgrid.model.events import CellFinished, CellPlanned, RunFinished, RunStarted, Stage
from venvgrid.model.plan import PlannedCell, Status
from venvgrid.model.result import CellResult, Outcome
from venvgrid.processes.diagnosis import headline
from venvgrid.processes.redaction import redact
from venvgrid.project.metadata import ProjectError
from venvgrid.project.wheels import Wheel
from venvgrid.results.exit_status import exit_status
from venvgrid.running.cell_job import CellJob, InstalledProject, TestDone, base_result
from venvgrid.running.loop import Task
from venvgrid.running.prerequisites import PYTHON, WHEEL, Prerequisites
from venvgrid.running.task_factory import BYTECODE, RESOLVE, Jobs
from venvgrid.running.tasks import BuildDone, ResolveDone, TaskFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from venvgrid.environments.store import Environment
    from venvgrid.model.events import Event
    from venvgrid.model.plan import Cell
    from venvgrid.processes.command import Cancellation
    from venvgrid.running.tasks import CellAnswer, RunRequest, Work

Followed = tuple[list["Event"], list[Task]]
RUN_AGAIN = "tested again in an environment of its own: another cell may have changed files of the first one"


class Scheduler:
    """Directs one run; see `engine.Director`. `planned` and `entries` are to be read when it is over."""

    def __init__(
        self,
        request: RunRequest,
        work: Work,
        now: Callable[[], float],
        cancellation: Cancellation,
        clean: Callable[[str], str] = redact,
    ) -> None:
        """Begin with nothing known but the goal; `clean` takes secrets out of reasons."""
        self.request, self._work, self._now, self._cancellation, self._clean = request, work, now, cancellation, clean
        self.interrupted = False
        self.results: dict[str, CellResult] = {}
        self.planned: dict[str, PlannedCell] = {item.cell.id: item for item in request.plan.cells}
        self.entries: dict[str, LockEntry] = {}
        self.metadata = request.metadata
        self._stopped = False
        self._durations: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._groups: dict[str, tuple[Cell, ...]] = {}  # resolve task → its cells
        self._sharing: defaultdict[str, list[Cell]] = defaultdict(list)  # environment → its cells
        self._building: set[str] = set()
        self._environments: dict[str, Environment] = {}  # by key
        self._collected: set[str] = set()  # environments whose compiled files are kept
        self._alone: dict[str, list[Cell]] = {}  # environment → cells that are tested again in it, one after the other
        self._supply = Prerequisites(request, work)
        self._jobs = Jobs(work, now, request.order)
        self._awaiting: defaultdict[str, list[Cell]] = defaultdict(list)  # value of the python axis → its cells

    def stop(self) -> None:
        """End the run for the user; the second time without a grace period. May be called by a signal's handler."""
        self.interrupted = True
        self._cancellation.set()

    def start(self) -> Followed:
        """Give the missing interpreters their result, and resolve all other cells."""
        request = self.request
        events: list[Event] = [
            RunStarted(
                run=request.run,
                time=request.time,
                venvgrid=request.version,
                config=str(request.config.file),
                config_digest=request.config.digest,
                project=request.metadata.name if request.metadata else request.config.project.path.name,
                project_version=request.metadata.version if request.metadata else "",
                plan=request.plan,
                command=request.command,
                workers=request.workers,
                grid=request.config.grid,
            ),
        ]
        groups: defaultdict[str, list[Cell]] = defaultdict(list)
        for cell in self._runnable():
            value = cell.axes["python"]
            if self._supply.python(value) is None and self._supply.surrogate(value) is None:
                events += self._missing(cell)
            elif cell.id in request.locked:
                events += self._answered(cell, request.locked[cell.id])
            else:
                groups[self._resolved_alike(cell)].append(cell)
        self._groups = {f"{RESOLVE}{key}": tuple(cells) for key, cells in groups.items()}
        tasks = [*self._ready_builds(), *self._first_wheel()]
        if self._can_resolve():
            return events, [*tasks, *(self._resolve_task(key) for key in self._groups)]
        if not tasks:  # nothing here can build the wheel that tells what the project needs
            more, tasks = self._want_pythons(cell for cells in self._groups.values() for cell in cells)
            events += more
        return events, tasks

    def done(self, task: Task, result: object) -> Followed:
        """Take a result to its cells."""
        if isinstance(result, TaskFailed):
            return self._troubled(task, result)
        if task.key.startswith(WHEEL) and isinstance(result, Wheel):
            return self._wheel_done(task, result)
        if task.key.startswith(RESOLVE):
            return self._resolved(task, result)
        if task.key.startswith(PYTHON) and isinstance(result, Interpreter | str):
            return self._python_done(task.key.removeprefix(PYTHON), result)
        if isinstance(result, BuildDone):
            return [], self._built(result)
        if isinstance(result, TestDone):
            return self._tested(result)
        if task.key.startswith(BYTECODE):
            return [], []
        message = f"{task.key} gave {result!r}"
        raise TypeError(message)

    def _built(self, built: BuildDone) -> list[Task]:
        key = built.environment.key
        self._environments[key] = built.environment
        cells = self._alone.get(key) or [cell for cell in self._sharing[key] if cell.id not in self.results]
        for cell in cells:
            self._durations[cell.id]["build"] = built.took
        if self.request.until is not Stage.TEST:
            return []
        if key in self._alone:
            return [self._test_task(cells[0], built.environment, alone=True)]
        return [self._test_task(cell, built.environment) for cell in cells]

    def failed(self, task: Task, error: Exception) -> Followed:
        """Tell trouble from a bug: a bug is raised again."""
        if isinstance(error, ProjectError | BuildError | InfrastructureError | OSError):
            detail = (
                f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.strerror else str(error)
            )
            return self._troubled(task, TaskFailed(reason=headline(detail), detail=detail))
        raise error

    def finish(self) -> list[Event]:
        """Give a result to whatever has none, and the exit status."""
        events: list[Event] = []
        if self.request.until is Stage.TEST:
            stopped = (
                "stopped after the first failure (--fail-fast)" if self._stopped else "no result: a bug in venvgrid"
            )
            why = "stopped by the user" if self.interrupted else stopped
            for cell in self._runnable():
                if cell.id not in self.results:
                    events += self._finished(replace(base_result(cell, self.entries.get(cell.id)), reason=why))
        status = exit_status(
            tuple(self.results.values()),
            strict=self.request.strict,
            interrupted=self.interrupted,
            skip_missing=self.request.skip_missing,
        )
        return [*events, RunFinished(exit_status=status, duration=self._now(), at=self._now())]

    def _runnable(self) -> Iterable[Cell]:
        return (item.cell for item in self.request.plan.cells if item.status is Status.RUNNABLE)

    def _first_wheel(self) -> list[Task]:
        waiting = [cell.axes["python"] for cell in self._runnable() if cell.id not in self.results]
        return self._supply.first_wheel(waiting, for_metadata=self.metadata is None)

    def _can_resolve(self) -> bool:
        """Whether it is known what the project needs."""
        return self.metadata is not None or not self._supply.installs

    def _missing(self, cell: Cell) -> list[Event]:
        reason = self._supply.missing(cell.axes["python"])
        return self._end(cell, Status.MISSING_INTERPRETER, Outcome.MISSING_INTERPRETER, reason)

    def _want_pythons(self, cells: Iterable[Cell]) -> Followed:
        """Download the interpreters of cells that need them, or say that they are missing."""
        events: list[Event] = []
        tasks: list[Task] = []
        came: list[Cell] = []
        for cell in cells:
            value = cell.axes["python"]
            if self._supply.python(value) is not None:  # it came while this cell was being resolved
                came.append(cell)
            elif self._supply.can_come(value):
                tasks += self._supply.ask_for(value)
                self._awaiting[value].append(cell)
            else:
                events += self._missing(cell)
        return events, [*tasks, *self._resolves(came)]

    def _python_done(self, value: str, got: Interpreter | str) -> Followed:
        """Resolve the cells of an interpreter that was downloaded, now with itself, or end them."""
        self._supply.arrived(value, got)
        waiting = self._awaiting.pop(value, [])
        if isinstance(got, str):
            return [event for cell in waiting for event in self._missing(cell)], []
        return [], [*self._first_wheel(), *(self._resolves(waiting) if self._can_resolve() else [])]

    def _resolves(self, cells: Iterable[Cell]) -> list[Task]:
        keys = dict.fromkeys(f"{RESOLVE}{self._resolved_alike(cell)}" for cell in cells)
        return [self._resolve_task(key) for key in keys]

    def _resolved_alike(self, cell: Cell) -> str:
        kinds = {axis.name: axis.kind for axis in self.request.config.axes}
        return "/".join(f"{name}={value}" for name, value in cell.axes.items() if kinds[name] is not AxisKind.VARIABLE)

    def _resolve_task(self, key: str) -> Task:
        cells = self._groups[key]
        value = cells[0].axes["python"]
        there = self._supply.python(value)
        python = there or self.request.surrogates[value]
        return self._jobs.resolve(key, cells, python, self.metadata, surrogate=there is None)

    def _test_task(self, cell: Cell, environment: Environment, *, alone: bool = False) -> Task:
        entry = self.entries[cell.id]
        wheel = self._supply.wheel_for(entry.interpreter) if self._supply.installs_wheel else None
        metadata = wheel.metadata if wheel else self.metadata
        modules = wheel.modules if wheel else ()
        project = InstalledProject(metadata=metadata, modules=modules) if metadata and self._supply.installs else None
        work = CellJob(cell=cell, entry=entry, environment=environment, project=project, alone=alone)
        return self._jobs.test(work)

    def _resolved(self, task: Task, result: object) -> Followed:
        if not isinstance(result, ResolveDone):
            message = f"{task.key} gave {result!r}"
            raise TypeError(message)
        events: list[Event] = []
        cells = self._groups[task.key]
        if result.surrogate and not isinstance(result.answer, Unresolvable):
            return self._want_pythons(cells)
        for cell in cells:
            self._durations[cell.id]["resolve"] = result.took
            events += self._answered(cell, result.answer)
        return events, self._ready_builds()

    def _answered(self, cell: Cell, answer: CellAnswer) -> list[Event]:
        if isinstance(answer, Unresolvable):
            return self._end(cell, Status.IMPOSSIBLE, Outcome.IMPOSSIBLE, answer.reason)
        if isinstance(answer, ResolveFailed) and self._cancellation.is_set():
            return []  # it was stopped, it did not fail
        if isinstance(answer, ResolveFailed):
            return self._end(cell, Status.FAILED, Outcome.BUILD_FAILED, f"could not be resolved: {answer.reason}")
        self.entries[cell.id] = answer
        self._sharing[answer.key].append(cell)
        at = self._now()
        planned = CellPlanned(cell=cell.id, status=Status.RUNNABLE, reason="", at=at, environment=answer.key)
        earlier = self._work.earlier(cell, answer) if self.request.until is Stage.TEST else None
        return [planned, *(self._finished(earlier) if earlier else ())]

    def _wheel_done(self, task: Task, wheel: Wheel) -> Followed:
        self._supply.built(task.key.removeprefix(WHEEL), wheel)
        tasks: list[Task] = []
        if self.metadata is None:
            self.metadata = wheel.metadata
            tasks = [self._resolve_task(key) for key, cells in self._groups.items() if cells[0].id not in self.results]
        return [], [*tasks, *self._ready_builds()]

    def _ready_builds(self) -> list[Task]:
        """Give the builds whose wheel is there, and the wheels that are still to be built for an interpreter."""
        if self.request.until is Stage.RESOLVE or self._stopped:
            return []
        tasks = []
        for entry in {entry.key: entry for entry in self.entries.values()}.values():
            if entry.key in self._building or all(cell.id in self.results for cell in self._sharing[entry.key]):
                continue
            wheel = self._supply.wheel_for(entry.interpreter) if self._supply.installs_wheel else None
            if wheel is not None or not self._supply.installs_wheel:
                self._building.add(entry.key)
                waiting = tuple(cell for cell in self._sharing[entry.key] if cell.id not in self.results)
                tasks.append(self._jobs.build(entry, wheel, waiting))
            elif self._supply.has_wheel:
                tasks += self._supply.wheel_by(entry.interpreter)
        return tasks

    def _troubled(self, task: Task, trouble: TaskFailed) -> Followed:
        """Give all cells of a task that failed their result."""
        if self._cancellation.is_set():
            return [], []  # it was stopped, it did not fail
        kind, _, key = task.key.partition(":")
        if kind == "wheel":
            first = not self._supply.has_wheel
            cells = [cell for cell in self._runnable() if first or self._interpreter_of(cell) == key]
            reason = f"the project could not be built: {trouble.reason}"
        elif kind == "resolve":
            cells, reason = list(self._groups[task.key]), f"could not be resolved: {trouble.reason}"
        elif kind == "build":
            cells, reason = list(self._sharing[key]), trouble.reason
        else:
            cells, reason = [cell for cell in self._runnable() if cell.id == key], trouble.reason
        events: list[Event] = []
        for cell in cells:
            if cell.id not in self.results:
                log = self._work.record(cell, trouble.detail)
                events += self._end(cell, Status.FAILED, Outcome.BUILD_FAILED, reason, log=log)
        return events, []

    def _interpreter_of(self, cell: Cell) -> str:
        interpreter = self._supply.python(cell.axes["python"])
        return interpreter.executable if interpreter else ""

    def _end(self, cell: Cell, status: Status, outcome: Outcome, reason: str, *, log: str = "") -> list[Event]:
        """End a cell that is not tested."""
        reason = self._clean(reason)
        self.planned[cell.id] = PlannedCell(cell=cell, status=status, reason=reason)
        known = base_result(cell, self.entries.get(cell.id))
        planned = CellPlanned(cell=cell.id, status=status, reason=reason, at=self._now())
        return [planned, *self._finished(replace(known, outcome=outcome, reason=reason, log=log))]

    def _tested(self, tested: TestDone) -> Followed:
        """Take the result of a cell, or test it again where another cell may have written into its environment."""
        result = tested.result
        key = self.entries[result.id].key
        is_doubtful = tested.is_changed and (tested.is_poisoned or len(self._sharing[key]) > 1)
        if is_doubtful and not self._cancellation.is_set():
            (cell,) = (item for item in self._sharing[key] if item.id == result.id)
            return [], self._again(key, cell)
        again = self._alone.get(key)
        if again and again[0].id == result.id:
            result = replace(result, notes=(*result.notes, RUN_AGAIN))
            again.pop(0)
        events = self._finished(result)
        tasks = self._build_alone(key) if again else []
        if tested.imported and key not in self._collected:
            self._collected.add(key)
            tasks.append(self._jobs.collect(self._environments[key], tested.imported))
        if self.request.fail_fast and result.outcome.is_red and not result.allow_failure:
            self._stopped = True
            self._cancellation.set()
        return events, tasks

    def _again(self, key: str, cell: Cell) -> list[Task]:
        waiting = self._alone.setdefault(key, [])
        waiting.append(cell)
        return self._build_alone(key) if len(waiting) == 1 else []

    def _build_alone(self, key: str) -> list[Task]:
        """Build an environment that shares nothing, for the first of the cells that wait for it."""
        entry = self.entries[self._alone[key][0].id]
        wheel = self._supply.wheel_for(entry.interpreter) if self._supply.installs_wheel else None
        return [self._jobs.build(entry, wheel, (self._alone[key][0],), alone=True)]

    def _finished(self, result: CellResult) -> list[Event]:
        whole = replace(result, durations={**self._durations[result.id], **result.durations})
        self.results[result.id] = whole
        return [CellFinished(result=whole, at=self._now())]
