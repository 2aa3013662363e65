"""The search between a green world and a red one, in simulated worlds whose culprit is known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis.search.culprits import GREEN, RED, Differing, culprit
from venvgrid.analysis.search.protocol import Observation, Probe, Verdict, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NAMES = tuple("abcdefghijkl")


@dataclass
class World:
    """Packages that have the releases 1 to `newest`, and a fault: whether versions break the tests.

    `drags` maps a package to what must move along to its newest version as soon as it is newer than in the green world.
    A release n came out on day n. `refused` are versions that do not resolve.
    """

    newest: Mapping[str, int]
    fault: Callable[[Mapping[str, int]], bool]
    drags: Mapping[str, str] = field(default_factory=dict)
    refused: frozenset[tuple[str, int]] = frozenset()
    asked: list[Probe] = field(default_factory=list)

    def differing(self, *, named: Sequence[str] = (), dates: Sequence[str] = ()) -> Differing:
        """Return the difference between the oldest and the newest world."""
        return Differing(
            green=dict.fromkeys(self.newest, "1"),
            red={name: str(version) for name, version in self.newest.items()},
            named=tuple(named),
            releases=lambda _name, good, bad: [str(number) for number in range(int(good), int(bad) + 1)],
            dates=tuple(dates),
        )

    def ask(self, probes: Sequence[Probe]) -> list[Observation]:
        """Answer as the tests would."""
        self.asked += probes
        return [self.seen(probe) for probe in probes]

    def at(self, day: int) -> dict[str, int]:
        """Return the versions of a day."""
        return {name: min(newest, day) for name, newest in self.newest.items()}

    def seen(self, probe: Probe) -> Observation:
        """Return what one probe shows."""
        if probe.cutoff is not None:
            found = self.at(int(probe.cutoff))
        else:
            found = dict(self.newest) if probe.base == RED else self.at(1 if probe.base == GREEN else int(probe.base))
        pins = {name: int(version) for name, version in probe.pins}
        found |= {
            self.drags[name]: self.newest[self.drags[name]]
            for name, new in pins.items()
            if new > 1 and name in self.drags
        }
        found |= pins
        packages = {name: str(version) for name, version in found.items()}
        if self.refused & set(found.items()):
            return Observation(verdict=Verdict.UNKNOWN, reason="it does not resolve", runs=0)
        verdict = Verdict.BAD if self.fault(found) else Verdict.GOOD
        return Observation(verdict=verdict, packages=packages)


@given(
    newest=st.lists(st.integers(2, 40), min_size=1, max_size=12),
    data=st.data(),
    is_named=st.booleans(),
    has_dates=st.booleans(),
)
def test_the_first_bad_release_of_a_single_culprit_is_found(
    newest: list[int], data: st.DataObject, *, is_named: bool, has_dates: bool
) -> None:
    """Whatever else changed, and with or without dates and names, the answer is the release that broke the tests."""
    packages = dict(zip(NAMES, newest, strict=False))
    guilty = data.draw(st.sampled_from(sorted(packages)))
    bad = data.draw(st.integers(2, packages[guilty]))
    world = World(packages, lambda found: found[guilty] >= bad)
    dates = [str(day) for day in range(2, max(newest) + 1)] if has_dates else []
    found = answer(culprit(world.differing(named=[guilty] if is_named else [], dates=dates)), world.ask)
    assert found is not None
    assert (found.name, found.good, found.bad) == (guilty, str(bad - 1), str(bad))
    assert found.broken.verdict is Verdict.BAD
    assert found.whole.verdict is Verdict.GOOD
    assert found.without is not None
    assert found.without.verdict is Verdict.GOOD


@given(
    newest=st.lists(st.integers(2, 20), min_size=1, max_size=8),
    data=st.data(),
    has_dates=st.booleans(),
    odd=st.integers(0, 30),
)
def test_one_odd_run_blames_no_other_release(
    newest: list[int], data: st.DataObject, odd: int, *, has_dates: bool
) -> None:
    """Each world of a proof has to show the same three times: a run that passed or failed by accident is noticed."""
    packages = dict(zip(NAMES, newest, strict=False))
    guilty = data.draw(st.sampled_from(sorted(packages)))
    bad = data.draw(st.integers(2, packages[guilty]))
    world = World(packages, lambda found: found[guilty] >= bad)
    dates = [str(day) for day in range(2, max(newest) + 1)] if has_dates else []
    known: dict[tuple[object, int], Observation] = {}
    plain = world.seen

    def seen(probe: Probe) -> Observation:
        true = plain(probe)
        key = (tuple(sorted(true.packages.items())), probe.again)
        if key not in known:  # a prober asks each world once, and remembers
            wrong = Verdict.GOOD if true.verdict is Verdict.BAD else Verdict.BAD
            known[key] = replace(true, verdict=wrong if len(known) == odd else true.verdict)
        return known[key]

    world.seen = seen  # type: ignore[method-assign]
    found = answer(culprit(world.differing(dates=dates)), world.ask)

    if found is not None and found.flaky is None:
        assert (found.name, found.good, found.bad) == (guilty, str(bad - 1), str(bad))


@given(newest=st.lists(st.integers(2, 9), min_size=2, max_size=8), data=st.data())
def test_releases_that_break_only_together_are_named_together(newest: list[int], data: st.DataObject) -> None:
    """A culprit that breaks nothing alone has its partner in the answer."""
    packages = dict(zip(NAMES, newest, strict=False))
    one, two = data.draw(st.permutations(sorted(packages)))[:2]
    world = World(packages, lambda found: found[one] >= packages[one] and found[two] >= packages[two])
    found = answer(culprit(world.differing()), world.ask)
    assert found is not None
    assert {found.name, *found.partners} == {one, two}


def test_the_newest_release_of_a_suspect_is_not_tried_if_an_earlier_one_is_bad() -> None:
    """The red world shows that the newest release is bad; a suspect costs a probe less than its releases and an end."""
    world = World({"a": 9, "b": 5}, lambda found: found["a"] >= 3)
    found = answer(culprit(world.differing(named=["a"])), world.ask)
    assert found is not None
    assert (found.good, found.bad) == ("2", "3")
    assert Probe(base=GREEN, pins=(("a", "9"),)) not in world.asked


def test_an_innocent_suspect_is_left_after_its_newest_release() -> None:
    """A suspect that breaks nothing alone is not searched any further."""
    world = World({"a": 9, "b": 5}, lambda found: found["b"] >= 3)
    found = answer(culprit(world.differing(named=["a"])), world.ask)
    assert found is not None
    assert (found.name, found.bad) == ("b", "3")
    alone = [probe.pins for probe in world.asked if [name for name, _ in probe.pins] == ["a"]]
    assert alone.count((("a", "9"),)) > 0
    assert len(set(alone)) == 2  # the one in the middle, and the newest


def test_company_is_named_and_acquitted() -> None:
    """What the resolver moved along with the culprit is tried without it."""
    world = World({"a": 5, "b": 5, "c": 5}, lambda found: found["a"] >= 2, drags={"a": "b"})
    found = answer(culprit(world.differing(named=["a"])), world.ask)
    assert found is not None
    assert (found.name, found.bad) == ("a", "2")
    assert found.company == {"b": ("1", "5")}
    assert found.acquitted is True


def test_a_suspect_whose_company_breaks_something_else_is_taken_out_of_the_red_world() -> None:
    """Where the green world with it tells nothing, the red world without it does."""
    world = World({"a": 9, "b": 5}, lambda found: found["a"] >= 4, drags={"a": "b"})
    plain = world.seen

    def seen(probe: Probe) -> Observation:
        found = plain(probe)
        is_mixed = probe.base == GREEN and probe.pins
        return Observation(verdict=Verdict.UNKNOWN, packages=found.packages) if is_mixed else found

    world.seen = seen  # type: ignore[method-assign]
    found = answer(culprit(world.differing(named=["a"])), world.ask)
    assert found is not None
    assert (found.name, found.good, found.bad, found.base) == ("a", "3", "4", RED)


def test_releases_that_do_not_resolve_are_named() -> None:
    """Between the last good and the first bad release, what could not be tried is in the answer."""
    refused = frozenset({("a", 4), ("a", 5)})
    world = World({"a": 9}, lambda found: found["a"] >= 5, refused=refused)
    found = answer(culprit(world.differing()), world.ask)
    assert found is not None
    assert (found.good, found.bad, found.skipped) == ("3", "6", ("4", "5"))


def test_no_culprit_is_invented() -> None:
    """If the versions of the red world break nothing in the green one, there is no answer."""
    world = World({"a": 3, "b": 3}, lambda _found: False)
    assert answer(culprit(world.differing()), world.ask) is None


@pytest.mark.parametrize("is_named", [True, False])
def test_a_search_that_is_told_the_same_asks_the_same(*, is_named: bool) -> None:
    """An interrupted search goes on where it stopped, as it is deterministic."""
    first, second = (World({"a": 30, "b": 12, "c": 7}, lambda found: found["b"] >= 7) for _ in range(2))
    for world in (first, second):
        answer(culprit(world.differing(named=["b"] if is_named else [], dates=["5", "9", "20"])), world.ask)
    assert first.asked == second.asked
