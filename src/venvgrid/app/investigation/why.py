"""The use case "why": which releases broke a cell that was green, one culprit after the other.

Each culprit hides the next: the red world without it is the red end of the next search, with the failure that it has.
"""

from __future__ import annotations

from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from venvgrid.analysis.search.culprits import GREEN, RED, Culprit, Differing, culprit
from venvgrid.analysis.search.protocol import Observation, Probe, Verdict, answer
from venvgrid.analysis.search.story import Ending, Finding, Story
from venvgrid.app.investigation.prober import SpentError, with_all_tests
from venvgrid.app.investigation.target import Target
from venvgrid.app.investigation.timeline import Timeline
from venvgrid.model import LockEntry
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from venvgrid.app.investigation.prober import Prober
    from venvgrid.model import CellResult

MAX_CULPRITS = 10
FLAKY = "too flaky: the failure comes and goes in the same world, so that no release can be blamed"
TWICE = (0, 1)


@dataclass(kw_only=True)
class Investigation:
    """A search between two worlds of a prober, its bases `GREEN` and `RED`; `green` and `red` are their names.

    `all_failures` has the tests of all failures that are to be explained; those of the prober's target come first.
    `since` and `until` are RFC 3339: the failure came after the one and before the other; "" if that is not known.
    """

    prober: Prober
    cell: str
    green: str
    red: str
    at_once: int = 1
    all_failures: Target = field(default_factory=Target)
    named: tuple[str, ...] = ()  # the first suspects, before those that the failure names
    since: str = ""
    until: str = ""
    findings: list[Finding] = field(default_factory=list)
    untested: dict[str, str] = field(default_factory=dict)
    _ends: dict[str, Ending] = field(default_factory=dict)
    _result: CellResult | None = None  # of the red end

    @cached_property
    def times(self) -> Timeline:
        """What was released when; the index is read once for each distribution."""
        return Timeline(context=self.prober.context)

    def run(self) -> Story:
        """Return what broke the red world."""
        try:
            problem = self._search()
        except SpentError as error:
            problem = str(error)
        red = self._result
        return Story(
            cell=self.cell,
            python=red.interpreter.version if red and red.interpreter else "",
            green=self._ends.get(GREEN),
            red=self._ends.get(RED),
            findings=tuple(self.findings),
            problem=problem,
            untested=self.untested,
            effort=self.prober.effort,
        )

    def _search(self) -> str:
        """Find culprits until the red world passes; return what is not told, or ""."""
        problem = self._start()
        while not problem and len(self.findings) < MAX_CULPRITS:
            found = answer(culprit(self._differing(), self.at_once), self.prober.ask)
            if found is None:
                problem = (
                    "the versions of the red world break nothing when the green one gets them: "
                    "the cause is none of the distributions"
                )
                break
            if found.flaky is not None:
                problem = f"{FLAKY} ({self.prober.title(found.flaky)})"
                break
            self._add(found)
            result, problem = self._without(found)
            if result is None:
                break
            self.prober = replace(self.prober, target=Target.of(result))
            problem = problem or self._check(GREEN, Verdict.GOOD) or self._check(RED, Verdict.BAD)
        return problem

    def _start(self) -> str:
        """Learn the failure of the red world, if it is not known; return what is wrong with the two ends, or ""."""
        if not self.prober.target.signature:
            self.prober.ask([Probe(base=RED)])
            result = self.prober.result(Probe(base=RED))
            if result is None or not result.outcome.is_red:
                return f"not red ({self.red}): {result.reason or result.outcome if result else 'no result'}"
            self.all_failures = Target.all_of(result)
            self.prober = replace(self.prober, target=Target.of(result))
        problem = self._check(RED, Verdict.BAD)
        if self._passes(RED) and self.prober.target.tests:  # tests that fail only together with others
            self.prober = with_all_tests(self.prober)
            self.all_failures = replace(self.all_failures, tests=())
            self._ends.clear()
            problem = self._check(RED, Verdict.BAD)
        self._result = self.prober.result(Probe(base=RED))
        return problem or self._check(GREEN, Verdict.GOOD)

    def _passes(self, base: str) -> bool:
        """Whether the failing tests passed each time in an end that was checked."""
        return all(item.verdict is Verdict.GOOD for item in self._twice(base))

    def _twice(self, base: str) -> list[Observation]:
        return self.prober.ask([Probe(base=base, again=again) for again in TWICE])

    def _check(self, base: str, wanted: Verdict) -> str:
        """Test an end twice; return why it is not as it has to be, or ""."""
        seen = self._twice(base)
        verdicts = {item.verdict for item in seen}
        name = self.green if base == GREEN else self.red
        packages = dict(seen[0].packages)
        self._ends.setdefault(base, Ending(name=name, verdict=seen[0].verdict, runs=len(seen), packages=packages))
        if verdicts == {wanted}:
            return ""
        if len(verdicts) > 1:
            return f"too flaky: of two runs of {name}, {_told(seen[0])}, and {_told(seen[1])}"
        return f"{name} is no {'green' if wanted is Verdict.GOOD else 'red'} end: {_told(seen[0])}"

    def _differing(self) -> Differing:
        green, red = ({item.name: item.version for item in self.prober.bases[name]} for name in (GREEN, RED))
        named = (*self.named, *self.prober.target.through)
        of = Differing(green=green, red=red, named=named, releases=self.times.releases)
        if not self.since:
            return of
        dates = self.times.dates(of.suspects, since=self.since)
        return replace(of, dates=tuple(time for time in dates if not self.until or time < self.until))

    def _add(self, found: Culprit) -> None:
        target = self.prober.target
        self.findings = [item for item in self.findings if item.culprit.name != found.name]  # an older one was found
        self.findings.append(
            Finding(
                culprit=found,
                failure=target.text,
                tests=target.tests,
                longrepr=target.longrepr,
                place=target.place,
                signature=target.signature,
                uploaded=self.times.uploaded(found.name, found.bad),
            )
        )

    def _without(self, found: Culprit) -> tuple[CellResult | None, str]:
        """Return the red result that is left without a culprit, or None and what is not told, "" if nothing."""
        if not found.good:
            return None, f"{found.name} is new: without it the red world could not be tried"
        back = Probe(base=RED, pins=((found.name, found.good),))
        world, seen = self.prober.resolve(back), found.without
        if not isinstance(world, LockEntry) or seen is None:
            return None, f"the red world does not resolve with {found.name} {found.good}: {world}"
        chosen = {found.name, *(item.culprit.name for item in self.findings)}
        before = {item.name: item.version for item in self.prober.bases[RED]}
        held = {item.name for item in world.distributions if before.get(item.name, item.version) != item.version}
        self.untested |= {name: before[name] for name in held - chosen}
        if found.name in {normalise(name) for name in self.prober.cells[""].axes}:
            left = "" if seen.verdict is Verdict.GOOD else f"{self.cell} pins {found.name}: nothing else was looked for"
            return None, left
        self.prober.limit(found.name, found.bad, found.good)
        world = self.prober.resolve(Probe(base=RED))
        if not isinstance(world, LockEntry):
            return None, f"the red world does not resolve with {found.name} below {found.bad}: {world}"
        self.prober.set_base(RED, world.distributions)
        if seen.verdict is not Verdict.BAD:  # this failure is gone, or another hides it: what is left of all failures?
            self.prober = replace(self.prober, target=self.all_failures)
            (seen,) = self.prober.ask([Probe(base=RED)])
            if seen.verdict is Verdict.GOOD:
                return None, ""
        result = self.prober.result(Probe(base=RED))
        if result is None or not result.outcome.is_red:
            return None, f"without {found.name} {found.bad}, the red world could not be tested: {seen.reason}"
        return result, ""


def _told(seen: Observation) -> str:
    if seen.verdict is Verdict.UNKNOWN:
        return f"it could not be told ({seen.reason})"
    return "its tests passed" if seen.verdict is Verdict.GOOD else "its tests failed"
