"""The feasible t-tuples, and which of them no row covers yet.

A tuple is a value and its companions: the other t - 1 values. Every set of t - 1 values of different factors has a
number, so sets of companions are integers, too. For each value, one mask says with which companions it is uncovered:
what a value adds to a partial row is one "and" and a population count, for every strength.
"""

from __future__ import annotations

import itertools
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass
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


@dataclass(frozen=True, slots=True)
class Companions:
    """The numbers of all sets of `strength` - 1 values of different factors."""

    space: Space
    strength: int
    sets: tuple[int, ...] = field(init=False)  # the values of each, by its number
    of_factor: tuple[int, ...] = field(init=False)  # those that contain a value of each factor
    without: dict[int, int] = field(init=False, repr=False, compare=False)  # those with another value of its factor

    def __post_init__(self) -> None:
        """Number the sets."""
        space, put = self.space, object.__setattr__
        sets: list[int] = []
        of_factor = [0] * len(space.sizes)
        size = count(space.sizes, self.strength - 1) // 8 + 1
        having = {bit: bytearray(size) for own in space.values for bit in own}
        for chosen in itertools.combinations(range(len(space.sizes)), self.strength - 1):
            first = len(sets)
            for values in itertools.product(*(space.values[factor] for factor in chosen)):
                for bit in values:
                    having[bit][len(sets) >> 3] |= 1 << (len(sets) & 7)
                sets.append(sum(values))
            for factor in chosen:
                of_factor[factor] |= (1 << len(sets)) - (1 << first)
        put(self, "sets", tuple(sets))
        put(self, "of_factor", tuple(of_factor))
        masks = {bit: int.from_bytes(buffer, "little") for bit, buffer in having.items()}
        put(self, "without", {bit: of_factor[space.factor_of[bit]] & ~mask for bit, mask in masks.items()})

    def within(self, row: int) -> int:
        """Return the mask of the sets in a row, which may be partial."""
        outside, without = 0, self.without
        for whole, of_factor in zip(self.space.factors, self.of_factor, strict=True):
            bit = row & whole
            outside |= without[bit] if bit else of_factor
        return (1 << len(self.sets)) - 1 & ~outside


@dataclass(slots=True)
class UncoveredTuples:
    """Feasible tuples that are not covered yet: for each value a mask of companions. `cover` removes those of a row."""

    companions: Companions
    uncovered: dict[int, int]

    def cover(self, row: int) -> None:
        """Remove the tuples of a row."""
        within = self.companions.within(row)
        for bit in bits(row):
            if bit in self.uncovered:
                self.uncovered[bit] &= ~within
                if not self.uncovered[bit]:
                    del self.uncovered[bit]

    def gain(self, row: int) -> int:
        """Return the number of uncovered tuples in a row."""
        within = self.companions.within(row)
        found = sum((self.uncovered.get(bit, 0) & within).bit_count() for bit in bits(row))
        return found // self.companions.strength

    @property
    def total(self) -> int:
        """Number of tuples."""
        return sum(mask.bit_count() for mask in self.uncovered.values()) // self.companions.strength


def uncovered(space: Space, strength: int) -> UncoveredTuples:
    """Return all feasible tuples of `strength` values.

    Raises:
        ValueError: they are too many.
    """
    total = count(space.sizes, strength)
    if total > MAX_TUPLES:
        raise ValueError(f"{total:,} combinations of {strength} values; at most {MAX_TUPLES:,} can be covered")
    companions = Companions(space, strength)
    size = len(companions.sets) // 8 + 1
    buffers = {bit: bytearray(size) for own in space.values for bit in own}
    known: dict[int, int] = {}  # only constrained values make a difference
    for number, values in enumerate(companions.sets):
        place, flag = number >> 3, 1 << (number & 7)
        named = values & space.constrained
        if named not in known:
            known[named] = _partners(space, named)
        if values & ~known[named]:
            continue
        own = sum(whole for whole in space.factors if whole & values)
        for bit in bits(known[named] & ~own):
            buffers[bit][place] |= flag
    found = {bit: mask for bit, buffer in buffers.items() if (mask := int.from_bytes(buffer, "little"))}
    return UncoveredTuples(companions=companions, uncovered=found)


def _partners(space: Space, values: int) -> int:
    """Return the mask of all values with which a tuple is feasible, its own among them."""
    state = space.assign_all(values)
    if state is None or not space.witness(values):
        return 0
    allowed = state[0]
    for bit in bits(allowed & space.constrained & ~state[1]):
        if not space.witness(values | bit):
            allowed ^= bit
    return allowed
