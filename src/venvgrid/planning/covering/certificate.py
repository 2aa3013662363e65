"""Checks a set of rows on its own: which combinations of t values they have, and that the others cannot be.

It shares no code with what makes the rows (`space`, `targets`, `covering`): a mistake there is not repeated here.
Combinations are tuples, constraints are looked through one after the other, and what is not covered has to be refuted
by a search of its own.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = tuple[int, int]  # a factor and the index of its value
Forbidden = tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What was found. `missing` are combinations that could be and are in no row: none, if the rows are right.

    `infeasible` maps what cannot be to the number of the constraint that says so, -1 if it follows from several.
    `wrong` are the numbers of the rows that hold a forbidden combination.
    """

    strength: int
    covered: int
    missing: tuple[tuple[Value, ...], ...]
    infeasible: Mapping[tuple[Value, ...], int]
    wrong: tuple[int, ...]

    @property
    def feasible(self) -> int:
        """How many combinations can be."""
        return self.covered + len(self.missing)


def certify(
    sizes: Sequence[int], forbidden: Sequence[Forbidden], rows: Sequence[Sequence[int]], strength: int
) -> Certificate:
    """Look at every combination of `strength` values; a row is the index of the value of each factor."""
    held = [set(enumerate(row)) for row in rows]
    wrong = tuple(number for number, parts in enumerate(held) if any(parts.issuperset(item) for item in forbidden))
    good = [row for number, row in enumerate(rows) if number not in set(wrong)]
    covered, missing, infeasible = 0, [], {}
    solver = _Solver(sizes, forbidden)
    for chosen in itertools.combinations(range(len(sizes)), strength):
        seen = {tuple(row[factor] for factor in chosen) for row in good}
        covered += len(seen)
        for values in itertools.product(*(range(sizes[factor]) for factor in chosen)):
            if values not in seen:
                combination = tuple(zip(chosen, values, strict=True))
                if solver.is_possible(dict(combination)):
                    missing.append(combination)
                else:
                    infeasible[combination] = solver.reason(combination)
    return Certificate(strength=strength, covered=covered, missing=tuple(missing), infeasible=infeasible, wrong=wrong)


class _Solver:
    """Whether a part of a row can be completed: plain backtracking over the factors that constraints name."""

    def __init__(self, sizes: Sequence[int], forbidden: Sequence[Forbidden]) -> None:
        self.sizes, self.forbidden = sizes, forbidden
        self.of_factor: dict[int, list[Forbidden]] = {}
        for item in forbidden:
            for factor in {part[0] for part in item}:
                self.of_factor.setdefault(factor, []).append(item)
        self.known: dict[frozenset[Value], bool] = {}
        self.every = sorted(self.of_factor, key=lambda factor: -len(self.of_factor[factor]))

    def is_possible(self, given: dict[int, int]) -> bool:
        key = frozenset(part for part in given.items() if part[0] in self.of_factor)
        if key not in self.known:
            taken = dict(key)
            self.known[key] = not any(self._violates(taken, factor) for factor in taken) and self._complete(taken)
        return self.known[key]

    def reason(self, combination: Sequence[Value]) -> int:
        parts = set(combination)
        return next((number for number, item in enumerate(self.forbidden) if parts.issuperset(item)), -1)

    def _violates(self, taken: Mapping[int, int], factor: int) -> bool:
        return any(all(taken.get(other) == value for other, value in item) for item in self.of_factor.get(factor, ()))

    def _complete(self, taken: dict[int, int]) -> bool:
        """Give values to the factors that are left, the one with fewest choices first."""
        fewest: tuple[int, list[int]] | None = None
        for factor in self.every:
            if factor in taken:
                continue
            choices = [value for value in range(self.sizes[factor]) if self._fits(taken, factor, value)]
            if not choices:
                return False
            if len(choices) < self.sizes[factor] and (fewest is None or len(choices) < len(fewest[1])):
                fewest = (factor, choices)
        if fewest is None:  # nothing that was taken restricts what is left
            free = next((factor for factor in self.every if factor not in taken), None)
            if free is None:
                return True
            fewest = (free, list(range(self.sizes[free])))
        factor, choices = fewest
        for value in choices:
            taken[factor] = value
            if self._complete(taken):
                del taken[factor]
                return True
            del taken[factor]
        return False

    def _fits(self, taken: dict[int, int], factor: int, value: int) -> bool:
        taken[factor] = value
        fits = not self._violates(taken, factor)
        del taken[factor]
        return fits
