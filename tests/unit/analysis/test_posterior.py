"""The posterior over sets of cells, and the sets that it works with."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis.rules import conditions, posterior

CELLS = list(itertools.product(range(2), repeat=7))
EVERY = (1 << len(CELLS)) - 1
COLUMNS = [sum(1 << place for place, cell in enumerate(CELLS) if cell[column]) for column in range(7)]


def atoms() -> dict[int, float]:
    """Return the conditions on seven columns of two values, and their weights."""
    return {cells: 1.0 for column in COLUMNS for cells in (column, EVERY & ~column)}


def test_two_causes_of_three_conditions_each() -> None:
    """An "or" of two conjunctions of three conditions is found, and is the likeliest."""
    a, b, c, d, e, f, _ = COLUMNS
    bad = (a & b & c) | (d & e & f)
    best = posterior.fits(atoms(), bad, EVERY)[0][0]
    assert best.cells == bad
    assert {frozenset(part) for part in best.parts} == {frozenset({a, b, c}), frozenset({d, e, f})}


def test_what_no_rule_explains_has_weights_nevertheless() -> None:
    """Among thousands of accidents the weights stay above zero: they are relative to the best rule."""
    columns = [0x5555_5555 << 4 * place for place in range(3)]
    bad = sum(1 << place for place in range(0, 4000, 7))
    fits, null, odd = posterior.fits(dict.fromkeys(columns, 1.0), bad, (1 << 4000) - 1)
    assert odd > 400
    assert fits[0].weight > 0
    assert null > 0


@given(st.lists(st.integers(0, 400).map(str), min_size=1, max_size=700))
def test_conditions_are_met_by_the_cells_that_have_the_value(values: list[str]) -> None:
    """Presence is told by cell, with few and with very many different values."""
    found = {item.text: item.cells for item in conditions.on_package("a", ["", *values], is_axis=False)}
    assert found["a installed"] == sum(1 << place for place in range(1, len(values) + 1))
    for value in set(values):
        if len(set(values)) > 1:
            assert found[f"a {value}"] == sum(1 << place for place, item in enumerate(["", *values]) if item == value)
