"""The order of cells: a break must show early. Pure.

First come the cells that were red in their last run. Then come those without an earlier result, and those that get
other versions than in their last run (known when they are resolved). Of the rest the next cell is always the one with
the most pairs of values that no earlier cell has. Among equals the two ends go first, the newest and the oldest values
of all axes: most breaks happen there.

The cells of a `Product` are too many to be compared with each other. Of those without an earlier result, the two ends
go first; then the golden section of the grid leads from each cell to the next, which spreads the values of every axis.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from dataclasses import field, replace
from typing import TYPE_CHECKING

from venvgrid.analysis import grid
from venvgrid.model import Product, Status
from venvgrid.model.config import VARIABLE_PREFIX
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from venvgrid.model import Cell, Distribution
    from venvgrid.results.report import Earlier

GOLDEN = (math.sqrt(5) - 1) / 2
MUCH_LONGER = 2.0  # times the typical duration

CHANGED = 1_000_000.0  # by so much a cell goes before its place if it has other versions than in its last run


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The places of cells, the lowest goes first, and the packages that each had in its last run."""

    places: Mapping[str, float] = field(default_factory=dict)
    packages: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    early: tuple[str, ...] = ()  # of a product, in place of `places`: the cells that go first,
    late: tuple[str, ...] = ()  # and those that go last

    def of(self, cell: str, distributions: Iterable[Distribution]) -> float:
        """Return the place of a cell that gets these distributions."""
        place, before = self.places.get(cell, 0.0), self.packages.get(cell)
        has_others = before is not None and any(before.get(item.name) != item.version for item in distributions)
        return place - CHANGED if has_others and place >= 2 * CHANGED else place

    def after(self, first: Sequence[str]) -> Order:
        """Return the order in which these cells go first."""
        places = {**self.places, **{cell: place - len(first) for place, cell in enumerate(first)}}
        return replace(self, places=places, early=(*first, *self.early))


def order(cells: Sequence[Cell] | Product, last: Mapping[str, Earlier]) -> Order:
    """Order cells; `last` is what is known of earlier runs."""
    packages = {name: earlier.packages for name, earlier in last.items() if earlier.packages}
    if not isinstance(cells, Product):
        return Order(places=ranks(cells, last), packages=packages)
    red = tuple(name for name, earlier in last.items() if earlier.outcome.is_red)
    known = sorted((name for name in last if not last[name].outcome.is_red), key=lambda name: -last[name].seconds)
    return Order(packages=packages, early=red, late=tuple(known))


class Stream:
    """The cells of a product that are to run, in their order: made when they are asked for.

    Cells that differ only in variables are a group, which comes as a whole: it is resolved once.
    """

    def __init__(self, cells: Product, order: Order, recorded: Collection[str] = ()) -> None:
        """Begin with the groups whose turn is known: red ones first, then others, and known ones last.

        Those that are all `recorded` are apart.
        """
        self._product, self._find = cells, cells.finder()
        axes = [(len(axis.values), axis.name.startswith(VARIABLE_PREFIX)) for axis in cells.axes]
        self._sizes = [1 if is_variable else size for size, is_variable in axes]
        self._members = [range(size if is_variable else 1) for size, is_variable in axes]
        self._recorded = dict.fromkeys(self._whole(recorded))
        early = [group for name in order.early if (group := self._group_of(name)) is not None]
        self._early = dict.fromkeys(group for group in early if group not in self._recorded)
        late = dict.fromkeys(self._whole(order.late))
        self._late = [group for group in late if not (group in self._early or group in self._recorded)]

    def recorded(self) -> Iterator[list[Cell]]:
        """Yield the groups of cells that are all recorded."""
        yield from map(self._cells, self._recorded)

    def others(self) -> Iterator[list[Cell]]:
        """Yield the other groups."""
        yield from map(self._cells, self._early)
        known = {*self._early, *self._recorded, *self._late}
        yield from (self._cells(group) for group in self._spread() if group not in known)
        yield from map(self._cells, self._late)

    def _spread(self) -> Iterator[int]:
        """Yield each group once: the last and the first one, then each at the golden section from the one before."""
        number = math.prod(self._sizes)
        step = next(step for step in range(round(GOLDEN * number) or 1, 2 * number + 1) if math.gcd(step, number) == 1)
        ends = dict.fromkeys((number - 1, 0))
        yield from ends
        yield from (group for index in range(number) if (group := index * step % number) not in ends)

    def _cells(self, group: int) -> list[Cell]:
        numbers = []
        for size in reversed(self._sizes):
            group, number = divmod(group, size)
            numbers.append(number)
        axes = [
            members if size == 1 else (number,)
            for members, size, number in zip(self._members, self._sizes, reversed(numbers), strict=True)
        ]
        found = (self._product[self._product.place(place)] for place in itertools.product(*axes))
        return [item.cell for item in found if item.status is Status.RUNNABLE]

    def _whole(self, names: Iterable[str]) -> Iterator[int]:
        """Yield the groups of which all cells are named."""
        found = Counter(group for name in names if (group := self._group_of(name)) is not None)
        size = math.prod(map(len, self._members))
        return (group for group, count in found.items() if count == size)

    def _group_of(self, name: str) -> int | None:
        place = self._find(name)
        if place is None:
            return None
        group, times = 0, 1
        for axis, size in zip(reversed(self._product.axes), reversed(self._sizes), strict=True):
            place, number = divmod(place, len(axis.values))
            group += number * times if size > 1 else 0
            times *= size
        return group


def ranks(cells: Sequence[Cell], last: Mapping[str, Earlier]) -> dict[str, float]:
    """Return the place of each cell. The lowest goes first; a cell at 2 * CHANGED or more may move before its place."""
    red = [cell for cell in cells if cell.id in last and last[cell.id].outcome.is_red]
    unknown = [cell for cell in cells if cell.id not in last]
    known = [cell for cell in cells if cell.id in last and not last[cell.id].outcome.is_red]
    durations = sorted(last[cell.id].seconds for cell in known)
    typical = durations[len(durations) // 2] if durations else 0.0
    # What takes much longer than the others must not be alone at the end.
    slow = [cell for cell in known if last[cell.id].seconds > MUCH_LONGER * typical]
    slow.sort(key=lambda cell: -last[cell.id].seconds)
    ends = _ends(cells)
    seen, pairs = set[int](), Pairs(cells)
    of_slow = {cell.id for cell in slow}
    quick = [cell for cell in known if cell.id not in of_slow]
    first = _spread(red, seen, ends, pairs)
    second = _spread(unknown, seen, ends, pairs)
    third = [*slow, *_spread(quick, seen, ends, pairs)]
    return {
        cell.id: group * CHANGED + place
        for group, some in enumerate((first, second, third))
        for place, cell in enumerate(some)
    }


def _spread(some: Sequence[Cell], seen: set[int], ends: Mapping[str, int], pairs: Pairs) -> list[Cell]:
    """Order cells by what each adds to the pairs that were `seen`, which are added to.

    What a cell adds only ever becomes less, so that one is looked at again only when its turn seems to have come.
    """
    waiting = [(-math.comb(len(cell.axes) + 1, 2), -ends[cell.id], place) for place, cell in enumerate(some)]
    heapq.heapify(waiting)
    ordered = []
    while waiting and len(seen) < pairs.number:
        claimed, end, place = heapq.heappop(waiting)
        of_cell = pairs.of(some[place])
        gain = sum(pair in seen for pair in of_cell) - len(of_cell)
        if gain == claimed or not waiting or (gain, end, place) <= waiting[0]:
            ordered.append(some[place])
            seen.update(of_cell)
        else:
            heapq.heappush(waiting, (gain, end, place))
    # No cell adds anything to all pairs that there are.
    return ordered + [some[place] for _, _, place in sorted(waiting, key=lambda item: item[1:])]


class Pairs:
    """The values of cells, alone and in pairs, as numbers: those of very many cells do not fit into the memory."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        """Number the values of each axis."""
        values = grid.values(cell.axes for cell in cells)
        self._numbers = {item: number for number, item in enumerate((axis, v) for axis in values for v in values[axis])}
        sizes = [len(of_axis) for of_axis in values.values()]
        self.number = sum(sizes) + sum(one * other for one, other in itertools.combinations(sizes, 2))  # at most

    def of(self, cell: Cell) -> list[int]:
        """Return the values of a cell, alone and in pairs."""
        numbers, size = [self._numbers[item] for item in cell.axes.items()], len(self._numbers)
        return [*numbers, *(size + one * size + other for one, other in itertools.combinations(numbers, 2))]


def _ends(cells: Sequence[Cell]) -> dict[str, int]:
    """Count on how many axes a cell stands at the same end as on the others: the newest first, then the oldest."""
    values = grid.values(cell.axes for cell in cells)
    first = {name: of_axis[0] for name, of_axis in values.items()}
    last = {name: of_axis[-1] for name, of_axis in values.items()}
    found = {}
    for cell in cells:
        newest = sum(last[name] == value for name, value in cell.axes.items())
        oldest = sum(first[name] == value for name, value in cell.axes.items())
        found[cell.id] = 2 * max(newest, oldest) + (newest >= oldest)
    return found
