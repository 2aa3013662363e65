"""Tells what a search of bounds found: verdicts per dependency and Python, each with the cells as evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from venvgrid.analysis.search import bounds as verdicts
from venvgrid.analysis.search.bounds import Bound, Bounds, Cap, DependencyBounds, Evidence, Joint, Pair, Standing
from venvgrid.model import LockEntry
from venvgrid.model.values import dataclass
from venvgrid.outcomes.signatures import without_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from venvgrid.analysis.search.bounds import Found, Project
    from venvgrid.analysis.search.declared import Dependency
    from venvgrid.analysis.search.floors import Floor
    from venvgrid.analysis.search.protocol import Probe
    from venvgrid.app.investigation.prober import Prober


@dataclass(frozen=True, kw_only=True)
class Witness:
    """Makes values of what was found. `releases` returns those of a dependency, `names` are those of all of them."""

    prober: Prober
    releases: Callable[[str, Dependency], Sequence[str]]
    names: tuple[str, ...]

    def bounds(self, project: Project, found: Sequence[Found]) -> Bounds:
        """Return the bounds of a project."""
        asked: dict[tuple[str, tuple[str, ...]], list[tuple[Found, Dependency]]] = {}
        for item in found:
            for one in item.of.dependencies:
                asked.setdefault((one.name, one.lines), []).append((item, one))
        return Bounds(
            project=project.name,
            pythons=project.values,
            dependencies=tuple(_of(name, some, self._bound) for (name, _), some in asked.items()),
            joints=tuple(self._joints(found)),
            pairs=tuple(self._pairs(found)),
            caps=tuple(self._caps(found)),
            problems={**project.problems, **{item.of.python: item.problem for item in found if item.problem}},
            notes=tuple(project.notes),
            resolves=self.prober.resolves,
            builds=len(self.prober.builds),
            tests=self.prober.tests,
        )

    def _bound(self, item: Found, of: Dependency) -> Bound:
        releases = self.releases(of.name, of)
        standing, floor = Standing.UNKNOWN, None
        evidence: tuple[Evidence, ...] = ()
        proven, fails = "", False
        if item.passes is not None:
            proven = item.passes.packages.get(of.name, "")
            lower = [one for one in releases if of.allows(one) and proven and Version(one) < Version(proven)]
            standing = Standing.RAISED if lower and of.has_floor else Standing.PROVEN
            evidence = (self._evidence(item, item.lowest),)
        elif item.floors is not None:
            floor = next((one for one in item.floors.floors if one.name == of.name), None)
        elif item.is_impossible:
            standing = Standing.IMPOSSIBLE
        if floor is not None and item.today is not None and item.floors is not None:
            proven, fails = floor.version, floor.failing is not None
            under = floor.failing or floor.below
            proof = floor.proof or item.today
            evidence = tuple(self._evidence(item, one.probe) for one in (proof, under) if one)
            standing = verdicts.standing(
                floor,
                releases,
                of.allows,
                has_floor=of.has_floor,
                undecided=floor.below is not None and floor.below.probe in self.prober.undecided,
            )
            standing = Standing.UNKNOWN if item.floors.flaky else standing
        return Bound(
            name=of.name,
            python=item.of.python,
            declared=str(of.specifier),
            standing=standing,
            resolvable=self._resolvable(item.lowest).get(of.name, ""),
            proven=proven,
            evidence=evidence,
            fails_below=fails,
            note=_note(item, floor, standing),
        )

    def _resolvable(self, probe: Probe) -> Mapping[str, str]:
        world = self.prober.resolve(probe)
        return {one.name: one.version for one in world.distributions} if isinstance(world, LockEntry) else {}

    def _evidence(self, item: Found, probe: Probe) -> Evidence:
        result = self.prober.result(probe)
        python = item.of.interpreter.version
        if result is None:
            reason = self.prober.resolve(probe)
            outcome = "unknown" if probe in self.prober.undecided else "impossible"
            return Evidence(python=python, outcome=outcome, versions=dict(probe.pins), reason=str(reason))
        there = {name: result.attested.packages.get(name, "") for name in self.names}
        first = next((f"{one.test}: {one.kind}: {one.message}".strip(": ") for one in result.failures), result.reason)
        return Evidence(
            python=python,
            outcome=result.outcome.value,
            versions={name: version for name, version in there.items() if version} or dict(probe.pins),
            tests=sum(result.tests.values()) - result.uncollected,
            reason=without_environment(first),
        )

    def _joints(self, found: Sequence[Found]) -> Iterator[Joint]:
        for item in found:
            if item.passes is not None:
                yield Joint(python=item.of.python, evidence=self._evidence(item, item.lowest))
            elif item.floors is not None and item.today is not None and not item.floors.flaky:
                proof = item.floors.proof or item.today
                yield Joint(python=item.of.python, evidence=self._evidence(item, proof.probe))

    def _pairs(self, found: Sequence[Found]) -> Iterator[Pair]:
        for item in found:
            for clash in item.floors.clashes if item.floors else ():
                yield Pair(
                    python=item.of.python,
                    raised=clash.raised,
                    partner=clash.partner,
                    before=clash.before,
                    after=clash.after,
                    evidence=self._evidence(item, clash.failing.probe),
                    others=clash.others,
                )

    def _caps(self, found: Sequence[Found]) -> Iterator[Cap]:
        for item in found:
            for guilty, failing in item.caps:
                yield Cap(
                    name=guilty.name,
                    python=item.of.python,
                    good=guilty.good,
                    bad=guilty.bad,
                    evidence=self._evidence(item, failing.probe),
                    is_direct=guilty.name in self.names,
                )


def _of(
    name: str, asked: Sequence[tuple[Found, Dependency]], bound: Callable[[Found, Dependency], Bound]
) -> DependencyBounds:
    """Return the bounds of a dependency on the Pythons on which the same requirements ask for it."""
    fixed = asked[0][1].fixed
    bounds = () if fixed else tuple(bound(item, one) for item, one in asked)
    return DependencyBounds(name=name, lines=asked[0][1].lines, bounds=bounds, fixed=fixed)


def _note(item: Found, floor: Floor | None, standing: Standing) -> str:
    """Return what a reader has to know of a bound besides its verdict."""
    if item.problem:
        return item.problem
    if floor is not None and floor.flaky and floor.failing is not None:
        return f"its tests fail and pass with {floor.failing.version}: run them again"
    if item.floors is not None and item.floors.flaky:
        return "all floors at once fail and pass: run them again"
    if floor is not None and floor.skipped:
        return f"not tried: {', '.join(floor.skipped)}"
    if standing is Standing.UNKNOWN and floor is not None and floor.below is not None:
        return f"nothing is known of {floor.below.version}: {floor.below.observation.reason}"
    return ""
