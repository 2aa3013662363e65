"""Factors a list of cells into axes and excludes. Pure.

Pairs of values that no cell has become excludes, as few as possible. Other missing combinations are excluded one by
one.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_COMBINATIONS = 5_000  # combinations of the product

Rule = dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Factorisation:
    """The values of each axis, in order of appearance, and the excludes."""

    axes: Mapping[str, tuple[str, ...]]
    excludes: tuple[Mapping[str, Sequence[str]], ...]


def factor(cells: Sequence[Mapping[str, str]]) -> Factorisation:
    """Return axes and excludes whose cells are exactly the given ones; no excludes for a too large product."""
    names = list(cells[0]) if cells else []
    if not names:
        return Factorisation(axes={}, excludes=())
    axes = {name: tuple(dict.fromkeys(cell[name] for cell in cells)) for name in names}
    if math.prod(map(len, axes.values())) > MAX_COMBINATIONS:
        return Factorisation(axes=axes, excludes=())
    wanted = {tuple(cell[name] for name in names) for cell in cells}
    rules: list[Rule] = []
    for first, second in itertools.combinations(names, 2):
        rules += _pairs(axes, first, second, {(cell[first], cell[second]) for cell in cells})
    product = (dict(zip(names, values, strict=True)) for values in itertools.product(*axes.values()))
    missing = (cell for cell in product if tuple(cell.values()) not in wanted)
    left = [cell for cell in missing if not any(_matches(rule, cell) for rule in rules)]
    rules += [{name: [value] for name, value in cell.items() if len(axes[name]) > 1} for cell in left]
    return Factorisation(axes=axes, excludes=tuple(rules))


def _pairs(axes: Mapping[str, Sequence[str]], first: str, second: str, seen: set[tuple[str, str]]) -> list[Rule]:
    """Exclude the unseen pairs of two axes, grouped by the axis that needs fewer rules."""
    by_first = {a: [b for b in axes[second] if (a, b) not in seen] for a in axes[first]}
    by_second = {b: [a for a in axes[first] if (a, b) not in seen] for b in axes[second]}
    one = _merge(first, second, by_first)
    other = _merge(second, first, by_second)
    return one if len(one) <= len(other) else other


def _merge(key: str, other: str, unseen: Mapping[str, Sequence[str]]) -> list[Rule]:
    """Merge values with the same partners into one rule."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for value, partners in unseen.items():
        if partners:
            groups.setdefault(tuple(partners), []).append(value)
    return [{key: values, other: list(partners)} for partners, values in groups.items()]


def _matches(rule: Mapping[str, Iterable[str]], cell: Mapping[str, str]) -> bool:
    return all(cell[name] in values for name, values in rule.items())
