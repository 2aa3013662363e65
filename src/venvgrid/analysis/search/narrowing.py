"""Search for the place where good becomes bad, between a good place and a bad one. Pure.

With `at_once` probes a round, each round divides what is left into `at_once` + 1 parts. One at a time, n places (both
ends counted) need at most log2 n + 2 probes between the ends; k at a time, at most ⌈log n⌉ rounds to the base k + 1.
Within this budget, edges of series are tried first, as releases break there.

A place that nobody can tell anything of is passed over. Unknown places beside each other are a block, if they are
unknown for the same reason. In one series at most two of a block are built; what else is in it stays untested. A block
over many series is left by halving: it costs at most 2 + 2 log2 of its length. A place that does not even resolve is
no build, and is free.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import field
from typing import TYPE_CHECKING, TypeVar

from venvgrid.analysis.search.protocol import Verdict
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from venvgrid.analysis.search.protocol import Observation, Search

P = TypeVar("P")
NO_EDGE = 9  # rank of a place that begins no series
BUILT_OF_A_SERIES = 2  # unknown places of one series that are built
_NUMBER = re.compile(r"\d+(?:[.\w]*\d)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """How places belong together. `rank` is 0 for the first of a major series, 1 for that of a minor, else NO_EDGE.

    `of` names the series in which unknown places are alike; by default each place is one.
    """

    rank: Callable[[int], int] = lambda _place: NO_EDGE
    of: Callable[[int], Hashable] = lambda place: place


PLAIN = Series()


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """The last good and the first bad place. `seen` are all places that were probed."""

    low: int
    high: int
    seen: Mapping[int, Observation]


def narrow(
    low: int,
    high: int,
    probe: Callable[[int], P],
    at_once: int = 1,
    series: Series = PLAIN,
    known: Mapping[int, Observation] | None = None,
) -> Search[P, Narrowed]:
    """Return where good becomes bad between the good place `low` and the bad place `high`.

    `known` are unknown places between them: they are not probed again.
    """
    left = _Range(low=low, high=high, at_once=at_once, series=series, seen=dict(known or {}))
    left.rounds = rounds(high - low + 1, at_once)
    while wanted := left.next():
        seen = yield [probe(place) for place in wanted]
        left.learn(dict(zip(wanted, seen, strict=True)))
    return Narrowed(low=left.low, high=left.high, seen=left.seen)


def first(low: int, high: int, series: Series = PLAIN) -> int:
    """Return the place that a search between two ends tries first; `high` if there is none between them."""
    left = _Range(low=low, high=high, at_once=1, series=series, rounds=rounds(high - low + 1))
    return next(iter(left.next()), high)


def rounds(places: int, at_once: int = 1) -> int:
    """Return the most rounds between two ends, which count as places, if each place can be told.

    One at a time there is room for a guess: log2 n + 2. More at a time fill their rounds anyway.
    """
    if at_once == 1:
        return max(places, 1).bit_length() + 1
    count, reach = 0, 1
    while reach < places - 1:
        count, reach = count + 1, reach * (at_once + 1)
    return count


def alike(one: str, other: str) -> bool:
    """Return whether two reasons differ in nothing but numbers."""
    return _NUMBER.sub("#", one) == _NUMBER.sub("#", other)


@dataclass(slots=True, kw_only=True)
class _Range:
    """What is left of a search: the places between `low` and `high`."""

    low: int
    high: int
    at_once: int
    series: Series
    rounds: int = 0
    seen: dict[int, Observation] = field(default_factory=dict)

    def learn(self, found: Mapping[int, Observation]) -> None:
        """Take the answers of a round. Where they contradict each other, the latest change to bad counts."""
        self.seen.update(found)
        self.rounds -= all(item.verdict is not Verdict.UNKNOWN for item in found.values())
        inside = sorted(place for place in found if self.low < place < self.high)
        for place in reversed(inside):
            if found[place].verdict is Verdict.BAD:
                self.high = place
            elif found[place].verdict is Verdict.GOOD:
                self.low = place
                break

    def next(self) -> list[int]:
        """Return the places to try now; [] if nothing is left to try."""
        free = self._free()
        if not free:
            return []
        unknown = [place for place in self.seen if self.low < place < self.high]
        return sorted(self._around(free, unknown) if unknown else self._balanced(free))

    def _free(self) -> set[int]:
        """Return the places that are worth a probe."""
        inside = range(self.low + 1, self.high)
        unknown = [place for place in inside if place in self.seen]
        free = set(inside) - set(unknown)
        for one, other in itertools.pairwise(unknown):
            if alike(self.seen[one].reason, self.seen[other].reason):
                free -= set(range(one, other))
        built = [self.series.of(place) for place in unknown if self.seen[place].runs]
        full = {name for name in built if built.count(name) >= BUILT_OF_A_SERIES}
        return {place for place in free if self.series.of(place) not in full} if full else free

    # Without unknown places: each choice leaves parts that the remaining rounds can search.

    def _balanced(self, free: set[int]) -> list[int]:
        chosen: list[int] = []
        for place in self._wishes():
            if place in free and place not in chosen and len(chosen) < self.at_once and self._fits([*chosen, place]):
                chosen.append(place)
        slots = dict.fromkeys(self._parts(chosen), 0)
        for _ in range(min(self.at_once, len(free)) - len(chosen)):
            widest = max(slots, key=lambda part: (part[1] - part[0]) / (slots[part] + 1))
            slots[widest] += 1
        return [*chosen, *(place for part, count in slots.items() for place in _even(*part, count))]

    def _parts(self, chosen: Sequence[int]) -> list[tuple[int, int]]:
        return list(itertools.pairwise([self.low, *sorted(chosen), self.high]))

    def _fits(self, chosen: Sequence[int]) -> bool:
        """Whether the rounds that remain are enough after a round with these places, the free slots well used."""
        most: int = (self.at_once + 1) ** max(self.rounds - 1, 0)
        needed = sum(-((start - end) // most) - 1 for start, end in self._parts(chosen))
        return needed <= self.at_once - len(chosen)

    def _wishes(self) -> Iterator[int]:
        """Yield places at the edges of series, the most wanted first.

        An edge has two sides. Tried first is the one after which the other side, if it is tried in vain, costs little.
        """
        yield from self._beside_ends()
        edges = self._edges(self.low + 1, self.high)
        targets = _even(self.low, self.high, self.at_once) if edges else ()
        near = list(dict.fromkeys(min(edges, key=lambda edge: abs(edge - target)) for target in targets))
        first = [edge if edge - self.low <= self.high - edge else edge - 1 for edge in near]
        yield from first
        yield from (edge - 1 if place == edge else edge for edge, place in zip(near, first, strict=True))

    def _beside_ends(self) -> Iterator[int]:
        """Yield the direct predecessor of a bad first release, and the first release after a good one.

        A minor edge is passed over while there is a major one.
        """
        best = min(map(self.series.rank, range(self.low + 1, self.high + 1)))
        if self.series.rank(self.high) == best < NO_EDGE:
            yield self.high - 1
        if self.series.rank(self.low + 1) == best < NO_EDGE:
            yield self.low + 1

    def _edges(self, start: int, end: int) -> list[int]:
        """Return the first places of the major series, else of the minor ones."""
        ranks = {place: self.series.rank(place) for place in range(start, end)}
        best = min(ranks.values(), default=NO_EDGE)
        return [place for place, rank in ranks.items() if rank == best < NO_EDGE]

    # With unknown places: away from them, in the widest gaps.

    def _around(self, free: set[int], unknown: Sequence[int]) -> list[int]:
        beside = [place - 1 for place in unknown if self.series.rank(place) < NO_EDGE]
        beside += [place + 1 for place in unknown if self.series.rank(place + 1) < NO_EDGE]
        chosen = [place for place in dict.fromkeys((*beside, *self._beside_ends())) if place in free][: self.at_once]
        gaps = dict.fromkeys(_gaps(sorted(free - set(chosen))), 0)
        for _ in range(min(self.at_once, len(free)) - len(chosen)):
            gaps[max(gaps, key=lambda gap: (gap[1] - gap[0]) / (gaps[gap] + 1))] += 1
        return [*chosen, *(place for gap, count in gaps.items() for place in _even(*gap, count))]


def _even(low: int, high: int, count: int) -> list[int]:
    """Return places that divide what is between two places evenly."""
    count = min(count, high - low - 1)
    return [low + (high - low) * number // (count + 1) for number in range(1, count + 1)]


def _gaps(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the runs of places beside each other, as the places before and after them."""
    begin = None
    for place, following in itertools.zip_longest(places, places[1:]):
        begin = place - 1 if begin is None else begin
        if following != place + 1:
            yield begin, place + 1
            begin = None
