"""Constrained covering arrays: few rows that cover every feasible t-tuple of values at least once.

Greedy generation, one row at a time (Cohen, Dalal, Fredman, Patton: The AETG System, 1997): the best of several
candidates, each of which assigns factor after factor the value that covers most new tuples. For pairs, `reduction` then
removes rows by tabu search. Deterministic for a seed: the work is counted, not timed, unless there is a deadline.
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

WORK = 150_000  # evaluations of a value, for all candidates of an array together
MAX_CANDIDATES = 60
MIN_CANDIDATES = 3


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
    """Return rows that cover every feasible tuple of `strength` values (or of all factors, if they are fewer).

    Args:
        space: the factors and constraints.
        strength: t, the number of values in a tuple.
        must: rows that the array begins with.
        seed: for the choice between equals.
        limit: the number of further rows, or None for as many as needed; the first ones cover most.
        effort: a factor for the work of the reduction.
        is_over: whether to stop the reduction; without it a fixed amount of work is done. Stopping leaves no tuple
            uncovered.

    Raises:
        ValueError: there are too many tuples, or a row of `must` violates a constraint.
    """
    strength = min(strength, len(space.sizes))
    fixed = [space.mask_of(row) for row in must]
    if not all(map(space.is_allowed, fixed)):
        raise ValueError("a row of `must` violates a constraint")
    if space.start is None:
        return ()
    if strength == 2 and not fixed and limit is None and set(space.sizes) == {2} and not space.clauses:  # noqa: PLR2004
        return tuple(binary(len(space.sizes)))
    targets = tuples.uncovered(space, strength)
    feasible = {bit: targets.uncovered.get(bit, 0) for own in space.values for bit in own}
    for row in fixed:
        targets.cover(row)
    rows = _greedy(targets, random.Random(seed), limit)  # noqa: S311  (no secret depends on it)
    if limit is None and strength == 2:  # noqa: PLR2004  (the reduction works on pairs)
        rows = reduction.reduce(space, feasible, fixed, rows, seed=seed, effort=effort, is_over=is_over)
    return tuple(space.row(row) for row in (*fixed, *rows))


def binary(factors: int) -> list[Row]:
    """Return the smallest array of strength 2 for binary factors (Kleitman and Spencer 1973, Katona 1973).

    Each factor is a different set of half the rows, without the first: two of them meet, and neither contains the
    other.
    """
    rows = 4
    while math.comb(rows - 1, -(-rows // 2)) < factors:
        rows += 1
    chosen = itertools.islice(itertools.combinations(range(1, rows), -(-rows // 2)), factors)
    columns = [frozenset(column) for column in chosen]
    return [tuple(int(row in column) for column in columns) for row in range(rows)]


def _greedy(targets: UncoveredTuples, rng: random.Random, limit: int | None) -> list[int]:
    space = targets.space
    cost = sum(space.sizes) * math.comb(max(len(space.sizes) - 1, 1), max(0, targets.strength - 2))
    biggest = sorted(space.sizes)[-targets.strength :]
    expected_rows = math.prod(biggest) * max(1.0, math.log2(len(space.sizes) + 1) / 2)
    candidates = int(min(MAX_CANDIDATES, max(MIN_CANDIDATES, WORK / (cost * expected_rows))))
    rows: list[int] = []
    while targets.uncovered and (limit is None or len(rows) < limit):
        best, most = 0, -1
        for _ in range(candidates):
            row = _candidate(targets, rng)
            gain = targets.gain(row) if row else -1
            if gain > most:
                best, most = row, gain
        rows.append(best)
        targets.cover(best)
    return rows


def _candidate(targets: UncoveredTuples, rng: random.Random) -> int:
    """Build a row that contains an uncovered tuple; that is always possible."""
    space, uncovered, depth = targets.space, targets.uncovered, targets.strength - 2
    key = max(rng.sample(list(uncovered), min(len(uncovered), 12)), key=lambda item: uncovered[item].bit_count())
    partner = rng.choice(list(bits(uncovered[key])))
    state = space.assign_all(key | partner)
    factors = list(range(len(space.sizes)))
    rng.shuffle(factors)
    for factor in factors:
        if state is not None and not space.factors[factor] & state[1]:
            state = _assign(targets, state, factor, depth, rng)
    # Propagation alone does not detect every conflict.
    return state[1] if state is not None else space.witness(key | partner)


def _assign(
    targets: UncoveredTuples, state: tuple[int, int], factor: int, depth: int, rng: random.Random
) -> tuple[int, int] | None:
    """Assign a factor the value that covers most tuples with the assigned ones; of equals that with most partners."""
    space, uncovered = targets.space, targets.uncovered
    allowed, fixed = state
    around = [0] if depth < 1 else [sum(some) for some in itertools.combinations(list(bits(fixed)), depth)]
    scored = []
    for bit in space.values[factor]:
        if allowed & bit:
            gain = sum((uncovered.get(bit | other, 0) & fixed).bit_count() for other in around)
            gain += depth < 0 and bool(uncovered.get(0, 0) & bit)  # single values
            scored.append(
                (gain, uncovered[bit].bit_count() if not depth and bit in uncovered else 0, rng.random(), bit)
            )
    scored.sort(reverse=True)
    return next(filter(None, (space.assign(state, bit) for *_, bit in scored)), None)
