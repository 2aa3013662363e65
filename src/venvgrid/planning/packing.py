"""Packs cells into shards by the time that they take.

The makespan, the time of the longest shard, is what people wait for. Cells are placed longest first, each into the
shard that has least to do [Graham 1969]. A second attempt fills shards up to a limit and halves the limit's interval
[MULTIFIT, Coffman, Garey and Johnson 1978]. The better of the two is refined: a cell goes to the shard that already has
its environment where the makespan stays within 5 % of the lower bound.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venvgrid.model import Cell

UNKNOWN = 10.0  # seconds of a cell where no time is known at all
SLACK = 1.05  # times the lower bound: balance that may be given up to keep an environment together
HALVINGS = 30

Shards = list[list[str]]


def expected_seconds(cells: Sequence[Cell], measured: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds that each cell is expected to take.

    A cell without a measurement gets the median of its neighbours, which differ from it in one axis; without any, the
    median of all measured cells.
    """
    lines: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
    for cell in cells:
        if cell.id in measured:
            for line in _lines(cell):
                lines[line].append(measured[cell.id])
    everywhere = median(measured.values()) if measured else UNKNOWN
    found = {}
    for cell in cells:
        near = [] if cell.id in measured else [time for line in _lines(cell) for time in lines[line]]
        found[cell.id] = measured.get(cell.id, median(near) if near else everywhere)
    return found


def _lines(cell: Cell) -> list[tuple[str, ...]]:
    """Return the lines of the grid that a cell is on: all values but that of one axis."""
    values = list(cell.axes.values())
    return [(name, *values[:index], *values[index + 1 :]) for index, name in enumerate(cell.axes)]


def lower_bound(seconds: Sequence[float], shards: int) -> float:
    """Return a time that no packing into so many shards can beat.

    It is the mean, or what the pigeonhole principle gives: of the longest k * shards + 1 cells, some shard has k + 1.
    """
    times = sorted(seconds, reverse=True)
    full = range(len(times[:-1]) // shards + 1) if times else ()
    crowded = (sum(times[k * shards - k : k * shards + 1]) for k in full)
    return max(sum(times) / shards, *crowded, 0.0)


def makespan(shards: Shards, seconds: Mapping[str, float]) -> float:
    """Return the time of the longest shard."""
    return max((sum(seconds[cell] for cell in shard) for shard in shards), default=0.0)


def pack(seconds: Mapping[str, float], shards: int, alike: Mapping[str, str] | None = None) -> Shards:
    """Return the cells of each shard; the same arguments always give the same shards.

    `alike` maps a cell to what it shares with others: its environment. No shard is empty while there are as many cells.
    """
    ordered = sorted(seconds, key=lambda cell: (-seconds[cell], cell))
    bound = lower_bound(list(seconds.values()), shards)
    best = _longest_first(ordered, seconds, shards)
    fitted = _multifit(ordered, seconds, shards, bound, makespan(best, seconds))
    if makespan(fitted, seconds) < makespan(best, seconds):
        best = fitted
    if alike:
        limit = max(makespan(best, seconds), SLACK * bound)
        at_home = together(ordered, seconds, shards, alike, limit)
        if makespan(at_home, seconds) <= limit and all(at_home):
            best = at_home
    return best


def _longest_first(ordered: Sequence[str], seconds: Mapping[str, float], shards: int) -> Shards:
    heap = [(0.0, 0, index) for index in range(shards)]  # seconds, cells, shard
    packed: Shards = [[] for _ in range(shards)]
    for cell in ordered:
        load, count, index = heapq.heappop(heap)
        packed[index].append(cell)
        heapq.heappush(heap, (load + seconds[cell], count + 1, index))
    return packed


def _multifit(ordered: Sequence[str], seconds: Mapping[str, float], shards: int, low: float, high: float) -> Shards:
    best: Shards = [list(ordered)] + [[] for _ in range(shards - 1)]
    if len(ordered) > shards * HALVINGS:  # longest first is as good where shards have many cells
        return best
    for _ in range(HALVINGS):
        limit = (low + high) / 2
        packed = first_fit(ordered, seconds, shards, limit)
        if packed is None:
            low = limit
        else:
            best, high = packed, limit
    return best


def first_fit(ordered: Sequence[str], seconds: Mapping[str, float], shards: int, limit: float) -> Shards | None:
    """Return shards of at most `limit` seconds, each cell in the first one that has room; None if one fits in none."""
    loads = _Loads(shards)
    packed: Shards = [[] for _ in range(shards)]
    for cell in ordered:
        index = loads.first(seconds[cell], limit)
        if index is None:
            return None
        loads.add(index, seconds[cell])
        packed[index].append(cell)
    return packed if all(packed) or len(ordered) < shards else None


class _Loads:
    """Seconds of shards as the leaves of a binary tree, in which each node has the least of those below it."""

    def __init__(self, shards: int) -> None:
        self.leaves = 1 << (shards - 1).bit_length()
        self.least = [0.0] * 2 * self.leaves
        self.least[self.leaves + shards :] = [math.inf] * (self.leaves - shards)
        for node in reversed(range(1, self.leaves)):
            self.least[node] = min(self.least[2 * node : 2 * node + 2])

    def first(self, time: float, limit: float) -> int | None:
        """Return the first shard that has room for a cell of `time`, None if none has."""
        if self.least[1] + time > limit:
            return None
        node = 1
        while node < self.leaves:
            node = 2 * node if self.least[2 * node] + time <= limit else 2 * node + 1
        return node - self.leaves

    def add(self, index: int, time: float) -> None:
        """Add the time of a cell to a shard."""
        least, node = self.least, self.leaves + index
        least[node] += time
        while node > 1 and least[node // 2] != (now := min(least[node], least[node ^ 1])):
            node //= 2
            least[node] = now


def together(
    ordered: Sequence[str], seconds: Mapping[str, float], shards: int, alike: Mapping[str, str], limit: float
) -> Shards:
    """Return shards with each cell where others of its environment are and room is, else in the one with least."""
    loads = [0.0] * shards
    packed: Shards = [[] for _ in range(shards)]
    homes: defaultdict[str, list[int]] = defaultdict(list)
    heap = [(0.0, 0, index) for index in range(shards)]  # seconds, cells, shard: those of a shard when it last changed
    for cell in ordered:
        group, time = alike.get(cell, cell), seconds[cell]
        while heap[0] != (loads[at := heap[0][2]], len(packed[at]), at):  # it has changed since
            heapq.heappop(heap)
        known = ((loads[at], len(packed[at]), at) for at in homes[group] if loads[at] + time <= limit)
        index = min(known, default=heap[0])[2]
        if index not in homes[group]:
            homes[group].append(index)
        loads[index] += time
        packed[index].append(cell)
        heapq.heappush(heap, (loads[index], len(packed[index]), index))
    return packed
