"""The search for the lowest versions that pass, in simulated worlds."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log2
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis.search import floors
from venvgrid.analysis.search.floors import Ladder
from venvgrid.analysis.search.protocol import Observation, Probe, Search, Verdict, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

GOOD, BAD, UNKNOWN = Verdict.GOOD, Verdict.BAD, Verdict.UNKNOWN


@dataclass
class World:
    """Answers probes by a rule over the versions of all dependencies, and counts what it builds and tests."""

    newest: Mapping[str, str]
    rule: Callable[[Mapping[str, int]], Verdict | None]  # None: it does not resolve
    flaky: frozenset[tuple[tuple[str, str], ...]] = frozenset()
    builds: set[tuple[tuple[str, str], ...]] = field(default_factory=set)
    resolves: int = 0
    rounds: int = 0

    def ask(self, probes: list[Probe]) -> list[Observation]:
        self.rounds += 1
        return [self._observe(probe) for probe in probes]

    def _observe(self, probe: Probe) -> Observation:
        self.resolves += 1
        packages = {**self.newest, **dict(probe.pins)}
        verdict = self.rule({name: int(version.split(".")[1]) for name, version in packages.items()})
        if verdict is None:
            return Observation(verdict=UNKNOWN, reason="it does not resolve", runs=0)
        self.builds.add(probe.pins)
        if probe.again and probe.pins in self.flaky:
            verdict = GOOD
        return Observation(verdict=verdict, packages=packages)


def releases(number: int) -> tuple[str, ...]:
    return tuple(f"1.{place}" for place in range(number))


def ask(vector: Mapping[str, str]) -> Probe:
    return Probe(pins=tuple(sorted(vector.items())))


def search(world: World, ladders: list[Ladder]) -> floors.Floors:
    today = Observation(verdict=GOOD, packages=world.newest)
    found: Search[Probe, floors.Floors] = floors.floors(ladders, ask, today)
    return answer(found, lambda probes: world.ask(list(probes)))


def versions(found: floors.Floors) -> dict[str, int]:
    return {floor.name: int(floor.version.split(".")[1]) for floor in found.floors}


def laddered(sizes: Mapping[str, int], first: Mapping[str, int] | None = None) -> list[Ladder]:
    return [
        Ladder(name=name, versions=releases(size), first=f"1.{(first or {})[name]}" if name in (first or {}) else "")
        for name, size in sizes.items()
    ]


SIZES = st.integers(1, 90)


@st.composite
def projects(draw: st.DrawFn) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Draw numbers of releases, the true floors, and the releases to try first."""
    sizes = {name: draw(SIZES) for name in "abcde"[: draw(st.integers(1, 5))]}
    truth = {name: draw(st.integers(0, size - 1)) for name, size in sizes.items()}
    first = {name: draw(st.integers(0, size - 1)) for name, size in sizes.items() if draw(st.booleans())}
    return sizes, truth, first


@given(projects())
def test_independent_floors_are_found_within_the_budget(drawn: tuple[dict[str, int], ...]) -> None:
    """Each floor is exact; d dependencies of n releases need at most d (log2 n + 3) + 1 builds, with that of today."""
    sizes, truth, first = drawn
    world = World(
        newest={name: f"1.{size - 1}" for name, size in sizes.items()},
        rule=lambda seen: GOOD if all(seen[name] >= low for name, low in truth.items()) else BAD,
    )
    found = search(world, laddered(sizes, first))
    assert versions(found) == truth
    assert len(world.builds) + 1 <= sum(log2(size) + 3 for size in sizes.values()) + 1
    assert not found.clashes


@given(projects(), st.data())
def test_what_does_not_resolve_costs_no_build_and_is_no_floor(
    drawn: tuple[dict[str, int], ...], data: st.DataObject
) -> None:
    """Old releases without a wheel are passed over: the floor is the lowest one that resolves and passes."""
    sizes, truth, first = drawn
    wheels = {name: data.draw(st.integers(0, size - 1)) for name, size in sizes.items()}

    def rule(seen: Mapping[str, int]) -> Verdict | None:
        if any(seen[name] < low for name, low in wheels.items()):
            return None
        return GOOD if all(seen[name] >= low for name, low in truth.items()) else BAD

    world = World(newest={name: f"1.{size - 1}" for name, size in sizes.items()}, rule=rule)
    found = search(world, laddered(sizes, first))
    assert versions(found) == {name: max(truth[name], wheels[name]) for name in sizes}
    assert len(world.builds) + 1 <= sum(log2(size) + 3 for size in sizes.values()) + 1
    for floor in found.floors:
        if floor.below is not None:
            fails = floor.below.observation.verdict is BAD
            assert fails == (wheels[floor.name] <= int(floor.below.version.split(".")[1]))


@given(SIZES, st.data())
def test_holes_keep_the_claim_true_and_the_budget(size: int, data: st.DataObject) -> None:
    """Whatever fails to build: the floor passed, nothing below it was seen to pass, and the budget holds."""
    low = data.draw(st.integers(0, size - 1))
    broken = data.draw(st.sets(st.integers(0, max(0, size - 2))))
    missing = data.draw(st.sets(st.integers(0, max(0, size - 2))))

    def rule(seen: Mapping[str, int]) -> Verdict | None:
        place = seen["a"]
        if place == size - 1:
            return GOOD
        return None if place in missing else UNKNOWN if place in broken else GOOD if place >= low else BAD

    world = World(newest={"a": f"1.{size - 1}"}, rule=rule)
    (floor,) = search(world, laddered({"a": size})).floors
    assert rule({"a": int(floor.version.split(".")[1])}) is GOOD
    assert len(world.builds) <= floors.most_builds(size)
    assert world.resolves <= 2 * floors.most_builds(size) + 3
    if size == 1 or not (broken | missing):
        assert floor.version == f"1.{low}"


@given(projects(), st.data())
def test_floors_that_clash_are_raised_until_all_of_them_pass(
    drawn: tuple[dict[str, int], ...], data: st.DataObject
) -> None:
    """The pair is named, one of it is raised to the lowest version that passes, and the joint floor is proven."""
    sizes, truth, first = drawn
    names = list(sizes)
    if len(names) < 2:
        return
    one, other = data.draw(st.permutations(names))[:2]
    limit = {name: data.draw(st.integers(truth[name], sizes[name] - 1)) for name in (one, other)}
    resolves = data.draw(st.booleans())

    def rule(seen: Mapping[str, int]) -> Verdict | None:
        if any(seen[name] < low for name, low in truth.items()):
            return BAD
        clash = all(seen[name] < limit[name] for name in (one, other))
        return (BAD if resolves else None) if clash else GOOD

    world = World(newest={name: f"1.{size - 1}" for name, size in sizes.items()}, rule=rule)
    found = search(world, laddered(sizes, first))
    result = versions(found)
    assert rule(result) is GOOD
    clashes = all(truth[name] < limit[name] < sizes[name] for name in (one, other))
    clashes = clashes and all(limit[name] <= sizes[name] - 1 for name in (one, other))
    assert [{clash.raised, clash.partner} for clash in found.clashes] == ([{one, other}] if clashes else [])
    for clash in found.clashes:
        assert clash.others == ()
        assert result == {**truth, clash.raised: limit[clash.raised]}
        assert clash.after == f"1.{limit[clash.raised]}"
        bad = rule({**{name: size - 1 for name, size in sizes.items()}, **_numbers(clash.failing.probe)})
        assert bad in {BAD, None}
    most = max(sizes.values())
    more = log2(most) + 2 * log2(len(sizes)) + 5 if clashes else 0
    assert len(world.builds) + 1 <= sum(log2(size) + 3 for size in sizes.values()) + 1 + more


def _numbers(probe: Probe) -> dict[str, int]:
    return {name: int(version.split(".")[1]) for name, version in probe.pins}


def test_three_that_clash_only_together_are_told_apart_from_a_pair() -> None:
    """A pair that passes alone is named with the others that it needs to fail."""
    world = World(
        newest=dict.fromkeys("abc", "1.9"),
        rule=lambda seen: BAD if all(seen[name] < 5 for name in "abc") else GOOD,
    )
    found = search(world, laddered(dict.fromkeys("abc", 10)))
    (clash,) = found.clashes
    assert ({clash.raised, clash.partner, *clash.others}, clash.before, clash.after) == ({*"abc"}, "1.0", "1.5")
    assert versions(found) == {"a": 0, "b": 0, "c": 5}


def test_a_failure_that_passes_when_seen_again_makes_the_floor_flaky() -> None:
    """The version below a floor runs twice in one environment; if it passes then, the floor is not believed."""
    world = World(
        newest={"a": "1.9"},
        rule=lambda seen: BAD if seen["a"] < 4 else GOOD,
        flaky=frozenset({(("a", "1.3"),)}),
    )
    (floor,) = search(world, laddered({"a": 10})).floors
    assert (floor.version, floor.flaky) == ("1.4", True)


def test_what_is_declared_is_tried_first() -> None:
    """Where the declared floor is the true one, it and the release below it need few builds."""
    world = World(newest={"a": "1.63"}, rule=lambda seen: GOOD if seen["a"] >= 40 else BAD)
    search(world, laddered({"a": 64}, {"a": 40}))
    assert min(world.builds, key=lambda pins: pins != (("a", "1.40"),)) == (("a", "1.40"),)
    oldest = World(newest={"a": "1.63"}, rule=lambda _seen: GOOD)
    search(oldest, laddered({"a": 64}))
    assert oldest.builds == {(("a", "1.0"),)}


def test_searches_run_beside_each_other() -> None:
    """Ten dependencies take as many rounds as one, so that a trial fills all slots."""
    names = "abcdefghij"
    rule: Callable[[Mapping[str, int]], Verdict] = lambda seen: GOOD if min(seen.values()) >= 20 else BAD  # noqa: E731
    world = World(newest=dict.fromkeys(names, "1.63"), rule=rule)
    search(world, laddered(dict.fromkeys(names, 64)))
    assert world.rounds <= floors.most_builds(64) + 2


@given(st.lists(st.sampled_from("Mmp"), max_size=70), st.data())
def test_series_are_preferred_within_the_budget(steps: list[str], data: st.DataObject) -> None:
    """Whatever the releases are called, the floor is exact, and the first release of a series costs no more builds."""
    numbers, texts = [1, 0, 0], ["1.0.0"]
    for step in steps:
        place = "Mmp".index(step)
        numbers = [*numbers[:place], numbers[place] + 1, *[0] * (2 - place)]
        texts.append(".".join(map(str, numbers)))
    low = data.draw(st.integers(0, len(texts) - 1))
    tried: list[int] = []

    def show(probes: Sequence[Probe]) -> list[Observation]:
        places = [texts.index(dict(probe.pins)["a"]) for probe in probes if not probe.again]
        tried.extend(places)
        return [Observation(verdict=GOOD if texts.index(dict(one.pins)["a"]) >= low else BAD) for one in probes]

    ladder = Ladder(name="a", versions=tuple(texts), first=data.draw(st.sampled_from(["", *texts])))
    found: Search[Probe, floors.Floor] = floors.lowest(ladder, lambda version: ask({"a": version}))
    assert answer(found, show).version == texts[low]
    assert len(tried) <= floors.most_builds(len(texts))


def test_what_lies_below_a_release_that_does_not_resolve_is_tried() -> None:
    """A single hole does not end the search."""
    world = World(newest={"a": "1.15"}, rule=lambda seen: None if seen["a"] == 8 else GOOD if seen["a"] >= 4 else BAD)
    assert versions(search(world, laddered({"a": 16}))) == {"a": 4}


def test_what_lies_below_a_failure_is_not_tried() -> None:
    """A failure above a hole ends the search below it: older releases are taken to fail, too."""
    world = World(newest={"a": "1.15"}, rule=lambda seen: None if seen["a"] == 8 else GOOD if seen["a"] >= 12 else BAD)
    assert versions(search(world, laddered({"a": 16}))) == {"a": 12}
    assert [pins for pins in world.builds if 0 < _numbers(Probe(pins=pins))["a"] < 8] == []
