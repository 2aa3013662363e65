"""Search for the first bad release between a good one and a bad one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import Version

from venvgrid.analysis.search.protocol import Probe, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venvgrid.analysis.search.protocol import Search


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """The last good and the first bad release; `skipped` are those between them that nothing is known of."""

    good: str
    bad: str
    skipped: tuple[str, ...] = ()


def boundary(versions: Sequence[str], probe: Callable[[str], Probe], at_once: int = 1) -> Search[Probe, Boundary]:
    """Return the boundary in `versions`, of which the first is good and the last is bad."""
    unknown: set[int] = set()
    low, high = 0, len(versions) - 1
    while len(inside := [place for place in range(low + 1, high) if place not in unknown]) > 0:
        wanted = _next(versions, inside, at_once)
        seen = yield [probe(versions[place]) for place in wanted]
        for place, item in zip(wanted, seen, strict=True):
            if item.verdict is Verdict.UNKNOWN:
                unknown.add(place)
            elif item.verdict is Verdict.GOOD and low < place < high:
                low = place
            elif item.verdict is Verdict.BAD and low < place < high:
                high = place
    return Boundary(good=versions[low], bad=versions[high], skipped=tuple(versions[low + 1 : high]))


def _next(versions: Sequence[str], inside: Sequence[int], at_once: int) -> list[int]:
    """Return the places to try: the first of a major or minor release, nearest to the middle; its neighbour with it."""
    middle = inside[len(inside) // 2]
    firsts = [place for place in inside if _series(versions[place], 1) != _series(versions[place - 1], 1)] or [
        place for place in inside if _series(versions[place], 2) != _series(versions[place - 1], 2)
    ]
    best = min(firsts, key=lambda place: abs(place - middle)) if firsts else middle
    chosen = [best]
    if at_once > 1 and best - 1 in inside:
        chosen.append(best - 1)
    return sorted(chosen)


def _series(version: str, parts: int) -> tuple[int, ...]:
    return Version(version).release[:parts]
