"""Which combinations of values the cells of a run cover: only cells whose tests ran count. Pure."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from venvgrid.model import Certificate, Outcome
from venvgrid.planning import coverage
from venvgrid.planning.covering.tuples import MAX_TUPLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from venvgrid.model import CellResult
    from venvgrid.planning.coverage import Named
    from venvgrid.results.report import Report

RAN = frozenset({Outcome.PASSED, Outcome.FLAKY, Outcome.FAILED, Outcome.CRASHED, Outcome.TIMED_OUT})


def of(report: Report) -> Certificate | None:
    """Return what the cells of a run cover, of all that can be; None if there is nothing to combine, or too much.

    A cell covers if its tests ran, whatever their outcome. Of a full grid, the pairs of the cells that can exist count.
    """
    planned = report.certificate
    fewest = min((len(cell.axes) for cell in report.cells), default=0)
    strength = planned.strength if planned else min(coverage.OF_A_GRID, fewest)
    if not strength or len(report.cells) * math.comb(fewest, strength) > MAX_TUPLES:
        return None
    ran = _covered(report, [cell for cell in report.cells if cell.outcome in RAN], strength)
    # A strategy chooses no cell that it knows to be impossible: such a one was asked for by name, or found in the run.
    is_chosen = planned is not None and bool(planned.axes)
    idle = [
        cell
        for cell in report.cells
        if cell.outcome not in RAN and (cell.outcome is not Outcome.IMPOSSIBLE or (is_chosen and not cell.named))
    ]
    known = (tuple(item.items()) for item in planned.missing) if planned else ()
    missing = [item for item in dict.fromkeys((*known, *_combinations(report, idle, strength))) if item not in ran]
    return Certificate(
        strength=strength,
        feasible=planned.feasible if planned else len(ran) + len(missing),
        covered=min(len(ran), planned.feasible) if planned else len(ran),  # an include can have what is excluded
        infeasible=planned.infeasible if planned else {},
        missing=tuple(map(dict, missing[: coverage.MAX_MISSING])),
        lost=coverage.lost(missing, ((cell.axes, cell.reason or cell.outcome.value) for cell in idle)),
        axes=planned.axes if planned else {},
    )


def _covered(report: Report, cells: Sequence[CellResult], strength: int) -> set[Named]:
    """Return the combinations of `_combinations`: column by column, as grids may have 100,000 cells."""
    axes = report.certificate.axes if report.certificate else {}
    found: set[Named] = set()
    for names in dict.fromkeys(tuple(cell.axes) for cell in cells):
        rows = [tuple(cell.axes.values()) for cell in cells if tuple(cell.axes) == names]
        columns = list(zip(*rows, strict=True))
        strange = [
            (place, values)
            for place, name in enumerate(names)
            if name in axes and (values := set(columns[place]).difference(axes[name]))
        ]
        if strange:
            columns = list(zip(*(row for row in rows if all(row[at] not in some for at, some in strange)), strict=True))
        for chosen in itertools.combinations(zip(names, columns, strict=False), strength):
            those = tuple(name for name, _ in chosen)
            alike = set(zip(*(column for _, column in chosen), strict=True))
            found.update(tuple(zip(those, values, strict=True)) for values in alike)
    return found


def _combinations(report: Report, cells: Iterable[CellResult], strength: int) -> Iterable[Named]:
    """Yield the combinations of cells, without those of values that no axis has: of an include."""
    axes = report.certificate.axes if report.certificate else {}
    for cell in cells:
        if all(value in axes[name] for name, value in cell.axes.items() if name in axes):
            yield from coverage.combinations(cell.axes, strength)
