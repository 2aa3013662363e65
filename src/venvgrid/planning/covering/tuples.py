"""What is to be covered: every combination of t values that can be, and which of them no chosen row has yet.

`open` maps each combination of t - 1 values to the values with which it is still to be covered, as one number: of a
partial row the number of new combinations that a value brings is a few ands and a population count.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from venvgrid.planning.covering.space import bits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvgrid.planning.covering.space import Space

MAX_TUPLES = 3_000_000  # more take too long, and more memory than a planner may have


def count(sizes: Iterable[int], strength: int) -> int:
    """Count the combinations of t values, possible or not."""
    ways = [1] + [0] * strength
    for size in sizes:
        for number in range(strength, 0, -1):
            ways[number] += ways[number - 1] * size
    return ways[strength]


@dataclass(slots=True)
class UncoveredTuples:
    """Combinations of `strength` values that are not covered yet. Mutable: `cover` takes off what a row has."""

    space: Space
    strength: int
    open: dict[int, int]

    def cover(self, row: int) -> None:
        """Take off what a row has."""
        for combination in itertools.combinations(list(bits(row)), self.strength - 1):
            key = sum(combination)
            left = self.open.get(key)
            if left is not None:
                left &= ~row
                if left:
                    self.open[key] = left
                else:
                    del self.open[key]

    def gain(self, row: int) -> int:
        """Count what a whole row has that is not covered."""
        found = sum(
            (self.open.get(sum(combination), 0) & row).bit_count()
            for combination in itertools.combinations(list(bits(row)), self.strength - 1)
        )
        return found // self.strength


def uncovered(space: Space, strength: int) -> UncoveredTuples:
    """Find every combination of `strength` values that a whole row can have.

    Raises:
        ValueError: they are too many.
    """
    total = count(space.sizes, strength)
    if total > MAX_TUPLES:
        raise ValueError(f"{total:,} combinations of {strength} values; at most {MAX_TUPLES:,} can be covered")
    opened: dict[int, int] = {}
    for chosen in itertools.combinations(range(len(space.sizes)), strength - 1):
        own = sum(space.factors[factor] for factor in chosen)
        for values in itertools.product(*(space.values[factor] for factor in chosen)):
            key = sum(values)
            partners = _partners(space, key) & ~own
            if partners:
                opened[key] = partners
    return UncoveredTuples(space=space, strength=strength, open=opened)


def _partners(space: Space, key: int) -> int:
    """Give all values with which a combination can be."""
    state = space.settle_all(key)
    if state is None or not space.witness(key):
        return 0
    allowed = state[0]
    for bit in bits(allowed & space.constrained & ~state[1]):
        if not space.witness(key | bit):
            allowed ^= bit
    return allowed
