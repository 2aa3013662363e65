"""In which order cells go, so that a break shows early. Pure.

First what was red in its last run, then what nobody knows yet or what has other versions than then; of the rest each
next cell is the one that has most pairs of values which no cell before it has. The newest and the oldest values of all
axes together stand first among equals: what is about to break is mostly at an end.
"""

from __future__ import annotations

import heapq
import itertools
import statistics
from typing import TYPE_CHECKING

from venvgrid import grid_layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from venvgrid.compare import Earlier
    from venvgrid.model import Cell

MUCH_LONGER = 2.0  # times the typical duration

Pair = tuple[tuple[str, str], ...]


def ranks(cells: Sequence[Cell], last: Mapping[str, Earlier]) -> dict[str, float]:
    """Give each cell its place, the lowest goes first; `last` is what is known of earlier runs."""
    red = [cell for cell in cells if cell.id in last and last[cell.id].outcome.is_red]
    unknown = [cell for cell in cells if cell.id not in last]
    known = [cell for cell in cells if cell.id in last and not last[cell.id].outcome.is_red]
    typical = statistics.median([last[cell.id].seconds for cell in known] or [0.0])
    # What takes much longer than the others must not be alone at the end.
    slow = [cell for cell in known if last[cell.id].seconds > MUCH_LONGER * typical]
    slow.sort(key=lambda cell: -last[cell.id].seconds)
    ends = _ends(cells)
    seen: set[Pair] = set()
    quick = [cell for cell in known if cell not in slow]
    groups = [_spread(red, seen, ends), _spread(unknown, seen, ends), slow, _spread(quick, seen, ends)]
    return {cell.id: float(place) for place, cell in enumerate(itertools.chain(*groups))}


def _spread(some: Iterable[Cell], seen: set[Pair], ends: Mapping[str, int]) -> list[Cell]:
    """Order cells by what each adds to the pairs that were `seen`, which are added to.

    What a cell adds only ever becomes less, so that one is looked at again only when its turn seems to have come.
    """
    pairs = {cell.id: _pairs(cell) for cell in some}
    cells = {cell.id: cell for cell in some}
    waiting = [(-len(pairs[name]), -ends[name], place, name) for place, name in enumerate(cells)]
    heapq.heapify(waiting)
    ordered = []
    while waiting:
        claimed, end, place, name = heapq.heappop(waiting)
        gain = -len(pairs[name] - seen)
        if gain == claimed or not waiting or (gain, end, place) <= waiting[0][:3]:
            ordered.append(cells[name])
            seen |= pairs[name]
        else:
            heapq.heappush(waiting, (gain, end, place, name))
    return ordered


def _pairs(cell: Cell) -> set[Pair]:
    """Give the values of a cell, alone and in pairs."""
    values = tuple(cell.axes.items())
    return {*itertools.combinations(values, 1), *itertools.combinations(values, 2)}


def _ends(cells: Sequence[Cell]) -> dict[str, int]:
    """Count on how many axes a cell stands at the same end as on the others: the newest first, then the oldest."""
    values = grid_layout.values(cell.axes for cell in cells)
    first = {name: of_axis[0] for name, of_axis in values.items()}
    last = {name: of_axis[-1] for name, of_axis in values.items()}
    found = {}
    for cell in cells:
        newest = sum(last[name] == value for name, value in cell.axes.items())
        oldest = sum(first[name] == value for name, value in cell.axes.items())
        found[cell.id] = 2 * max(newest, oldest) + (newest >= oldest)
    return found
