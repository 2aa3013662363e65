"""Runs that were killed or interrupted, and what their journals hold of cells, found by the beginnings of lines."""

from __future__ import annotations

import json
from array import array
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any

from venvgrid.model import CellFinished, ExitStatus, Outcome, serialization
from venvgrid.model.values import dataclass
from venvgrid.results import run_folders
from venvgrid.results.journal import MAX_LINE_BYTES
from venvgrid.storage.atomic import trouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from venvgrid.model import CellResult, Event
    from venvgrid.results.run_folders import RunFolder

# As `journal.encode` writes them. A line of another writer is not recognised, and its cell runs again.
_FINISHED = b'{"event":"CellFinished","result":{"id":"'
_OF_TESTS = (b'{"event":"TestFinished","cell":"', b'{"event":"TestsCollected","cell":"')
_ENDED = b'{"event":"RunFinished",'


@dataclass(frozen=True, slots=True)
class Recorded:
    """A result in a journal: where its line begins, what it was a result of, and the files that its tests made."""

    place: int
    fingerprint: str
    doubt: str
    made: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class InterruptedRun:
    """A run without an end, or with one that the user wanted. `results` and `tests` are by cell."""

    folder: RunFolder
    results: dict[str, Recorded] = field(default_factory=dict)
    tests: dict[str, array[int]] = field(default_factory=dict)  # where the lines of a cell's tests begin

    def result(self, cell: str) -> CellResult | None:
        """Return the result of a cell; None if its line cannot be read."""
        found = next(self._read([self.results[cell].place]), None)
        return found.result if isinstance(found, CellFinished) and found.result.id == cell else None

    def tests_of(self, cell: str) -> Iterator[Event]:
        """Yield what the journal tells of the tests of a cell."""
        yield from self._read(self.tests.get(cell, ()))

    def _read(self, places: list[int] | array[int] | tuple[()]) -> Iterator[Event]:
        with suppress(OSError), self.folder.events.open("rb") as file:
            for place in places:
                file.seek(place)
                with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
                    if event := serialization.event_from_plain(json.loads(file.readline(MAX_LINE_BYTES))):
                        yield event


def runs(root: Path, grid: str) -> list[InterruptedRun]:
    """Return the runs of a grid that did not finish, the newest first: those since its last whole run that did.

    Raises:
        InfrastructureError: a journal cannot be read.
    """
    found: list[InterruptedRun] = []
    for folder in reversed(run_folders.runs(root)):
        if folder.grid != grid:
            continue
        run = _scanned(folder)
        if run is not None:
            found.append(run)
        elif not folder.is_part:
            break
    return found


def _scanned(folder: RunFolder) -> InterruptedRun | None:
    """Return what a journal holds; None if its run finished."""
    run = InterruptedRun(folder=folder)
    try:
        with folder.events.open("rb") as file:
            place = 0
            while line := file.readline(MAX_LINE_BYTES):
                if line.startswith(_FINISHED):
                    _add(run, line, place)
                elif line.startswith(_ENDED) and _status(line) != ExitStatus.INTERRUPTED:
                    return None
                elif beginning := next(filter(line.startswith, _OF_TESTS), b""):
                    cell = line[len(beginning) : line.find(b'"', len(beginning))].decode("utf-8", "replace")
                    run.tests.setdefault(cell, array("q")).append(place)
                place += len(line)
    except OSError as error:
        raise trouble("cannot read the journal", folder.events, error) from error
    return run


def _add(run: InterruptedRun, line: bytes, place: int) -> None:
    """Add the result of a cell whose tests ran in that run, or in one that it resumed."""
    with suppress(ValueError, TypeError, KeyError, AttributeError):  # a line that a kill or a disk has torn
        event: dict[str, Any] = json.loads(line)
        result, outcome = event["result"], Outcome(event["result"]["outcome"])
        run.results.pop(result["id"], None)  # a later result of a cell replaces an earlier one
        if (outcome.is_green or outcome.is_red) and not result.get("cached") and event.get("fingerprint"):
            left = result.get("footprint", {})
            made = tuple(left.get("made", ()))
            run.results[result["id"]] = Recorded(place, event["fingerprint"], left.get("doubt", ""), made)


def _status(line: bytes) -> int:
    with suppress(ValueError, KeyError):
        return int(json.loads(line)["exit_status"])
    return ExitStatus.INTERRUPTED  # a torn line: whether the run came to its end is not known
