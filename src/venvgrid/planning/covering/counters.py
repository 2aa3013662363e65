"""How many rows cover each tuple, in bit-sliced counters: one "and" counts for thousands of tuples at once.

Slice i of a value holds bit i of the count of each of its companions; adding and subtracting ripple through the slices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.planning.covering.space import bits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.planning.covering.tuples import Companions


class Counters:
    """The counts of all tuples; `missing` are the companions with which a value is feasible and in no row."""

    def __init__(self, companions: Companions, feasible: Mapping[int, int]) -> None:
        """Begin without a row."""
        self.companions, self.feasible = companions, feasible
        self.slices: dict[int, list[int]] = {bit: [0] for own in companions.space.values for bit in own}
        self.missing: dict[int, int] = dict(feasible)
        self._once: dict[int, int] = {}

    def add_row(self, row: int, within: int) -> None:
        """Count the tuples of a row; `within` are the companions in it."""
        self._each(row, within, self._add)

    def remove_row(self, row: int, within: int) -> None:
        """Subtract the tuples of a row."""
        self._each(row, within, self._subtract)

    def replace(self, row: int, within: int, leaving: int, entering: int) -> tuple[int, int]:
        """Replace one value of a row; return the new row and the companions in it."""
        companions = self.companions
        factor_of, of_factor = companions.space.factor_of, companions.of_factor
        own = of_factor[factor_of[leaving]]
        kept, gone = within & ~own, within & own
        others = row ^ leaving
        after = companions.within(others | entering)
        new = after & own
        self._subtract(leaving, kept)
        self._add(entering, kept)
        for bit in bits(others):
            outside = ~of_factor[factor_of[bit]]
            self._subtract(bit, gone & outside)
            self._add(bit, new & outside)
        for bit in bits(row | entering):
            self._refresh(bit)
        return others | entering, after

    def once(self, bit: int) -> int:
        """Return the companions with which a value is in exactly one row."""
        found = self._once.get(bit)
        if found is None:
            first, *others = self.slices[bit]
            more = 0
            for part in others:
                more |= part
            found = self._once[bit] = first & ~more
        return found

    def lost(self, row: int, within: int, kept: int = 0, kept_within: int = 0) -> int:
        """Return how many tuples are in this row only, and would be lost with it, but for those of the `kept` one."""
        found = 0
        for bit in bits(row):
            found += (self.once(bit) & (within & ~kept_within if bit & kept else within)).bit_count()
        return found // self.companions.strength

    def won(self, row: int, within: int) -> int:
        """Return how many missing tuples are in a row."""
        found = sum((self.missing[bit] & within).bit_count() for bit in bits(row) if bit in self.missing)
        return found // self.companions.strength

    @property
    def total_missing(self) -> int:
        """Number of tuples in no row."""
        return sum(mask.bit_count() for mask in self.missing.values()) // self.companions.strength

    def _each(self, row: int, within: int, change: Callable[[int, int], None]) -> None:
        space = self.companions.space
        for bit in bits(row):
            change(bit, within & ~self.companions.of_factor[space.factor_of[bit]])
            self._refresh(bit)

    def _add(self, bit: int, carry: int) -> None:
        slices = self.slices[bit]
        self._once.pop(bit, None)
        number = 0
        while carry:
            if number == len(slices):
                slices.append(0)
            part = slices[number]
            slices[number] = part ^ carry
            carry &= part
            number += 1

    def _subtract(self, bit: int, borrow: int) -> None:
        slices = self.slices[bit]
        self._once.pop(bit, None)
        number = 0
        while borrow:
            part = slices[number]
            slices[number] = part ^ borrow
            borrow &= ~part
            number += 1

    def _refresh(self, bit: int) -> None:
        covered = 0
        for part in self.slices[bit]:
            covered |= part
        if left := self.feasible.get(bit, 0) & ~covered:
            self.missing[bit] = left
        else:
            self.missing.pop(bit, None)
