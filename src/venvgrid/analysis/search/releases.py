"""Search for the first bad release between a good one and a bad one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from venvgrid.analysis.search.narrowing import NO_EDGE, Series, narrow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venvgrid.analysis.search.protocol import Probe, Search


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """The last good and the first bad release; `skipped` are those between them that nothing is known of."""

    good: str
    bad: str
    skipped: tuple[str, ...] = ()


def boundary(versions: Sequence[str], probe: Callable[[str], Probe], at_once: int = 1) -> Search[Probe, Boundary]:
    """Return the boundary in `versions`, of which the first is good and the last is bad: see `narrowing`."""
    found = yield from narrow(
        0, len(versions) - 1, lambda place: probe(versions[place]), at_once, series_of_releases(versions)
    )
    return Boundary(
        good=versions[found.low],
        bad=versions[found.high],
        skipped=tuple(versions[found.low + 1 : found.high]),
    )


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
