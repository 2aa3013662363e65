"""The feasible t-tuples that no row covers yet.

`uncovered` maps each tuple of t - 1 values to the mask of the values with which it is uncovered. So the number of new
tuples that a value adds to a partial row takes a few ands and a population count.
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
    """Return the number of t-tuples, feasible or not."""
    ways = [1] + [0] * strength
    for size in sizes:
        for number in range(strength, 0, -1):
            ways[number] += ways[number - 1] * size
    return ways[strength]


@dataclass(slots=True)
class UncoveredTuples:
    """Feasible tuples of `strength` values that are not covered yet. Mutable: `cover` removes those of a row."""

    space: Space
    strength: int
    uncovered: dict[int, int]

    def cover(self, row: int) -> None:
        """Remove the tuples of a row."""
        for combination in itertools.combinations(list(bits(row)), self.strength - 1):
            key = sum(combination)
            if key in self.uncovered:
                self.uncovered[key] &= ~row
                if not self.uncovered[key]:
                    del self.uncovered[key]

    def gain(self, row: int) -> int:
        """Return the number of uncovered tuples in a row."""
        found = sum(
            (self.uncovered.get(sum(combination), 0) & row).bit_count()
            for combination in itertools.combinations(list(bits(row)), self.strength - 1)
        )
        return found // self.strength


def uncovered(space: Space, strength: int) -> UncoveredTuples:
    """Return all feasible tuples of `strength` values.

    Raises:
        ValueError: they are too many.
    """
    total = count(space.sizes, strength)
    if total > MAX_TUPLES:
        raise ValueError(f"{total:,} combinations of {strength} values; at most {MAX_TUPLES:,} can be covered")
    found: dict[int, int] = {}
    for chosen in itertools.combinations(range(len(space.sizes)), strength - 1):
        own = sum(space.factors[factor] for factor in chosen)
        for values in itertools.product(*(space.values[factor] for factor in chosen)):
            key = sum(values)
            if partners := _partners(space, key) & ~own:
                found[key] = partners
    return UncoveredTuples(space=space, strength=strength, uncovered=found)


def _partners(space: Space, key: int) -> int:
    """Return the mask of all values with which a tuple is feasible."""
    state = space.assign_all(key)
    if state is None or not space.witness(key):
        return 0
    allowed = state[0]
    for bit in bits(allowed & space.constrained & ~state[1]):
        if not space.witness(key | bit):
            allowed ^= bit
    return allowed
