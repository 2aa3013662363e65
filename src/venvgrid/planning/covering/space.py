"""Combinations of values under constraints: which of them can be at all. Pure; knows nothing of cells or versions.

A value of a factor is one bit of a number, so a combination is a number, and so is a set of values. A constraint is a
combination that must not be: a clause. What remains possible is found by unit propagation, and exactly by search.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Row = tuple[int, ...]  # the index of the value of each factor
State = tuple[int, int]  # the values that are still allowed, and those of them that are settled


def bits(mask: int) -> Iterator[int]:
    """Give the single bits of a number, lowest first."""
    while mask:
        low = mask & -mask
        yield low
        mask ^= low


@dataclass(frozen=True, slots=True)
class Space:
    """Factors with so many values each, and what must not be together.

    Raises:
        ValueError: a clause names a value that is not there.
    """

    sizes: tuple[int, ...]
    clauses: frozenset[int] = frozenset()
    factors: tuple[int, ...] = field(init=False)  # the mask of each factor's values
    values: tuple[tuple[int, ...], ...] = field(init=False)  # the bits of each factor
    factor_of: dict[int, int] = field(init=False, repr=False, compare=False)
    by_value: dict[int, tuple[int, ...]] = field(init=False, repr=False, compare=False)
    constrained: int = field(init=False)  # the values that a clause names
    start: State | None = field(init=False)  # None: nothing is possible
    _known: dict[int, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Lay out the bits."""
        at, values = 0, []
        for size in self.sizes:
            values.append(tuple(1 << number for number in range(at, at + size)))
            at += size
        put = object.__setattr__
        put(self, "values", tuple(values))
        put(self, "factors", tuple(sum(own) for own in values))
        put(self, "factor_of", {bit: number for number, own in enumerate(values) for bit in own})
        found: dict[int, list[int]] = {}
        for clause in sorted(self.clauses):
            for bit in bits(clause):
                found.setdefault(bit, []).append(clause)
        put(self, "by_value", {bit: tuple(clauses) for bit, clauses in found.items()})
        put(self, "constrained", sum(found))
        put(self, "start", self._start())

    def mask(self, parts: Iterable[tuple[int, int]]) -> int:
        """Give the combination of (factor, index of its value)."""
        return sum({self.values[factor][index] for factor, index in parts})

    def with_clauses(self, clauses: Iterable[int]) -> Space:
        """Give the same factors with further constraints."""
        return Space(self.sizes, self.clauses | frozenset(clauses))

    def row(self, mask: int) -> Row:
        """Give a whole combination as the indices of its values."""
        return tuple(own.index(mask & whole) for own, whole in zip(self.values, self.factors, strict=True))

    def mask_of(self, row: Sequence[int]) -> int:
        """Give the combination of a row."""
        return sum(own[index] for own, index in zip(self.values, row, strict=True))

    def is_allowed(self, mask: int) -> bool:
        """Whether a whole combination holds no clause."""
        named = mask & self.constrained
        return not any(clause & named == clause for bit in bits(named) for clause in self.by_value[bit])

    def settle(self, state: State, bit: int) -> State | None:
        """Take a value; gives what follows from that, None if it cannot be."""
        allowed, fixed = state
        if not allowed & bit:
            return None
        by_value, factor_of, factors = self.by_value, self.factor_of, self.factors
        allowed &= ~(factors[factor_of[bit]] ^ bit)
        pending = [bit]
        while pending:
            taken = pending.pop()
            fixed |= taken
            for clause in by_value.get(taken, ()):
                if clause & ~allowed:
                    continue
                rest = clause & ~fixed
                if not rest:
                    return None
                if not rest & (rest - 1):
                    allowed ^= rest
                    left = allowed & factors[factor_of[rest]]
                    if not left:
                        return None
                    if not left & (left - 1) and not left & fixed:
                        pending.append(left)
        return allowed, fixed

    def settle_all(self, mask: int, state: State | None = None) -> State | None:
        """Take several values, from the start or from a state."""
        state = state or self.start
        for bit in bits(mask):
            if state is None:
                return None
            if not state[1] & bit:
                state = self.settle(state, bit)
        return state

    def witness(self, mask: int) -> int:
        """Give a whole combination that holds the values of `mask`, 0 if there is none."""
        named = mask & self.constrained
        if named not in self._known:
            state = self.settle_all(named)
            self._known[named] = self._search(state) if state else 0
        found = self._known[named]
        if not found:
            return 0
        for bit in bits(mask):  # values that no clause names can stand in for others
            found = (found & ~self.factors[self.factor_of[bit]]) | bit
        return found

    def _start(self) -> State | None:
        allowed, fixed = sum(self.factors), 0
        for clause in self.clauses:
            if not clause & (clause - 1):
                allowed &= ~clause
        if not all(allowed & whole for whole in self.factors):
            return None
        state: State | None = (allowed, fixed)
        for whole in self.factors:
            left = allowed & whole
            if state and not left & (left - 1) and not left & state[1]:
                state = self.settle(state, left)
        return state

    def _search(self, state: State) -> int:
        """Complete a state to a whole combination, 0 if that cannot be; depth first, the tightest factor first."""
        allowed, fixed = state
        live = 0
        for clause in self.clauses:
            if not clause & ~allowed:
                live |= clause & ~fixed
        if not live:
            return sum(next(bits(allowed & whole)) for whole in self.factors)
        tightest = min(
            {self.factor_of[bit] for bit in bits(live)}, key=lambda factor: (allowed & self.factors[factor]).bit_count()
        )
        for bit in bits(allowed & self.factors[tightest]):
            following = self.settle(state, bit)
            if following is not None and (found := self._search(following)):
                return found
        return 0
