"""Search for the newest versions that pass, where today's do not: which releases break them. Pure.

It starts from a green world: the lowest versions that are declared, or the versions of some past date.
"""

from __future__ import annotations

from dataclasses import field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from venvgrid.analysis.search import eras
from venvgrid.analysis.search.culprits import GREEN, RED, Culprit, Differing, culprit
from venvgrid.analysis.search.floors import Seen
from venvgrid.analysis.search.protocol import Observation, Probe, Search, Verdict
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from venvgrid.analysis.search.bounds import OnePython
    from venvgrid.analysis.search.eras import Era

MAX_CAPS = 4  # of one Python
NO_GREEN = "the tests fail with the newest versions, and none were found that pass"
NO_CULPRIT = "the tests fail with the newest versions, and no single release is to blame; venvgrid why may tell more"


@dataclass(kw_only=True)
class Capped:
    """The releases to hold so that all others may be the newest, each found as a culprit, with a world that fails."""

    held: dict[str, str] = field(default_factory=dict)
    culprits: list[tuple[Culprit, Seen]] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Ends:
    """What the search starts from. `lowest` is the probe of what is declared, `weeks` are how long ago past worlds are.

    `keep` names a world for the probes that keep to it; `releases` is as in `Differing`.
    """

    lowest: Probe
    now: datetime
    weeks: Sequence[int]
    keep: Callable[[str, Probe], None]
    releases: Callable[[str, str, str], Sequence[str]]


def newest_passing(item: OnePython, today: Observation, ends: Ends) -> Search[Probe, Capped]:
    """Return the releases to hold on a Python whose world of `today` fails."""
    found = Capped()
    green = yield from _green(item, ends)
    if isinstance(green, str):
        found.problem = green
        return found
    while len(found.held) < MAX_CAPS and today.verdict is Verdict.BAD:
        own = f"{item.cell.id}:{len(found.held)}"  # a name never stands for two worlds: probers remember them
        ends.keep(f"{own}:{GREEN}", green.probe)
        ends.keep(f"{own}:{RED}", item.probe(found.held))
        failing: list[Seen] = []
        differing = Differing(green=green.observation.packages, red=today.packages, releases=ends.releases)
        guilty = yield from _inside(culprit(differing), item, own, failing)
        if guilty is None or not guilty.good or guilty.name in found.held:
            found.problem = NO_CULPRIT
            return found
        found.held[guilty.name] = guilty.good
        found.culprits.append((guilty, _clearest(failing, guilty)))
        (today,) = yield [item.probe(found.held)]
    return found


def _green(item: OnePython, ends: Ends) -> Search[Probe, Seen | str]:
    """Return a world that passes: the lowest versions, or the newest ones of the latest date that does; or why none."""
    (seen,) = yield [ends.lowest]
    if seen.verdict is Verdict.GOOD:
        return Seen(version="", probe=ends.lowest, observation=seen)
    probes = [_dated(item, eras.at(ends.now - timedelta(weeks=weeks))) for weeks in ends.weeks]
    shown = (yield probes) if probes else ()
    for probe, one in zip(probes, shown, strict=True):
        if one.verdict is Verdict.GOOD:
            return Seen(version="", probe=probe, observation=one)
    era = yield from _in_cell(eras.walk_back(ends.now, (*ends.weeks[-1:], eras.WEEKS[-1])), item)
    if era is not None:
        found = _dated(item, Probe(cutoff=era.time))
        (one,) = yield [found]
        return Seen(version="", probe=found, observation=one)
    past = "; ".join(dict.fromkeys(map(_told, shown))) or "none was tried"
    return f"{NO_GREEN} (the lowest ones that are declared: {_told(seen)}; those of the past: {past})"


def _dated(item: OnePython, probe: Probe) -> Probe:
    return replace(item.probe({}), cutoff=probe.cutoff)


def _in_cell(search: Search[Probe, Era | None], item: OnePython) -> Search[Probe, Era | None]:
    """Return the answer of a search in time, with the newest versions of a Python."""
    try:
        wanted = next(search)
        while True:
            wanted = search.send((yield [_dated(item, probe) for probe in wanted]))
    except StopIteration as stop:
        found: Era | None = stop.value
        return found


def _told(seen: Observation) -> str:
    return f"cannot be told, {seen.reason}" if seen.verdict is Verdict.UNKNOWN else "they fail"


def _clearest(failing: Sequence[Seen], guilty: Culprit) -> Seen:
    """Return the failing world that has the guilty release, with as few other pins as possible."""
    those = [one for one in failing if one.observation.packages.get(guilty.name) == guilty.bad] or list(failing)
    return min(those, key=lambda one: len(one.probe.pins))


def _inside(
    search: Search[Probe, Culprit | None], item: OnePython, own: str, failing: list[Seen]
) -> Search[Probe, Culprit | None]:
    """Return the answer of a search in the cell of a Python; `own` begins the names of its worlds.

    `failing` gets the worlds that fail.
    """
    try:
        wanted = next(search)
        while True:
            probes = [
                replace(probe, cell=item.cell.id, base=f"{own}:{probe.base}" if probe.base else "") for probe in wanted
            ]
            seen = yield probes
            for probe, one in zip(probes, seen, strict=True):
                if one.verdict is Verdict.BAD:
                    failing.append(Seen(version="", probe=probe, observation=one))
            wanted = search.send(seen)
    except StopIteration as stop:
        guilty: Culprit | None = stop.value
        return guilty
