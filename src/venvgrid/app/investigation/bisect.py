"""The use case "bisect": which release of a package broke a cell, with both sides of the change proven."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from packaging.version import Version

from venvgrid.analysis.search.bisection import Line, Problem, bisected, ends, is_flaky
from venvgrid.analysis.search.protocol import Probe, Verdict, answer
from venvgrid.analysis.search.releases import series_of_releases
from venvgrid.app.investigation.candidates import Filter, candidates, existing
from venvgrid.app.investigation.prober import Prober, with_all_tests
from venvgrid.app.investigation.target import Target
from venvgrid.app.investigation.timeline import Timeline
from venvgrid.app.investigation.worlds import company
from venvgrid.app.request import interpreters_for
from venvgrid.app.resolution import metadata_of
from venvgrid.config.values import nearest
from venvgrid.installers.base import ResolveFailed
from venvgrid.model import InfrastructureError, LockEntry, UsageError
from venvgrid.model.config import EMPTY
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venvgrid.analysis.search.bisection import Bisected
    from venvgrid.app.context import RunContext
    from venvgrid.app.investigation.candidates import Candidates
    from venvgrid.model import Cell, CellResult

BASE = "now"  # the name of the world that all probes keep to


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A package, and what is known of it. `good` and `bad` are "" where they are to be found.

    `wheels` are versions of local wheels, which the resolver finds.
    """

    package: str
    good: str = ""
    bad: str = ""
    pre: bool = False
    yanked: bool = False
    wheels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was found out of one release or commit. `reason` is why it is unknown."""

    name: str
    verdict: Verdict
    runs: int
    bad_runs: int
    reason: str = ""
    flaky: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A change from good to bad. `skipped` are the names between, each with why it is unknown, "" if it was not tried.

    `company` are other distributions that differ between the two, with both versions. `acquitted`: with their versions
    of the bad side, the good side passes; None if that cannot be tried.
    """

    good: str
    bad: str
    skipped: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    company: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    acquitted: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisection:
    """The answer. `changes` from good to bad, the latest last; () if there is a `problem`, which is at `at`.

    `left_out` are releases that cannot be installed, and why. `failure` is that of the bad end.
    """

    kind: str  # releases | commits
    name: str
    cell: str
    failure: str = ""
    tests: tuple[str, ...] = ()
    changes: tuple[Found, ...] = ()
    problem: Problem | None = None
    at: str = ""
    steps: tuple[Step, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    resolves: int = 0
    builds: int = 0
    runs: int = 0
    titles: Mapping[str, str] = field(default_factory=lambda: EMPTY)  # of commits

    @property
    def step(self) -> Step | None:
        """What was found out at the place of the problem."""
        return next((item for item in self.steps if item.name == self.at), None)


def bisect(context: RunContext, cell: Cell, asked: Asked, earlier: CellResult | None = None) -> Bisection:
    """Return which release of a package broke a cell; `earlier` is the last result of the cell, if it was red.

    Raises:
        UsageError: the cell has no such package, there is no such release, or good is newer than bad.
        InfrastructureError: the index does not answer, or the cell cannot be resolved.
    """
    cells = {cell.id: cell, "": cell}
    prober = Prober(context=context, target=Target(), cells=cells)
    world = prober.resolve(Probe())
    if not isinstance(world, LockEntry):
        raise InfrastructureError(f"{cell.id} does not resolve: {world}")
    name = normalise(asked.package)
    there = {item.name: item.version for item in world.distributions}
    _check_package(context, cell, name, there)
    prober.set_base(BASE, world.distributions)
    prober.titles[BASE] = cell.id
    chosen = _candidates(context, cell, world, replace(asked, package=name), there[name])
    versions = chosen.versions

    is_axis = name in map(normalise, cell.axes)  # the value of an axis may be a prefix: "2.0" is any 2.0.x

    def probe(place: int, again: int) -> Probe:
        exact = f"=={versions[place]}" if is_axis else versions[place]
        return Probe(base=BASE, pins=((name, exact),), cutoff=world.as_of, again=again)

    slots, bad = context.options.workers, len(versions) - 1
    line = Line(bad=bad, good=0 if asked.good else None, probe=probe, series=series_of_releases(versions))
    try:
        prober = aimed(prober, probe(bad, 0), earlier, ends(line)[1:] if slots > 1 else ())
        found = answer(bisected(line, slots), prober.ask)
    finally:
        prober.tidy()
    bases = {version: prober.resolve(probe(place, 0)) for place, version in enumerate(versions) if place in found.seen}
    made = told(found, versions, Bisection(kind="releases", name=name, cell=cell.id), prober.target)
    return replace(
        made,
        left_out=chosen.left_out,
        resolves=prober.resolves,
        builds=len(prober.builds),
        runs=prober.tests,
        changes=tuple(
            replace(
                item,
                skipped=_between(item, chosen.left_out),
                company=_company(name, bases.get(item.good), bases.get(item.bad)),
            )
            for item in made.changes
        ),
    )


def _between(change: Found, left_out: Mapping[str, str]) -> dict[str, str]:
    """Return what lies between the sides of a change, with the releases that were left out beforehand."""
    low, high = Version(change.good), Version(change.bad)
    left = {version: reason for version, reason in left_out.items() if low < Version(version) < high}
    return dict(sorted({**change.skipped, **left}.items(), key=lambda item: Version(item[0])))


def aimed(prober: Prober, bad: Probe, earlier: CellResult | None = None, ahead: Sequence[Probe] = ()) -> Prober:
    """Return a prober of the failure that the bad end has: that of an earlier result, if it still shows there.

    If the bad end has no failure, the prober is of any. `ahead` are run as soon as it is known which tests fail.
    """
    if earlier is not None:
        known = replace(prober, target=Target.of(earlier))
        if known.target.signature and known.ask([bad], ahead)[0].verdict is Verdict.BAD:
            return known
        prober.resolves, prober.tests = known.resolves, known.tests
    prober.context.front.notify("all tests of the bad end are run once: they tell which failure is looked for")
    prober.ask([bad])
    result = prober.result(bad)
    if result is None or prober.target.verdict(result) is not Verdict.BAD:
        return prober
    alone = replace(prober, target=Target.of(result))
    if not alone.target.tests or alone.ask([bad], ahead)[0].verdict is Verdict.BAD:
        return alone
    return with_all_tests(alone)


def doubted(problem: Problem | None, target: Target) -> Problem | None:
    """Return the problem of a search: a failure that the bad end had, and has no more, is flaky."""
    return Problem.FLAKY if problem is Problem.NOT_BAD and target.signature else problem


def told(found: Bisected, names: Sequence[str], made: Bisection, target: Target) -> Bisection:
    """Return a bisection with what a search found about places of these names."""
    steps = {
        place: Step(
            name=names[place],
            verdict=found.verdicts[place],
            runs=sum(item.runs for item in seen),
            bad_runs=sum(item.verdict is Verdict.BAD for item in seen),
            reason=next((item.reason for item in seen if item.reason), ""),
            flaky=is_flaky(seen),
        )
        for place, seen in sorted(found.seen.items())
    }
    changes = tuple(
        Found(
            good=names[item.good],
            bad=names[item.bad],
            skipped={names[place]: steps[place].reason if place in steps else "" for place in item.skipped},
        )
        for item in found.changes
    )
    return replace(
        made,
        changes=changes,
        failure=target.text,
        tests=target.tests,
        problem=doubted(found.problem, target),
        at=names[found.at] if found.problem else "",
        steps=tuple(steps.values()),
    )


def _company(name: str, good: LockEntry | str | None, bad: LockEntry | str | None) -> dict[str, tuple[str, str]]:
    """Return what else differs between two worlds; "" is absent."""
    if not isinstance(good, LockEntry) or not isinstance(bad, LockEntry):
        return {}
    before, after = ({item.name: item.version for item in world.distributions} for world in (good, bad))
    return {other: versions for other, versions in company(before, after).items() if other != name}


def _check_package(context: RunContext, cell: Cell, name: str, there: Mapping[str, str]) -> None:
    metadata = context.project.metadata
    if metadata is not None and name == normalise(metadata.name):
        raise UsageError(f"{name} is the project itself: to search its commits, type: venvgrid bisect --commits")
    if name == "python":
        raise UsageError("python is no package: write its versions into axes.python, then type: venvgrid run")
    if name not in there:
        raise UsageError(f"{cell.id} does not install {name}, but {', '.join(sorted(there))}{nearest(name, there)}")


def _candidates(context: RunContext, cell: Cell, world: LockEntry, asked: Asked, here: str) -> Candidates:
    """Return the releases to search in; the newest is the bad end, and the oldest the good one, if it is known."""
    name, index = asked.package, Timeline(context=context).index
    releases = {item.version: item for item in index.all_releases(name)}
    releases |= {item.version: item for item in replace(index, addresses=()).everywhere(name)}  # folders
    there = {*releases, *asked.wheels, here}
    bad = existing(name, asked.bad, there) if asked.bad else here
    good = existing(name, asked.good, there) if asked.good else ""
    if good and Version(good) >= Version(bad):
        what = "is the bad one" if Version(good) == Version(bad) else f"is newer than the bad one, {bad}"
        turned = f"venvgrid bisect {name} {bad} {good}" if Version(good) > Version(bad) else ""
        more = f"; type: {turned}" if turned else f"; type an older one, or none: venvgrid bisect {name}"
        raise UsageError(f"the good release, {name} {good}, {what}{more}")
    chosen, _ = interpreters_for(context, [cell.axes["python"]])
    interpreter = chosen[cell.axes["python"]]
    if isinstance(interpreter, str):
        raise InfrastructureError(interpreter)
    metadata = metadata_of(context, chosen)[cell.axes["python"]]
    install = context.config.install
    wanted = Filter(
        interpreter=interpreter,
        declared=(
            *(metadata.requires if metadata is not None and not isinstance(metadata, ResolveFailed) else ()),
            *install.requires,
            *install.constraints,
            *context.project.groups,
        ),
        cutoff=world.as_of,
        only_binary=install.only_binary and name not in map(normalise, install.source_builds),
        pre=asked.pre or install.pre_releases,
        yanked=asked.yanked,
    )
    ends = (good, bad) if good else (bad,)
    return candidates(name, releases.values(), wanted, local=asked.wheels, ends=ends)
