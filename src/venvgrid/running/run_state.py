"""What is known of the cells of a run so far: plan, lock entries, durations, results."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.analysis.prioritisation import Stream
from venvgrid.model import CellFinished, CellPlanned, CellResult, LockEntry, Product, RunStarted, Status
from venvgrid.model.result import OUTCOME_OF_STATUS
from venvgrid.resolving import lockfile
from venvgrid.results.exit_status import exit_status
from venvgrid.running import tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from venvgrid.model import Cell, Event, Interpreter
    from venvgrid.project.metadata import Metadata
    from venvgrid.running.request import RunRequest

AT_ONCE = 1_000  # cells of a product to which a run comes together


class RunState:
    """The cells of a run; `clean` removes secrets from reasons."""

    def __init__(self, request: RunRequest, clean: Callable[[str], str]) -> None:
        """Begin with the plan alone."""
        self._request, self._clean = request, clean
        self.results: dict[str, CellResult] = {}
        self._told: dict[str, Metadata] = {}  # what the lock has been compared with, by the executable of its cells
        self.entries: dict[str, LockEntry] = {}
        self.durations: defaultdict[str, dict[str, float]] = defaultdict(dict)  # of the stages of unfinished cells
        self.sharing: defaultdict[str, list[Cell]] = defaultdict(list)  # environment → its cells
        # How many cells have no result yet: by the value of the python axis, in the order of the plan; by environment.
        self.unfinished_of = Counter(request.plan.values("python"))
        self.waiting_for: Counter[str] = Counter()
        self._open: dict[str, Cell] = {}  # those without a result that the run has come to

    def started(self) -> RunStarted:
        """Return the first event of the run."""
        request, config, metadata = self._request, self._request.config, self._request.metadata
        return RunStarted(
            run=request.run,
            time=request.time,
            venvgrid=request.version,
            config=str(config.file),
            config_digest=config.digest,
            project=metadata.name if metadata else config.project.path.name,
            project_version=metadata.version if metadata else "",
            plan=request.plan,
            command=request.command,
            workers=request.workers,
            grid=config.grid,
        )

    def arrived(self, cells: Iterable[Cell]) -> None:
        """Record cells that the run has come to."""
        self._open.update((cell.id, cell) for cell in cells)

    def unfinished(self) -> list[Cell]:
        """Return the cells that the run has come to and that have no result yet."""
        return list(self._open.values())

    def given_up(self, reason: str) -> list[Event]:
        """Finish every cell without a result that the run has come to."""
        return [self.finished(replace(self.known(cell), reason=reason)) for cell in self.unfinished()]

    def cells_of(self, task: tasks.Task, python: Callable[[str], Interpreter | None]) -> list[Cell]:
        """Return the cells that end with a task that failed, but for those that wait for a download."""
        match task:
            case tasks.WheelTask():
                found = ((cell, python(cell.axes["python"])) for cell in self.unfinished())
                with_it = task.interpreter.executable
                return [cell for cell, interpreter in found if interpreter and interpreter.executable == with_it]
            case tasks.ResolveTask():
                return list(task.cells)
            case tasks.BuildTask():
                return list(self.sharing[task.entry.key])
            case tasks.TestTask():
                return [task.cell]
            case tasks.DownloadTask() | tasks.CompileTask():
                return []

    def exit_status(self, *, interrupted: bool) -> int:
        """Return the exit status of all results."""
        results, request = tuple(self.results.values()), self._request
        return exit_status(results, strict=request.strict, interrupted=interrupted, skip_missing=request.skip_missing)

    def waiting(self, key: str) -> list[Cell]:
        """Return the cells of an environment that have no result yet."""
        return [cell for cell in self.sharing[key] if cell.id not in self.results]

    def resolved(self, cell: Cell, entry: LockEntry) -> CellPlanned:
        """Record the lock entry of a cell."""
        self.entries[cell.id] = entry
        self.sharing[entry.key].append(cell)
        self.waiting_for[entry.key] += cell.id not in self.results
        return CellPlanned(cell=cell.id, status=Status.RUNNABLE, reason="", environment=entry.key)

    def known(self, cell: Cell) -> CellResult:
        """Return the result of a cell as far as it is known; its outcome is still to be set."""
        return tasks.base_result(cell, self.entries.get(cell.id))

    def end(self, cell: Cell, status: Status, reason: str, *, log: str = "", words: str = "") -> list[Event]:
        """Finish a cell that is not tested. `words` are the resolver's."""
        reason, words = self._clean(reason), self._clean(words)
        planned = CellPlanned(cell=cell.id, status=status, reason=reason)
        result = replace(self.known(cell), outcome=OUTCOME_OF_STATUS[status], reason=reason, log=log, words=words)
        return [planned, self.finished(result)]

    def refuse_locked(
        self, metadata_for: Callable[[Interpreter], Metadata | None], new_cells: Sequence[Cell] = ()
    ) -> list[Event]:
        """Finish the locked cells whose lock contradicts the project, where only a build told what it requires.

        With `new_cells`, only these are compared: no build has told them anything yet.
        """
        events: list[Event] = []
        if self._request.metadata is not None:
            return events
        config = self._request.config
        new: dict[str, Metadata] = {}  # by the executable: what a wheel told since the last call
        for cell in new_cells or self.unfinished():
            entry = self._request.locked.get(cell.id)
            if not isinstance(entry, LockEntry) or cell.id in self._request.given:
                continue  # a trial may ask for versions that the project does not declare
            interpreter = entry.interpreter
            metadata = new.get(interpreter.executable) or metadata_for(interpreter)
            if metadata is None or (self._told.get(interpreter.executable) == metadata and not new_cells):
                continue
            new[interpreter.executable] = metadata
            from venvgrid.resolving import lock_check  # noqa: PLC0415  (only where a wheel tells the metadata)

            why = lock_check.first_problem(config, cell, entry.distributions, interpreter.markers, metadata=metadata)
            reason = f"{lockfile.path_for(config).name} does not fit the project: {why}; type: venvgrid lock"
            events += self.end(cell, Status.FAILED, reason) if why else []
        self._told |= {} if new_cells else new
        return events

    def finished(self, result: CellResult) -> CellFinished:
        """Record the result of a cell, with the durations of its stages."""
        known: Mapping[str, float] = self.durations.pop(result.id, {})
        if earlier := self.results.get(result.id):  # its environment failed while it was tested
            known = {**earlier.durations, **known}
        else:
            self.unfinished_of[result.axes["python"]] -= 1
            if entry := self.entries.get(result.id):
                self.waiting_for[entry.key] -= 1
        whole = replace(result, durations={**known, **result.durations})
        self.results[result.id] = whole
        self._open.pop(result.id, None)
        return CellFinished(result=whole)


def arrivals(request: RunRequest) -> Iterator[list[Cell]]:
    """Yield the cells that are to run, in the parts in which a run comes to them: all at once but for a product.

    Of a product come first cells that are sure to run, then those that may have a recorded result, then the others. An
    empty part is where the next ones can wait until few tasks are left.
    """
    cells = request.plan.cells
    if not isinstance(cells, Product):
        yield [item.cell for item in cells if item.status is Status.RUNNABLE]
        return
    stream = Stream(cells, request.order, request.recorded)
    others, recorded = stream.others(), stream.recorded()
    yield _part(others)
    while part := _part(recorded):
        yield part
    while part := _part(others):
        yield []
        yield part


def _part(groups: Iterator[list[Cell]]) -> list[Cell]:
    found: list[Cell] = []
    for group in groups:
        found += group
        if len(found) >= AT_ONCE:
            break
    return found
