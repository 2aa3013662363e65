"""The causes that fit: conjunctions that hold for failing worlds and for no passing one, and two that cover all. Pure.

The posterior (`analysis.rules.posterior`) tries the alternatives that gain most, which is enough for a report. A search
that claims to be certain has to know all of them: a rule that fits says nothing of a second cause that it hides.

Only the shortest conjunctions count. A longer one holds for fewer worlds, and comes up once a probe refutes that one.
"""

from __future__ import annotations

import functools
import heapq
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.analysis.rules import posterior
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MOST_CONDITIONS = 150  # in pairs and threes: those that hold for the fewest passing worlds
MOST_FORMS = 8  # conjunctions for the same failing worlds
MOST_CAUSES = 3000  # that are combined
MOST_SECOND = 60  # of them, for each first one

Conjunction = tuple[int, ...]  # sets of worlds, one for each condition
_Atom = tuple[int, int, float, int]  # failing worlds, passing worlds, weight, worlds


@dataclass(slots=True)
class Cause:
    """What explains a set of failing worlds: the weight of all its conjunctions, and the likeliest with theirs."""

    weight: float = 0.0
    forms: list[tuple[float, Conjunction]] = field(default_factory=list)

    def add(self, weight: float, form: Conjunction) -> None:
        """Add a conjunction."""
        self.weight += weight
        if len(self.forms) < MOST_FORMS:
            heapq.heappush(self.forms, (weight, form))
        else:
            heapq.heappushpop(self.forms, (weight, form))


Causes = dict[int, Cause]  # failing worlds → what explains them


def causes(conditions: Mapping[int, float], bad: int, good: int) -> Causes:
    """Return all causes that fit, by the failing worlds that they explain.

    `conditions` maps their worlds to their weight. The weights of all conjunctions that are possible have the sum 1.
    """
    sizes, whole = sum(posterior.SIZES.values()), sum(conditions.values())
    one, two, three = (
        times * share / sizes / whole**size
        for times, (size, share) in zip((1, 2, 6), posterior.SIZES.items(), strict=True)
    )
    found: Causes = {}
    atoms: list[_Atom] = []
    for cells, weight in conditions.items():
        hits, passing = cells & bad, cells & good
        if hits and not passing:
            found.setdefault(hits, Cause()).add(one * weight, (cells,))
        elif hits and passing != good:
            atoms.append((hits, passing, weight, cells))
    atoms.sort(key=lambda atom: (atom[1].bit_count(), -atom[2], atom[3]))
    atoms = atoms[:MOST_CONDITIONS]
    near: list[tuple[int, int]] = []
    apart = [0] * len(atoms)  # for each condition those that exclude its passing worlds, as bits
    for first, (hits, passing, weight, cells) in enumerate(atoms):
        for second in range(first + 1, len(atoms)):
            others, passing_too, more, also = atoms[second]
            if not passing & passing_too:
                apart[first] |= 1 << second
                apart[second] |= 1 << first
                if hits & others:
                    found.setdefault(hits & others, Cause()).add(two * weight * more, (cells, also))
            elif hits & others:
                near.append((first, second))
    for hits, weight, form in _threes(atoms, near, apart):
        found.setdefault(hits, Cause()).add(three * weight, form)
    return found


def _threes(
    atoms: Sequence[_Atom], near: Sequence[tuple[int, int]], apart: Sequence[int]
) -> Iterator[tuple[int, float, Conjunction]]:
    """Yield the conjunctions of three conditions, no two of which are enough."""
    every = (1 << len(atoms)) - 1
    meeting: dict[int, int] = {}  # a passing world → the conditions that it meets, as bits of their places
    for place, atom in enumerate(atoms):
        for world in _bits(atom[1]):
            meeting[world] = meeting.get(world, 0) | 1 << place

    @functools.cache
    def excluding(passing: int) -> int:
        left = every
        for world in _bits(passing):
            left &= ~meeting[world]
            if not left:
                break
        return left

    for first, second in near:
        places = excluding(atoms[first][1] & atoms[second][1]) & ~apart[first] & ~apart[second]
        places = places >> second + 1 << second + 1
        if not places:
            continue
        hits, weight = atoms[first][0] & atoms[second][0], atoms[first][2] * atoms[second][2]
        while places:
            lowest = places & -places
            places ^= lowest
            others, _, more, cells = atoms[lowest.bit_length() - 1]
            if hits & others:
                yield hits & others, weight * more, (atoms[first][3], atoms[second][3], cells)


def covers(found: Causes, bad: int) -> Iterator[tuple[float, int, int]]:
    """Yield two causes that explain these failing worlds together, and neither alone: the product of their weights."""
    some = [item for item in found.items() if bad & ~item[0]]
    every = sorted(some, key=lambda item: -item[1].weight)[:MOST_CAUSES]
    order = [hits for hits, _ in every]
    of_world: dict[int, int] = {}  # a failing world → the causes that explain it, as bits of their places
    for place, hits in enumerate(order):
        for world in _bits(hits):
            of_world[world] = of_world.get(world, 0) | 1 << place

    @functools.cache
    def explaining(left: int) -> int:
        return functools.reduce(int.__and__, (of_world.get(world, 0) for world in _bits(left)))

    for place, hits in enumerate(order):
        places, count = explaining(bad & ~hits) >> place + 1 << place + 1, 0
        while places and count < MOST_SECOND:
            lowest = places & -places
            places ^= lowest
            count += 1
            other = order[lowest.bit_length() - 1]
            yield found[hits].weight * found[other].weight, hits, other


def _bits(cells: int) -> Iterator[int]:
    while cells:
        lowest = cells & -cells
        yield lowest
        cells ^= lowest
