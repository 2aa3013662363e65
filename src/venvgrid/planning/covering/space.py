"""Factors, values and constraints, and which tuples of values are feasible. Pure.

Each value of a factor is one bit, so tuples, rows and sets of values are integers (masks). A constraint is a forbidden
tuple, a clause (nogood) in terms of constraint solving. Unit propagation finds consequences, search decides exactly.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Row = tuple[int, ...]  # the index of the value of each factor
State = tuple[int, int]  # the values that are still allowed, and the assigned ones among them


def bits(mask: int) -> Iterator[int]:
    """Yield the single bits of a mask, lowest first."""
    while mask:
        low = mask & -mask
        yield low
        mask ^= low


def lowest(mask: int) -> int:
    """Return the number of the lowest bit of a mask that is not 0."""
    return (mask & -mask).bit_length() - 1


@dataclass(frozen=True, slots=True)
class Space:
    """Factors, by their numbers of values, and the clauses that no row may contain."""

    sizes: tuple[int, ...]
    clauses: frozenset[int] = frozenset()
    factors: tuple[int, ...] = field(init=False)  # the mask of each factor's values
    values: tuple[tuple[int, ...], ...] = field(init=False)  # the bits of each factor
    factor_of: dict[int, int] = field(init=False, repr=False, compare=False)
    by_value: dict[int, tuple[int, ...]] = field(init=False, repr=False, compare=False)
    constrained: int = field(init=False)  # the values that occur in clauses
    bound: int = field(init=False)  # all values of the factors that occur in clauses
    start: State | None = field(init=False)  # None: no row is feasible
    _known: dict[int, int] = field(init=False, repr=False, compare=False, default_factory=dict)
    _rows: list[int] = field(init=False, repr=False, compare=False, default_factory=list)  # all witnesses so far
    _rows_with: dict[int, int] = field(init=False, repr=False, compare=False, default_factory=dict)  # their numbers

    def __post_init__(self) -> None:
        """Compute the masks."""
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
        put(self, "bound", sum(whole for whole in self.factors if whole & self.constrained))
        put(self, "start", self._start())

    def mask(self, parts: Iterable[tuple[int, int]]) -> int:
        """Return the mask of a tuple of (factor, index of its value)."""
        return sum({self.values[factor][index] for factor, index in parts})

    def with_clauses(self, clauses: Iterable[int]) -> Space:
        """Return a space with further clauses."""
        return Space(self.sizes, self.clauses | frozenset(clauses))

    def row(self, mask: int) -> Row:
        """Return a row as the indices of its values."""
        return tuple(own.index(mask & whole) for own, whole in zip(self.values, self.factors, strict=True))

    def mask_of(self, row: Sequence[int]) -> int:
        """Return the mask of a row."""
        return sum(own[index] for own, index in zip(self.values, row, strict=True))

    def is_allowed(self, mask: int) -> bool:
        """Whether a row contains no clause."""
        named = mask & self.constrained
        return not any(clause & named == clause for bit in bits(named) for clause in self.by_value[bit])

    def is_forbidden(self, row: int, bit: int) -> bool:
        """Whether a row contains a clause with this value."""
        return any(clause & row == clause for clause in self.by_value.get(bit, ()))

    def assign(self, state: State, bit: int) -> State | None:
        """Assign a value, with unit propagation; return the new state, or None on a conflict."""
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

    def assign_all(self, mask: int) -> State | None:
        """Assign several values from the start."""
        state = self.start
        for bit in bits(mask):
            if state is None:
                return None
            if not state[1] & bit:
                state = self.assign(state, bit)
        return state

    def overlaid(self, row: int, values: int) -> int:
        """Return a row with some values replaced."""
        return sum(values & whole or row & whole for whole in self.factors)

    def completed(self, state: State) -> int:
        """Return the values of all bound factors, completed without a search; 0 if that does not find any."""
        for whole in self.factors:
            if whole & self.bound and not whole & state[1]:
                found = next(filter(None, (self.assign(state, bit) for bit in bits(state[0] & whole))), None)
                if found is None:
                    return 0
                state = found
        return state[1] & self.bound

    def witness(self, mask: int) -> int:
        """Return a feasible row that contains the values of `mask`, or 0 if there is none."""
        named = mask & self.constrained
        if named not in self._known:
            self._known[named] = self._earlier(named) or self._found(named)
        found = self._known[named]
        if not found:
            return 0
        for bit in bits(mask):  # unconstrained values can replace others of their factors
            found = (found & ~self.factors[self.factor_of[bit]]) | bit
        return found

    def _earlier(self, named: int) -> int:
        """Return a witness of other values that has these, too; 0 if there is none."""
        common = (1 << len(self._rows)) - 1
        for bit in bits(named):
            common &= self._rows_with.get(bit, 0)
        return self._rows[lowest(common)] if common else 0

    def _found(self, named: int) -> int:
        state = self.assign_all(named)
        row = self._search(state) if state else 0
        if row:
            for bit in bits(row):
                self._rows_with[bit] = self._rows_with.get(bit, 0) | 1 << len(self._rows)
            self._rows.append(row)
        return row

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
                state = self.assign(state, left)
        return state

    def _search(self, state: State) -> int:
        """Complete a state to a row, or return 0 if that is impossible; depth first, the tightest factor first."""
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
            following = self.assign(state, bit)
            if following is not None and (found := self._search(following)):
                return found
        return 0
