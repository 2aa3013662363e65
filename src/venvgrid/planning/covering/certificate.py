"""An independent check of a covering array: which t-tuples its rows cover, and that all others are infeasible.

It shares no code with the generator (`space`, `tuples`, `generator`, `reduction`): a mistake there is not repeated
here. Tuples are plain Python tuples, constraints are checked one after the other, and each uncovered tuple must be
refuted by a backtracking search.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = tuple[int, int]  # a factor and the index of its value
Forbidden = tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Result of a check. `missing` are the feasible tuples that no row covers.

    `infeasible` maps each infeasible tuple to the index of the constraint that forbids it, or -1 if several together
    do. `invalid` are the indices of the rows that violate a constraint.
    """

    strength: int
    covered: int
    missing: tuple[tuple[Value, ...], ...]
    infeasible: Mapping[tuple[Value, ...], int]
    invalid: tuple[int, ...]

    @property
    def feasible(self) -> int:
        """Number of feasible tuples."""
        return self.covered + len(self.missing)


def certify(
    sizes: Sequence[int], forbidden: Sequence[Forbidden], rows: Sequence[Sequence[int]], strength: int
) -> Certificate:
    """Check every tuple of `strength` values. A row holds the index of the value of each factor."""
    parts = [set(enumerate(row)) for row in rows]
    invalid = tuple(number for number, row in enumerate(parts) if any(row.issuperset(item) for item in forbidden))
    excluded = set(invalid)
    columns = list(zip(*(row for number, row in enumerate(rows) if number not in excluded), strict=True))
    covered, missing, infeasible = 0, [], {}
    solver = _Solver(sizes, forbidden)
    for chosen in itertools.combinations(range(len(sizes)), strength):
        seen = set(zip(*(columns[factor] for factor in chosen), strict=True)) if columns else set()
        covered += len(seen)
        for values in itertools.product(*(range(sizes[factor]) for factor in chosen)):
            if values not in seen:
                found = tuple(zip(chosen, values, strict=True))
                if solver.is_feasible(dict(found)):
                    missing.append(found)
                else:
                    infeasible[found] = solver.reason(found)
    return Certificate(
        strength=strength, covered=covered, missing=tuple(missing), infeasible=infeasible, invalid=invalid
    )


class _Solver:
    """Checks whether a partial row can be completed, by backtracking over the constrained factors."""

    def __init__(self, sizes: Sequence[int], forbidden: Sequence[Forbidden]) -> None:
        self.sizes, self.forbidden = sizes, forbidden
        self.of_factor: dict[int, list[Forbidden]] = {}
        for item in forbidden:
            for factor in {part[0] for part in item}:
                self.of_factor.setdefault(factor, []).append(item)
        self.known: dict[frozenset[Value], bool] = {}
        self.constrained = sorted(self.of_factor, key=lambda factor: -len(self.of_factor[factor]))

    def is_feasible(self, given: dict[int, int]) -> bool:
        key = frozenset(part for part in given.items() if part[0] in self.of_factor)
        if key not in self.known:
            assigned = dict(key)
            is_violated = any(self._violates(assigned, factor) for factor in assigned)
            self.known[key] = not is_violated and self._complete(assigned)
        return self.known[key]

    def reason(self, values: Sequence[Value]) -> int:
        parts = set(values)
        return next((number for number, item in enumerate(self.forbidden) if parts.issuperset(item)), -1)

    def _violates(self, assigned: Mapping[int, int], factor: int) -> bool:
        clauses = self.of_factor.get(factor, ())
        return any(all(assigned.get(other) == value for other, value in item) for item in clauses)

    def _complete(self, assigned: dict[int, int]) -> bool:
        """Assign the remaining factors, those with the fewest choices first."""
        fewest: tuple[int, list[int]] | None = None
        for factor in self.constrained:
            if factor in assigned:
                continue
            choices = [value for value in range(self.sizes[factor]) if self._fits(assigned, factor, value)]
            if not choices:
                return False
            if len(choices) < self.sizes[factor] and (fewest is None or len(choices) < len(fewest[1])):
                fewest = (factor, choices)
        if fewest is None:  # no assigned value restricts a remaining factor
            if (free := next((factor for factor in self.constrained if factor not in assigned), None)) is None:
                return True
            fewest = (free, list(range(self.sizes[free])))
        factor, choices = fewest
        return any(self._complete({**assigned, factor: value}) for value in choices)

    def _fits(self, assigned: dict[int, int], factor: int, value: int) -> bool:
        assigned[factor] = value
        fits = not self._violates(assigned, factor)
        del assigned[factor]
        return fits
