"""Merges runs of parts of a grid into one report: of each cell the newest result. Pure."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.results.exit_status import exit_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venvgrid.model import CellResult
    from venvgrid.results.report import Report


def merge(newest_first: Sequence[Report]) -> Report:
    """Return one report of runs of the same grid; the last one has all of its cells, if any has.

    The order of the cells is that of the last report; cells that only a newer one has are at the end. The run, its time
    and its duration are those of the first. Logs are named relative to the folder of its run.
    """
    newest, oldest = newest_first[0], newest_first[-1]
    found: dict[str, CellResult] = {cell.id: cell for cell in oldest.cells}  # the order
    tests = dict(oldest.tests)
    of_run = dict.fromkeys(found, oldest.run)
    for report in reversed(newest_first[:-1]):
        for cell in report.cells:
            found[cell.id], of_run[cell.id] = cell, report.run
            tests.pop(cell.id, None)
        tests |= report.tests
    earlier = [cell for cell, run in of_run.items() if run != newest.run]
    if not earlier:
        return newest
    cells = tuple(
        replace(cell, log=f"../{of_run[name]}/{cell.log}") if cell.log and of_run[name] != newest.run else cell
        for name, cell in found.items()
    )
    runs = ", ".join(sorted({of_run[cell] for cell in earlier}))
    note = f"{len(earlier)} of {len(cells)} cells were not in this run: their results are of {runs}"
    known = {item.cell.id for item in newest.excluded}
    return replace(
        newest,
        cells=cells,
        excluded=(*newest.excluded, *(item for item in oldest.excluded if item.cell.id not in known | found.keys())),
        tests=MappingProxyType(tests),
        warnings=(*newest.warnings, note),
        exit_status=exit_status(cells) if newest.finished else newest.exit_status,
    )
