"""The use case "merge": the records of a plan become the folder of a run. The same records give the same bytes.

One record is in memory at a time: lines of journals are copied, not made again, and equal parts of results are shared.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from venvgrid.analysis import document
from venvgrid.app.capsules import merged as capsules
from venvgrid.model import (
    CellFinished,
    CellResult,
    ExitStatus,
    InfrastructureError,
    Interpreter,
    Outcome,
    PlannedCell,
    RunFinished,
    RunStarted,
    Status,
    serialization,
)
from venvgrid.results import journal, records
from venvgrid.results.exit_status import exit_status
from venvgrid.results.merge import read_results
from venvgrid.results.report import ReportBuilder
from venvgrid.storage.atomic import writing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import IO, BinaryIO

    from venvgrid.model import Cell
    from venvgrid.results.merge import Merged, Reported
    from venvgrid.results.records import Record
    from venvgrid.results.report import Report

_OF = re.compile(rb'\{"event":"(\w+)",(?:"cell":"([^"\\]*)"|"result":\{"id":"([^"\\]*)")')  # what a line is about
_NO_CELLS = b'"cells":[]'
MAX_LOGS = 10_000
_CELLS = '\n "cells": [],'  # in the document of a report without cells


def write(merged: Merged, folder: Path) -> Report:
    """Write journal, results and logs of merged records; return the report of the whole plan.

    Of more than MAX_LOGS cells, only the logs of those that are not green are written.

    Raises:
        InfrastructureError: a file cannot be written.
        UsageError: a record was changed meanwhile.
    """
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        with writing(folder / records.EVENTS) as events, tempfile.TemporaryFile(dir=folder, buffering=0) as cells:
            made = _Folder(merged, folder, events, cells)
            for record in merged.records:
                made.add(record)
            finished = made.finish()
            with writing(folder / records.RESULTS) as results:
                made.write_results(finished, results)
    except OSError as error:
        raise InfrastructureError(f"{error.filename or folder}: {error.strerror or error}") from error
    return finished


class _Folder:
    """The merged folder while it is made. `cells` takes the text of each result, in the order of the records."""

    def __init__(self, merged: Merged, folder: Path, events: BinaryIO, cells: IO[bytes]) -> None:
        self.merged, self.folder, self.events, self.cells = merged, folder, events, cells
        self.places: dict[str, tuple[int, int]] = {}  # of a cell's text: where it begins, how long it is
        self.axes = {item.cell.id: item.cell.axes for item in merged.plan.plan.cells}
        self.end = 0
        self.shared: dict[object, Any] = {}
        self.builder, self.seconds = ReportBuilder(), 0.0
        self.outcomes: list[CellResult] = []
        self.has_all_logs = len(merged.chosen) <= MAX_LOGS
        self._start()

    def _start(self) -> None:
        """Write the first event, with a plan of any size."""
        started = _started(self.merged)
        self.builder.add(started)
        before, after = journal.encode(replace(started, plan=replace(started.plan, cells=()))).split(_NO_CELLS)
        self.events.write(before + b'"cells":[')
        separator = b""
        for item in started.plan.cells:
            self.events.write(separator + json.dumps(plain_cell(item), separators=(",", ":")).encode())
            separator = b","
        self.events.write(b"]" + after)

    def add(self, record: Record) -> None:
        """Add what counts of a record."""
        with record.open() as read:
            every = read_results(self.merged.plan, record, read(records.RESULTS))
            results = {cell["id"]: cell for cell in every}
            mine = [name for name in results if name in self.axes and self._reported(name, record)]
            for name in mine:
                results[name] = self._result(results[name], read)
            content = record.checked(records.EVENTS, read(records.EVENTS))
            told = self._copy_events(content, frozenset(mine), results)
            capsules.write(((name, results[name]["outcome"], read) for name in mine), self.folder)
        for name in mine:
            result = {**results[name], "axes": self.axes[name], "words": ""}
            ended = CellFinished(result=document.cell_from(result, self._same), at=0.0)
            if name not in told:
                self.events.write(journal.encode(ended))
            self.builder.add(ended)
            self.outcomes.append(ended.result)

    def finish(self) -> Report:
        """End the journal and return the report."""
        for item in self.merged.plan.cells:
            if item.cell.id not in self.merged.chosen:
                self._write(CellFinished(result=_missing(item.cell), at=0.0))
        status = ExitStatus.INCOMPLETE if self.merged.missing else exit_status(self.outcomes)
        self._write(RunFinished(exit_status=status, duration=self.seconds, at=self.seconds))
        return self.builder.report()

    def _write(self, event: CellFinished | RunFinished) -> None:
        self.events.write(journal.encode(event))
        self.builder.add(event)

    def write_results(self, finished: Report, stream: BinaryIO) -> None:
        """Write results.json, with a line for each cell."""
        before, after = json.dumps(document.to_results(finished, cells=False), indent=1).split(_CELLS)
        stream.write(f'{before}\n "cells": ['.encode())
        separator = b"\n"
        for cell in finished.cells:
            start, length = self.places.get(cell.id, (0, 0))
            self.cells.seek(start)
            text = self.cells.read(length) or json.dumps(document.from_cell(cell)).encode()
            stream.write(separator + text)
            separator = b",\n"
        stream.write(f"\n ],{after}\n".encode())

    def _reported(self, name: str, record: Record) -> Reported | None:
        """Return the result of a cell if it is from this record."""
        reported = self.merged.chosen.get(name)
        return reported if reported is not None and reported.record is record else None

    def _result(self, cell: dict[str, Any], read: records.Read) -> dict[str, Any]:
        """Return the result as it counts, and keep its text and its log."""
        name, reported = cell["id"], self.merged.chosen[cell["id"]]
        if reported.disagreement:
            notes = [*cell.get("notes", []), reported.disagreement]
            cell = {**cell, "outcome": reported.outcome, "reason": reported.reason, "notes": notes}
        log = f"logs/{name}.log"
        is_wanted = self.has_all_logs or reported.problem
        content = read(log) if is_wanted and cell.get("log") == log else b""
        if content:
            (self.folder / log).write_bytes(content)
        else:
            cell = {**cell, "log": ""}
        line = json.dumps(cell).encode()
        self.places[name] = (self.end, len(line))
        self.end += len(line)
        self.cells.write(line)
        return cell

    def _copy_events(self, journal_: bytes, mine: frozenset[str], results: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """Copy the lines of these cells; return the cells whose end was told."""
        ended: set[str] = set()
        for line in journal_.splitlines(keepends=True):
            found = _OF.match(line)
            if found is None:
                data = json.loads(line)
                self.seconds = max(self.seconds, float(data.get("duration", 0.0)))
                continue
            name = (found[2] or found[3]).decode()
            if name not in mine:
                continue
            if found[1] != b"CellFinished":
                event = serialization.event_from_plain(json.loads(line))
                if event is not None:
                    self.builder.add(event)
                self.events.write(line)
                continue
            ended.add(name)
            self.events.write(_as_counted(line, results[name], self.merged.chosen[name]))
        return ended

    def _same(self, part: Any) -> Any:
        """Return the first part of a result that is equal to this one: most cells have what others have."""
        if isinstance(part, dict):
            key: object = tuple(part.items())
        elif isinstance(part, Interpreter):
            key = part.executable, part.version, part.implementation
        else:
            key = str(part)
        return self.shared.setdefault(key, part)


def _as_counted(line: bytes, result: Mapping[str, Any], reported: Reported) -> bytes:
    """Return the line of a cell's end with what merging made of its result."""
    if not reported.disagreement:
        # As bytes: to make 100,000 lines anew takes longer than all the rest.
        return line if result["log"] else line.replace(f',"log":"logs/{result["id"]}.log"'.encode(), b"")
    event = serialization.event_from_plain(json.loads(line))
    if not isinstance(event, CellFinished):
        return line
    counted = document.cell_from(result)
    made = replace(event.result, outcome=counted.outcome, reason=counted.reason, notes=counted.notes, log=counted.log)
    return journal.encode(replace(event, result=made))


def plain_cell(item: PlannedCell) -> dict[str, Any]:
    """Return a planned cell as `serialization` writes it, in a tenth of the time: plans may have 100,000."""
    cell, told = item.cell, {"reason": item.reason, "words": item.words}
    options = {"allow_failure": cell.allow_failure, "named": cell.named, "labels": list(cell.labels)}
    return {
        "cell": {"id": cell.id, "axes": dict(cell.axes), **{name: value for name, value in options.items() if value}},
        "status": item.status.value,
        **{name: text for name, text in told.items() if text},
    }


def _missing(cell: Cell) -> CellResult:
    return CellResult(
        id=cell.id,
        axes=cell.axes,
        outcome=Outcome.CANCELLED,
        reason="no result was reported",
        allow_failure=cell.allow_failure,
        named=cell.named,
    )


def _started(merged: Merged) -> RunStarted:
    """Return the first event. What the plan sent to other machines is here: in a merged report nothing is elsewhere."""
    plan, first = merged.plan, min((record.header.began for record in merged.records), default="")
    cells = tuple(
        replace(item, status=Status.RUNNABLE, reason="") if item.status is Status.ELSEWHERE else item
        for item in plan.plan.cells
    )
    return RunStarted(
        run=f"plan-{plan.digest[:12]}",
        time=first,
        venvgrid=plan.venvgrid,
        config=plan.config,
        config_digest=plan.config_digest,
        project=plan.project,
        project_version=plan.project_version,
        plan=replace(plan.plan, cells=cells),
        grid=plan.grid,
    )
