"""Progress of a run, for the lines and the live view. Pure. Times are seconds since the run began."""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model import (
    CaseOutcome,
    CellFinished,
    Event,
    Outcome,
    Product,
    RunStarted,
    Stage,
    StageFinished,
    StageProgress,
    StageStarted,
    Status,
    TestFinished,
    TestsCollected,
)
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.model import CellResult


@dataclass(slots=True, kw_only=True)
class Running:
    """A cell in a stage. `done` and `failed` count tests of this attempt. `collected` is 0 if unknown."""

    cell: str
    stage: Stage
    since: float
    collected: int = 0
    done: int = 0
    failed: int = 0
    attempt: int = 1
    doing: str = ""  # a download or a build, e.g. "Building six"
    machine: str = ""  # of a run on several


@dataclass(slots=True, kw_only=True)
class Progress:
    """The state that events add up to. Mutable."""

    total: int = 0
    now: float = 0.0
    run: str = ""
    workers: int = 1
    done: Counter[Outcome] = field(default_factory=Counter)
    running: dict[str, Running] = field(default_factory=dict)  # by cell, in the order in which they began
    cells: dict[str, Mapping[str, str]] = field(default_factory=dict)  # id → axes, in the plan's order
    unseen: int = 0  # cells that have not ended, of a product: these are not in `cells`
    ended: dict[str, Outcome] = field(default_factory=dict)
    machines: dict[str, int] = field(default_factory=dict)  # cells that each has finished, of a run on several
    took: dict[str, dict[Stage, float]] = field(default_factory=dict)  # seconds of the stages of cells

    def add(self, event: Event) -> None:
        """Add an event. Cells that are not in the plan are accepted."""
        match event:
            case TestFinished():
                self._test(event)
            case TestsCollected():
                self._testing(event.cell, event.at).collected = event.collected
            case StageStarted():
                self._begin(event)
            case StageProgress():
                if event.cell in self.running:
                    self.running[event.cell].doing = event.text
            case StageFinished():
                self.running.pop(event.cell, None)
                self.took.setdefault(event.cell, {})[event.stage] = event.duration
            case CellFinished():
                self.running.pop(event.result.id, None)
                self._end(event.result)
            case RunStarted():
                self.run, self.workers = event.run, max(1, event.workers)
                if isinstance(event.plan.cells, Product):
                    self.total = self.unseen = sum(event.plan.values("python").values())
                    return
                wanted = [
                    item.cell for item in event.plan.cells if item.status not in {Status.EXCLUDED, Status.ELSEWHERE}
                ]
                self.cells = {cell.id: cell.axes for cell in wanted}
                self.total = len(wanted)
                return
            case _:
                pass
        self.now = max(self.now, event.at)

    def left(self, expected: Mapping[str, float], now: float) -> float | None:
        """Return the seconds that the run will still take, or None as long as nothing is known of any cell.

        A cell takes as long as its tests took last time, else as the mean of those that are known. Builds count as far
        as this run has measured them.
        """
        took = list(self.took.values())
        tests = [stages[Stage.TEST] for stages in took if Stage.TEST in stages]
        builds = [stages[Stage.BUILD] for stages in took if Stage.BUILD in stages]
        tests = tests or [seconds for seconds in expected.values() if seconds]
        if not tests or self.finished >= self.total:
            return None
        mean_test, mean_build = sum(tests) / len(tests), sum(builds) / max(1, len(builds))
        rest = []
        for cell in list(self.cells):
            if cell in self.ended:
                continue
            running = self.running.get(cell)
            is_test = running is not None and running.stage is Stage.TEST
            whole = (expected.get(cell) or mean_test) + (0.0 if is_test else mean_build)
            rest.append(max(0.0, whole - (max(0.0, now - running.since) if running else 0.0)))
        unseen = self.unseen * (mean_test + mean_build)
        return max((sum(rest) + unseen) / self.workers, 0.0, *rest) if rest or unseen else None

    def _begin(self, event: StageStarted) -> None:
        self.running[event.cell] = Running(cell=event.cell, stage=event.stage, since=event.at, machine=event.machine)
        if event.machine:
            self.machines.setdefault(event.machine, 0)

    def _end(self, result: CellResult) -> None:
        cell, outcome = result.id, result.outcome
        if result.machine in self.machines:
            self.machines[result.machine] += 1
        if cell in self.ended:
            self.done[self.ended[cell]] -= 1
        if self.unseen:
            self.unseen -= cell not in self.ended
        elif cell not in self.cells:  # of another platform: found impossible at the end
            self.cells[cell], self.total = result.axes, self.total + 1
        self.ended[cell] = outcome
        self.done[outcome] += 1

    def _testing(self, cell: str, at: float) -> Running:
        return self.running.setdefault(cell, Running(cell=cell, stage=Stage.TEST, since=at))

    def _test(self, event: TestFinished) -> None:
        running = self._testing(event.cell, event.at)
        if event.attempt > running.attempt:
            running.attempt, running.done, running.failed = event.attempt, 0, 0
        running.done += 1
        running.failed += event.verdict in {CaseOutcome.FAILED, CaseOutcome.ERROR}

    @property
    def finished(self) -> int:
        """Number of cells that have an outcome."""
        return len(self.ended)
