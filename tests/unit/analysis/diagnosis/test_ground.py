"""What is known of worlds: what was installed, what runs, and what probes teach about others."""

from __future__ import annotations

import pytest

from venvgrid.analysis.diagnosis import choice
from venvgrid.analysis.diagnosis.belief import hiding
from venvgrid.analysis.diagnosis.candidates import Candidate, swaps
from venvgrid.analysis.diagnosis.ground import MOST_WORLDS, Ground, thinned
from venvgrid.analysis.search.protocol import Observation, Verdict

AXES = {"python": "3.12", "numpy": "<2"}
GREEN = dict.fromkeys("abcd", "1")
RED = dict.fromkeys("abcd", "2")


def ground() -> Ground:
    """Return a green and a red world, and all swaps between them."""
    seen = {
        "green": Observation(verdict=Verdict.GOOD, axes=AXES, packages=GREEN),
        "red": Observation(verdict=Verdict.BAD, axes=AXES, packages=RED),
    }
    return Ground(seen, swaps(AXES, GREEN, RED))


def test_company_comes_with_every_larger_swap() -> None:
    """If a brings c along, a and b bring it too; b alone does not."""
    here = ground()
    here.observe("swap a", Observation(verdict=Verdict.GOOD, axes=AXES, packages={**GREEN, "a": "2", "c": "2"}))
    expected = {world.name: world.packages for world in here.worlds}
    assert expected["swap a b"] == {"a": "2", "b": "2", "c": "2", "d": "1"}
    assert expected["swap b"] == {"a": "1", "b": "2", "c": "1", "d": "1"}


def test_what_does_not_resolve_makes_its_like_unlikely() -> None:
    """After swaps with b and without a showed nothing, others of this kind are likely to show nothing as well."""
    here = ground()
    for name in ("swap b", "swap b c"):
        here.observe(name, Observation(verdict=Verdict.UNKNOWN))
    names = ("swap b d", "swap c", "swap a d")
    hidden = choice.chances(hiding(here), [here.numbers[name] for name in names])
    assert hidden[0] > 0.5 > max(hidden[1:])
    assert not here.open >> here.numbers["swap b"] & 1


def test_an_axis_counts_by_the_version_that_it_resolved_to() -> None:
    """A swap changes versions and no axis: conditions are on versions, and on the axes that are no distribution."""
    seen = {
        f"{python}-{numpy}": Observation(
            verdict=Verdict.GOOD, axes={"python": python, "numpy": f"<{numpy}"}, packages={"numpy": numpy}
        )
        for python in ("3.11", "3.12")
        for numpy in ("1", "2")
    }
    found = {item.text: item.is_axis for item in Ground(seen, []).conditions()}
    assert found["numpy ≥ 2"]
    assert "Python ≥ 3.12" in found
    assert not any("<" in text for text in found)


def test_a_cell_without_a_lock_is_expected_to_have_what_its_nearest_has() -> None:
    """A candidate whose versions are not known gets those of the world with most equal axes."""
    seen = {
        "one": Observation(verdict=Verdict.GOOD, axes={"python": "3.11", "env.A": "x"}, packages={"a": "1"}),
        "two": Observation(verdict=Verdict.GOOD, axes={"python": "3.12", "env.A": "x"}, packages={"a": "2"}),
    }
    here = Ground(seen, [Candidate(name="three", axes={"python": "3.12", "env.A": "y"})])
    assert here.worlds[2].packages == {"a": "2"}


def test_runs_add_up() -> None:
    """A world that passes and fails is mixed; as often one as the other, it says nothing."""
    here = ground()
    here.observe("red", Observation(verdict=Verdict.BAD, axes=AXES, packages=RED, runs=3, bad_runs=1))
    tally = here.tallies[here.numbers["red"]]
    assert (tally.bad, tally.good, tally.net, tally.is_mixed) == (2, 2, 0, True)


def test_names_are_unique() -> None:
    """Two candidates of one name cannot be told apart: an error."""
    with pytest.raises(ValueError, match="same name"):
        Ground({}, [Candidate(name="a"), Candidate(name="a")])


def test_of_very_many_worlds_an_even_choice_counts() -> None:
    """Of 10,000 cells each part is thinned by itself, so that rare failures stay; so do those that must be kept."""
    seen = {
        str(number): Observation(verdict=Verdict.BAD if number % 100 == 0 else Verdict.GOOD) for number in range(10_000)
    }
    left = thinned(seen, ["7777"])
    assert sum(item.verdict is Verdict.BAD for item in left.values()) == 100
    assert MOST_WORLDS <= sum(item.verdict is Verdict.GOOD for item in left.values()) <= MOST_WORLDS + 1
    assert "7777" in left
