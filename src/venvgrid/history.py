"""What earlier runs of a project found: read from their results, or from the journal of one that was killed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid import journal, report
from venvgrid.compare import Earlier
from venvgrid.errors import InfrastructureError
from venvgrid.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from venvgrid.report import Report

TELLS_NOTHING = frozenset({Outcome.CANCELLED, Outcome.BUILD_FAILED, Outcome.MISSING_INTERPRETER})


def last(root: Path) -> dict[str, Earlier]:
    """Give what the last run found for each of its cells; nothing if there is none. `root` is `.venvgrid`."""
    folder = journal.latest(root)
    return dict(_cells(folder)) if folder else {}


def before(root: Path, finished: Report) -> Mapping[str, Earlier]:
    """Give the last verdict of each cell of a run, from the runs before it that are still there."""
    wanted = {cell.id for cell in finished.cells}
    found: dict[str, Earlier] = {}
    for folder in reversed(journal.runs(root)):
        if folder.id >= finished.run:
            continue
        if wanted <= found.keys():
            break
        for name, earlier in _cells(folder):
            if name in wanted and name not in found and earlier.outcome not in TELLS_NOTHING:
                found[name] = earlier
    return found


def _cells(folder: journal.RunFolder) -> Iterator[tuple[str, Earlier]]:
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        data = json.loads((folder.path / "results.json").read_text(encoding="utf-8"))
        cells = [
            (
                cell["id"],
                Earlier(
                    run=folder.id,
                    outcome=Outcome(cell["outcome"]),
                    packages=dict(cell["packages"]),
                    seconds=float(cell["durations"].get("test", 0.0)),
                ),
            )
            for cell in data["cells"]
        ]
        yield from cells
        return
    with suppress(InfrastructureError):
        for cell in report.fold(journal.read(folder.events)).cells:
            seconds = cell.durations.get("test", 0.0)
            yield cell.id, Earlier(run=folder.id, outcome=cell.outcome, packages=cell.packages, seconds=seconds)
