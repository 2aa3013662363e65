"""From the events of a run to its report. Pure: a journal gives the same report as the run that wrote it."""

from __future__ import annotations

from collections import Counter
from dataclasses import field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.model import (
    CaseOutcome,
    CellFinished,
    CellPlanned,
    CellResult,
    Certificate,
    Event,
    ExitStatus,
    LeftOut,
    Message,
    Outcome,
    PlannedCell,
    RunFinished,
    RunStarted,
    Stage,
    StageFinished,
    StageProgress,
    StageStarted,
    Status,
    TestFinished,
    TestsCollected,
)
from venvgrid.model.config import EMPTY
from venvgrid.model.result import OUTCOME_OF_STATUS, worst
from venvgrid.model.values import dataclass
from venvgrid.results.exit_status import exit_status as status_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


BAD = frozenset({CaseOutcome.FAILED, CaseOutcome.ERROR})
_STARTED = ("run", "venvgrid", "project", "project_version", "config", "grid", "config_digest", "command")
_DOING = {Stage.RESOLVE: "being resolved", Stage.BUILD: "being built", Stage.TEST: "being tested"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test in the last attempt of its cell. `duration` is seconds, `message` one line about a failure or skip.

    `earlier` says how it failed in an attempt before that; "" if it did not.
    """

    verdict: CaseOutcome
    duration: float = 0.0
    message: str = ""
    earlier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """When a stage of a cell ran, in seconds since the run began, and on which worker; `ended` 0.0 if it did not."""

    cell: str
    stage: Stage
    worker: int
    began: float
    ended: float = 0.0
    machine: str = ""  # of a run on several


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What is known of a cell from an earlier run: its outcome, the versions installed, the seconds of its tests."""

    run: str
    outcome: Outcome
    seconds: float = 0.0
    packages: Mapping[str, str] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is known of a run.

    `cells` are in the order of the plan, all but the excluded ones, each with a result. `tests` maps cells to their
    tests, in the order in which they ended; a cell whose tests were not watched one by one is not there. `before` maps
    cells to what is known of them from earlier runs.
    """

    run: str = ""
    started: str = ""  # ISO 8601, UTC
    duration: float = 0.0  # seconds
    exit_status: int = 0
    venvgrid: str = ""
    project: str = ""
    project_version: str = ""
    config: str = ""
    grid: str = ""  # the NAME of [grid.NAME]
    config_digest: str = ""
    command: tuple[str, ...] = ()
    cells: tuple[CellResult, ...] = ()
    excluded: tuple[PlannedCell, ...] = ()
    warnings: tuple[str, ...] = ()
    tier: str = ""  # of [ci], that chose the cells
    left_out: tuple[LeftOut, ...] = ()  # by the tier
    certificate: Certificate | None = None  # of the plan; what the cells that ran cover: analysis/coverage.py
    tests: Mapping[str, Mapping[str, Case]] = field(default_factory=lambda: MappingProxyType({}))
    spans: tuple[Span, ...] = ()
    before: Mapping[str, Earlier] = field(default_factory=lambda: MappingProxyType({}))
    finished: bool = False
    folder: str = ""  # where the logs are, for people; "" for the run's folder in .venvgrid


@dataclass(slots=True)
class _Seen:
    """What the events told of one cell so far, but for its result."""

    stage: Stage | None = None
    planned: CellPlanned | None = None
    collected: int = 0
    attempt: int = 1
    durations: dict[str, float] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    earlier: dict[str, str] = field(default_factory=dict)

    def with_durations(self, result: CellResult) -> CellResult:
        """Return the result with the durations of its stages."""
        if not self.durations:
            return result
        return replace(result, durations=MappingProxyType({**self.durations, **result.durations}))

    def add(self, event: TestFinished, name: str) -> None:
        """Record a test. Of several outcomes in one attempt the worst counts; a new attempt begins anew."""
        if event.attempt > self.attempt:
            failed = {test: case.message or "failed" for test, case in self.cases.items() if case.verdict in BAD}
            self.earlier = {**self.earlier, **failed}
            self.cases, self.attempt = {}, event.attempt
        verdict, before = CaseOutcome(event.verdict), self.cases.get(name)
        if before is not None and worst(before.verdict, verdict) is before.verdict:
            return
        self.cases[name] = Case(
            verdict=verdict, duration=event.duration, message=event.message, earlier=self.earlier.get(name, "")
        )


class ReportBuilder:
    """Folds events into a report, one after the other; a report can be had at any time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._started: RunStarted | None = None
        self._ended: RunFinished | None = None
        self._results: dict[str, CellResult] = {}
        self._seen: dict[str, _Seen] = {}  # of a merged report with 100,000 cells, most have a result alone
        self._names: dict[str, str] = {}  # one copy of each test's name: cells share most of them
        self._spans: dict[tuple[str, Stage], Span] = {}
        self._warnings: list[str] = []
        self._at = 0.0

    def add(self, event: Event) -> None:
        """Record an event; a later result of a cell replaces an earlier one."""
        match event:
            case TestFinished():
                self._cell(event.cell).add(event, self._names.setdefault(event.test, event.test))
            case TestsCollected():
                self._cell(event.cell).collected = event.collected
            case StageStarted() | StageFinished():
                self._stage(event)
            case CellPlanned():
                self._cell(event.cell).planned = event
            case CellFinished():
                self._results[event.result.id] = event.result
            case StageProgress():
                pass
            case Message():
                self._warnings += [event.text] if event.level == "warning" else []
            case RunStarted():
                self._started = event
                return
            case RunFinished():
                self._ended = event
        self._at = max(self._at, event.at)

    def _stage(self, event: StageStarted | StageFinished) -> None:
        seen, key = self._cell(event.cell), (event.cell, event.stage)
        if isinstance(event, StageStarted):
            seen.stage = event.stage
            self._spans[key] = Span(
                cell=event.cell, stage=event.stage, worker=event.worker, began=event.at, machine=event.machine
            )
            return
        seen.stage = None
        seen.durations[event.stage.value] = event.duration
        if key in self._spans:
            self._spans[key] = replace(self._spans[key], ended=event.at)

    def report(self) -> Report:
        """Return the report of all events so far."""
        start, end = self._started, self._ended
        planned = start.plan.cells if start else ()
        results = {
            name: seen.with_durations(result) if (seen := self._seen.get(name)) else result
            for name, result in self._results.items()
        }
        wanted = [item for item in planned if item.status is not Status.EXCLUDED or item.cell.id in results]
        known = {item.cell.id for item in wanted}
        here = {item.cell.id for item in wanted if item.status is not Status.ELSEWHERE}
        strangers = [result for name, result in results.items() if name not in known]
        cells = (*(results.get(item.cell.id) or self._without_result(item) for item in wanted), *strangers)
        proven = start is not None and here <= results.keys()
        return Report(
            **({name: getattr(start, name) for name in _STARTED} if start else {}),
            started=start.time if start else "",
            duration=end.duration if end else self._at,
            exit_status=_proven_status(cells, end, proven=proven),
            cells=cells,
            excluded=tuple(item for item in planned if item.cell.id not in known),
            tier=start.plan.tier if start else "",
            left_out=start.plan.left_out if start else (),
            certificate=start.plan.certificate if start else None,
            warnings=(*(start.plan.warnings if start else ()), *self._warnings),
            tests=MappingProxyType(
                {name: MappingProxyType(dict(seen.cases)) for name, seen in self._seen.items() if seen.cases}
            ),
            spans=tuple(self._spans.values()),
            finished=end is not None,
        )

    def _cell(self, name: str) -> _Seen:
        if name not in self._seen:
            self._seen[name] = _Seen()
        return self._seen[name]

    def _without_result(self, item: PlannedCell) -> CellResult:
        """Return the result of a cell that has none in the journal; it is never green."""
        seen = self._seen.get(item.cell.id, _Seen())
        planned = seen.planned or item
        outcome, reason = OUTCOME_OF_STATUS.get(planned.status, Outcome.CANCELLED), planned.reason
        if outcome is Outcome.CANCELLED:
            reason = f"no result: {self._cut_short(seen)}"
        return CellResult(
            id=item.cell.id,
            axes=item.cell.axes,
            outcome=outcome,
            reason=reason,
            allow_failure=item.cell.allow_failure,
            named=item.cell.named,
            durations=MappingProxyType(dict(seen.durations)),
            tests=MappingProxyType(dict(Counter(case.verdict.value for case in seen.cases.values()))),
            log=f"logs/{item.cell.id}.log" if seen.stage is Stage.TEST or seen.cases else "",
        )

    def _cut_short(self, seen: _Seen) -> str:
        if self._ended is not None:
            return "the run's journal holds none for this cell; run it again"
        doing = _DOING[seen.stage] if seen.stage else "waiting"
        told = f" ({len(seen.cases)} of {seen.collected} tests done)" if seen.stage is Stage.TEST else ""
        return f"the run was killed while this cell was {doing}{told}"


def build_report(events: Iterable[Event]) -> Report:
    """Fold all events of a run."""
    folder = ReportBuilder()
    for event in events:
        folder.add(event)
    return folder.report()


def _proven_status(cells: tuple[CellResult, ...], end: RunFinished | None, *, proven: bool) -> int:
    """Return the exit status of the run. It is not green if a planned cell has no result."""
    if end is None:
        return status_of(cells, interrupted=True)
    return ExitStatus.INCOMPLETE if end.exit_status == ExitStatus.PASSED and not proven else end.exit_status
