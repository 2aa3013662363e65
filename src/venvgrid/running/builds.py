"""Builds and tests of a run: which environment is built next, and which cells are tested again in one of their own."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.model import Stage
from venvgrid.running.tasks import BuildTask, CompileTask, InstalledProject, TestTask

if TYPE_CHECKING:
    from venvgrid.model import Cell, CellResult, Environment, LockEntry
    from venvgrid.running.prerequisites import Prerequisites
    from venvgrid.running.request import RunRequest
    from venvgrid.running.run_state import RunState
    from venvgrid.running.tasks import BuildDone, Task, TestDone

RUN_AGAIN = "tested again in an environment of its own: another cell may have changed files of the first one"


class Builds:
    """The environments of a run: asked for, built, and given up because a test changed them."""

    def __init__(self, request: RunRequest, state: RunState, prerequisites: Prerequisites) -> None:
        """Begin with no environment."""
        self._request, self._state, self._prerequisites = request, state, prerequisites
        self._open: dict[str, LockEntry] = {}  # environments that are not asked for, in the order of their first cells
        self._new: dict[str, list[Cell]] = {}  # environment → cells that were resolved since `ready` was called
        self._changes = -1  # of the prerequisites, when `ready` looked at all
        self._asked: set[str] = set()  # environments
        self._environments: dict[str, Environment] = {}  # by key
        self._compiled: set[str] = set()  # environments whose bytecode is kept
        self._alone: dict[str, deque[Cell]] = {}  # environment → cells that are tested again in it, one after the other
        self._testing: defaultdict[str, set[str]] = defaultdict(set)  # environment → cells whose tests share it now
        self._apart: set[str] = set()  # environments that a cell has to itself now
        self._interpreters: set[str] = set()  # for which a build was asked for

    def resolved(self, cell: Cell, entry: LockEntry) -> None:
        """Record that a cell needs an environment."""
        self._new.setdefault(entry.key, []).append(cell)
        if entry.key not in self._asked:
            self._open[entry.key] = entry

    def ready(self) -> list[Task]:
        """Return the builds whose wheel is there, and the wheels that an interpreter still needs.

        Cells whose environment has been built before they were resolved are tested in it.
        """
        tasks: list[Task] = []
        new, self._new = self._new, {}
        changes, self._changes = self._changes, self._prerequisites.changes
        for key in list(self._open) if changes != self._changes else new:
            if key in self._open and self._state.waiting_for[key]:
                tasks += self._asked_for(self._open[key])
        for key, cells in new.items():
            if key in self._asked and key in self._environments:
                tasks += self._late(key, cells)
        return tasks

    def failed(self, entry: LockEntry) -> None:
        """Record that a build failed, and its cells with it: one that is resolved later asks for it again."""
        self._asked.discard(entry.key)
        self._alone.pop(entry.key, None)
        self._apart.discard(entry.key)

    def _asked_for(self, entry: LockEntry) -> list[Task]:
        """Return what an environment needs next: its build, a wheel, or nothing yet."""
        if self._prerequisites.wheel_for(entry.interpreter) or not self._prerequisites.installs_wheel:
            return [self._build(entry, tuple(self._state.waiting(entry.key)))]
        return list(self._prerequisites.wheel_by(entry.interpreter)) if self._prerequisites.has_wheel else []

    def _late(self, key: str, cells: list[Cell]) -> list[Task]:
        """Return the tests of cells in an environment that was built before they were resolved."""
        if self._request.until is not Stage.TEST:
            return []
        waiting = [cell for cell in cells if cell.id not in self._state.results]
        if self._alone.get(key):  # it is built anew for one cell after the other
            self._alone[key] += waiting
            return []
        return [self._test(cell, self._environments[key], alone=False) for cell in waiting]

    def built(self, done: BuildDone) -> list[Task]:
        """Return the tests in an environment that was built."""
        key = done.environment.key
        self._environments[key] = done.environment
        waiting = self._alone.get(key)
        again = [waiting[0]] if waiting else []
        cells = again or self._state.waiting(key)
        for cell in cells:
            self._state.durations[cell.id]["build"] = done.took
        if self._request.until is not Stage.TEST:
            return []
        return [self._test(cell, done.environment, alone=bool(again)) for cell in cells]

    def is_doubtful(self, task: TestTask, done: TestDone) -> bool:
        """Whether another cell may have written into the environment of a test."""
        return done.is_changed and (done.is_poisoned or len(self._state.sharing[task.entry.key]) > 1)

    def again(self, task: TestTask) -> list[Task]:
        """Return what is needed to test the cell of a doubtful test again, alone in its environment."""
        self._alone.setdefault(task.entry.key, deque()).append(task.cell)
        return self.ended(task)

    def tested(self, task: TestTask, done: TestDone) -> tuple[CellResult, list[Task]]:
        """Return the result of a test that counts, and what follows from it."""
        result, key = done.result, task.entry.key
        if task.alone:
            result = replace(result, notes=(*result.notes, RUN_AGAIN))
        tasks = self.ended(task)
        if done.imported and key not in self._compiled:
            self._compiled.add(key)
            tasks.append(CompileTask(environment=self._environments[key], imported=done.imported))
        return result, tasks

    def ended(self, task: TestTask) -> list[Task]:
        """Return the build for the next cell that is tested again, once no other cell uses the environment."""
        key, waiting = task.entry.key, self._alone.get(task.entry.key)
        self._testing[key].discard(task.cell.id)
        if task.alone and waiting:
            waiting.popleft()
            self._apart.discard(key)
        if not waiting or self._testing[key] or key in self._apart:
            return []
        self._apart.add(key)
        return [self._build(self._state.entries[waiting[0].id], (waiting[0],), alone=True)]

    def _build(self, entry: LockEntry, cells: tuple[Cell, ...], *, alone: bool = False) -> Task:
        """Return a build. At equal places the first one of an interpreter goes first: its bytecode serves others."""
        self._asked.add(entry.key)
        self._open.pop(entry.key, None)
        is_first = entry.interpreter.executable not in self._interpreters
        self._interpreters.add(entry.interpreter.executable)
        order = min(self._request.order.of(cell.id, entry.distributions) for cell in cells) - is_first / 2
        wheel = self._prerequisites.wheel_for(entry.interpreter)
        project = self._prerequisites.state_of(entry.interpreter)
        return BuildTask(entry=entry, wheel=wheel, project=project, cells=cells, alone=alone, order=order)

    def _test(self, cell: Cell, environment: Environment, *, alone: bool) -> Task:
        entry = self._state.entries[cell.id]
        if not alone:
            self._testing[entry.key].add(cell.id)
        wheel = self._prerequisites.wheel_for(entry.interpreter)
        known = wheel.metadata if wheel else self._prerequisites.metadata_for(entry.interpreter)
        project = None
        if known and self._prerequisites.installs:
            modules, tested = (wheel.modules, wheel.tested) if wheel else ((), "")
            project = InstalledProject(metadata=known, modules=modules, tested=tested)
        order = self._request.order.of(cell.id, entry.distributions)
        return TestTask(cell=cell, entry=entry, environment=environment, project=project, alone=alone, order=order)
