"""The use case "why": which releases broke a cell that was green at a time, one culprit after the other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from venvgrid.analysis.search.culprits import GREEN, RED, Differing, culprit
from venvgrid.analysis.search.protocol import Probe, Verdict, answer
from venvgrid.app.investigation.prober import Prober
from venvgrid.app.investigation.target import Target
from venvgrid.app.investigation.timeline import Timeline
from venvgrid.model import LockEntry, UsageError

if TYPE_CHECKING:
    from venvgrid.analysis.search.culprits import Culprit
    from venvgrid.app.context import RunContext
    from venvgrid.model import Cell

MAX_CULPRITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Guilt:
    """A culprit and the failure that it causes."""

    target: Target
    culprit: Culprit


@dataclass(slots=True, kw_only=True)
class Why:
    """What an investigation found. `problem` is why it cannot tell, or ""."""

    cell: str
    culprits: list[Guilt] = field(default_factory=list)
    problem: str = ""
    resolves: int = 0
    builds: int = 0
    tests: int = 0


def explain(context: RunContext, cell: Cell, *, good: str) -> Why:
    """Return what broke a cell since a date."""
    cells = {cell.id: cell, "": cell}
    prober = Prober(context=context, target=Target(), cells=cells)
    for name, probe in ((RED, Probe()), (GREEN, Probe(cutoff=good))):
        world = prober.resolve(probe)
        if not isinstance(world, LockEntry):
            raise UsageError(f"{cell.id} does not resolve {probe.cutoff or 'today'}: {world}")
        prober.bases[name] = world.distributions
    found = Why(cell=cell.id)
    (first,) = prober.ask([Probe(base=RED)])
    if first.verdict is not Verdict.BAD:
        found.problem = f"{cell.id} is not red today: {first.reason or 'its tests pass'}"
        return found
    result = prober.result(Probe(base=RED))
    target = Target.of(result) if result else Target()
    while len(found.culprits) < MAX_CULPRITS:
        prober = replace_target(prober, target)
        problem = _check_ends(prober, context)
        if problem:
            found.problem = problem
            break
        differing = _differing(context, prober, target, good)
        guilty = answer(culprit(differing, at_once=1), prober.ask)
        if guilty is None:
            found.problem = "the versions of today break nothing when they come to the green ones"
            break
        found.culprits.append(Guilt(target=target, culprit=guilty))
        back = Probe(base=RED, pins=((guilty.name, guilty.good),))
        world = prober.resolve(back) if guilty.good else "it was not there"
        if isinstance(world, str) or guilty.without is None or guilty.without.verdict is Verdict.GOOD:
            break
        prober.bases[RED] = world.distributions
        if guilty.without.verdict is Verdict.UNKNOWN:
            result = prober.result(back)
            if result is None or not result.failures:
                break
            target = Target.of(result)
    found.resolves, found.builds, found.tests = prober.counts
    return found


def replace_target(prober: Prober, target: Target) -> Prober:
    """Return a prober of another failure that goes on counting."""
    return replace(prober, target=target)


def _check_ends(prober: Prober, context: RunContext) -> str:
    """Return why the two worlds do not tell the failure apart, or ""; each is tested twice."""
    ends = [Probe(base=name, again=again) for name in (GREEN, RED) for again in (0, 1)]
    seen = prober.ask(ends)
    for probe, item in zip(ends, seen, strict=True):
        context.front.notify(f"{probe.base}: {item.verdict} {item.reason}")
    wanted = (Verdict.GOOD, Verdict.GOOD, Verdict.BAD, Verdict.BAD)
    if tuple(item.verdict for item in seen) == wanted:
        return ""
    return "the two ends are alike, or too flaky"


def _differing(context: RunContext, prober: Prober, target: Target, good: str) -> Differing:
    green, red = ({item.name: item.version for item in prober.bases[name]} for name in (GREEN, RED))
    times = Timeline(context=context)
    of = Differing(green=green, red=red, named=target.through, releases=times.releases)
    return replace(of, dates=times.dates(of.suspects, since=good))
