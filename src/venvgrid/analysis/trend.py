"""Outcomes of the runs that are still stored, for the trend of a report: read from their results.json."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from venvgrid.model import Outcome
from venvgrid.model.values import dataclass
from venvgrid.results import run_folders

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from venvgrid.results.report import Report

MIN_COMMON = 0.5  # of the cells of both runs together: a run of a few cells is not comparable with one of all


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run of the same grid, with the number of its cells by outcome. `started` is ISO 8601 in UTC."""

    run: str
    started: str
    duration: float
    outcomes: Mapping[Outcome, int]


def past_runs(root: Path, finished: Report) -> tuple[PastRun, ...]:
    """Return the finished runs before this one, oldest first: of the same grid, most of their cells in common.

    `root` is `.venvgrid`. What cannot be read is left out.
    """
    cells = {cell.id for cell in finished.cells}
    found = []
    for folder in run_folders.runs(root):
        if folder.id < finished.run:
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                data = json.loads((folder.path / "results.json").read_text(encoding="utf-8"))
                found += [_past(data)] if _is_comparable(data, cells, finished.grid) else []
    return tuple(found)


def tally(report: Report) -> PastRun:
    """Return the numbers of this run."""
    outcomes = Counter(cell.outcome for cell in report.cells)
    return PastRun(run=report.run, started=report.started, duration=report.duration, outcomes=outcomes)


def _is_comparable(data: Any, cells: set[str], grid: str) -> bool:
    theirs = {cell["id"] for cell in data["cells"]}
    common = len(cells & theirs) >= MIN_COMMON * len(cells | theirs)
    return bool(data["finished"] and data["grid"] == grid and theirs and common)


def _past(data: Any) -> PastRun:
    return PastRun(
        run=str(data["run"]),
        started=str(data["started"]),
        duration=float(data["duration"]),
        outcomes=Counter(Outcome(cell["outcome"]) for cell in data["cells"]),
    )
