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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Parts = tuple[tuple[int, ...], ...]  # conjunctions, each of sets of cells

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
    """A set of cells that may be those which a fault breaks. `weight` is not normalised; `best` is its likeliest form.

    `parts` is that form: one or two conjunctions, each of the cells of its conditions.
    """

    cells: int
    parts: Parts
    weight: float
    best: float


def fits(atoms: Mapping[int, float], bad: int, every: int, again: int = 0) -> tuple[list[Fit], float]:
    """Return the sets of cells that explain `bad`, the likeliest first, and the weight of "no rule".

    `atoms` maps the cells of conditions to their weight. The cells in `again` failed more than once.
    """
    search = _Search(atoms, bad, every, again)
    search.conjunctions()
    if bad not in search.found:  # one conjunction that tells just these is simpler than two
        search.alternatives()
    return search.ranked(), FLAKE * search.likelihood(0)


class _Search:
    def __init__(self, atoms: Mapping[int, float], bad: int, every: int, again: int) -> None:
        whole = sum(atoms.values())
        self.atoms = {cells: weight / whole for cells, weight in atoms.items() if cells and cells != every}
        self.bad, self.good, self.again = bad, every & ~bad, again
        self.most = math.isqrt(int(2 * ROOM / (every.bit_length() / 8 + 1)))  # conditions in pairs
        self.found: dict[int, tuple[float, float, Parts]] = {}

    def likelihood(self, cells: int) -> float:
        """Return the likelihood of what was seen if these cells are broken, up to a constant."""
        odd = cells ^ self.bad
        return float(ODDS ** (odd.bit_count() + (odd & self.again).bit_count()))

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
            left = self.bad & ~one
            rest = ((gain - (cells & self.bad & ~left).bit_count(), cells, w, p) for gain, cells, w, p in pool)
            for _, other, more, second in heapq.nlargest(
                MOST_SECOND, (item for item in rest if item[1] & left), key=lambda item: item[0]
            ):
                self._add(one | other, 2 * TWO * weight * more, (first, second))

    def _pool(self) -> Iterator[tuple[float, int, float, tuple[int, ...]]]:
        """Yield conjunctions that hold for failing cells and for at most one other: gain, cells, weight, parts."""
        atoms, seen = [cells for cells in self.atoms if cells & self.bad][: self.most], set[int]()
        share = SIZES[1] / (SIZES[1] + SIZES[2])
        singles = ((cells, share * self.atoms[cells], (cells,)) for cells in atoms)
        pairs = (
            (a & b, 2 * (1 - share) * self.atoms[a] * self.atoms[b], (a, b))
            for a, b in itertools.combinations(atoms, 2)
        )
        for cells, weight, parts in itertools.chain(singles, pairs):
            hit, wrong = (cells & self.bad).bit_count(), (cells & self.good).bit_count()
            if hit and wrong <= 1 and cells not in seen:
                seen.add(cells)
                yield hit - 1.5 * wrong, cells, weight, parts

    def _add(self, cells: int, weight: float, parts: Parts) -> None:
        if cells & self.bad:
            total, best, kept = self.found.get(cells, (0.0, 0.0, ()))
            self.found[cells] = (total + weight, max(best, weight), parts if weight > best else kept)

    def ranked(self) -> list[Fit]:
        """Return what was found, the likeliest first."""
        least = min(((cells ^ self.bad).bit_count() for cells in self.found), default=0)
        made = [
            Fit(cells, parts, total * chance, best * chance)
            for cells, (total, best, parts) in self.found.items()
            if (cells ^ self.bad).bit_count() <= least + MOST_ODD and (chance := self.likelihood(cells))
        ]
        return sorted(made, key=lambda fit: -fit.weight)
