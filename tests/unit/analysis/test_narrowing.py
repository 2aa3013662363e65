"""Narrowing from a good place and a bad one: what it finds, and how many probes that takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis.search.narrowing import narrow, rounds
from venvgrid.analysis.search.protocol import Observation, Probe, Verdict, answer
from venvgrid.analysis.search.releases import boundary, series_of_releases

if TYPE_CHECKING:
    from collections.abc import Sequence

STEPS = st.lists(st.sampled_from(["patch", "patch", "patch", "minor", "major"]), min_size=1, max_size=120)


def releases(steps: Sequence[str]) -> list[str]:
    """Return releases in order, each a patch, a minor or a major one after the one before."""
    major, minor, patch, found = 1, 0, 0, ["1.0.0"]
    for step in steps:
        major, minor, patch = {
            "patch": (major, minor, patch + 1),
            "minor": (major, minor + 1, 0),
            "major": (major + 1, 0, 0),
        }[step]
        found.append(f"{major}.{minor}.{patch}")
    return found


@dataclass
class World:
    """Releases of which those from `cut` on are bad, and some unknown; it counts what it is asked."""

    versions: Sequence[str]
    cut: int
    unknown: frozenset[int] = frozenset()
    reasons: dict[int, str] = field(default_factory=dict)
    runs: int = 1
    rounds: int = 0
    asked: list[int] = field(default_factory=list)

    def ask(self, probes: Sequence[Probe]) -> list[Observation]:
        self.rounds += 1
        places = [self.versions.index(dict(probe.pins)["lib"]) for probe in probes]
        self.asked += places
        return [self._observation(place) for place in places]

    def _observation(self, place: int) -> Observation:
        if place in self.unknown:
            return Observation(verdict=Verdict.UNKNOWN, reason=self.reasons.get(place, "no"), runs=self.runs)
        return Observation(verdict=Verdict.BAD if place >= self.cut else Verdict.GOOD)

    def boundary(self, at_once: int = 1) -> tuple[int, int]:
        found = answer(boundary(self.versions, lambda name: Probe(pins=(("lib", name),)), at_once), self.ask)
        low, high = (self.versions.index(name) for name in (found.good, found.bad))
        assert found.skipped == tuple(self.versions[low + 1 : high])
        return low, high

    @property
    def told(self) -> tuple[int, int]:
        """The boundary of who knew all that can be told."""
        told = [place for place in range(len(self.versions)) if place not in self.unknown]
        return max(place for place in told if place < self.cut), min(place for place in told if place >= self.cut)


@given(STEPS, st.data(), st.integers(1, 6))
def test_the_boundary_is_found_within_the_budget(steps: list[str], data: st.DataObject, at_once: int) -> None:
    """Between the ends: log2 n + 2 probes one at a time, ⌈log n⌉ rounds to the base k + 1 with k at once."""
    versions = releases(steps)
    world = World(versions, data.draw(st.integers(1, len(versions) - 1)))
    assert world.boundary(at_once) == (world.cut - 1, world.cut)
    assert len(set(world.asked)) == len(world.asked)
    assert world.rounds <= rounds(len(versions), at_once)
    if at_once == 1:
        assert len(world.asked) <= math.log2(len(versions)) + 2
    else:
        assert world.rounds <= math.ceil(math.log(len(versions) - 1 or 1, at_once + 1) - 1e-9)


@given(STEPS, st.data(), st.integers(1, 4))
def test_an_unknown_series_costs_two_probes_at_most(steps: list[str], data: st.DataObject, at_once: int) -> None:
    """Unknown releases of one minor series cost two builds, one more a slot, and the answer is as exact as can be."""
    versions = releases(steps)
    cut = data.draw(st.integers(1, len(versions) - 1))
    series = data.draw(st.sampled_from(sorted({name.rpartition(".")[0] for name in versions})))
    unknown = frozenset(p for p in range(1, len(versions) - 1) if versions[p].rpartition(".")[0] == series)
    world = World(versions, cut, unknown)
    assert world.boundary(at_once) == world.told
    assert len(unknown & set(world.asked)) <= 2 + (at_once - 1)


@given(STEPS, st.data())
def test_an_unknown_block_costs_the_logarithm_of_its_length(steps: list[str], data: st.DataObject) -> None:
    """A block over many series costs 2 + 2 log2 of its length; the boundary is around the block or right."""
    versions = releases(steps)
    cut = data.draw(st.integers(1, len(versions) - 1))
    start = data.draw(st.integers(1, len(versions) - 1))
    unknown = frozenset(range(start, data.draw(st.integers(start, len(versions) - 1))))
    world = World(versions, cut, unknown)
    low, high = world.boundary()
    assert low < cut <= high
    assert low not in unknown
    assert high not in unknown
    assert len(unknown & set(world.asked)) <= 2 + 2 * math.log2(len(unknown) or 1)
    assert len(world.asked) <= math.log2(len(versions)) + 2 + 2 * (2 + 2 * math.log2(len(unknown) or 1))


@given(STEPS, st.data())
def test_scattered_unknown_releases_do_not_mislead(steps: list[str], data: st.DataObject) -> None:
    """Whatever is unknown, for whatever reasons: good is before the cut, bad is not, and nothing is tried twice."""
    versions = releases(steps)
    inside = range(1, len(versions) - 1)
    unknown = data.draw(st.frozensets(st.sampled_from(inside)) if inside else st.just(frozenset()))
    reasons = {place: data.draw(st.sampled_from(["a", "b"])) for place in unknown}
    world = World(versions, data.draw(st.integers(1, len(versions) - 1)), unknown, reasons)
    low, high = world.boundary(data.draw(st.integers(1, 5)))
    assert low < world.cut <= high
    assert len(set(world.asked)) == len(world.asked)


@given(STEPS, st.data())
def test_what_does_not_resolve_is_free_and_told_exactly(steps: list[str], data: st.DataObject) -> None:
    """Releases of one block that do not even resolve are no builds: both edges of the block are found."""
    versions = releases(steps)
    start = data.draw(st.integers(1, len(versions) - 1))
    unknown = frozenset(range(start, data.draw(st.integers(start, len(versions) - 1))))
    reasons = {place: f"lib {versions[place]} needs other 2.{place}" for place in unknown}
    world = World(versions, data.draw(st.integers(1, len(versions) - 1)), unknown, reasons, runs=0)
    assert world.boundary() == world.told


def test_the_first_of_a_series_and_its_predecessor_come_first() -> None:
    """A break in 2.0.0 among 60 releases takes two probes: both sides of the edge."""
    versions = [f"1.{minor}.{patch}" for minor in range(10) for patch in range(5)] + [f"2.0.{n}" for n in range(10)]
    world = World(versions, versions.index("2.0.0"))
    world.boundary()
    assert [versions[place] for place in world.asked] == ["1.9.4", "2.0.0"]


def test_the_direct_predecessor_of_a_bad_first_release_comes_first() -> None:
    """Where the bad end begins a major series, one probe is enough if the release before it is good."""
    versions = [f"1.{minor}.{patch}" for minor in range(10) for patch in range(5)] + ["2.0.0"]
    world = World(versions, versions.index("2.0.0"))
    world.boundary()
    assert [versions[place] for place in world.asked] == ["1.9.4"]


def test_an_edge_is_tried_from_the_side_where_a_vain_probe_costs_little() -> None:
    """With most releases before the edge, its last one decides; with most after it, the first of the new series."""
    long_ago = [f"1.0.{n}" for n in range(40)] + [f"2.0.{n}" for n in range(5)]
    recent = [f"1.0.{n}" for n in range(5)] + [f"2.0.{n}" for n in range(40)]
    for versions, first in ((long_ago, "1.0.39"), (recent, "2.0.0")):
        world = World(versions, 3)
        world.boundary()
        assert versions[world.asked[0]] == first


@pytest.mark.parametrize("count", [8, 30, 100, 300, 1000])
def test_dates_are_searched_alike(count: int) -> None:
    """Places without series, such as dates: the ends may lie outside of the list; log2 n + 2 probes."""
    for cut in range(count + 1):
        asked = 0

        def ask(places: Sequence[int], cut: int = cut) -> list[Observation]:
            nonlocal asked
            asked += len(places)
            return [Observation(verdict=Verdict.BAD if place >= cut else Verdict.GOOD) for place in places]

        found = answer(narrow(-1, count, lambda place: place), ask)
        assert (found.low, found.high) == (cut - 1, cut)
        assert asked <= math.log2(count + 2) + 2


def test_series_follow_from_versions() -> None:
    """The first of a major is 0, of a minor 1; epochs, dates and odd versions have series too."""
    series = series_of_releases(["1.9.0", "1.9.1", "1.10", "2.0rc1", "2.0", "1!1.0", "2022.12.7", "odd"])
    assert [series.rank(place) for place in range(9)] == [9, 9, 1, 0, 9, 0, 0, 0, 9]
