"""Which probes to run next: those that split what is believed, then those that would refute the likeliest rule. Pure.

A probe's information is the entropy of its outcome, less the noise. Probes that run at once are chosen one after the
other, each for what it adds to those before. A refuting probe lies inside the rule, far from every known failure, and
breaks conditions that hold in all of them: each of these may be a part of the cause that the rule omits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from venvgrid.analysis.diagnosis.ground import spread
from venvgrid.analysis.rules.conditions import bits, common, union
from venvgrid.analysis.rules.posterior import NOISE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from venvgrid.analysis.diagnosis.belief import Belief
    from venvgrid.analysis.rules.posterior import Parts

UNIT = 1 << 20  # weights are summed as integers
FINE = 1 << 30  # small ones
NEGLIGIBLE = 0.1  # weight of rivals that no probe is worth, relative to that of one more condition
MOST_HYPOTHESES = 4000
SHARE = 0.9999  # of all hypotheses, by weight
SHARED = 500  # weight of a condition that holds in all failures but one, in a distance; twice in all
UNLIKELY = 0.1  # chance that a world shows anything, below which it is not tried
MOST_ALONE = 2  # failures none of which is taken for an accident
MOST_FAILURES, MOST_FAR = 16, 10**9  # that a world is far from; more than any distance
SHORTLIST = 150  # worlds that are tried as companions of a first probe
MOST_TIES = 300  # pairs of worlds
MOST_GROUPS = 16  # outcomes of the probes before, that a further one is chosen for
Likely = Callable[[int], float]
Rivals = Sequence[tuple[float, int]]  # weight, the worlds that the rule gets wrong if they are right


class Sums:
    """A sum for each world. The binary digits of all sums are sets of worlds: adding one costs about two operations."""

    def __init__(self) -> None:
        """Begin with zeros."""
        self._planes: list[int] = []

    def add(self, cells: int, weight: int) -> None:
        """Add a weight to each of the worlds."""
        place = 0
        while weight:
            if weight & 1:
                self._carry(cells, place)
            weight >>= 1
            place += 1

    def _carry(self, cells: int, place: int) -> None:
        planes = self._planes
        while cells:
            while place >= len(planes):
                planes.append(0)
            planes[place], cells = planes[place] ^ cells, planes[place] & cells
            place += 1

    def of(self, numbers: Iterable[int]) -> list[int]:
        """Return the sums of some worlds."""
        # A text of digits per plane is read faster than bits of a long integer.
        rows = [f"{plane:b}"[::-1] for plane in self._planes]
        return [
            sum(1 << place for place, row in enumerate(rows) if number < len(row) and row[number] == "1")
            for number in numbers
        ]


def entropy(chance: float) -> float:
    """Return the bits that a probe tells whose failure has this chance, with noise."""
    seen = chance * (1 - NOISE) + (1 - chance) * NOISE
    return _bits(seen) - _bits(NOISE)


def _bits(chance: float) -> float:
    if not 0 < chance < 1:
        return 0.0
    return -chance * math.log2(chance) - (1 - chance) * math.log2(1 - chance)


def split(belief: Belief, worlds: Sequence[int], at_once: int, likely: Likely) -> list[tuple[int, float]]:
    """Return at most `at_once` of the worlds that together tell most, each with the bits that it adds."""
    weighted = _weighted(belief)
    groups = [(weighted, max(1, round(belief.flaky * UNIT)))]
    chosen: list[tuple[int, float]] = []
    rest = list(worlds)
    while rest and len(chosen) < at_once:
        gains = _gains(groups, rest)
        useful = [gain * likely(number) for number, gain in zip(rest, gains, strict=True)]
        best = max(range(len(rest)), key=lambda place: (useful[place], -rest[place]))
        if useful[best] <= 0:
            break
        number = rest[best]
        chosen.append((number, useful[best]))
        if not chosen[1:]:
            order = sorted(range(len(rest)), key=lambda place: (-useful[place], rest[place]))[: SHORTLIST + 1]
            rest = [rest[place] for place in order]
        rest.remove(number)
        groups = _divided(groups, number)
    return chosen


_Group = tuple[list[tuple[int, int]], int]  # sets of worlds with their weight, and the weight of "no world fails"


def _weighted(belief: Belief) -> list[tuple[int, int]]:
    told, found = 0.0, []
    goal = SHARE * sum(item.chance for item in belief.hypotheses)
    for item in belief.hypotheses[:MOST_HYPOTHESES]:
        weight = round(item.chance * UNIT)
        if told > goal or not weight:
            break
        told += item.chance
        found.append((item.cells, weight))
    return found


def _gains(groups: Sequence[_Group], worlds: Sequence[int]) -> list[float]:
    whole = sum(none + sum(weight for _, weight in sets) for sets, none in groups)
    gains = [0.0] * len(worlds)
    for sets, none in groups:
        size = none + sum(weight for _, weight in sets)
        sums = Sums()
        for cells, weight in sets:
            sums.add(cells, weight)
        known: dict[int, float] = {}
        for place, total in enumerate(sums.of(worlds)):
            if total not in known:
                known[total] = entropy(total / size) * size / whole
            gains[place] += known[total]
    return gains


def _divided(groups: Sequence[_Group], number: int) -> list[_Group]:
    """Return the groups, each divided by what it says of a world; the largest ones."""
    made: list[_Group] = []
    for sets, none in groups:
        inside = [item for item in sets if item[0] >> number & 1]
        outside = [item for item in sets if not item[0] >> number & 1]
        made += [(some, left) for some, left in ((inside, 0), (outside, none)) if some]
    made.sort(key=lambda group: -sum(weight for _, weight in group[0]))
    return made[:MOST_GROUPS]


def doubts(belief: Belief, worlds: Sequence[int]) -> list[float]:
    """Return for each world the chance of the rules that say other of it than the likeliest one."""
    sums = Sums()
    for item in belief.hypotheses[1:MOST_HYPOTHESES]:
        sums.add(item.cells ^ belief.hypotheses[0].cells, round(item.chance * UNIT))
    return [total / UNIT for total in sums.of(worlds)]


def chances(belief: Belief, worlds: Sequence[int]) -> list[float]:
    """Return the chance of each world that a rule holds for it."""
    sums = Sums()
    for cells, weight in _weighted(belief):
        sums.add(cells, weight)
    return [total / UNIT for total in sums.of(worlds)]


def refuting(belief: Belief, open_: int, wanted: int, likely: Likely, turn: int = 0, rivals: Rivals = ()) -> list[int]:
    """Return at most `wanted` open worlds that could refute the likeliest rule.

    While rivals are not negligible: the world that would show most of them. Then in turn, from `turn` on: the world
    inside the rule that is the farthest from all failures, and that on which most of the other rules disagree with it.
    """
    best, failures, chosen = belief.hypotheses[0], belief.bad, list[int]()
    for place in range(turn, turn + wanted):
        number = betrayer(belief, rivals, open_, likely)
        if number is None:
            number = _doubted(belief, open_, likely) if place % 2 else None
        if number is None:
            found = [it for part in best.parts if (it := _farthest(belief, best.parts, part, open_, failures, likely))]
            number = max(found)[1] if found else None
        if number is None:
            break
        chosen.append(number)
        rivals = [(weight, wrong) for weight, wrong in rivals if not wrong >> number & 1]  # as expected
        failures |= best.cells & 1 << number
        open_ &= ~(1 << number)
    return chosen


def betrayer(belief: Belief, rivals: Rivals, open_: int, likely: Likely) -> int | None:
    """Return the open world that would show most rivals of the likeliest rule; None if they are negligible."""
    worlds = [number for number in numbers(open_) if likely(number) > UNLIKELY]
    sums = Sums()
    for weight, wrong in rivals:
        sums.add(wrong & open_, round(weight * FINE))
    shown = [total / FINE * likely(number) for total, number in zip(sums.of(worlds), worlds, strict=True)]
    place = max(range(len(worlds)), key=lambda at: (shown[at], -worlds[at]), default=0)
    is_worth = worlds and shown[place] * len(belief.weights) > NEGLIGIBLE
    return worlds[place] if is_worth else None


def _doubted(belief: Belief, open_: int, likely: Likely) -> int | None:
    worlds = [number for number in numbers(open_) if likely(number) > UNLIKELY]
    doubted = [doubt * likely(number) for doubt, number in zip(doubts(belief, worlds), worlds, strict=True)]
    place = max(range(len(worlds)), key=lambda at: (doubted[at], -worlds[at]), default=0)
    return worlds[place] if worlds and doubted[place] > 0 else None


def _farthest(
    belief: Belief, parts: Parts, part: tuple[int, ...], open_: int, failures: int, likely: Likely
) -> tuple[float, int] | None:
    """Return how far the farthest open world of a part is from its failures, and this world."""
    others = union(common(other) for other in parts if other != part)
    inside = common(part) & ~others
    known = failures & inside or failures & common(part)
    there = open_ & inside
    there = bits((number for number in numbers(there) if likely(number) > UNLIKELY), there.bit_length())
    if not there or not known:
        return None
    worlds = numbers(there)
    kept, nearest = Sums(), [MOST_FAR] * len(worlds)
    slack = known.bit_count() > MOST_ALONE  # one of them may be an accident that hides a condition
    for cells in belief.found:
        without = (known & ~cells).bit_count()
        if without <= slack:
            kept.add(there & ~cells, 2 - without)
    for failure in spread(numbers(known), MOST_FAILURES):
        sums = Sums()
        for cells in belief.found:
            sums.add(there & ~cells if cells >> failure & 1 else there & cells, 1)
        nearest = list(map(min, nearest, sums.of(worlds)))
    distances = [
        (near + SHARED * shared) * likely(number)
        for near, shared, number in zip(nearest, kept.of(worlds), worlds, strict=True)
    ]
    place = max(range(len(worlds)), key=lambda at: (distances[at], -worlds[at]))
    return (distances[place], worlds[place]) if distances[place] > 0 else None


def numbers(cells: int) -> list[int]:
    """Return the worlds that these bits stand for."""
    return [number for number, digit in enumerate(f"{cells:b}"[::-1]) if digit == "1"]


def nearest_pair(
    worlds: Mapping[int, Mapping[str, str]], bad: Sequence[int], good: Sequence[int], conditions: Collection[int]
) -> tuple[int, int]:
    """Return the failing and the passing world that differ least: in axes and distributions, then in conditions."""
    places: dict[tuple[str, str], int] = {}
    sets = {
        number: sum(1 << places.setdefault(item, len(places)) for item in world.items())
        for number, world in worlds.items()
    }
    far = {(one, other): (sets[one] ^ sets[other]).bit_count() for one in bad for other in good}
    least = min(far.values())
    ties = [pair for pair, distance in far.items() if distance == least]

    def between(pair: tuple[int, int]) -> tuple[int, int, int]:
        return sum((cells >> pair[0] ^ cells >> pair[1]) & 1 for cells in conditions), *pair

    return min(ties[:MOST_TIES], key=between)
