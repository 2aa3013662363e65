"""Constrained covering arrays: few rows that cover every feasible t-tuple of values at least once.

Greedy generation, one row at a time (Cohen, Dalal, Fredman, Patton: The AETG System, 1997): the best of several
candidates, each of which assigns factor after factor the value that covers most new tuples. Then `reduction` removes
rows by tabu search. Deterministic for a seed: the work is counted, not timed, unless there is a deadline.
"""

from __future__ import annotations

import itertools
import math
import operator
import random
from typing import TYPE_CHECKING

from venvgrid.planning.covering import reduction, tuples
from venvgrid.planning.covering.space import Row, Space, bits, lowest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venvgrid.planning.covering.space import State
    from venvgrid.planning.covering.tuples import Companions, UncoveredTuples

WORK = 150_000  # evaluations of a value, for all candidates of an array together
MAX_CANDIDATES = 60
MIN_CANDIDATES = 3
SAMPLE = 12  # values, of which the one with most uncovered tuples begins a row


def array(
    space: Space,
    strength: int,
    *,
    must: Sequence[int] = (),
    seed: int = 0,
    limit: int | None = None,
    effort: float = 1.0,
    is_over: Callable[[], bool] | None = None,
) -> tuple[Row, ...]:
    """Return rows that cover every feasible tuple of `strength` values (or of all factors, if they are fewer).

    Args:
        space: the factors and constraints.
        strength: t, the number of values in a tuple.
        must: sets of values; each is in a row. The rows that contain them come first.
        seed: for the choice between equals.
        limit: the number of rows, or None for as many as needed. It is exceeded where `must` needs more.
        effort: a factor for the work of the reduction.
        is_over: whether to stop the reduction; without it a fixed amount of work is done. Stopping leaves no tuple
            uncovered.

    Raises:
        ValueError: there are too many tuples, or values of `must` that constraints forbid.
    """
    strength = min(strength, len(space.sizes))
    if space.start is None:
        return ()
    if not all(map(space.witness, must)):
        raise ValueError("values of `must` violate a constraint")
    # Every tuple is covered: sets that are no larger need no row of their own.
    large = must if limit is not None else [values for values in must if values.bit_count() > strength]
    if strength == 2 and not large and limit is None and set(space.sizes) == {2} and not space.clauses:  # noqa: PLR2004
        known = [space.mask_of(row) for row in binary(len(space.sizes))]
        return tuple(space.row(row) for row in _in_order(known, must))
    targets = tuples.uncovered(space, strength)
    companions, feasible = targets.companions, dict(targets.uncovered)
    most = reduction.needed(companions, feasible) if limit is None else limit
    rows = _greedy(targets, merged(space, large, most), random.Random(seed), limit)  # noqa: S311  (nothing is secret)
    change = reduction.reduce if limit is None else reduction.improve
    if limit is not None:
        whole = array(space, strength, must=must, seed=seed, effort=effort)[:limit]
        others = [space.mask_of(row) for row in whole]
        rows = max(rows, others, key=lambda some: (_has_all(some, must), _covered(companions, feasible, some)))
    pins = _pins(rows, large)
    rows = change(companions, feasible, rows, pins, seed=seed, effort=effort, is_over=is_over)
    if limit is not None:
        rows = _spread(companions, feasible, rows, _pins(rows, large))
    return tuple(space.row(row) for row in _in_order(rows, must))


def merged(space: Space, must: Sequence[int], most: int) -> list[int]:
    """Return sets of values that contain those of `must`, in at most `most` sets if that is possible.

    What another set contains needs none of its own. Sets are merged only where there are too many: each value that a
    row must have is one less for the other tuples.
    """
    found: list[int] = []
    for values in sorted(dict.fromkeys(must), key=lambda item: -item.bit_count()):
        if any(values & other == values for other in found):
            continue
        near = sorted(range(len(found)), key=lambda at: -(found[at] & values).bit_count())
        fitting = (at for at in near if len(found) >= most and _has_row(space, found[at] | values))
        at = next(fitting, None)
        if at is None:
            found.append(values)
        else:
            found[at] |= values
    return found


def _has_row(space: Space, values: int) -> bool:
    """Whether a feasible row has these values; two of one factor are in none."""
    return all((values & whole).bit_count() <= 1 for whole in space.factors) and bool(space.witness(values))


def _has_all(rows: Sequence[int], must: Sequence[int]) -> bool:
    return all(any(values & row == values for row in rows) for values in must)


def _covered(companions: Companions, feasible: dict[int, int], rows: Sequence[int]) -> int:
    """Return the number of tuples in rows."""
    left = tuples.UncoveredTuples(companions=companions, uncovered=dict(feasible))
    before = left.total
    for row in rows:
        left.cover(row)
    return before - left.total


def _pins(rows: Sequence[int], must: Sequence[int]) -> list[int]:
    """Return the values of each row that must stay, so that every set of `must` is in a row."""
    pins = [0] * len(rows)
    for values in sorted(must, key=lambda item: -item.bit_count()):
        having = (number for number, row in enumerate(rows) if row & values == values)
        number = max(having, key=lambda at: ((pins[at] & values).bit_count(), -at))
        pins[number] |= values
    return pins


def _spread(companions: Companions, feasible: dict[int, int], rows: Sequence[int], pins: Sequence[int]) -> list[int]:
    """Return rows with values that none of them had, where that covers no fewer tuples and loses no other value.

    Of few rows, many sets cover equally many tuples: one that leaves out a value tests nothing of it.
    """
    space, found = companions.space, list(rows)
    missing = [bit for own in space.values for bit in own if space.witness(bit) and not any(row & bit for row in rows)]
    for at, pinned in enumerate(pins) if missing else ():
        others = [row for number, row in enumerate(found) if number != at]
        left = tuples.UncoveredTuples(companions=companions, uncovered=dict(feasible))
        for row in others:
            left.cover(row)
        for bit in missing:
            row, whole = found[at], space.factors[space.factor_of[bit]]
            own, other = row & whole, row & ~whole | bit
            is_free = not own & pinned and any(row & own for row in others)
            if is_free and space.is_allowed(other) and left.gain(other) >= left.gain(row):
                found[at] = other
        missing = [bit for bit in missing if not found[at] & bit]
    return found


def _in_order(rows: Sequence[int], must: Sequence[int]) -> list[int]:
    """Return the rows, those with the sets of `must` first."""
    first = [next(row for row in rows if row & values == values) for values in must]
    return list(dict.fromkeys((*first, *rows)))


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


def _greedy(targets: UncoveredTuples, must: Sequence[int], rng: random.Random, limit: int | None) -> list[int]:
    """Return rows, one for each set of `must` first, until all is covered or there are `limit` of them."""
    space, strength = targets.companions.space, targets.companions.strength
    cost = sum(space.sizes) + math.comb(len(space.sizes), strength - 1)
    biggest = sorted(space.sizes)[-strength:]
    expected_rows = math.prod(biggest) * max(1.0, math.log2(len(space.sizes) + 1) / 2)
    candidates = int(min(MAX_CANDIDATES, max(MIN_CANDIDATES, WORK / (cost * expected_rows))))
    rows: list[int] = []
    while len(rows) < len(must) or (targets.uncovered and (limit is None or len(rows) < limit)):
        best, most = 0, -1
        for _ in range(candidates):
            row = _candidate(targets, rng, must[len(rows)] if len(rows) < len(must) else 0)
            gain = targets.gain(row)
            if gain > most:
                best, most = row, gain
        rows.append(best)
        targets.cover(best)
    return rows


def _candidate(targets: UncoveredTuples, rng: random.Random, start: int) -> int:
    """Build a row that contains the values of `start`, or an uncovered tuple; that is always possible."""
    companions, uncovered = targets.companions, targets.uncovered
    space = companions.space
    if not start:
        some = rng.sample(list(uncovered), min(len(uncovered), SAMPLE))
        bit = max(some, key=lambda item: uncovered[item].bit_count())
        mask = uncovered[bit]
        shift = rng.randrange(mask.bit_length())
        start = bit | companions.sets[shift + lowest(mask >> shift)]
    state = space.assign_all(start)
    factors = [factor for factor, whole in enumerate(space.factors) if not whole & start]
    rng.shuffle(factors)
    later = [0, *itertools.accumulate((companions.of_factor[factor] for factor in reversed(factors)), operator.or_)]
    outside = 0  # the companions with a value that the row does not have
    for bit in bits(start):
        outside |= companions.without[bit]
    for factor in factors:
        if state is not None and not space.factors[factor] & state[1]:
            state = _assign(targets, state, factor, ~(outside | later[-1]), rng)
        if state is not None:
            outside |= companions.without[state[1] & space.factors[factor]]
        later.pop()
    # Propagation alone does not detect every conflict.
    return state[1] if state is not None else space.witness(start)


def _assign(targets: UncoveredTuples, state: State, factor: int, within: int, rng: random.Random) -> State | None:
    """Assign a factor the value that covers most tuples with the assigned ones; of equals that with most companions."""
    space, uncovered = targets.companions.space, targets.uncovered
    scored = []
    for bit in space.values[factor]:
        if state[0] & bit:
            left = uncovered.get(bit, 0)
            scored.append(((left & within).bit_count(), left.bit_count(), rng.random(), bit))
    scored.sort(reverse=True)
    return next(filter(None, (space.assign(state, bit) for *_, bit in scored)), None)
