"""From the events of a run to its report. Pure: a journal gives the same report as the run that wrote it."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from venvgrid.events import (
    CellFinished,
    CellPlanned,
    Event,
    Message,
    RunFinished,
    RunStarted,
    StageStarted,
    TestFinished,
)
from venvgrid.model import CellResult, Outcome, PlannedCell, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GREEN, RED, USAGE, INFRASTRUCTURE, NOTHING, INTERRUPTED = 0, 1, 2, 3, 4, 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is known of a run. `tests` maps cells to their tests' verdicts, in the order they ended."""

    run: str = ""
    started: str = ""
    duration: float = 0.0
    exit_status: int = 0
    venvgrid: str = ""
    project: str = ""
    project_version: str = ""
    config: str = ""
    config_digest: str = ""
    cells: tuple[CellResult, ...] = ()
    excluded: tuple[PlannedCell, ...] = ()
    warnings: tuple[str, ...] = ()
    tests: Mapping[str, Mapping[str, Verdict]] = field(default_factory=dict)
    finished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """The same failure in several places. `cells` are those that have it, `tests` those that fail so."""

    signature: str
    kind: str
    message: str
    longrepr: str
    cells: tuple[str, ...]
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonGroup:
    """Cells of the same outcome and reason, for what is no failure of a test."""

    outcome: Outcome
    reason: str
    cells: tuple[str, ...]


class Folder:
    """Folds events into a report, one after the other; a report can be had at any time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._started: RunStarted | None = None
        self._ended: RunFinished | None = None
        self._results: dict[str, CellResult] = {}
        self._stages: dict[str, str] = {}
        self._tests: defaultdict[str, dict[str, Verdict]] = defaultdict(dict)
        self._warnings: list[str] = []
        self._at = 0.0

    def add(self, event: Event) -> None:
        """Take in an event; a later result of a cell replaces an earlier one."""
        self._at = max(self._at, getattr(event, "at", 0.0))
        match event:
            case RunStarted():
                self._started = event
            case StageStarted():
                self._stages[event.cell] = event.stage.value
            case TestFinished():
                self._tests[event.cell][event.test] = event.verdict
            case CellFinished():
                self._results[event.result.id] = event.result
            case Message() if event.level == "warning":
                self._warnings.append(event.text)
            case RunFinished():
                self._ended = event
            case CellPlanned() | _:
                pass

    def report(self) -> Report:
        """Give the report of what was seen so far."""
        if self._started is None:
            return Report(exit_status=NOTHING)
        start, end = self._started, self._ended
        cells = tuple(self._result(item) for item in start.plan.cells if item.status is not Status.EXCLUDED)
        return Report(
            run=start.run,
            started=start.time,
            duration=end.duration if end else self._at,
            exit_status=end.exit_status if end else exit_status(cells, interrupted=True),
            venvgrid=start.venvgrid,
            project=start.project,
            project_version=start.project_version,
            config=start.config,
            config_digest=start.config_digest,
            cells=cells,
            excluded=tuple(item for item in start.plan.cells if item.status is Status.EXCLUDED),
            warnings=(*start.plan.warnings, *self._warnings),
            tests=dict(self._tests),
            finished=end is not None,
        )

    def _result(self, planned: PlannedCell) -> CellResult:
        cell = planned.cell
        known = self._results.get(cell.id)
        if known is not None:
            return known
        stage = self._stages.get(cell.id)
        doing = f"while this cell was in its stage {stage!r}" if stage else "before this cell began"
        return CellResult(
            id=cell.id,
            axes=cell.axes,
            outcome=Outcome.CANCELLED,
            reason=f"no result: the run was killed {doing}",
            allow_failure=cell.allow_failure,
            named=cell.named,
        )


def fold(events: Iterable[Event]) -> Report:
    """Fold all events of a run."""
    folder = Folder()
    for event in events:
        folder.add(event)
    return folder.report()


def exit_status(
    cells: Iterable[CellResult],
    *,
    strict: bool = False,
    interrupted: bool = False,
    skip_missing: bool = False,
) -> int:
    """Give the exit status of a run, as the documentation's table has it; cells that may fail do not count."""
    every = tuple(cells)
    counted = [cell for cell in every if not cell.allow_failure]
    if interrupted:
        return INTERRUPTED
    if any(cell.outcome.is_red for cell in counted):
        return RED
    if any(_is_infrastructure(cell, strict=strict, skip_missing=skip_missing) for cell in counted):
        return INFRASTRUCTURE
    if not any(cell.outcome.is_green or cell.outcome.is_red for cell in every):
        return NOTHING
    return GREEN


def _is_infrastructure(cell: CellResult, *, strict: bool, skip_missing: bool) -> bool:
    if cell.outcome is Outcome.IMPOSSIBLE:
        return strict or cell.named
    if cell.outcome is Outcome.MISSING_INTERPRETER:
        return not skip_missing
    return cell.outcome in {Outcome.BUILD_FAILED, Outcome.CANCELLED}


def groups(report: Report) -> tuple[FailureGroup, ...]:
    """Group the failures of tests by signature, the one with most cells first."""
    found: dict[str, list[tuple[str, str, str, str, str]]] = {}
    for cell in report.cells:
        for failure in cell.failures:
            entry = (cell.id, failure.test, failure.kind, failure.message, failure.longrepr)
            found.setdefault(failure.signature, []).append(entry)
    made = [
        FailureGroup(
            signature=signature,
            kind=entries[0][2],
            message=entries[0][3],
            longrepr=entries[0][4],
            cells=tuple(dict.fromkeys(entry[0] for entry in entries)),
            tests=tuple(dict.fromkeys(entry[1] for entry in entries if entry[1])),
        )
        for signature, entries in found.items()
    ]
    return tuple(sorted(made, key=lambda group: (-len(group.cells), -len(group.tests), group.signature)))


def reasons(report: Report) -> tuple[ReasonGroup, ...]:
    """Group the cells that have no failing test but a reason, by outcome and reason, in the cells' order."""
    found: dict[tuple[Outcome, str], list[str]] = {}
    for cell in report.cells:
        if cell.reason and not cell.failures:
            found.setdefault((cell.outcome, cell.reason), []).append(cell.id)
    return tuple(
        ReasonGroup(outcome=outcome, reason=reason, cells=tuple(cells))
        for (outcome, reason), cells in _merged(found).items()
    )


VERSION = re.compile(r"(?P<name>CPython|PyPy|GraalPy) (?P<version>\d+\.\d+)(?= on |; |$)")


def _merged(found: Mapping[tuple[Outcome, str], list[str]]) -> dict[tuple[Outcome, str], list[str]]:
    """Merge reasons that differ only in the Python that they name: "no wheel for CPython 3.11, 3.12 on linux"."""
    versions: dict[tuple[Outcome, str], dict[str, None]] = {}
    merged: dict[tuple[Outcome, str], list[str]] = {}
    for (outcome, reason), cells in found.items():
        match = VERSION.search(reason)
        key = outcome, VERSION.sub(lambda it: f"{it['name']} \0", reason, count=1) if match else reason
        merged.setdefault(key, []).extend(cells)
        if match:
            versions.setdefault(key, {})[match["version"]] = None
    return {
        (outcome, reason.replace("\0", ", ".join(versions.get((outcome, reason), {})))): cells
        for (outcome, reason), cells in merged.items()
    }
