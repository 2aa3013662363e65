"""What is known of the cells of a run so far: plan, lock entries, durations, results."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.model import CellFinished, CellPlanned, CellResult, LockEntry, PlannedCell, RunStarted, Status
from venvgrid.model.result import OUTCOME_OF_STATUS
from venvgrid.resolving import lock_check, lockfile
from venvgrid.running.tasks import base_result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from venvgrid.model import Cell, Event, Interpreter
    from venvgrid.project.metadata import Metadata
    from venvgrid.running.request import RunRequest


class RunState:
    """The cells of a run; `clean` removes secrets from reasons."""

    def __init__(self, request: RunRequest, clean: Callable[[str], str]) -> None:
        """Begin with the plan alone."""
        self._request, self._clean = request, clean
        self.results: dict[str, CellResult] = {}
        self.planned: dict[str, PlannedCell] = {item.cell.id: item for item in request.plan.cells}
        self.entries: dict[str, LockEntry] = {}
        self.durations: defaultdict[str, dict[str, float]] = defaultdict(dict)  # of the stages of a cell
        self.sharing: defaultdict[str, list[Cell]] = defaultdict(list)  # environment → its cells

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

    def unfinished(self) -> Iterator[Cell]:
        """Yield the cells that are to run and have no result yet."""
        for item in self._request.plan.cells:
            if item.status is Status.RUNNABLE and item.cell.id not in self.results:
                yield item.cell

    def waiting(self, key: str) -> list[Cell]:
        """Return the cells of an environment that have no result yet."""
        return [cell for cell in self.sharing[key] if cell.id not in self.results]

    def resolved(self, cell: Cell, entry: LockEntry) -> CellPlanned:
        """Record the lock entry of a cell."""
        self.entries[cell.id] = entry
        self.sharing[entry.key].append(cell)
        return CellPlanned(cell=cell.id, status=Status.RUNNABLE, reason="", environment=entry.key)

    def known(self, cell: Cell) -> CellResult:
        """Return the result of a cell as far as it is known; its outcome is still to be set."""
        return base_result(cell, self.entries.get(cell.id))

    def end(self, cell: Cell, status: Status, reason: str, *, log: str = "", words: str = "") -> list[Event]:
        """Finish a cell that is not tested. `words` are the resolver's."""
        reason, words = self._clean(reason), self._clean(words)
        self.planned[cell.id] = PlannedCell(cell=cell, status=status, reason=reason)
        planned = CellPlanned(cell=cell.id, status=status, reason=reason)
        result = replace(self.known(cell), outcome=OUTCOME_OF_STATUS[status], reason=reason, log=log, words=words)
        return [planned, self.finished(result)]

    def refuse_locked(self, metadata_for: Callable[[Interpreter], Metadata | None]) -> list[Event]:
        """Finish the locked cells whose lock contradicts the project, where only a build told what it requires."""
        events: list[Event] = []
        for cell in list(self.unfinished()) if self._request.metadata is None else ():
            entry, config = self._request.locked.get(cell.id), self._request.config
            if cell.id in self._request.given:  # a trial may ask for versions that the project does not declare
                continue
            metadata = metadata_for(entry.interpreter) if isinstance(entry, LockEntry) else None
            if isinstance(entry, LockEntry) and metadata is not None:
                markers = entry.interpreter.markers
                why = lock_check.first_problem(config, cell, entry.distributions, markers, metadata=metadata)
                reason = f"{lockfile.path_for(config).name} does not fit the project: {why}; type: venvgrid lock"
                events += self.end(cell, Status.FAILED, reason) if why else []
        return events

    def finished(self, result: CellResult) -> CellFinished:
        """Record the result of a cell, with the durations of its stages."""
        whole = replace(result, durations={**self.durations[result.id], **result.durations})
        self.results[result.id] = whole
        return CellFinished(result=whole)
