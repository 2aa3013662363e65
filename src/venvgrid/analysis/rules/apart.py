"""The cell that would tell rules apart: of those that did not run, the one about which they disagree most. Pure.

Only conditions on axes count: which versions a cell would resolve to is not known before.
"""

from __future__ import annotations

import itertools
import math
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.analysis.rules import conditions
from venvgrid.model import CellResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from venvgrid.analysis.rules.conditions import Condition

MOST_CELLS = 3000
LEAST = 0.05  # share of the rules, by weight, that must disagree with the others

Weighted = tuple[float, tuple[tuple["Condition", ...], ...]]  # weight of a rule, its one or two conjunctions


class Rows:
    """Cells, and the values of their axes: one row for each cell."""

    def __init__(self, cells: Sequence[CellResult], of: Mapping[str, Sequence[str]]) -> None:
        """Read the values: `of` are the columns of the cells."""
        self.cells = cells
        self.names, columns = list(of), list(of.values())
        self.columns = [list(dict.fromkeys(column)) for column in columns]  # the different values
        self.ran = set(zip(*columns, strict=True))
        firsts = set[int]().union(*map(_first_places, columns))
        self.firsts = [cells[place] for place in sorted(firsts)]  # that have a value

    @property
    def is_full(self) -> bool:
        """Whether every combination of values is there."""
        return math.prod(map(len, self.columns)) == len(self.ran)

    def others(self) -> Iterator[tuple[str, ...]]:
        """Yield the combinations of values that are not there."""
        if not self.is_full:
            yield from (row for row in itertools.product(*self.columns) if row not in self.ran)


def cell(rows: Rows, rules: Iterable[Weighted]) -> Mapping[str, str]:
    """Return the axes of the best cell besides `rows`; empty if the rules agree about all others."""
    others = list(itertools.islice(rows.others(), MOST_CELLS))
    if not others:
        return {}
    made = [_made(rows.names, row) for row in others]
    # A value that none of them has matters, too: it is part of a condition's text, and of which bounds there are.
    every_cell = [*made, *rows.firsts]
    found = conditions.on_axes(every_cell, conditions.columns_of(every_cell))
    known = {item.text: item.cells for item in found}
    usable = [(weight, rule) for weight, rule in rules if all(item.text in known for part in rule for item in part)]
    whole = sum(weight for weight, _ in usable)
    broken = [0.0] * len(others)
    every = (1 << len(others)) - 1
    for weight, rule in usable:
        predicted = conditions.union(conditions.common(known[item.text] for item in part) for part in rule)
        for place in conditions.places(predicted & every):
            broken[place] += weight
    best = max(range(len(others)), key=lambda place: min(broken[place], whole - broken[place]))
    is_apart = min(broken[best], whole - broken[best]) > LEAST * whole
    return MappingProxyType(dict(zip(rows.names, others[best], strict=True))) if is_apart else {}


def _first_places(column: Sequence[str]) -> Iterable[int]:
    """Return the place of the first cell of each value."""
    last = len(column) - 1
    return {value: last - place for place, value in enumerate(reversed(column))}.values()


def _made(names: Sequence[str], row: Sequence[str]) -> CellResult:
    return CellResult(id="", axes=dict(zip(names, row, strict=True)), outcome=Outcome.PASSED)
