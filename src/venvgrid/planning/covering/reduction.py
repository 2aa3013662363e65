"""Improves an array by tabu search, whatever its strength: fewer rows, or more tuples in as many rows.

A row is removed. Then single values of the others are changed until no tuple is missing (Nurmela 2004; Lin, Luo, Cai et
al.: TCA, 2015). A row that constraints forbid to change in one value is repaired: other values change with it.
"""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING

from venvgrid.planning.covering.counters import Counters
from venvgrid.planning.covering.space import bits, lowest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from venvgrid.planning.covering.space import State
    from venvgrid.planning.covering.tuples import Companions

WORK = 250_000  # without a success, for pairs and without a deadline: about so many microseconds
LONGEST = 4  # times that, in all
TENURE = 5  # changes for which a changed factor of a row stays tabu
CHECK_INTERVAL = 8  # changes between checks of the deadline
PATIENCE = 20_000  # changes without improvement, after which a search with a deadline restarts
WALK = 0.001  # chance of a change that is not the best one
MAX_RATED = 48  # rows of which one is removed
SAMPLE = 6  # rows into which a tuple is forced

_Rated = tuple[int, float, int, int]  # the tuples won, a random number, the number of a row and what it becomes


def reduce(
    companions: Companions,
    feasible: Mapping[int, int],
    rows: list[int],
    pins: list[int],
    *,
    seed: int,
    effort: float,
    is_over: Callable[[], bool] | None,
) -> list[int]:
    """Return at most as many rows, which cover the same tuples.

    `feasible` maps each value to its companions in feasible tuples; `pins` are the values of each row that must stay;
    `effort` multiplies the work without a deadline.
    """
    search = _Search(companions, feasible, rows, pins, random.Random(seed))  # noqa: S311  (no secret depends on it)
    best = list(rows), list(pins)
    budget = _Budget(companions, effort, is_over)
    fewest = max(1, needed(companions, feasible))
    while len(best[0]) > fewest and not all(best[1]) and not budget.is_used_up:
        if search.missing:  # the search gave up
            search = _Search(companions, feasible, *best, search.rng)
        search.remove_row()
        search.run(budget)
        if not search.missing:
            best = list(search.rows), list(search.pins)
            budget.renew()
    return best[0]


def improve(
    companions: Companions,
    feasible: Mapping[int, int],
    rows: list[int],
    pins: list[int],
    *,
    seed: int,
    effort: float,
    is_over: Callable[[], bool] | None,
) -> list[int]:
    """Return as many rows, which cover at least as many tuples; the arguments are those of `reduce`."""
    search = _Search(companions, feasible, rows, pins, random.Random(seed))  # noqa: S311  (no secret depends on it)
    best, fewest = list(rows), search.missing
    budget = _Budget(companions, effort, is_over)
    factors, total = len(companions.space.sizes), sum(mask.bit_count() for mask in feasible.values())
    most = len(rows) * math.comb(factors, companions.strength)  # if no two rows have a tuple in common
    least = max(0, total // companions.strength - most)
    is_free = any(pinned.bit_count() < factors for pinned in pins)
    while fewest > least and is_free and not budget.is_used_up:
        search.run(budget, fewest)
        if search.missing < fewest:
            best, fewest = list(search.rows), search.missing
            budget.renew()
        else:
            search = _Search(companions, feasible, best, pins, search.rng)
    return best


def needed(companions: Companions, feasible: Mapping[int, int]) -> int:
    """Return a lower bound for the number of rows: each tuple of the same factors needs a row of its own."""
    space, strength, most = companions.space, companions.strength, 0
    for chosen in sorted(
        itertools.combinations(range(len(space.sizes)), strength),
        key=lambda factors: -math.prod(space.sizes[factor] for factor in factors),
    ):
        if math.prod(space.sizes[factor] for factor in chosen) <= most:
            break
        outside = 0
        for factor, having in enumerate(companions.of_factor):
            outside |= 0 if factor in chosen[1:] else having
        mine = sum((feasible.get(bit, 0) & ~outside).bit_count() for bit in space.values[chosen[0]])
        most = max(most, mine)
    return most


class _Budget:
    """The work that may still be done, counted, not timed. With a deadline: all that fits, but never less than that."""

    def __init__(self, companions: Companions, effort: float, is_over: Callable[[], bool] | None) -> None:
        self.most = WORK * (companions.strength - 1) * effort
        self.work, self.left, self.is_over, self.is_used_up = LONGEST * self.most, self.most, is_over, False
        self.changes = 0

    def spend(self, work: int) -> None:
        """Count the work of one change."""
        self.work -= work
        self.left -= work
        self.changes += 1
        if min(self.work, self.left) <= 0 and (self.is_over is None or self.changes % CHECK_INTERVAL == 0):
            self.is_used_up = self.is_over is None or self.is_over()

    def renew(self) -> None:
        """Begin to count anew after a success."""
        self.left = self.most


class _Search:
    """The state of the search: rows, the companions in each, and how many rows cover each tuple."""

    def __init__(
        self,
        companions: Companions,
        feasible: Mapping[int, int],
        rows: Sequence[int],
        pins: Sequence[int],
        rng: random.Random,
    ) -> None:
        self.companions, self.space, self.rng = companions, companions.space, rng
        self.rows, self.pins = list(rows), list(pins)
        self.within = [companions.within(row) for row in rows]
        self.counters = Counters(companions, feasible)
        for row, within in zip(self.rows, self.within, strict=True):
            self.counters.add_row(row, within)
        self.missing = self.counters.total_missing
        self.tabu: dict[tuple[int, int], int] = {}
        self.step = 0
        self.cost = len(self.space.sizes) * (3 + len(companions.sets) // 700)  # of rating a row, measured

    def remove_row(self) -> None:
        """Remove a row without pins that has few tuples of its own."""
        free = [number for number, pinned in enumerate(self.pins) if not pinned]
        some = self.rng.sample(free, min(len(free), MAX_RATED))
        costs = {number: self.counters.lost(self.rows[number], self.within[number]) for number in some}
        number = min(some, key=lambda at: costs[at])
        self.counters.remove_row(self.rows[number], self.within[number])
        self.missing += costs[number]
        for part in (self.rows, self.pins, self.within):
            part[number] = part[-1]  # the last row gets its number
            part.pop()
        self.tabu = {}

    def run(self, budget: _Budget, enough: int = 1) -> None:
        """Change values until fewer than `enough` tuples are missing, nothing helps, or the budget is used up."""
        stale, fewest = 0, self.missing
        while self.missing >= enough and stale <= PATIENCE and not budget.is_used_up:
            self.step += 1
            budget.spend(self._change())
            stale += 1
            if self.missing < fewest:
                fewest, stale = self.missing, 0

    def _change(self) -> int:
        """Put a missing tuple into the row where that loses the fewest tuples; return the work."""
        wanted = self._random_missing_tuple()
        best: _Rated | None = None
        forced = []  # rows that constraints forbid to change in one value only
        for number, row in enumerate(self.rows):
            if (row & wanted).bit_count() == self.companions.strength - 1:
                entering = wanted & ~row
                leaving = row & self.space.factors[self.space.factor_of[entering]]
                if leaving & self.pins[number]:
                    continue
                if self.space.is_forbidden(row ^ leaving ^ entering, entering):
                    forced.append(number)
                elif (found := self._single(number, leaving, entering)) and (best is None or found > best):
                    best = found
        if best is None or self.rng.random() < WALK:
            forced += self.rng.sample(range(len(self.rows)), min(SAMPLE, len(self.rows)))
        if best is not None and best[0] > 0 and self.rng.random() >= WALK:
            forced = []  # it need not be looked for
        forced = forced if len(forced) <= SAMPLE else self.rng.sample(forced, SAMPLE)
        if forced:
            best = self._forced(forced, wanted, best)
        if best is not None:
            self._replace_row(best[2], best[3], best[0])
        return len(self.rows) // 8 + self.cost * (1 + len(forced))

    def _single(self, number: int, leaving: int, entering: int) -> _Rated | None:
        """Rate the change of one value of a row; None if it is tabu."""
        counters, row, within = self.counters, self.rows[number], self.within[number]
        change = (counters.missing.get(entering, 0) & within).bit_count()
        change -= (counters.once(leaving) & within).bit_count()
        if self.tabu.get((number, self.space.factor_of[leaving]), 0) >= self.step and change < self.missing:
            return None
        return change, self.rng.random(), number, row ^ leaving ^ entering

    def _forced(self, numbers: Sequence[int], wanted: int, best: _Rated | None) -> _Rated | None:
        """Rate changes of several values, which put a tuple into a row; return the best one."""
        factor_of, step = self.space.factor_of, self.step
        state = self.space.assign_all(wanted)
        for number in numbers:
            row, within = self.rows[number], self.within[number]
            new = self._repaired(row, wanted, self.pins[number], state)
            if not new or new == row:
                continue
            after = self.companions.within(new)
            change = self.counters.won(new, after) - self.counters.lost(row, within, new, after)
            is_tabu = any(self.tabu.get((number, factor_of[bit]), 0) >= step for bit in bits(new & ~row))
            found = (change, self.rng.random(), number, new)
            if (change >= self.missing or not is_tabu) and (best is None or found > best):
                best = found
        return best

    def _repaired(self, row: int, wanted: int, pins: int, state: State | None) -> int:
        """Return a feasible row with the wanted values and the pins, and as much of `row` as can stay; 0 if none is."""
        space = self.space
        new = space.overlaid(row, wanted)
        if new & pins != pins:
            return 0
        if space.is_allowed(new):
            return new
        for bit in bits(pins):
            if state is not None and not state[1] & bit:
                state = space.assign(state, bit)
        if state is None:
            return 0
        kept = [bit for bit in bits(new & space.bound) if not state[1] & bit]
        self.rng.shuffle(kept)
        for bit in kept:
            if state[0] & bit and not state[1] & bit:
                state = space.assign(state, bit) or state
        found = space.completed(state)
        return space.overlaid(row, found | wanted) if found else 0

    def _random_missing_tuple(self) -> int:
        missing = self.counters.missing
        bit = next(itertools.islice(missing, self.rng.randrange(len(missing)), None))
        mask = missing[bit]
        start = self.rng.randrange(mask.bit_length())
        return bit | self.companions.sets[start + lowest(mask >> start)]

    def _replace_row(self, number: int, new: int, change: int) -> None:
        space = self.space
        for entering in list(bits(new & ~self.rows[number])):
            factor = space.factor_of[entering]
            leaving = self.rows[number] & space.factors[factor]
            self.rows[number], self.within[number] = self.counters.replace(
                self.rows[number], self.within[number], leaving, entering
            )
            self.tabu[number, factor] = self.step + TENURE + self.rng.randrange(TENURE)
        self.missing -= change
