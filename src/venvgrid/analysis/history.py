"""What earlier runs of a project found: read from their results, or from the journal of one that was killed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.model.errors import InfrastructureError
from venvgrid.model.result import Outcome
from venvgrid.results import journal, report, run_folders
from venvgrid.results.report import Earlier

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from venvgrid.results.report import Report

TELLS_NOTHING = frozenset({Outcome.CANCELLED, Outcome.BUILD_FAILED, Outcome.MISSING_INTERPRETER})


def last(root: Path, grid: str = "") -> dict[str, Earlier]:
    """Give what became of each cell of a grid when it last ran, in whichever of the runs that are still there.

    `root` is `.venvgrid`.
    """
    found: dict[str, Earlier] = {}
    for folder in run_folders.runs(root):
        name, cells = _read(folder)
        found |= cells if name == grid else {}
    return found


def before(root: Path, finished: Report) -> Mapping[str, Earlier]:
    """Give the last verdict of each cell of a run, from the runs before it that are still there."""
    wanted = {cell.id for cell in finished.cells}
    found: dict[str, Earlier] = {}
    for folder in reversed(run_folders.runs(root)):
        if folder.id >= finished.run:
            continue
        if wanted <= found.keys():
            break
        for name, earlier in _read(folder)[1].items():
            if name in wanted and name not in found and earlier.outcome not in TELLS_NOTHING:
                found[name] = earlier
    return found


def _read(folder: run_folders.RunFolder) -> tuple[str, dict[str, Earlier]]:
    """Give the name of the grid that ran, and what became of its cells; nothing of a run that cannot be read."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        data = json.loads((folder.path / "results.json").read_text(encoding="utf-8"))
        cells = {
            cell["id"]: Earlier(
                run=folder.id,
                outcome=Outcome(cell["outcome"]),
                packages=dict(cell["packages"]),
                seconds=float(cell["durations"].get("test", 0.0)),
            )
            for cell in data["cells"]
        }
        return data.get("grid", ""), cells
    with suppress(InfrastructureError):
        folded = report.build_report(journal.read(folder.events))
        return folded.grid, {
            cell.id: Earlier(
                run=folder.id,
                outcome=cell.outcome,
                packages=cell.packages,
                seconds=cell.durations.get("test", 0.0),
            )
            for cell in folded.cells
        }
    return "", {}
