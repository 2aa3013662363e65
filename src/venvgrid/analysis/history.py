"""Outcomes of cells in earlier runs: read from results.json, or from the journal of a run that was killed."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.analysis import document
from venvgrid.model import CellFinished, InfrastructureError, Outcome, Product, RunFinished, RunStarted
from venvgrid.results import journal, report, run_folders
from venvgrid.results.report import Earlier, Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from venvgrid.model import CellResult, Event

# Outcomes that do not depend on the project: comparison looks further back.
NOT_COMPARED = frozenset({Outcome.CANCELLED, Outcome.BUILD_FAILED, Outcome.MISSING_INTERPRETER, Outcome.ELSEWHERE})


def last(root: Path, grid: str = "") -> dict[str, Earlier]:
    """Return the latest result of each cell of a grid, over all runs that are still stored. `root` is `.venvgrid`."""
    found: dict[str, Earlier] = {}
    for folder in run_folders.runs(root):
        run = _read(folder)
        found |= _results(folder.id, run) if run.grid == grid else ()
    return found


def of_cell(root: Path, cell: str, grid: str = "") -> Iterator[tuple[str, CellResult]]:
    """Yield the runs of a cell with its results, the newest first."""
    for folder in reversed(run_folders.runs(root)):
        run = _read(folder)
        if run.grid == grid:
            yield from ((folder.id, item) for item in run.cells if item.id == cell)


def before(root: Path, finished: Report) -> Mapping[str, Earlier]:
    """Return the latest comparable result of each cell of a run, over the runs before it that are still stored.

    A result that the run has resumed is not compared with itself, and not that of another command: of other tests.
    """
    wanted = {cell.id for cell in finished.cells}
    resumed = {cell.id: cell.resumed for cell in finished.cells if cell.resumed}
    found: dict[str, Earlier] = {}
    for folder in reversed(run_folders.runs(root)):
        if folder.id >= finished.run:
            continue
        if wanted <= found.keys():
            break
        of = _read(folder)
        if of.command != finished.command:
            continue
        same = {cell.id for cell in of.cells if resumed.get(cell.id) in {folder.id, cell.resumed}}
        for name, earlier in _results(folder.id, of):
            if name in wanted - same and name not in found and earlier.outcome not in NOT_COMPARED:
                found[name] = earlier
    return found


def _results(run: str, of: Report) -> Iterator[tuple[str, Earlier]]:
    for cell in of.cells:
        seconds = cell.durations.get("test", 0.0)
        yield cell.id, Earlier(run=run, outcome=cell.outcome, packages=cell.packages, seconds=seconds)


def _read(folder: run_folders.RunFolder) -> Report:
    """Return the cells of a run, without their tests; none if neither its results nor its journal can be read."""
    with suppress(OSError, ValueError):
        return document.from_results(json.loads((folder.path / "results.json").read_text(encoding="utf-8")))
    with suppress(InfrastructureError):
        events = journal.read(folder.events, only=(RunStarted, CellFinished, RunFinished))
        return report.build_report(map(_with_what_ended, events))
    return Report()


def _with_what_ended(event: Event) -> Event:
    """Return an event, the first one of a product without its cells: nothing is known of those without a result."""
    if isinstance(event, RunStarted) and isinstance(event.plan.cells, Product):
        return replace(event, plan=replace(event.plan, cells=()))
    return event
