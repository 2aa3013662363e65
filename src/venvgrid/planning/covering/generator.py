"""Covering arrays under constraints: few rows in which every combination of t values that can be is at least once.

Rows are made one at a time, the best of several candidates each (Cohen, Dalal, Fredman, Patton: The AETG System, 1997),
every candidate by taking for one factor after the other the value that covers most that is new. The rows are then
repaired: one is taken out, and the combinations that it alone had are put into the others by changing single values
(tabu search, as Nurmela 2004 and Galinier et al. 2017 do), until that fails. Deterministic for a seed: the work is
counted, not timed, unless there is a deadline.
"""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING

from venvgrid.planning.covering import reduction, tuples
from venvgrid.planning.covering.space import Row, Space, bits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venvgrid.planning.covering.tuples import UncoveredTuples

WORK = 150_000  # looks at a value that all candidates of an array together may cost
MAX_CANDIDATES = 60
FEWEST_CANDIDATES = 3


def array(
    space: Space,
    strength: int,
    *,
    must: Sequence[Row] = (),
    seed: int = 0,
    limit: int | None = None,
    effort: float = 1.0,
    is_over: Callable[[], bool] | None = None,
) -> tuple[Row, ...]:
    """Give rows that cover every possible combination of `strength` values, those of `must` first.

    Of fewer factors than that, all of their combinations.

    `limit`: at most so many rows besides, the ones that cover most. `effort` multiplies the work. `is_over` is asked
    now and then whether to stop improving; without it a fixed amount of work is done. Nothing that can be is left out,
    whenever it stops.

    Raises:
        ValueError: there are too many combinations, or a row of `must` holds a clause.
    """
    strength = min(strength, len(space.sizes))
    fixed = [space.mask_of(row) for row in must]
    if not all(map(space.is_allowed, fixed)):
        raise ValueError("a row that must be there cannot be")
    if space.start is None:
        return ()
    if strength == 2 and not fixed and limit is None and set(space.sizes) == {2} and not space.clauses:  # noqa: PLR2004
        return tuple(binary(len(space.sizes)))
    wanted = tuples.uncovered(space, strength)
    feasible = {bit: wanted.open.get(bit, 0) for own in space.values for bit in own}
    for row in fixed:
        wanted.cover(row)
    rows = _greedy(wanted, random.Random(seed), limit)  # noqa: S311  (no secret depends on it)
    if limit is None and strength == 2:  # noqa: PLR2004  (the repair knows pairs)
        rows = reduction.reduce(space, feasible, fixed, rows, seed=seed, effort=effort, is_over=is_over)
    return tuple(space.row(row) for row in (*fixed, *rows))


def binary(factors: int) -> list[Row]:
    """Give the smallest array of pairs for factors of two values each (Kleitman and Spencer 1973, Katona 1973).

    Each factor is another set of half the rows but the first: two of them meet, and neither holds the other.
    """
    rows = 4
    while math.comb(rows - 1, -(-rows // 2)) < factors:
        rows += 1
    chosen = itertools.islice(itertools.combinations(range(1, rows), -(-rows // 2)), factors)
    columns = [frozenset(column) for column in chosen]
    return [tuple(int(row in column) for column in columns) for row in range(rows)]


def _greedy(wanted: UncoveredTuples, rng: random.Random, limit: int | None) -> list[int]:
    space = wanted.space
    looks = sum(space.sizes) * math.comb(max(len(space.sizes) - 1, 1), max(0, wanted.strength - 2))
    biggest = sorted(space.sizes)[-wanted.strength :]
    guess = math.prod(biggest) * max(1.0, math.log2(len(space.sizes) + 1) / 2)
    candidates = int(min(MAX_CANDIDATES, max(FEWEST_CANDIDATES, WORK / (looks * guess))))
    rows: list[int] = []
    while wanted.open and (limit is None or len(rows) < limit):
        best, most = 0, -1
        for _ in range(candidates):
            row = _candidate(wanted, rng)
            gain = wanted.gain(row) if row else -1
            if gain > most:
                best, most = row, gain
        rows.append(best)
        wanted.cover(best)
    return rows


def _candidate(wanted: UncoveredTuples, rng: random.Random) -> int:
    """Make a whole row around a combination that is not covered; it always can be."""
    space, opened, depth = wanted.space, wanted.open, wanted.strength - 2
    key = max(rng.sample(list(opened), min(len(opened), 12)), key=lambda item: opened[item].bit_count())
    partner = rng.choice(list(bits(opened[key])))
    state = space.settle_all(key | partner)
    factors = list(range(len(space.sizes)))
    rng.shuffle(factors)
    for factor in factors:
        if state is None:
            break
        if space.factors[factor] & state[1]:
            continue
        state = _choose(wanted, state, factor, depth, rng)
    if state is None:  # propagation alone does not see every dead end
        return space.witness(key | partner)
    return state[1]


def _choose(
    wanted: UncoveredTuples, state: tuple[int, int], factor: int, depth: int, rng: random.Random
) -> tuple[int, int] | None:
    """Settle the value of a factor that covers most with those that are settled; of equals one that could most."""
    space, opened = wanted.space, wanted.open
    allowed, fixed = state
    around = [0] if depth < 1 else [sum(some) for some in itertools.combinations(list(bits(fixed)), depth)]
    scored = []
    for bit in space.values[factor]:
        if allowed & bit:
            gain = sum((opened.get(bit | other, 0) & fixed).bit_count() for other in around)
            gain += depth < 0 and bool(opened.get(0, 0) & bit)  # single values
            scored.append((gain, opened[bit].bit_count() if not depth and bit in opened else 0, rng.random(), bit))
    scored.sort(reverse=True)
    for _, _, _, bit in scored:
        following = space.settle(state, bit)
        if following is not None:
            return following
    return None
