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
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

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
MOST_FIRST, MOST_SECOND = 40, 60  # conjunctions in "or"
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


def fits(
    atoms: Mapping[int, float], bad: int, every: int, again: Sequence[int] = (), *, is_thorough: bool = False
) -> tuple[list[Fit], float]:
    """Return the sets of cells that explain `bad`, the likeliest first, and the weight of "no rule".

    `atoms` maps the cells of conditions to their weight. Each set of `again` is of cells whose outcome was seen once
    more. With `is_thorough`, two conjunctions are tried although one is exact.
    """
    search = _Search(atoms, bad, every, again)
    search.conjunctions()
    if is_thorough or bad not in search.found:  # one conjunction that tells just these is simpler than two
        search.alternatives()
    return search.ranked(), FLAKE * search.likelihood(0)


class _Search:
    def __init__(self, atoms: Mapping[int, float], bad: int, every: int, again: Sequence[int]) -> None:
        whole = sum(atoms.values())
        self.atoms = {cells: weight / whole for cells, weight in atoms.items() if cells and cells != every}
        self.bad, self.good, self.again = bad, every & ~bad, again
        self.most = math.isqrt(int(2 * ROOM / (every.bit_length() / 8 + 1)))  # conditions in pairs
        self.found: dict[int, list[tuple[float, Parts]]] = {}

    def odd(self, cells: int) -> int:
        """Return how often the outcome of a cell was not as these cells say."""
        odd = cells ^ self.bad
        return odd.bit_count() + sum((odd & more).bit_count() for more in self.again)

    def likelihood(self, cells: int) -> float:
        """Return the likelihood of what was seen if these cells are broken, up to a constant."""
        return float(ODDS ** self.odd(cells))

    def conjunctions(self) -> None:
        """Try single conditions, pairs and threes."""
        for cells, weight in self.atoms.items():
            self._add(cells, SIZES[1] * weight, ((cells,),))
        slack = max(1, self.bad.bit_count() // 10)
        fit = [cells for cells in self.atoms if (self.bad & ~cells).bit_count() <= slack]
        fit.sort(key=lambda cells: ((cells ^ self.bad).bit_count(), -self.atoms[cells]))
        weights, twice, thrice = self.atoms, 2 * SIZES[2], 6 * SIZES[3]  # the orders of the same conditions
        for a, b in itertools.combinations(fit[: min(MOST_IN_PAIRS, self.most)], 2):
            self._add(a & b, twice * weights[a] * weights[b], ((a, b),))
        for a, b, c in itertools.combinations(fit[:MOST_IN_THREES], 3):
            self._add(a & b & c, thrice * weights[a] * weights[b] * weights[c], ((a, b, c),))

    def alternatives(self) -> None:
        """Try two conjunctions of one or two conditions with "or": the second one explains what the first leaves."""
        pool = sorted(self._pool(), key=lambda item: item[0], reverse=True)
        for _, one, weight, first in pool[:MOST_FIRST]:
            for other, more, second in self._seconds(pool, one):
                self._add(one | other, 2 * TWO * weight * more, (first, second))

    def _seconds(self, pool: Sequence[_Conjunction], one: int) -> Iterator[tuple[int, float, tuple[int, ...]]]:
        """Yield the conjunctions that explain most of what `one` leaves; `pool` is ordered by gain."""
        left, taken = self.bad & ~one, self.bad & one
        best: list[tuple[float, int]] = []
        for place, (gain, cells, _, _) in enumerate(pool):
            if len(best) == MOST_SECOND and gain <= best[0][0]:
                break  # the others gain less
            if cells & left:
                item = (gain - (cells & taken).bit_count(), -place)
                if len(best) < MOST_SECOND:
                    heapq.heappush(best, item)
                else:
                    heapq.heappushpop(best, item)
        yield from (pool[-place][1:] for _, place in sorted(best, reverse=True))

    def _pool(self) -> Iterator[_Conjunction]:
        """Yield conjunctions that hold for failing cells and for at most one other: gain, cells, weight, parts."""
        atoms, seen = [cells for cells in self.atoms if cells & self.bad][: self.most], set[int]()
        share = SIZES[1] / (SIZES[1] + SIZES[2])
        bad, good, weights = self.bad, self.good, self.atoms
        singles = ((cells, share * weights[cells], (cells,)) for cells in atoms)
        pairs = (
            (a & b, 2 * (1 - share) * weights[a] * weights[b], (a, b)) for a, b in itertools.combinations(atoms, 2)
        )
        for cells, weight, parts in itertools.chain(singles, pairs):
            if cells in seen:
                continue
            seen.add(cells)
            wrong = (cells & good).bit_count()
            if wrong <= 1 and (hit := (cells & bad).bit_count()):
                yield hit - 1.5 * wrong, cells, weight, parts

    def _add(self, cells: int, weight: float, parts: Parts) -> None:
        if cells & self.bad:
            known = self.found.get(cells)
            if known is None:
                self.found[cells] = [(weight, parts)]
            else:
                known.append((weight, parts))

    def ranked(self) -> list[Fit]:
        """Return what was found, the likeliest first."""
        odd = {cells: self.odd(cells) for cells in self.found}
        least = min(odd.values(), default=0)
        made = []
        for cells, forms in self.found.items():
            if odd[cells] <= least + MOST_ODD and (chance := float(ODDS ** odd[cells])):
                forms.sort(key=itemgetter(0), reverse=True)
                told = tuple((weight * chance, parts) for weight, parts in forms)
                made.append(Fit(cells, sum(weight for weight, _ in told), told))
        return sorted(made, key=lambda fit: -fit.weight)
