"""The posterior over sets of cells, and the sets that it works with."""

from __future__ import annotations

import heapq
import itertools
import operator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis.rules import conditions, posterior
from venvgrid.model import CellResult, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def _all_sets(atoms: dict[int, float], bad: int, every: int) -> Iterator[tuple[int, float, posterior.Parts]]:
    """Yield every set of cells that is tried, with its weight and conditions: the search without any shortcut."""
    whole, shares = sum(atoms.values()), posterior.SIZES
    weights = {cells: weight / whole for cells, weight in atoms.items() if cells and cells != every}
    yield from ((cells, shares[1] * weight, ((cells,),)) for cells, weight in weights.items())
    slack = max(1, bad.bit_count() // 10)
    fit = [cells for cells in weights if (bad & ~cells).bit_count() <= slack]
    fit.sort(key=lambda cells: ((cells ^ bad).bit_count(), -weights[cells]))
    for a, b in itertools.combinations(fit[: posterior.MOST_IN_PAIRS], 2):
        yield a & b, 2 * shares[2] * weights[a] * weights[b], ((a, b),)
    for a, b, c in itertools.combinations(fit[: posterior.MOST_IN_THREES], 3):
        yield a & b & c, 6 * shares[3] * weights[a] * weights[b] * weights[c], ((a, b, c),)


def _all_conjunctions(
    weights: dict[int, float], bad: int, good: int
) -> Iterator[tuple[float, int, float, tuple[int, ...]]]:
    """Yield the conjunctions for "or", every one compared with all others."""
    one, two, three = (
        times * share / sum(posterior.SIZES.values()) for times, share in ((1, 0.45), (2, 0.2), (6, 0.1))
    )
    atoms, seen, near = [cells for cells in weights if cells & bad], set[int](), []
    singles = ((cells, one * weights[cells], (cells,)) for cells in atoms)
    pairs = ((a & b, two * weights[a] * weights[b], (a, b)) for a, b in itertools.combinations(atoms, 2))
    for cells, weight, parts in itertools.chain[tuple[int, float, tuple[int, ...]]](singles, pairs):
        hit, wrong = (cells & bad).bit_count(), (cells & good).bit_count()
        if cells not in seen and hit and wrong <= 1:
            yield hit - 1.5 * wrong, cells, weight, parts
        elif cells not in seen and hit > 1 and len(parts) > 1:
            near.append((hit - wrong / 2, cells, weight * three / two, parts))
        seen.add(cells)
    for (_, cells, weight, parts), atom in itertools.product(heapq.nlargest(posterior.MOST_NEAR, near), atoms):
        hit, wrong = (cells & atom & bad).bit_count(), (cells & atom & good).bit_count()
        if cells & atom not in seen and wrong <= 1 < hit:
            yield hit - 1.5 * wrong, cells & atom, weight * weights[atom], (*parts, atom)
        seen.add(cells & atom)


def _plain(
    atoms: dict[int, float], bad: int, every: int, again: int
) -> tuple[dict[int, list[tuple[float, posterior.Parts]]], int]:
    """Return all forms of the sets that count, and what the best one does not explain: `posterior.fits` in full."""
    found: dict[int, list[tuple[float, posterior.Parts]]] = {}
    for cells, weight, parts in _all_sets(atoms, bad, every):
        if cells & bad:
            found.setdefault(cells, []).append((weight, parts))
    if bad not in found:
        whole = sum(atoms.values())
        weights = {cells: weight / whole for cells, weight in atoms.items() if cells and cells != every}
        pool = sorted(_all_conjunctions(weights, bad, every & ~bad), key=operator.itemgetter(0), reverse=True)
        for _, one, weight, first in pool[: posterior.MOST_FIRST]:
            left = [item for item in pool if item[1] & bad & ~one]
            left.sort(key=lambda item: (item[1] & bad & one).bit_count() - item[0])
            for _, other, more, second in left[: posterior.MOST_SECOND]:
                form = 2 * posterior.TWO * weight * more, (first, second)
                found.setdefault(one | other, []).append(form)
    odd = {cells: (cells ^ bad).bit_count() + ((cells ^ bad) & again).bit_count() for cells in found}
    least = min(odd.values(), default=bad.bit_count() + (bad & again).bit_count())
    chance = {cells: posterior.ODDS ** (number - least) for cells, number in odd.items()}
    return {
        cells: [(weight * chance[cells], parts) for weight, parts in forms]
        for cells, forms in found.items()
        if odd[cells] <= least + posterior.MOST_ODD
    }, least


@given(
    columns=st.lists(st.integers(1, 2**12 - 2), min_size=1, max_size=20),
    chosen=st.lists(st.integers(0, 19), min_size=2, max_size=4),
    noise=st.just(0) | st.integers(0, 2**12 - 1),
    again=st.integers(0, 2**12 - 1),
    most=st.sampled_from([3, 60]),
)
def test_the_search_finds_what_a_search_without_shortcuts_finds(
    columns: list[int], chosen: list[int], noise: int, again: int, most: int
) -> None:
    """Sets that cannot count are left out early, and the best are kept in heaps: the result is the same, bit by bit."""
    every = 2**12 - 1
    atoms = {cells: 1.0 + place % 3 for place, cells in enumerate(columns)}
    a, b, *rest = (columns[number % len(columns)] for number in chosen)
    bad = (1 | (a & b) | (rest[0] & rest[-1] if rest else 0)) ^ (noise & noise >> 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posterior, "MOST_NEAR", most)
        patch.setattr(posterior, "MOST_SECOND", most)
        patch.setattr(posterior, "AT_ONCE", most)
        fits, _, least = posterior.fits(atoms, bad, every, (again,))
        plain = _plain(atoms, bad, every, again)
    assert ({fit.cells: sorted(fit.forms) for fit in fits}, least) == (
        {cells: sorted(forms) for cells, forms in plain[0].items()},
        plain[1],
    )


@given(st.lists(st.integers(0, 400).map(str), min_size=1, max_size=700))
def test_conditions_are_met_by_the_cells_that_have_the_value(values: list[str]) -> None:
    """Presence is told by cell, with few and with very many different values."""
    found = {item.text: item.cells for item in conditions.on_package("a", ["", *values], is_axis=False)}
    assert found["a installed"] == sum(1 << place for place in range(1, len(values) + 1))
    for value in set(values):
        if len(set(values)) > 1:
            assert found[f"a {value}"] == sum(1 << place for place, item in enumerate(["", *values]) if item == value)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from(["1.0", "2.0", "x"])), min_size=1, max_size=8))
def test_a_mapping_that_cells_share_is_read_as_one_of_their_own(installed: list[dict[str, str]]) -> None:
    """Merged results share equal mappings of packages; the conditions are those of results that do not."""
    one = {repr(packages): packages for packages in installed}
    shared, own = (
        [
            CellResult(id=str(place), axes={"python": f"3.{place % 3}"}, outcome=Outcome.PASSED, packages=packages)
            for place, packages in enumerate(some)
        ]
        for some in ([one[repr(packages)] for packages in installed], [dict(packages) for packages in installed])
    )
    told, wanted = (list(conditions.conditions(cells, conditions.columns_of(cells))) for cells in (shared, own))
    assert wanted == told


@given(st.sets(st.integers(0, 300)))
def test_the_cells_of_a_set_are_told_again(numbers: set[int]) -> None:
    """A set of cells is made of their numbers, and gives them back in order."""
    assert conditions.places(conditions.bits(numbers, 301)) == sorted(numbers)
