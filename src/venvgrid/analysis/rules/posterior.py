"""Which sets of cells a fault may break, and how likely each is: a posterior over rules. Pure.

A hypothesis is a conjunction of up to three conditions, two of them with "or", or none at all (the failure is flaky).
It predicts the failing cells; each cell that differs costs a factor of about NOISE. Sets of cells are the bits of an
integer, so that a hypothesis is tried in a microsecond.

Prior: the shares of SIZES, and within a size the product of the weights of its conditions. Conditions with equal cells
are one: their weights add up. Pairs, threes and "or" are built only from conditions that fit best.
"""

from __future__ import annotations

import heapq
import itertools
import math
from operator import itemgetter
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Parts = tuple[tuple[int, ...], ...]  # conjunctions, each of sets of cells
_Conjunction = tuple[float, int, float, tuple[int, ...]]  # gain, cells, weight, parts

NOISE = 0.01  # chance that a cell fails or passes though its versions say otherwise
ODDS = NOISE / (1 - NOISE)
FLAKE = 0.3  # prior of "no rule"; the others need not add up with it
SIZES = {1: 0.45, 2: 0.2, 3: 0.1}  # prior of one conjunction, by the number of its conditions
TWO = 0.05  # prior of two conjunctions with "or"
MOST_IN_PAIRS, MOST_IN_THREES = 300, 50  # conditions
MOST_FIRST, MOST_SECOND = 25, 40  # conjunctions in "or"
MOST_NEAR = 60  # pairs that a third condition may turn into a conjunction of "or"
AT_ONCE = 1000  # sets of the pool that are compared without a look at the others
ROOM = 50e6  # bytes for the sets of pairs: with 100,000 cells, one set has 12 kB
MOST_ODD = 4  # cells by which a hypothesis may differ from the best one and still count


@dataclass(frozen=True, slots=True)
class Fit:
    """A set of cells that may be those which a fault breaks. `weight` is not normalised, and the sum of its forms.

    Each form is its weight, and one or two conjunctions, each of the cells of its conditions; the likeliest is first.
    """

    cells: int
    weight: float
    forms: tuple[tuple[float, Parts], ...]

    @property
    def parts(self) -> Parts:
        """The likeliest form."""
        return self.forms[0][1]

    @property
    def best(self) -> float:
        """The weight of the likeliest form."""
        return self.forms[0][0]


def fits(atoms: Mapping[int, float], bad: int, every: int, again: Sequence[int] = ()) -> tuple[list[Fit], float, int]:
    """Return the sets of cells that explain `bad`, the likeliest first, the weight of "no rule", and the unit of both.

    Weights are relative: the unit is how many outcomes the best set does not explain.

    `atoms` maps the cells of conditions to their weight. Each set of `again` is of cells whose outcome was seen once
    more.
    """
    search = _Search(atoms, bad, every, again)
    search.conjunctions()
    if bad not in search.found:  # one conjunction that tells just these is simpler than two
        search.alternatives()
    return search.ranked()


class _Search:
    def __init__(self, atoms: Mapping[int, float], bad: int, every: int, again: Sequence[int]) -> None:
        whole = sum(atoms.values())
        self.atoms = {cells: weight / whole for cells, weight in atoms.items() if cells and cells != every}
        self.bad, self.good, self.again = bad, every & ~bad, again
        self.most = math.isqrt(int(2 * ROOM / (every.bit_length() / 8 + 1)))  # conditions in pairs
        self.found: dict[int, list[tuple[float, Parts]]] = {}
        self.least = math.inf  # outcomes that the best set so far does not explain

    def odd(self, cells: int) -> int:
        """Return how often the outcome of a cell was not as these cells say."""
        odd = cells ^ self.bad
        return odd.bit_count() + sum((odd & more).bit_count() for more in self.again)

    def conjunctions(self) -> None:
        """Try single conditions, pairs and threes."""
        for cells, weight in self.atoms.items():
            self._add(cells, SIZES[1] * weight, ((cells,),))
        slack = max(1, self.bad.bit_count() // 10)
        fit = [cells for cells in self.atoms if (self.bad & ~cells).bit_count() <= slack]
        fit.sort(key=lambda cells: ((cells ^ self.bad).bit_count(), -self.atoms[cells]))
        weights, twice, thrice = self.atoms, 2 * SIZES[2], 6 * SIZES[3]  # the orders of the same conditions
        in_pairs, in_threes = fit[: min(MOST_IN_PAIRS, self.most)], fit[:MOST_IN_THREES]
        for place, a in enumerate(in_pairs, 1):
            for b in self._worth_trying(a, in_pairs[place:]):
                self._add(a & b, twice * weights[a] * weights[b], ((a, b),))
        for (_, a), (place, b) in itertools.combinations(enumerate(in_threes, 1), 2):
            both, weight = a & b, thrice * weights[a] * weights[b]
            if (self.bad & ~both).bit_count() <= self.least + MOST_ODD:  # a third condition gives no cell back
                for c in self._worth_trying(both, in_threes[place:]):
                    self._add(both & c, weight * weights[c], ((a, b, c),))

    def _worth_trying(self, cells: int, atoms: Sequence[int]) -> list[int]:
        """Return the conditions that, together with these cells, may be as good as what was found."""
        bad, most = self.bad, self.least + MOST_ODD
        return [atom for atom in atoms if (cells & atom ^ bad).bit_count() <= most]

    def alternatives(self) -> None:
        """Try two conjunctions with "or": the second one explains what the first leaves."""
        pool = sorted(self._pool(), key=itemgetter(0), reverse=True)
        sets = [cells for _, cells, _, _ in pool]
        for _, one, weight, first in pool[:MOST_FIRST]:
            for place in self._seconds(pool, sets, one):
                _, other, more, second = pool[place]
                self._add(one | other, 2 * TWO * weight * more, (first, second))

    def _seconds(self, pool: Sequence[_Conjunction], sets: Sequence[int], one: int) -> Iterator[int]:
        """Yield the places of the conjunctions that explain most of what `one` leaves; `pool` is ordered by gain."""
        left, taken = self.bad & ~one, self.bad & one
        most, least = left.bit_count(), -1.0  # what a conjunction can explain, and has to
        best: list[tuple[float, int]] = []
        for begin in range(0, len(pool), AT_ONCE):
            if min(pool[begin][0], most) <= least:
                break  # the others explain less
            for place, hit in enumerate([(cells & left).bit_count() for cells in sets[begin : begin + AT_ONCE]], begin):
                if hit and hit > least:
                    item = (pool[place][0] - (sets[place] & taken).bit_count(), -place)
                    if len(best) < MOST_SECOND:
                        heapq.heappush(best, item)
                    else:
                        heapq.heappushpop(best, item)
                    least = best[0][0] if len(best) == MOST_SECOND else least
        yield from (-place for _, place in sorted(best, reverse=True))

    def _pool(self) -> Iterator[_Conjunction]:
        """Yield conjunctions that hold for failing cells and for at most one other: gain, cells, weight, parts."""
        atoms = [cells for cells in self.atoms if cells & self.bad][: self.most]
        one, two, three = (orders * SIZES[size] / sum(SIZES.values()) for size, orders in ((1, 1), (2, 2), (3, 6)))
        for atom, hit, wrong in self._narrowed(-1, atoms):
            if wrong <= 1:
                yield hit - 1.5 * wrong, atom, one * self.atoms[atom], (atom,)
        seen, near = set(atoms), list[_Conjunction]()
        yield from self._pairs(atoms, two, seen, near)
        for _, cells, weight, parts in sorted(near, reverse=True):
            for atom, hit, wrong in self._narrowed(cells, atoms):
                if wrong <= 1 < hit and (smaller := cells & atom) not in seen:
                    seen.add(smaller)
                    yield hit - 1.5 * wrong, smaller, weight * three / two * self.atoms[atom], (*parts, atom)

    def _pairs(
        self, atoms: Sequence[int], share: float, seen: set[int], near: list[_Conjunction]
    ) -> Iterator[_Conjunction]:
        """Yield the pairs of the pool. Of those that hold for more other cells, the best become the heap `near`."""
        weights, least = self.atoms, -math.inf
        for place, a in enumerate(atoms):
            for b, hit, wrong in self._narrowed(a, atoms[place + 1 :]):
                if hit and (wrong <= 1 or (hit > 1 and hit - wrong / 2 >= least)) and (cells := a & b) not in seen:
                    seen.add(cells)
                    weight = share * weights[a] * weights[b]
                    if wrong <= 1:
                        yield hit - 1.5 * wrong, cells, weight, (a, b)
                    else:
                        keep = heapq.heappush if len(near) < MOST_NEAR else heapq.heappushpop
                        keep(near, (hit - wrong / 2, cells, weight, (a, b)))
                        least = near[0][0] if len(near) == MOST_NEAR else least

    def _narrowed(self, cells: int, atoms: Sequence[int]) -> Iterator[tuple[int, int, int]]:
        """Return each condition with the numbers of failing and of other cells that meet it and are in `cells`."""
        bad, good = cells & self.bad, cells & self.good
        hits = [(bad & atom).bit_count() for atom in atoms]
        return zip(atoms, hits, [(good & atom).bit_count() for atom in atoms], strict=True)

    def _add(self, cells: int, weight: float, parts: Parts) -> None:
        """Keep a form of a set of cells, unless a set that is found already explains many more outcomes."""
        odd = self.odd(cells)
        if odd <= self.least + MOST_ODD and cells & self.bad:
            self.least = min(self.least, odd)
            self.found.setdefault(cells, []).append((weight, parts))

    def ranked(self) -> tuple[list[Fit], float, int]:
        """Return what was found, the likeliest first, and the weight of "no rule"."""
        odd = {cells: self.odd(cells) for cells in self.found}
        none = self.odd(0)
        least = min(odd.values(), default=none)
        made = []
        for cells, forms in self.found.items():
            if odd[cells] <= least + MOST_ODD:
                chance = ODDS ** (odd[cells] - least)
                forms.sort(key=itemgetter(0), reverse=True)
                told = tuple((weight * chance, parts) for weight, parts in forms)
                made.append(Fit(cells, sum(weight for weight, _ in told), told))
        return sorted(made, key=lambda fit: -fit.weight), FLAKE * ODDS ** float(none - least), least
