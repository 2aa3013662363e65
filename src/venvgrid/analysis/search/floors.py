"""Search for the lowest versions that pass: of each dependency alone, then of all of them at once. Pure.

    today's world passes ──▶ each dependency alone: halved from the newest release down ──▶ all floors at once
                                                                         raise the later of a pair ◀──┘ fails

A search of n releases builds at most log2 n + 2 worlds. What does not resolve costs no build; it is passed over, and
a little of what lies below it is tried. A failure just below a floor is seen twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from math import ceil, log2

from packaging.version import Version

from venvgrid.analysis.search.protocol import A, Observation, P, Probe, Search, Verdict
from venvgrid.model.values import dataclass

IN_HOLES = 2  # resolves below releases that do not resolve: mostly, those below them do not either
Ask = Callable[[Mapping[str, str]], Probe]  # a probe of the world with these versions, all else as new as possible


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The releases of a dependency that may be its floor, oldest first. With the last one, the tests pass.

    `first` is where its floor most likely is: it is tried first. "": the oldest is.
    """

    name: str
    versions: tuple[str, ...]
    first: str = ""

    def is_declared_above(self, version: str) -> bool:
        """Whether the declared floor is above a version."""
        return bool(self.first) and Version(self.first) > Version(version)

    def above(self, version: str, top: str) -> Ladder:
        """Return the releases above a version, up to another one."""
        low, high = Version(version), Version(top)
        return replace(self, versions=tuple(item for item in self.versions if low < Version(item) <= high), first="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A probe and what it showed; `version` is that of the dependency in question."""

    version: str
    probe: Probe
    observation: Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The lowest version of a dependency that passed. `proof` is None if that is the newest.

    `below` is the next lower version that was tried, `skipped` are those in between; `failing` is the next lower one
    that was seen to fail. `flaky`: with that version, the tests failed and passed.
    """

    name: str
    version: str
    proof: Seen | None = None
    below: Seen | None = None
    failing: Seen | None = None
    skipped: tuple[str, ...] = ()
    flaky: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Two floors that do not go together: `raised` was raised because of `partner`, from one version to another.

    `failing` is the world in which they fail; `others` are at their floors in it too, as the pair alone passes.
    """

    raised: str
    partner: str
    before: str
    after: str
    failing: Seen
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """The floors of all dependencies, which pass together. `proof` is the world of all of them, None if it is today's.

    `flaky`: all floors at once failed and passed.
    """

    floors: tuple[Floor, ...]
    proof: Seen | None = None
    clashes: tuple[Clash, ...] = ()
    flaky: bool = False


def most_builds(releases: int) -> int:
    """Return how many worlds a search of so many releases builds at most, of which the newest is known to pass."""
    return ceil(log2(releases)) + 1 if releases > 1 else 0


def together(searches: Sequence[Search[P, A]]) -> Search[P, list[A]]:
    """Return the answers of several searches, whose probes are asked at once."""
    answers: dict[int, A] = {}
    wanted: dict[int, Sequence[P]] = {}
    for number, search in enumerate(searches):
        try:
            wanted[number] = next(search)
        except StopIteration as stop:
            answers[number] = stop.value
    while wanted:
        seen = iter((yield [probe for batch in wanted.values() for probe in batch]))
        parts = {number: [next(seen) for _ in batch] for number, batch in wanted.items()}
        wanted = {}
        for number, part in parts.items():
            try:
                wanted[number] = searches[number].send(part)
            except StopIteration as stop:
                answers[number] = stop.value
    return [answers[number] for number in range(len(searches))]


@dataclass(slots=True, kw_only=True)
class _Halving:
    """The places of a ladder that are still open: above `low`, below `end`; `holes` are below what is not known."""

    ladder: Ladder
    low: int
    end: int
    builds: int
    resolves: int
    holes: list[tuple[int, int]] = field(default_factory=list)
    seen: dict[int, Seen] = field(default_factory=dict)

    def next_place(self) -> int | None:
        """Return the place to try next, or None if the search is over."""
        while self.end - self.low <= 1 and self.holes:
            self.low, self.end = self.holes.pop()
        if self.end - self.low <= 1 or not self.builds or not self.resolves:
            return None
        versions, rest = self.ladder.versions, 2 ** (self.builds - 1)
        middle = (self.low + self.end + 1) // 2
        inside = range(self.low + 1, self.end)
        allowed = [place for place in inside if place - self.low <= rest and self.end - place <= rest] or [middle]
        if not self.seen:
            first = self.ladder.first
            return versions.index(first) if first in versions[: self.end] else allowed[0]
        near = [place for place in allowed if abs(place - middle) <= len(inside) // 4] or [
            min(allowed, key=lambda place: abs(place - middle))
        ]
        return min(near, key=lambda place: (-_jump(versions, place), abs(place - middle)))

    def note(self, place: int, seen: Seen) -> None:
        """Take in what a place showed."""
        self.seen[place] = seen
        if seen.observation.runs:
            self.builds -= 1
        else:
            self.resolves -= 1
        if seen.observation.verdict is Verdict.GOOD:
            self.end = place
        elif seen.observation.verdict is Verdict.BAD:
            self.low = place
            self.holes.clear()
        else:
            self.holes.append((self.low, place))
            self.low = place


def lowest(ladder: Ladder, ask: Callable[[str], Probe], below: Seen | None = None) -> Search[Probe, Floor]:
    """Return the lowest release that passes; `below` is what was seen just below the ladder."""
    versions, last = ladder.versions, len(ladder.versions) - 1
    builds = most_builds(len(versions))
    state = _Halving(ladder=ladder, low=-1, end=last, builds=builds, resolves=builds + IN_HOLES)
    while (place := state.next_place()) is not None:
        probe = ask(versions[place])
        (found,) = yield [probe]
        state.note(place, Seen(version=versions[place], probe=probe, observation=found))
    good = [place for place, item in state.seen.items() if item.observation.verdict is Verdict.GOOD]
    best = min(good, default=last)
    lower = sorted((place for place in state.seen if place < best), reverse=True)
    under = [*(state.seen[place] for place in lower), *([below] if below else [])]
    failing = next((item for item in under if item.observation.verdict is Verdict.BAD), None)
    flaky = failing is not None and failing is not below and (yield from _passes_again(failing.probe))
    return Floor(
        name=ladder.name,
        version=versions[best],
        proof=state.seen.get(best),
        below=under[0] if under else None,
        failing=failing,
        skipped=versions[max(lower, default=-1) + 1 : best],
        flaky=flaky,
    )


def floors(ladders: Sequence[Ladder], ask: Ask, today: Observation) -> Search[Probe, Floors]:
    """Return the floors of all dependencies, which pass together; `today` is the newest world, which passes."""

    def alone(ladder: Ladder) -> Search[Probe, Floor]:
        return lowest(ladder, lambda version: ask({ladder.name: version}))

    found = {floor.name: floor for floor in (yield from together([alone(ladder) for ladder in ladders]))}
    by_name = {ladder.name: ladder for ladder in ladders}
    # The last one of a pair is raised: one that is declared higher anyway, where that is possible.
    moved = sorted(
        (name for name, floor in found.items() if floor.proof is not None),
        key=lambda name: by_name[name].is_declared_above(found[name].version),
    )
    if not moved:
        return Floors(floors=tuple(found.values()))
    proof = found[moved[0]].proof
    clashes: list[Clash] = []
    known = 1  # so many of `moved` pass together
    while known < len(moved):
        vector = {name: found[name].version for name in moved}
        seen = yield from _one(ask(vector))
        if seen.observation.verdict is Verdict.GOOD:
            return Floors(floors=tuple(found.values()), proof=seen, clashes=tuple(clashes))
        if seen.observation.verdict is Verdict.BAD and (yield from _passes_again(seen.probe)):
            return Floors(floors=tuple(found.values()), proof=proof, clashes=tuple(clashes), flaky=True)
        known, proof, failing = yield from _first_bad_prefix(vector, moved, ask, known, proof, seen)
        name = moved[known - 1]
        clash = yield from _partner(vector, moved[:known], ask, failing)
        top = (proof.observation if proof else today).packages.get(name, by_name[name].versions[-1])
        others = {other: vector[other] for other in moved[: known - 1]}
        higher = by_name[name].above(vector[name], top)
        if not higher.versions:
            return Floors(floors=tuple(found.values()), proof=proof, clashes=tuple(clashes), flaky=True)
        raised = yield from lowest(higher, _with(ask, others, name), below=replace(clash.failing, version=vector[name]))
        found[name] = replace(raised, proof=raised.proof or proof)
        proof = found[name].proof
        clashes.append(replace(clash, after=raised.version))
    return Floors(floors=tuple(found.values()), proof=proof, clashes=tuple(clashes))


def _with(ask: Ask, others: Mapping[str, str], name: str) -> Callable[[str], Probe]:
    return lambda version: ask({**others, name: version})


def _first_bad_prefix(
    vector: Mapping[str, str], names: Sequence[str], ask: Ask, known: int, proof: Seen | None, failing: Seen
) -> Search[Probe, tuple[int, Seen | None, Seen]]:
    """Return how many of the names, from the first, fail together; the world of one less, and that which fails."""
    low, high = known, len(names)
    while high - low > 1:
        middle = (low + high) // 2
        seen = yield from _one(ask({name: vector[name] for name in names[:middle]}))
        if seen.observation.verdict is Verdict.GOOD:
            low, proof = middle, seen
        else:
            high, failing = middle, seen
    return high, proof, failing


def _partner(vector: Mapping[str, str], names: Sequence[str], ask: Ask, failing: Seen) -> Search[Probe, Clash]:
    """Return the pair that fails: the last of the names, and the first of the others that is needed for it."""
    name, others = names[-1], names[:-1]
    low, high = 0, len(others)
    while high - low > 1:
        middle = (low + high) // 2
        seen = yield from _one(ask({other: vector[other] for other in (*others[:middle], name)}))
        if seen.observation.verdict is Verdict.GOOD:
            low = middle
        else:
            high, failing = middle, seen
    partner, needed = others[high - 1], tuple(others[: high - 1])
    if needed:
        seen = yield from _one(ask({other: vector[other] for other in (partner, name)}))
        if seen.observation.verdict is not Verdict.GOOD:
            needed, failing = (), seen
    return Clash(raised=name, partner=partner, before=vector[name], after="", failing=failing, others=needed)


def _one(probe: Probe) -> Search[Probe, Seen]:
    (found,) = yield [probe]
    return Seen(version="", probe=probe, observation=found)


def _passes_again(probe: Probe) -> Search[Probe, bool]:
    """Return whether tests that failed pass in the same world."""
    (found,) = yield [replace(probe, again=1)]
    return found.verdict is Verdict.GOOD


def _jump(versions: Sequence[str], place: int) -> int:
    """Return 2 for the first release of a major version, 1 for that of a minor one, else 0."""
    if place == 0:
        return 2
    old, new = (Version(version).release for version in (versions[place - 1], versions[place]))
    return 2 if old[:1] != new[:1] else 1 if old[:2] != new[:2] else 0
