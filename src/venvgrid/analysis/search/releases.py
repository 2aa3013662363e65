"""Search for the first bad release between a good one and a bad one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from venvgrid.analysis.search.narrowing import NO_EDGE, Series, first, narrow
from venvgrid.analysis.search.protocol import Observation, Verdict
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venvgrid.analysis.search.narrowing import Narrowed
    from venvgrid.analysis.search.protocol import Probe, Search


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """The last good and the first bad release; `skipped` are those between them that nothing is known of."""

    good: str
    bad: str
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guessed:
    """What the last release showed, or one before it that is bad; and the boundary, if it is bad."""

    last: Observation
    boundary: Boundary | None = None


def boundary(versions: Sequence[str], probe: Callable[[str], Probe], at_once: int = 1) -> Search[Probe, Boundary]:
    """Return the boundary in `versions`, of which the first is good and the last is bad: see `narrowing`."""
    found = yield from narrow(
        0, len(versions) - 1, lambda place: probe(versions[place]), at_once, series_of_releases(versions)
    )
    return _boundary(versions, found)


def _boundary(versions: Sequence[str], found: Narrowed) -> Boundary:
    return Boundary(
        good=versions[found.low],
        bad=versions[found.high],
        skipped=tuple(versions[found.low + 1 : found.high]),
    )


def guessed(versions: Sequence[str], probe: Callable[[str], Probe], at_once: int = 1) -> Search[Probe, Guessed]:
    """Return the boundary in `versions`, of which the first is good, and none if the last turns out not to be bad.

    The release that halves them is tried first. If it is bad, the last one need not be tried at all.
    """
    end, series = len(versions) - 1, series_of_releases(versions)
    guess, seen = first(0, end, series), dict[int, Observation]()
    for places in ((guess, end),) if at_once > 1 else ((guess,), (end,)):
        wanted = [place for place in dict.fromkeys(places) if place not in seen]
        seen |= dict(zip(wanted, (yield [probe(versions[place]) for place in wanted]), strict=True)) if wanted else {}
        if seen[guess].verdict is Verdict.BAD:
            end = guess
            break
    if seen[end].verdict is not Verdict.BAD:
        return Guessed(last=seen[end])
    low = guess if seen[guess].verdict is Verdict.GOOD else 0
    known = {guess: seen[guess]} if seen[guess].verdict is Verdict.UNKNOWN else {}
    found = yield from narrow(low, end, lambda place: probe(versions[place]), at_once, series, known)
    return Guessed(last=seen[end], boundary=_boundary(versions, found))


def series_of_releases(versions: Sequence[str]) -> Series:
    """Return the series of releases in their order: majors (1, 2), and minors in them (1.0, 1.1)."""
    minors = [_minor(version) for version in versions]

    def rank(place: int) -> int:
        if not 0 < place < len(minors) or minors[place] == minors[place - 1]:
            return NO_EDGE
        return 0 if minors[place][:2] != minors[place - 1][:2] else 1

    return Series(rank=rank, of=lambda place: minors[place])


def _minor(version: str) -> tuple[int | str, ...]:
    """Return epoch, major and minor."""
    try:
        known = Version(version)
    except InvalidVersion:
        return (version,)
    return (known.epoch, *known.release[:2])
