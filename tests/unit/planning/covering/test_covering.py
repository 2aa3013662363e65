"""Covering arrays: everything that can be is covered, whatever the constraints; the proof does not trust the maker."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from venvgrid.planning.covering import generator, tuples
from venvgrid.planning.covering.certificate import Certificate, certify
from venvgrid.planning.covering.space import Space

if TYPE_CHECKING:
    import random

Model = tuple[tuple[int, ...], tuple[tuple[tuple[int, int], ...], ...]]


@st.composite
def models(draw: st.DrawFn, most: int = 6) -> Model:
    """Draw factors of one to four values, and combinations of one to four values that must not be."""
    sizes = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=most)))
    part = st.integers(0, len(sizes) - 1).flatmap(
        lambda factor: st.tuples(st.just(factor), st.integers(0, sizes[factor] - 1))
    )
    clause = st.lists(part, min_size=1, max_size=4, unique_by=lambda item: item[0]).map(tuple)
    return sizes, tuple(draw(st.lists(clause, max_size=8)))


def space_of(model: Model) -> Space:
    """Make the space of a model."""
    plain = Space(model[0])
    return plain.with_clauses(plain.mask(clause) for clause in model[1])


def allowed(model: Model) -> list[tuple[int, ...]]:
    """Return every feasible row, by trying all of them."""
    sizes, forbidden = model
    return [
        row
        for row in itertools.product(*map(range, sizes))
        if not any(all(row[factor] == value for factor, value in clause) for clause in forbidden)
    ]


def is_complete(proof: Certificate) -> bool:
    """Whether all that can be is covered by rows that can be."""
    return not proof.missing and not proof.invalid


@settings(deadline=None)
@given(models())
def test_what_can_be_is_found_as_by_trying_everything(model: Model) -> None:
    """Law: a value, or two together, has a witness if and only if some row has it; and the witness is such a row."""
    space, rows = space_of(model), allowed(model)
    for row in itertools.product(*map(range, model[0])):
        assert space.is_allowed(space.mask_of(row)) == (row in rows)
    for one, other in itertools.product(range(len(model[0])), repeat=2):
        for values in itertools.product(range(model[0][one]), range(model[0][other])):
            wanted = {one: values[0], other: values[1]}
            found = space.witness(space.mask(wanted.items())) if space.start else 0
            possible = any(all(row[factor] == value for factor, value in wanted.items()) for row in rows)
            assert bool(found) == possible
            assert not found or space.row(found) in rows


@settings(deadline=None)
@given(models(), st.integers(1, 3), st.integers(0, 3))
def test_everything_that_can_be_is_covered(model: Model, strength: int, seed: int) -> None:
    """Law: no row holds what is forbidden, and no combination that can be is left out; the proof says the same."""
    sizes, forbidden = model
    if strength > len(sizes):
        return
    rows = generator.array(space_of(model), strength, seed=seed, effort=0.02)
    possible = allowed(model)
    assert set(rows) <= set(possible)
    wanted = {
        tuple((factor, row[factor]) for factor in chosen)
        for row in possible
        for chosen in itertools.combinations(range(len(sizes)), strength)
    }
    got = {
        tuple((factor, row[factor]) for factor in chosen)
        for row in rows
        for chosen in itertools.combinations(range(len(sizes)), strength)
    }
    assert got == wanted
    proof = certify(sizes, forbidden, rows, strength)
    assert is_complete(proof)
    assert proof.covered == len(wanted)
    assert proof.covered + len(proof.infeasible) == tuples.count(sizes, strength)


@settings(deadline=None)
@given(models(), st.randoms())
def test_the_proof_finds_what_is_missing(model: Model, rng: random.Random) -> None:
    """Law: of an array from which a row was taken, or to which a forbidden one was added, it says so."""
    sizes, forbidden = model
    possible = allowed(model)
    if len(sizes) < 2 or len(possible) < 2:
        return
    rows = rng.sample(possible, rng.randint(1, len(possible) - 1))
    proof = certify(sizes, forbidden, rows, 2)
    pairs = {
        ((one, row[one]), (other, row[other]))
        for row in possible
        for one, other in itertools.combinations(range(len(sizes)), 2)
        if not any(item[one] == row[one] and item[other] == row[other] for item in rows)
    }
    assert set(proof.missing) == pairs
    bad = [row for row in itertools.product(*map(range, sizes)) if row not in possible]
    if bad:
        assert certify(sizes, forbidden, [*rows, bad[0]], 2).invalid == (len(rows),)


@settings(deadline=None)
@given(models(), st.integers(0, 100))
@example(((2, 2), ()), 1)  # the smallest array of binary factors is known
def test_rows_that_must_be_there_are_there(model: Model, number: int) -> None:
    """Law: they come first, and what they cover is not covered again for its own sake."""
    possible = allowed(model)
    if not possible or len(model[0]) < 2:
        return
    must, space = possible[number % len(possible)], space_of(model)
    rows = generator.array(space, 2, must=[space.mask_of(must)], effort=0.02)
    assert rows[0] == must
    assert is_complete(certify(model[0], model[1], rows, 2))


def test_the_same_seed_gives_the_same_rows() -> None:
    """On any machine, however fast; another seed gives others."""
    space = Space((3, 3, 2, 4, 2, 3))
    first, again, other = (generator.array(space, 2, seed=seed, effort=0.1) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("sizes", "most"), [((3,) * 4, 9), ((3,) * 13, 18), ((2,) * 10, 6), ((4, 4, 3, 3, 2, 2), 16), ((5, 4), 20)]
)
def test_arrays_are_short(sizes: tuple[int, ...], most: int) -> None:
    """As short as good generators make them."""
    rows = generator.array(Space(sizes), 2)
    assert len(rows) <= most
    assert is_complete(certify(sizes, (), rows, 2))


@pytest.mark.parametrize("factors", [1, 2, 3, 4, 5, 10, 11, 35, 36, 100])
def test_two_values_each_need_no_search(factors: int) -> None:
    """The array is the smallest there is, and complete."""
    rows = generator.binary(factors)
    assert is_complete(certify([2] * factors, (), rows, min(2, factors)))


def test_a_budget_takes_what_covers_most() -> None:
    """With three rows more is covered than with two; never more rows than allowed."""
    space = Space((4, 4, 4))
    counts = []
    for limit in (1, 2, 3, 100):
        rows = generator.array(space, 2, limit=limit)
        assert len(rows) <= limit
        counts.append(certify((4, 4, 4), (), rows, 2).covered)
    assert counts[0] < counts[1] < counts[2] < counts[3] == 48


@pytest.mark.parametrize("sizes", [(2, 2), (3, 3), (6, 2), (4, 3, 2), (5, 5, 5), (9, 2, 2, 2), (20, 3, 3)], ids=str)
def test_a_budget_leaves_out_no_value_without_need(sizes: tuple[int, ...]) -> None:
    """Among equals, the rows that have more values: each row of a grid with two axes covers one pair, whichever."""
    for limit in range(1, 10):
        rows = generator.array(Space(sizes), 2, limit=limit)
        assert [len(set(column)) for column in zip(*rows, strict=True)] == [min(size, len(rows)) for size in sizes]


@settings(deadline=None, max_examples=60)
@given(models(), st.integers(1, 12), st.integers(0, 3))
def test_a_budget_covers_no_less_than_the_beginning_of_the_whole(model: Model, limit: int, seed: int) -> None:
    """Law: its rows cover at least as many pairs as the first rows of the plan without a budget."""
    space = space_of(model)
    if space.start is None or not allowed(model):
        return
    limited = generator.array(space, 2, seed=seed, limit=limit, effort=0.02)
    whole = generator.array(space, 2, seed=seed, effort=0.02)
    strength = min(2, len(model[0]))
    assert len(limited) <= limit
    first = certify(*model, whole[:limit], strength).covered
    assert certify(*model, limited, strength).covered >= first


@settings(deadline=None, max_examples=60)
@given(
    models(), st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 63)), max_size=5), st.none() | st.integers(1, 6)
)
def test_parts_of_rows_that_must_be_there_are_there(
    model: Model, chosen: list[tuple[int, int]], limit: int | None
) -> None:
    """Law: each is in a row; no row is only there for a part that fits into another one."""
    possible, space = allowed(model), space_of(model)
    if not possible:
        return
    must = []
    for number, factors in chosen:
        row = possible[number % len(possible)]
        must.append(space.mask((at, value) for at, value in enumerate(row) if factors >> at & 1))
    rows = generator.array(space, 2, must=must, limit=limit, effort=0.02)
    masks = [space.mask_of(row) for row in rows]
    assert set(rows) <= set(possible)
    assert all(any(part & row == part for row in masks) for part in must)
    if limit is None:
        assert is_complete(certify(*model, rows, min(2, len(model[0]))))
        without = generator.array(space, 2, effort=0.02)
        assert len(rows) <= len(without) + len(must)
    else:
        assert len(rows) <= max(limit, len(generator.merged(space, must, limit)))


@pytest.mark.parametrize(("sizes", "best"), [((3,) * 6, 33), ((2,) * 10, 12), ((4,) * 6, 64), ((5, 4, 3, 3, 2), 60)])
def test_arrays_of_triples_are_short(sizes: tuple[int, ...], best: int) -> None:
    """At most 15 % longer than the best known ones."""
    rows = generator.array(Space(sizes), 3)
    assert len(rows) <= best * 1.15
    assert is_complete(certify(sizes, (), rows, 3))


@pytest.mark.parametrize(
    ("sizes", "strength", "limit"), [((3,) * 6, 2, 8), ((3,) * 8, 3, None), ((2,) * 9, 4, None)], ids=str
)
def test_time_to_improve_is_used(sizes: tuple[int, ...], strength: int, limit: int | None) -> None:
    """With budgets and triples, too: it is over only when it is over, and the result is better."""
    space, asked = Space(sizes), itertools.count()
    at_once = generator.array(space, strength, limit=limit, effort=0.001)
    improved = generator.array(space, strength, limit=limit, effort=0.001, is_over=lambda: next(asked) >= 300)
    assert next(asked) > 300
    counts = [certify(sizes, (), rows, strength).covered for rows in (at_once, improved)]
    assert counts[0] < counts[1] if limit else len(improved) < len(at_once)


def test_time_to_improve_never_makes_it_worse() -> None:
    """An array that was improved for a moment is complete and no longer than at once."""
    space = Space((3,) * 8)
    at_once = generator.array(space, 2, effort=0.1)
    asked = itertools.count()
    improved = generator.array(space, 2, effort=0.1, is_over=lambda: next(asked) > 50)
    assert len(improved) <= len(at_once)
    assert is_complete(certify((3,) * 8, (), improved, 2))


def test_too_many_combinations_are_refused() -> None:
    """Before anything is expanded."""
    with pytest.raises(ValueError, match="at most"):
        generator.array(Space((10,) * 50), 6)
