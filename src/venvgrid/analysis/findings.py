"""What the results of a run mean together: failures by versions, tests that differ, changes, what took long. Pure."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from venvgrid.analysis import comparison, grouping
from venvgrid.analysis.rules import Evidence, Explanation
from venvgrid.model.result import CaseOutcome, Outcome
from venvgrid.results.report import BAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from venvgrid.analysis.comparison import Changes
    from venvgrid.analysis.grouping import FailureGroup
    from venvgrid.model.result import CellResult
    from venvgrid.results.report import Case, Report

GOOD = frozenset({CaseOutcome.PASSED, CaseOutcome.XPASSED})
SAYS_SOMETHING = frozenset(  # about versions: the tests ran
    {Outcome.PASSED, Outcome.FLAKY, Outcome.FAILED, Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.BROKEN_ENV}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A failure in one or more cells, and what tells those from the ones in which the same tests passed."""

    group: FailureGroup
    explanation: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A test that passed in one cell and not in another; `verdicts` maps the cells that ran it to what it did there."""

    test: str
    verdicts: Mapping[str, CaseOutcome]

    @property
    def is_broken(self) -> bool:
        """Whether it failed somewhere: else it was skipped, or expected to fail."""
        return not BAD.isdisjoint(self.verdicts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """A cell's tests (`test` is ""), or a test in the cell in which it took longest; seconds."""

    cell: str
    seconds: float
    test: str = ""


@dataclass(frozen=True)
class Analysis:
    """Looks at a report; each part is made when it is first asked for."""

    report: Report

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Every failure with its explanation, in the order of `grouping.by_signature`."""
        evidence = Evidence(cell for cell in self.report.cells if cell.outcome in SAYS_SOMETHING)
        return tuple(
            Finding(group=group, explanation=evidence.explain(group.cells, self._passing(group)))
            for group in grouping.by_signature(self.report.cells)
        )

    @cached_property
    def changes(self) -> Changes:
        """What has changed since the last run of each cell."""
        return comparison.changes(self.report.before, self.report.cells)

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """The tests whose outcome differs between cells, those that failed somewhere first."""
        names = dict.fromkeys(name for cases in self.report.tests.values() for name in cases)
        found = (self._difference(name) for name in names)
        return tuple(sorted((item for item in found if item is not None), key=lambda item: not item.is_broken))

    def slowest_cells(self, most: int) -> tuple[Slow, ...]:
        """Give the cells whose tests took longest in this run."""
        ran = [cell for cell in self.report.cells if not cell.cached and "test" in cell.durations]
        found = heapq.nlargest(most, ran, key=lambda cell: cell.durations["test"])
        return tuple(Slow(cell=cell.id, seconds=cell.durations["test"]) for cell in found)

    def slowest_tests(self, most: int) -> tuple[Slow, ...]:
        """Give the tests that took longest in any cell, each with the cell where it did."""
        longest: dict[str, tuple[float, str]] = {}
        for cell, cases in self._ran():
            for name, case in cases.items():
                if name not in longest or case.duration > longest[name][0]:
                    longest[name] = (case.duration, cell)
        found = heapq.nlargest(most, longest.items(), key=lambda item: item[1][0])
        return tuple(Slow(cell=cell, seconds=seconds, test=name) for name, (seconds, cell) in found)

    def _ran(self) -> Iterable[tuple[str, Mapping[str, Case]]]:
        cached = {cell.id for cell in self.report.cells if cell.cached}
        return ((cell, cases) for cell, cases in self.report.tests.items() if cell not in cached)

    def _difference(self, name: str) -> Difference | None:
        verdicts = {cell: cases[name].verdict for cell, cases in self.report.tests.items() if name in cases}
        kinds = {_kind(verdict) for verdict in verdicts.values()}
        return Difference(test=name, verdicts=verdicts) if len(kinds) > 1 else None

    def _passing(self, group: FailureGroup) -> list[str]:
        return [cell.id for cell in self.report.cells if cell.id not in group.cells and self._passes(cell, group)]

    def _passes(self, cell: CellResult, group: FailureGroup) -> bool:
        """Whether the tests of a failure ran in a cell and were fine; without tests, whether the cell is."""
        cases = self.report.tests.get(cell.id)
        if not group.tests or cases is None:
            return cell.outcome.is_green
        seen = {cases[test].verdict for test in group.tests if test in cases}
        if not seen and any("::" not in test for test in group.tests):  # a file that could not be collected
            return cell.outcome.is_green
        return bool(seen & GOOD) and not seen & BAD


def _kind(verdict: CaseOutcome) -> str:
    return "good" if verdict in GOOD else "bad" if verdict in BAD else "neither"
