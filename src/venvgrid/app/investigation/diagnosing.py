"""The rule behind a failure of a run, found by probes: cells of the grid that did not run, and lock swaps."""

from __future__ import annotations

import itertools
from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from venvgrid.analysis import grouping
from venvgrid.analysis.diagnosis.candidates import Candidate, swaps
from venvgrid.analysis.diagnosis.diagnosis import BUDGET, Diagnosis, diagnose
from venvgrid.analysis.findings import Analysis
from venvgrid.analysis.search.culprits import GREEN
from venvgrid.analysis.search.protocol import Observation, Probe, Verdict, answer
from venvgrid.app.investigation.worlds import distributions
from venvgrid.app.plan import by_platform
from venvgrid.app.request import runnable
from venvgrid.model.values import dataclass
from venvgrid.planning import expansion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venvgrid.analysis.diagnosis import candidates
    from venvgrid.app.investigation.prober import Prober
    from venvgrid.model import Cell, CellResult
    from venvgrid.results.report import Report

MOST_CELLS = 500  # of the grid that are candidates


@dataclass(frozen=True, kw_only=True)
class Diagnosing:
    """Asks a prober about the failure of its target in the cells of a report.

    `green` is a cell in which the tests passed, on the same Python as the red one: swaps are between their locks.
    """

    prober: Prober
    report: Report
    red: CellResult
    green: CellResult | None = None
    _worlds: dict[str, Probe] = field(default_factory=dict)  # by the name of the candidate
    _runs: dict[str, list[Observation]] = field(default_factory=dict)  # of these, so far

    def run(self, at_once: int = 1, budget: int = BUDGET) -> Diagnosis | None:
        """Return the rule, or None if the failure is of no group with cells to compare."""
        seen = self._seen()
        self.prober.cells = {**self.prober.cells, **self._cells}
        if len({item.verdict for item in seen.values()}) < 2:  # noqa: PLR2004  (good and bad)
            return None
        search = diagnose(
            seen,
            self._candidates(seen),
            at_once=at_once,
            budget=budget,
            through=self.prober.target.through,
        )
        return answer(search, self._ask)

    def _seen(self) -> dict[str, Observation]:
        """Return what the run showed: cells with the failure, and cells in which its tests passed."""
        target, cells = self.prober.target, {cell.id: cell for cell in self.report.cells}
        groups = [item for item in grouping.by_signature(self.report.cells) if item.signature == target.signature]
        found: dict[str, Observation] = {}
        analysis = Analysis(self.report)
        for group in groups:
            for verdict, names in ((Verdict.BAD, group.cells), (Verdict.GOOD, analysis.passing(group))):
                for name in names:
                    known = cells[name]
                    bad_runs = int(verdict is Verdict.BAD)
                    found[name] = Observation(
                        verdict=verdict, axes=dict(known.axes), packages=dict(known.packages), bad_runs=bad_runs
                    )
        found = {name: item for name, item in found.items() if name in self._cells}
        for name, item in found.items():
            self._worlds[name] = Probe(cell=name, base=name)
            self.prober.set_base(name, distributions(item.packages))
        return found

    @cached_property
    def _cells(self) -> Mapping[str, Cell]:
        """All cells that the axes allow on this machine, whatever the strategy."""
        context = self.prober.context
        whole = replace(context.config, strategy="full", planning=replace(context.config.planning, kind="full"))
        return {cell.id: cell for cell in runnable(by_platform(expansion.expand(whole), context.machine.platform))}

    def _candidates(self, seen: Mapping[str, Observation]) -> list[Candidate]:
        found = []
        for name, cell in itertools.islice(self._cells.items(), MOST_CELLS):
            if name not in seen:
                found.append(Candidate(name=name, axes=dict(cell.axes)))
                self._worlds[name] = Probe(cell=name)
        if self.green is not None:
            first = self.prober.target.through
            for swap in swaps(self.green.axes, self.green.packages, self.red.packages, first=first):
                pins = tuple(sorted((name, self.red.packages.get(name, "")) for name in swap.swapped))
                if all(version for _, version in pins):
                    found.append(swap)
                    self._worlds[swap.name] = Probe(base=GREEN, pins=pins)
        return found

    def _ask(self, probes: Sequence[candidates.ProbeRequest]) -> list[Observation]:
        """Run probes, each as often as it asks for."""
        asked = [(number, again) for number, item in enumerate(probes) for again in range(item.runs)]
        shown: list[list[Observation]] = [[] for _ in probes]
        wanted = []
        for number, again in asked:
            item = probes[number]
            first = len(self._runs.setdefault(item.candidate.name, []))
            wanted.append(replace(self._worlds[item.candidate.name], again=first + again))
        for (number, _), seen in zip(asked, self.prober.ask(wanted), strict=True):
            shown[number].append(seen)
        for item, some in zip(probes, shown, strict=True):
            self._runs[item.candidate.name] += some
        return [_together(some) for some in shown]


def _together(seen: Sequence[Observation]) -> Observation:
    """Return several runs of one world as one observation."""
    bad = sum(item.verdict is Verdict.BAD for item in seen)
    good = sum(item.verdict is Verdict.GOOD for item in seen)
    if not (bad or good):
        return seen[0]
    known = next(item for item in seen if item.verdict is not Verdict.UNKNOWN)
    return replace(known, verdict=Verdict.BAD if bad else Verdict.GOOD, runs=bad + good, bad_runs=bad)
