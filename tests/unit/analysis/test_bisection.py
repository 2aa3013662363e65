"""The whole search of bisect: ends, the way back to a good one, the proof, flaky tests, several changes."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis.search.bisection import Bisected, Line, Problem, bisected, ends
from venvgrid.analysis.search.protocol import Observation, Verdict, answer
from venvgrid.analysis.search.releases import series_of_releases

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GOOD, BAD, UNKNOWN = Verdict.GOOD, Verdict.BAD, Verdict.UNKNOWN


@dataclass
class World:
    """Places whose verdict a function tells; it counts probes, and rounds of `slots`."""

    verdict: Callable[[int], Verdict]
    slots: int = 1
    rounds: int = 0
    asked: list[tuple[int, int]] = field(default_factory=list)

    def ask(self, probes: Sequence[tuple[int, int]]) -> list[Observation]:
        self.asked += probes
        self.rounds += math.ceil(len(probes) / self.slots)
        return [Observation(verdict=self.verdict(place), reason="no") for place, _ in probes]

    def bisect(self, bad: int, good: int | None = 0) -> Bisected:
        line = Line(bad=bad, good=good, probe=lambda place, again: (place, again))
        return answer(bisected(line, self.slots), self.ask)

    @property
    def places(self) -> set[int]:
        return {place for place, _ in self.asked}


def since(cut: int) -> Callable[[int], Verdict]:
    return lambda place: BAD if place >= cut else GOOD


def changes(found: Bisected) -> list[tuple[int, int]]:
    return [(item.good, item.bad) for item in found.changes]


@given(st.integers(1, 400), st.data())
def test_both_sides_are_proven_within_the_budget(bad: int, data: st.DataObject) -> None:
    """Between known ends: log2 n + 2 places, with those that might contradict; each side runs three times."""
    cut = data.draw(st.integers(1, bad))
    world = World(since(cut))
    found = world.bisect(bad)
    assert changes(found) == [(cut - 1, cut)]
    assert len(world.places - {0, bad}) <= math.log2(bad + 1) + 2
    assert [len(found.seen[place]) for place in (cut - 1, cut)] == [3, 3]
    assert sorted(set(world.asked)) == sorted(world.asked)


@given(st.integers(1, 400), st.sampled_from([0, None]))
def test_a_search_begins_with_its_ends(bad: int, good: int | None) -> None:
    """So they can be run before it: it asks for just these first, and the bad end is the first of them."""
    line = Line(bad=bad, good=good, probe=lambda place, again: (place, again))
    assert next(bisected(line, 4)) == ends(line)
    assert ends(line)[0] == (bad, 0)


@given(st.integers(1, 400), st.data())
def test_the_good_end_is_found(bad: int, data: st.DataObject) -> None:
    """Without a good end, the way back takes the logarithm of the distance."""
    cut = data.draw(st.integers(1, bad))
    world = World(since(cut))
    assert changes(world.bisect(bad, None)) == [(cut - 1, cut)]
    distance = bad - cut + 1
    assert len(world.places) <= 1 + (math.log2(distance) + 2) + (math.log2(max(distance, 2)) + 2)


def test_the_way_back_goes_by_series() -> None:
    """From the end of one major series to that of another: a break in 2.0.0 takes four places in all."""
    versions = [f"1.{minor}.0" for minor in range(30)] + [f"2.{minor}.0" for minor in range(20)]
    world = World(since(30))
    line = Line(bad=49, probe=lambda place, again: (place, again), series=series_of_releases(versions))
    assert changes(answer(bisected(line), world.ask)) == [(29, 30)]
    assert list(dict.fromkeys(place for place, _ in world.asked))[:3] == [49, 29, 30]
    one_major = Line(bad=29, probe=lambda place, again: (place, again), series=series_of_releases(versions))
    world = World(since(20))
    assert changes(answer(bisected(one_major), world.ask)) == [(19, 20)]
    assert [place for place, _ in world.asked][2:6] == [28, 27, 25, 21]


def test_a_good_end_is_found_between_bad_and_unknown_ones() -> None:
    """Old releases that nobody can tell anything of do not hide the good ones after them."""
    world = World(lambda place: UNKNOWN if place < 36 else since(40)(place))
    assert changes(world.bisect(99, None)) == [(39, 40)]


@pytest.mark.parametrize(
    ("verdict", "good", "problem", "at"),
    [
        (lambda _place: GOOD, 0, Problem.NOT_BAD, 9),
        (lambda _place: BAD, 0, Problem.NOT_GOOD, 0),
        (lambda _place: BAD, None, Problem.NO_GOOD, 9),
        (lambda place: UNKNOWN if place == 9 else GOOD, 0, Problem.UNKNOWN, 9),
        (lambda place: UNKNOWN if place == 0 else BAD, 0, Problem.UNKNOWN, 0),
    ],
)
def test_ends_that_do_not_differ_are_a_problem(
    verdict: Callable[[int], Verdict], good: int | None, problem: Problem, at: int
) -> None:
    """Ends that are alike, or cannot be told, end the search at once; the end is named."""
    world = World(verdict)
    found = world.bisect(9, good)
    assert (found.problem, found.at, found.changes) == (problem, at, ())


@pytest.mark.parametrize("end", [0, 9])
def test_an_end_that_changes_its_mind_is_flaky(end: int) -> None:
    """An end whose runs differ, and which then settles on the other side, is no good end and no bad one: too flaky."""
    wanted = BAD if end else GOOD
    other = GOOD if end else BAD
    runs = iter([wanted] + [other] * 9)
    found = World(lambda place: next(runs) if place == end else since(5)(place)).bisect(9)
    assert (found.problem, found.at) == (Problem.FLAKY, end)


def test_four_slots_need_far_fewer_rounds_than_one() -> None:
    """All rounds counted, ends and proof too: one slot needs at least 2.5 times as many as four."""
    taken = dict.fromkeys((1, 4), 0)
    for bad in range(10, 400, 7):
        for cut in range(1, bad, 1 + bad // 12):
            for slots in taken:
                world = World(since(cut), slots)
                assert changes(world.bisect(bad)) == [(cut - 1, cut)]
                taken[slots] += world.rounds
    assert taken[1] >= 2.5 * taken[4]


@pytest.mark.parametrize("breaks", [1, 0.5])
def test_a_flaky_failure_is_never_told_with_confidence(breaks: float) -> None:
    """Tests that fail at random in 30 % of runs: the answer is right, or none, in 95 % of 400 worlds.

    Half of the worlds have no bad release at all.
    """
    dice, wrong, right = random.Random(7), 0, 0
    for _ in range(400):
        bad = dice.randint(20, 200)
        cut = dice.randint(1, bad) if dice.random() < breaks else bad + 1
        found = World(lambda place, cut=cut: BAD if place >= cut or dice.random() < 0.3 else GOOD).bisect(bad)  # type: ignore[misc]
        wrong += found.problem is None and changes(found)[-1] != (cut - 1, cut)
        right += found.problem is None and changes(found)[-1] == (cut - 1, cut)
    assert wrong <= 20
    assert right >= 20


def test_a_place_that_was_wrong_once_is_corrected() -> None:
    """A good place that failed in its first run is run again, five times at most, and the search goes on from there."""
    seen: list[int] = []

    def verdict(place: int) -> Verdict:
        seen.append(place)
        return BAD if place >= 70 or (place == 49 and seen.count(49) == 1) else GOOD

    found = World(verdict).bisect(99)
    assert changes(found) == [(69, 70)]
    assert [item.verdict for item in found.seen[49]] == [BAD, GOOD, GOOD, GOOD, GOOD, GOOD][: len(found.seen[49])]


def test_a_result_that_is_not_monotone_is_a_set() -> None:
    """Broken in 20, repaired in 30, broken again in 70: every change that a probe met is told, none is invented."""
    world = World(lambda place: BAD if 20 <= place < 30 or place >= 70 else GOOD)
    for slots in (1, 2, 3, 4, 8):
        world.slots = slots
        found = world.bisect(99)
        assert changes(found)[-1] == (69, 70)
        assert set(changes(found)) <= {(19, 20), (69, 70)}
    assert set(changes(World(world.verdict).bisect(25))) == {(19, 20)}


def test_leftover_probes_look_for_contradictions() -> None:
    """Where the change is found early, up to two more places are tried: in the middle of what was not."""
    world = World(lambda place: BAD if 200 <= place < 290 or place >= 501 else GOOD)
    found = world.bisect(999)
    assert changes(found) == [(199, 200), (500, 501)]


@given(st.lists(st.sampled_from([GOOD, BAD, UNKNOWN]), max_size=40), st.integers(1, 5))
def test_whatever_the_places_say_every_change_was_seen(inside: list[Verdict], slots: int) -> None:
    """In any world, a change has a side that was seen good and one that was seen bad, and no place known between."""
    verdicts = [GOOD, *inside, BAD]
    found = World(verdicts.__getitem__, slots).bisect(len(verdicts) - 1)
    assert found.problem is None
    assert found.changes
    for item in found.changes:
        assert (verdicts[item.good], verdicts[item.bad]) == (GOOD, BAD)
        assert all(verdicts[place] is UNKNOWN for place in item.skipped if place in found.seen)
