"""The choice of probes: how much each of them tells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis.diagnosis import choice
from venvgrid.analysis.diagnosis.belief import Belief, Hypothesis


def belief(*sets: set[int]) -> Belief:
    """Return equally likely hypotheses that break these worlds."""
    made = [sum(1 << number for number in cells) for cells in sets]
    return Belief(
        hypotheses=tuple(Hypothesis(cells=cells, chance=1 / len(made), parts=((cells,),)) for cells in made),
        flaky=0.0,
        bad=0,
        seen=0,
        found={},
        weights={},
        classes={},
    )


@given(st.lists(st.tuples(st.frozensets(st.integers(0, 30)), st.integers(0, 1000)), max_size=40))
def test_sums_are_sums(added: list[tuple[frozenset[int], int]]) -> None:
    """Adding sets of worlds with weights is the same as adding numbers."""
    sums = choice.Sums()
    for cells, weight in added:
        sums.add(sum(1 << number for number in cells), weight)
    assert sums.of(range(32)) == [sum(weight for cells, weight in added if number in cells) for number in range(32)]


def test_the_probe_that_halves_is_chosen() -> None:
    """Of worlds that break by one, two or four of four hypotheses, the one in the middle tells most."""
    found = choice.split(belief({0, 1, 2}, {1, 2}, {2}, {2}), [0, 1, 2], 1, lambda _: 1.0)
    assert [number for number, _ in found] == [1]


def test_probes_at_once_do_not_tell_the_same() -> None:
    """The second probe of a batch is chosen for what the first one leaves open."""
    found = choice.split(belief({0, 1, 2}, {0, 1}, {2}, set()), [0, 1, 2], 2, lambda _: 1.0)
    assert {number for number, _ in found} in ({0, 2}, {1, 2})


def test_a_swap_that_may_not_resolve_is_worth_less() -> None:
    """Between two worlds that tell the same, the likelier to run is chosen."""
    found = choice.split(belief({0, 1}, set()), [0, 1], 1, lambda number: 0.5 if number == 0 else 1.0)
    assert found[0][0] == 1


def test_a_certain_outcome_tells_nothing() -> None:
    """Where all hypotheses agree, a probe has no information, and where they halve, nearly one bit."""
    assert [round(choice.entropy(chance), 9) for chance in (0.0, 1.0)] == [0.0, 0.0]
    assert 0.9 < choice.entropy(0.5) < 1.0


def test_the_nearest_pair() -> None:
    """The proof is the failing and the passing world that differ least."""
    worlds = {0: {"a": "1", "b": "1"}, 1: {"a": "2", "b": "2"}, 2: {"a": "2", "b": "1"}, 3: {"a": "3", "b": "3"}}
    assert choice.nearest_pair(worlds, bad=[1, 3], good=[0, 2], conditions=[]) == (1, 2)


def test_of_pairs_that_differ_alike_the_one_with_adjacent_versions() -> None:
    """One distribution differs in each pair: the nearest versions are the proof."""
    worlds = {number: {"a": str(number)} for number in range(4)}
    bounds = [0b1110, 0b1100, 0b1000]
    assert choice.nearest_pair(worlds, bad=[3, 2], good=[0, 1], conditions=bounds) == (2, 1)
