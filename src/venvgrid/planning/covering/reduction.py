"""Reduces an array of strength 2 by tabu search (Nurmela 2004; Galinier et al. 2017).

A row is removed, and single values of the others are changed until no pair is missing. The partners of a value are the
union of the rows that contain it. So the pairs that a change loses and gains take a few ands and population counts, and
only the missing pairs have to be kept up to date.
"""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

from venvgrid.planning.covering.space import Space, bits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WORK = 500_000  # without a deadline: changes times the cost of each, in rows evaluated
MIN_STEPS = 150
TENURE = 6  # changes for which a removed value stays tabu
CHECK_INTERVAL = 64  # changes between checks of the deadline
PATIENCE = 4_000  # changes without improvement, after which a search with a deadline restarts
TABU_PENALTY = 1_000_000


def reduce(
    space: Space,
    feasible: dict[int, int],
    fixed: Sequence[int],
    rows: list[int],
    *,
    seed: int,
    effort: float,
    is_over: Callable[[], bool] | None,
) -> list[int]:
    """Return at most as many rows, which together with `fixed` cover the same pairs.

    `feasible` maps each value to the mask of its feasible partners; `effort` multiplies the work without a deadline.
    """
    rng = random.Random(seed)  # noqa: S311  (no secret depends on it)
    if len(rows) < 2:  # noqa: PLR2004  (a removed row needs another one to take its pairs)
        return rows
    typical = sum(space.sizes) / len(space.sizes)
    cost = len(rows) * (1 + len(rows) / typical / 8)  # of one change, measured
    best, search = list(rows), _Search(space, feasible, [*fixed], rows, rng)
    budget: int | None = max(MIN_STEPS, int(WORK * effort / cost))
    fewest = max(1, _needed(space, feasible) - len(fixed))
    while len(best) > fewest:
        search.remove_row()
        budget = search.run(budget, None)
        if search.missing:
            break
        best = list(search.rows)
    while is_over is not None and len(best) > fewest and not is_over():
        if search.missing or len(search.rows) != len(best):
            search = _Search(space, feasible, [*fixed], best, rng)
        search.remove_row()
        search.run(None, is_over)
        if not search.missing:
            best = list(search.rows)
    return best


def _needed(space: Space, feasible: dict[int, int]) -> int:
    """Return a lower bound for the number of rows: each pair of two factors needs a row of its own."""
    return max(
        (
            sum((feasible[bit] & other).bit_count() for bit in own)
            for number, own in enumerate(space.values)
            for other in space.factors[:number]
        ),
        default=1,
    )


class _Search:
    """The state of the search: rows, and the pairs that they miss.

    `open` maps each value to the mask of its missing partners, `where` to the numbers of the rows that contain it.
    """

    def __init__(
        self, space: Space, feasible: dict[int, int], fixed: list[int], rows: Sequence[int], rng: random.Random
    ) -> None:
        self.space, self.feasible, self.rng, self.rows = space, feasible, rng, list(rows)
        self.fixed = dict.fromkeys(feasible, 0)  # the partners of each value in fixed rows
        for row in fixed:
            for bit in bits(row):
                self.fixed[bit] |= row
        self.where: dict[int, list[int]] = {bit: [] for bit in feasible}
        for number, row in enumerate(self.rows):
            for bit in bits(row):
                self.where[bit].append(number)
        self.open = {bit: left for bit in feasible if (left := feasible[bit] & ~self._partners(bit, -1))}
        self.missing = sum(left.bit_count() for left in self.open.values()) // 2
        self.tabu: dict[tuple[int, int], int] = {}
        self.step = 0

    def _partners(self, bit: int, without: int) -> int:
        """Return the mask of all partners of a value, in all rows but one."""
        found = self.fixed[bit]
        rows = self.rows
        for number in self.where[bit]:
            if number != without:
                found |= rows[number]
        return found

    def remove_row(self) -> None:
        """Remove the row with the fewest pairs of its own."""
        costs = [
            sum((row & self.feasible[bit] & ~self._partners(bit, number)).bit_count() for bit in bits(row))
            for number, row in enumerate(self.rows)
        ]
        number = min(range(len(costs)), key=lambda at: (costs[at], self.rng.random()))
        row, last = self.rows[number], len(self.rows) - 1
        for bit in bits(row):
            if lost := row & self.feasible[bit] & ~self._partners(bit, number):
                self.open[bit] = self.open.get(bit, 0) | lost
            self.where[bit].remove(number)
        if number != last:  # the last row gets its number
            for bit in bits(self.rows[last]):
                self.where[bit][self.where[bit].index(last)] = number
            self.rows[number] = self.rows[last]
        self.rows.pop()
        self.missing = sum(left.bit_count() for left in self.open.values()) // 2
        self.tabu = {}

    def run(self, budget: int | None, is_over: Callable[[], bool] | None) -> int | None:
        """Change values until no pair is missing or the budget is used up; return the rest of it."""
        stale, fewest = 0, self.missing
        while self.missing:
            self.step += 1
            if budget == 0:
                return 0
            budget = None if budget is None else budget - 1
            if is_over is not None and not self.step % CHECK_INTERVAL and is_over():
                return None
            self._change()
            if self.missing < fewest:
                fewest, stale = self.missing, 0
            else:
                stale += 1
                if is_over is not None and stale > PATIENCE:
                    return None
        return budget

    def _change(self) -> None:
        """Put a missing pair into the row where that loses the fewest pairs."""
        one, other = self._random_missing_pair()
        space, feasible, rng = self.space, self.feasible, self.rng
        outside = ~(space.factors[space.factor_of[one]] | space.factors[space.factor_of[other]])
        pair = one | other
        clauses = {*space.by_value.get(one, ()), *space.by_value.get(other, ())}
        new_with = {bit: feasible[bit] & ~self._partners(bit, -1) for bit in (one, other)}
        best: tuple[int, float, int] | None = None
        for number, row in enumerate(self.rows):
            kept = row & outside
            new = kept | pair
            if any(clause & new == clause for clause in clauses):
                continue
            change = 1
            is_tabu = False
            for bit in (one, other):
                if not row & bit:
                    change += (new_with[bit] & kept).bit_count()
                    is_tabu = is_tabu or self.tabu.get((number, bit), 0) >= self.step
            leaving = row & ~new
            for bit in bits(leaving):
                change -= (row & feasible[bit] & ~self._partners(bit, number)).bit_count()
            if leaving & (leaving - 1):  # their common pair was counted twice
                first = leaving & -leaving
                change += bool(feasible[first] & leaving & ~self._partners(first, number))
            if is_tabu and self.missing > change:
                change -= TABU_PENALTY
            found = (change, rng.random(), number)
            if best is None or found > best:
                best = found
        if best is not None:
            number = best[2]
            self._replace_row(number, (self.rows[number] & outside) | pair)

    def _random_missing_pair(self) -> tuple[int, int]:
        at = self.rng.randrange(len(self.open))
        bit = next(itertools.islice(self.open, at, None))
        partners = list(bits(self.open[bit]))
        return bit, partners[self.rng.randrange(len(partners))]

    def _replace_row(self, number: int, new: int) -> None:
        row = self.rows[number]
        leaving, entering = row & ~new, new & ~row
        for bit in bits(leaving):
            lost = row & self.feasible[bit] & ~self._partners(bit, number)
            for partner in bits(lost & ~self.open.get(bit, 0)):
                self._add_missing(bit, partner)
            self.where[bit].remove(number)
            self.tabu[number, bit] = self.step + TENURE + self.rng.randrange(TENURE)
        self.rows[number] = new
        for bit in bits(entering):
            self.where[bit].append(number)
            for partner in bits(new & self.open.get(bit, 0)):
                self._remove_missing(bit, partner)

    def _add_missing(self, one: int, other: int) -> None:
        self.open[one] = self.open.get(one, 0) | other
        self.open[other] = self.open.get(other, 0) | one
        self.missing += 1

    def _remove_missing(self, one: int, other: int) -> None:
        for bit, partner in ((one, other), (other, one)):
            self.open[bit] &= ~partner
            if not self.open[bit]:
                del self.open[bit]
        self.missing -= 1
