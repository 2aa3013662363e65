"""Search for the release that broke the tests, between a green world and a red one. Pure.

    named suspects, each alone ──▶ dates ──▶ sets of distributions, doubled, then halved ──▶ partner ──▶ releases
                 └─ red ─────────────────────────────────────────────────────────────────────────▶┘        │
                                            proof: the green world with it is red, the red one without it ◀┘

A world of a date always resolves, as it existed. A mix keeps to the green world where that is possible: what else had
to move along with the culprit is its company, and is tried without it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial

from packaging.version import InvalidVersion, Version

from venvgrid.analysis.search.narrowing import narrow
from venvgrid.analysis.search.protocol import Observation, Probe, Search, Verdict
from venvgrid.analysis.search.releases import Boundary, boundary, guessed
from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass

GREEN, RED = "green", "red"  # the names of the worlds that mixes keep to
CONFIRMED = 3  # runs of each side of a change

Steps = Generator[Sequence[Probe], Sequence[Observation], Observation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """What differs between a green world and a red one. `named` are the suspects that the failure names.

    `releases` returns the releases of a distribution from a good version to a bad one, both included, in their order.
    `dates` are the times between the two worlds at which something was released.
    """

    green: Mapping[str, str]
    red: Mapping[str, str]
    named: tuple[str, ...] = ()
    releases: Callable[[str, str, str], Sequence[str]] = lambda _name, good, bad: (good, bad)
    dates: tuple[str, ...] = ()
    base: str = GREEN  # the world that mixes keep to: the green one, that of the last good date, or the red one

    @property
    def suspects(self) -> tuple[str, ...]:
        """The distributions that the red world has in another version: those named first, then by the jump."""
        names = [name for name, version in self.red.items() if self.green.get(name) != version]
        known = [name for name in self.named if name in names]
        return (*known, *sorted((name for name in names if name not in known), key=self._jump))

    def _jump(self, name: str) -> tuple[int, str]:
        """Return 0 for another major release, or a new distribution, 1 for another minor one, 2 for all else."""
        try:
            old, new = (Version(version).release for version in (self.green.get(name, "0"), self.red[name]))
        except InvalidVersion:
            return 2, name
        return (0 if old[:1] != new[:1] else 1 if old[:2] != new[:2] else 2), name


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """The release that broke the tests. `good` is "" for a distribution that the green world has not.

    `company` is what the resolver had to move along, with both versions; `acquitted`: without the culprit it breaks
    nothing; None if that cannot be tried. `partners` are pinned as well: alone, the culprit breaks nothing.
    `skipped` are the releases between good and bad that could not be tried. `base` is the world that the proof keeps
    to: `GREEN`, `RED`, or a time. `broken` is that world with the culprit, `whole` with the good release; `without` is
    the red world with the good release. `flaky` is a world of the proof that passed and failed, as a probe; None if all
    three showed the same in each of `CONFIRMED` runs.
    """

    name: str
    good: str
    bad: str
    skipped: tuple[str, ...] = ()
    company: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    acquitted: bool | None = None
    partners: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    base: str
    broken: Observation
    whole: Observation
    without: Observation | None = None
    flaky: Probe | None = None


def culprit(of: Differing, at_once: int = 1) -> Search[Probe, Culprit | None]:
    """Return the release that breaks the green world, or None if the search found none."""
    named = yield from _named(of, at_once)
    if named is not None:
        of, name, ends = named
        return (yield from _proof(of, name, (), ends))
    of = yield from _by_date(of, at_once)
    found = yield from _by_sets(of)
    if found is None:
        return None
    name, partners = found[0], found[1:]
    ends = yield from _by_release(of, name, partners, at_once)
    return (yield from _proof(of, name, partners, ends))


def _proof(of: Differing, name: str, partners: Sequence[str], ends: Boundary) -> Search[Probe, Culprit]:
    """Return a culprit with the worlds that prove it, and what is known of its company."""
    kept = {name: ends.good} if ends.good and (of.base == RED or ends.good != of.green.get(name)) else {}
    sides = [Probe(base=of.base, pins=_pins(of, partners, more)) for more in ({name: ends.bad}, kept)]
    broken = yield from _one(sides[0])
    whole = yield from _one(sides[1])
    before, chosen = whole.packages or of.green, {name, *partners}
    company = {
        other: (before.get(other, ""), version)
        for other, version in broken.packages.items()
        if other not in chosen and before.get(other) != version
    }
    acquitted = None
    if company:
        alone = {other: new for other, (_, new) in company.items()}
        seen = yield from _one(Probe(base=of.base, pins=_pins(of, partners, {**alone, **kept})))
        acquitted = {Verdict.GOOD: True, Verdict.BAD: False}.get(seen.verdict)
    without = None
    if ends.good:
        back = Probe(base=RED, pins=((name, ends.good),))
        without = yield from _one(back)
        sides += [back] if without.verdict is Verdict.GOOD else []  # what else is red is searched for next
    flaky = yield from _flaky(sides, (Verdict.BAD, Verdict.GOOD, Verdict.GOOD))
    return Culprit(
        name=name,
        good=ends.good,
        bad=ends.bad,
        skipped=ends.skipped,
        company=company,
        acquitted=acquitted,
        partners={other: of.red[other] for other in partners},
        base=of.base,
        broken=broken,
        whole=whole,
        without=without,
        flaky=flaky,
    )


def _flaky(sides: Sequence[Probe], wanted: Sequence[Verdict]) -> Search[Probe, Probe | None]:
    """Return a world of a proof that does not show what is wanted each time, or None."""
    for number in range(CONFIRMED):
        seen = yield [replace(side, again=number) for side in sides]
        for side, one, verdict in zip(sides, seen, wanted, strict=False):
            if one.verdict is not verdict:
                return side
    return None


def _one(probe: Probe) -> Steps:
    (seen,) = yield [probe]
    return seen


def _pins(of: Differing, names: Sequence[str], more: Mapping[str, str] = EMPTY) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({**{name: of.red[name] for name in names}, **more}.items()))


def _named(of: Differing, at_once: int) -> Search[Probe, tuple[Differing, str, Boundary] | None]:
    """Return the suspect that the failure names, if it breaks the green world alone, and its first bad release.

    Where the mix tells nothing, as the company of the suspect breaks something else, it is taken out of the red world.
    """
    for name in of.suspects[: len(of.named)]:
        if name not in of.named:
            continue
        good, bad = of.green.get(name, ""), of.red[name]
        versions = of.releases(name, good, bad) if good else ("", bad)
        found = yield from guessed(versions, partial(_mix, of, name), at_once)
        if found.boundary:
            return of, name, found.boundary
        if found.last.verdict is Verdict.UNKNOWN and good:
            seen = yield from _one(Probe(base=RED, pins=((name, good),)))
            if seen.verdict is Verdict.GOOD:
                of = replace(of, base=RED)
                return of, name, (yield from _by_release(of, name, (), at_once))
    return None


def _mix(of: Differing, name: str, version: str) -> Probe:
    return Probe(base=of.base, pins=((name, version),))


def _by_date(of: Differing, at_once: int) -> Search[Probe, Differing]:
    """Return the difference between the last good and the first bad date."""
    if not of.dates:
        return of
    found = yield from narrow(-1, len(of.dates), lambda place: Probe(cutoff=of.dates[place]), at_once)
    green = found.seen[found.low].packages if found.low in found.seen else of.green
    red = found.seen[found.high].packages if found.high in found.seen else of.red
    base = of.dates[found.low] if found.low in found.seen else of.base
    return replace(of, green=green, red=red, base=base)


def _by_sets(of: Differing) -> Search[Probe, tuple[str, ...] | None]:
    """Return the suspect, and its partners, that break the green world; None if all of them together do not."""
    fixed: tuple[str, ...] = ()
    names = of.suspects
    while True:
        found = yield from _last_of_prefix(of, names, fixed)
        if found is None:
            return None
        fixed = (found, *fixed)
        names = names[: names.index(found)]
        if not names:
            return fixed
        seen = yield from _one(Probe(base=of.base, pins=_pins(of, fixed)))
        if seen.verdict is Verdict.BAD:
            return fixed


def _last_of_prefix(of: Differing, names: Sequence[str], fixed: Sequence[str]) -> Search[Probe, str | None]:
    """Return the distribution with which the shortest bad beginning of `names` ends: doubled, then halved."""
    size, low = 1, 0
    while True:
        size = min(size, len(names))
        seen = yield from _one(Probe(base=of.base, pins=_pins(of, (*names[:size], *fixed))))
        if seen.verdict is Verdict.BAD:
            break
        if size == len(names):
            return None
        low = size if seen.verdict is Verdict.GOOD else low
        size *= 2
    high, unknown = size, set[int]()
    while inside := [place for place in range(low + 1, high) if place not in unknown]:
        middle = inside[len(inside) // 2]
        seen = yield from _one(Probe(base=of.base, pins=_pins(of, (*names[:middle], *fixed))))
        if seen.verdict is Verdict.BAD:
            high = middle
        elif seen.verdict is Verdict.GOOD:
            low = middle
        else:
            unknown.add(middle)
    return names[high - 1]


def _by_release(of: Differing, name: str, partners: Sequence[str], at_once: int) -> Search[Probe, Boundary]:
    """Return the last good and the first bad release of a distribution, the others as they were found."""
    good, bad = of.green.get(name, ""), of.red[name]
    if not good:
        return Boundary(good="", bad=bad)
    versions = of.releases(name, good, bad)
    found = yield from boundary(
        versions, lambda version: Probe(base=of.base, pins=_pins(of, partners, {name: version})), at_once
    )
    return found
