"""The use case "merge": the records of a plan become the folder of a run. The same records give the same bytes.

One record is in memory at a time: lines of journals are copied, not made again, and equal parts of results are shared.
"""

from __future__ import annotations

import functools
import itertools
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
    Outcome,
    PlannedCell,
    RunFinished,
    RunStarted,
    Status,
    UsageError,
    serialization,
)
from venvgrid.results import journal, records
from venvgrid.results.exit_status import exit_status
from venvgrid.results.merge import merge, text_of
from venvgrid.results.report import ReportBuilder
from venvgrid.storage.atomic import writing
from venvgrid.storage.json_items import MALFORMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import IO, BinaryIO

    from venvgrid.analysis.document import Shared
    from venvgrid.model import Cell
    from venvgrid.results.merge import Merged, Reported
    from venvgrid.results.plan_file import PlanFile
    from venvgrid.results.records import Record, Unusable
    from venvgrid.results.report import Report

_OF = re.compile(rb'\{"event":"(\w+)",(?:"cell":"([^"\\]*)"|"result":\{"id":"([^"\\]*)")')  # what a line is about
_NO_CELLS = b'"cells":[]'
MAX_LOGS = 10_000
AT_ONCE = 1000  # planned cells that are written with one call
_LOG = '"log": "'
_quoted = json.encoder.encode_basestring_ascii


def collect(plan: PlanFile, found: Iterable[Record | Unusable]) -> Merged:
    """Merge records, and keep the result of each cell: who writes them need not parse them again."""
    known: dict[object, Any] = {}
    nested: set[object] = set()  # functions whose data have mappings in them

    def shared(make: Callable[[Any], Any], data: Any) -> Any:
        """Return the part that was made of equal data before: most cells have what others have."""
        values = [repr(item) if type(item) is dict else item for item in data.values()] if make in nested else None
        key = (make, *(values or data.values()), *data)
        try:
            found = known.get(key)
        except TypeError:
            nested.add(make)
            return make(data)
        if found is None:
            found = known[key] = make(data)
        return found

    return merge(plan, found, lambda cell, data: _result_from(cell, data, shared))


def write(merged: Merged, folder: Path) -> Report:
    """Write journal, results and logs of what was collected; return the report of the whole plan.

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
        self.planned = {item.cell.id: item.cell for item in merged.plan.cells}
        self.end, self.lines = 0, list[bytes]()
        self.of: dict[str, dict[str, Reported]] = {}  # place of a record → its results that count
        for name, reported in merged.chosen.items():
            self.of.setdefault(reported.record.place, {})[name] = reported
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
        separator, texts = b"", texts_of(started.plan.cells)
        while some := ",".join(itertools.islice(texts, AT_ONCE)):
            self.events.write(separator + some.encode())
            separator = b","
        self.events.write(b"]" + after)

    def add(self, record: Record) -> None:
        """Add what counts of a record."""
        mine = self.of.get(record.place, {})
        with record.open() as read:
            text = text_of(record, read)
            results = {name: self._result(name, reported, text, read) for name, reported in mine.items()}
            self.cells.write(b"".join(self.lines))
            self.lines.clear()
            content = record.checked(records.EVENTS, read(records.EVENTS))
            try:
                told = self._copy_events(content, results)
            except MALFORMED as error:
                raise UsageError(f"{record.place}: its journal is damaged") from error
            capsules.write(((name, result.outcome, read) for name, result in results.items()), self.folder)
        for name, result in results.items():
            ended = CellFinished(result=result, at=0.0)
            if name not in told:
                self.events.write(journal.encode(ended))
            self.builder.add(ended)
            self.outcomes.append(result)

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
        """Write results.json."""
        before, after = json.dumps(document.to_results(finished, cells=False), indent=1).split(document.NO_CELLS)
        stream.write(f'{before}\n "cells": ['.encode())
        separator = b"\n  "
        for cell in finished.cells:
            start, length = self.places.get(cell.id, (0, 0))
            self.cells.seek(start)
            text = self.cells.read(length) or _text(document.from_cell(cell)).encode()
            stream.write(separator + text)
            separator = b",\n  "
        stream.write(f"\n ],{after}\n".encode())

    def _result(self, name: str, reported: Reported, text: str, read: records.Read) -> CellResult:
        """Return the result as it counts, and keep its text and its log; `text` is that of the record's results."""
        before, log, after = _around_log(text[reported.start : reported.end])
        is_wanted = self.has_all_logs or reported.problem
        content = read(log) if is_wanted and log == f"logs/{name}.log" else b""
        if content:
            (self.folder / log).write_bytes(content)
        log = log if content else ""
        own = f"{before}{json.dumps(log)}{after}"
        result = reported.whole or _result_from(self.planned[name], json.loads(own))
        if reported.disagreement:
            notes = (*result.notes, reported.disagreement)
            result = replace(result, outcome=Outcome(reported.outcome), reason=reported.reason, notes=notes)
            told = {"outcome": reported.outcome, "reason": reported.reason, "notes": list(notes)}
            own = _text({**json.loads(own), **told})
        line = own.encode()
        self.places[name] = (self.end, len(line))
        self.end += len(line)
        self.lines.append(line)
        return replace(result, log=log) if log else result

    def _copy_events(self, journal_: bytes, results: Mapping[str, CellResult]) -> set[str]:
        """Copy the lines of these cells; return the cells whose end was told."""
        ended, kept, match = set[str](), list[bytes](), _OF.match
        for line in journal_.splitlines(keepends=True):
            found = match(line)
            if found is None:
                data = json.loads(line)
                self.seconds = max(self.seconds, float(data.get("duration", 0.0)))
                continue
            name = (found[2] or found[3]).decode()
            if name not in results:
                continue
            if found[1] != b"CellFinished":
                event = serialization.event_from_plain(json.loads(line))
                if event is not None:
                    self.builder.add(event)
                kept.append(line)
                continue
            ended.add(name)
            kept.append(_as_counted(line, results[name], self.merged.chosen[name]))
        self.events.writelines(kept)
        return ended


def _result_from(cell: Cell, data: Mapping[str, Any], shared: Shared = document.anew) -> CellResult:
    """Return the result of a planned cell, without its log."""
    return document.cell_from(data, shared, cell)


def _around_log(text: str) -> tuple[str, str, str]:
    """Return the text of a result before its log, the log, and the text after that.

    As text: to write 100,000 results anew takes longer than all the rest.
    """
    begin = text.find(_LOG) + len(_LOG)
    end = text.find('"', begin)
    log = text[begin:end]
    if begin < len(_LOG) or "\\" in log or text.find(_LOG, end) >= 0:
        # An axis or a distribution has that name, or the result has no log, or one with a strange name.
        cell = json.loads(text)
        log = told if isinstance(told := cell.get("log"), str) else ""
        text = _text({"log": "", **cell} | {"log": ""})
        begin = end = text.index(_LOG) + len(_LOG)
    return text[: begin - 1], log, text[end + 1 :]


def _text(cell: Mapping[str, Any]) -> str:
    """Return the text of a result as an item of the list of cells."""
    return json.dumps(cell, indent=1).replace("\n", "\n  ")


def _as_counted(line: bytes, result: CellResult, reported: Reported) -> bytes:
    """Return the line of a cell's end with what merging made of its result."""
    if not reported.disagreement:
        # As bytes: to make 100,000 lines anew takes longer than all the rest.
        return line if result.log else line.replace(f',"log":"logs/{result.id}.log"'.encode(), b"")
    event = serialization.event_from_plain(json.loads(line))
    if not isinstance(event, CellFinished):
        return line
    made = replace(event.result, outcome=result.outcome, reason=result.reason, notes=result.notes, log=result.log)
    return journal.encode(replace(event, result=made))


def texts_of(cells: Iterable[PlannedCell]) -> Iterator[str]:
    """Yield planned cells as `serialization` writes them, in a tenth of the time: plans may have 100,000."""
    quoted = functools.cache(_quoted)  # the names and values of axes are few
    for item in cells:
        cell, told = item.cell, {"reason": item.reason, "words": item.words}
        axes = ",".join([f"{quoted(name)}:{quoted(value)}" for name, value in cell.axes.items()])
        flags = "".join(f',"{name}":true' for name in ("allow_failure", "named") if getattr(cell, name))
        labels = f',"labels":[{",".join(map(quoted, cell.labels))}]' if cell.labels else ""
        why = "".join(f',"{name}":{_quoted(text)}' for name, text in told.items() if text)
        status = f'"status":{quoted(item.status.value)}'
        yield f'{{"cell":{{"id":{_quoted(cell.id)},"axes":{{{axes}}}{flags}{labels}}},{status}{why}}}'


def _missing(cell: Cell) -> CellResult:
    why, may_fail = "no result was reported", cell.allow_failure
    return CellResult(
        id=cell.id, axes=cell.axes, outcome=Outcome.CANCELLED, reason=why, allow_failure=may_fail, named=cell.named
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
