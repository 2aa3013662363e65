"""The cell that would tell rules apart: of those that did not run, the one about which they disagree most. Pure.

Only conditions on axes count: which versions a cell would resolve to is not known before.
"""

from __future__ import annotations

import itertools
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.analysis.rules import conditions
from venvgrid.model import CellResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from venvgrid.analysis.rules.conditions import Condition

MOST_CELLS = 3000
LEAST = 0.05  # share of the rules, by weight, that must disagree with the others

Weighted = tuple[float, tuple[tuple["Condition", ...], ...]]  # weight of a rule, its one or two conjunctions


def cell(cells: Sequence[CellResult], rules: Iterable[Weighted]) -> Mapping[str, str]:
    """Return the axes of the best cell besides `cells`; empty if the rules agree about all others."""
    names = list(dict.fromkeys(name for item in cells for name in item.axes))
    columns = [list(dict.fromkeys(item.axes.get(name, "") for item in cells)) for name in names]
    ran = {tuple(item.axes.get(name, "") for name in names) for item in cells}
    others = list(itertools.islice((row for row in itertools.product(*columns) if row not in ran), MOST_CELLS))
    if not others:
        return {}
    made = [_made(names, row) for row in others]
    known = {item.text: item.cells for item in conditions.on_axes([*made, *cells])}
    usable = [(weight, rule) for weight, rule in rules if all(item.text in known for part in rule for item in part)]
    whole = sum(weight for weight, _ in usable)
    broken = [0.0] * len(others)
    for weight, rule in usable:
        predicted = conditions.union(conditions.common(known[item.text] for item in part) for part in rule)
        for place in range(len(others)):
            if predicted >> place & 1:
                broken[place] += weight
    best = max(range(len(others)), key=lambda place: min(broken[place], whole - broken[place]))
    is_apart = min(broken[best], whole - broken[best]) > LEAST * whole
    return MappingProxyType(dict(zip(names, others[best], strict=True))) if is_apart else {}


def _made(names: Sequence[str], row: Sequence[str]) -> CellResult:
    return CellResult(id="", axes=dict(zip(names, row, strict=True)), outcome=Outcome.PASSED)
