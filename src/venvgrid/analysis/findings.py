"""Findings of a run: explained failures, tests that differ between cells, changes, slow cells and tests. Pure."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from venvgrid.analysis import comparison
from venvgrid.model import CaseOutcome, Outcome
from venvgrid.model.values import dataclass
from venvgrid.results.report import BAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from venvgrid.analysis.comparison import Changes
    from venvgrid.analysis.grouping import FailureGroup
    from venvgrid.analysis.rules.evidence import Evidence
    from venvgrid.analysis.rules.explanation import Explanation
    from venvgrid.model import CellResult
    from venvgrid.results.report import Case, Report

GOOD = frozenset({CaseOutcome.PASSED, CaseOutcome.XPASSED})
PASSED_AGAIN = (
    "seen in one cell only, and passed when it ran again by itself: flaky, or it needs the tests before it; "
    "no rule over versions is told"
)
INFORMATIVE = frozenset(  # outcomes that depend on versions: the tests ran
    {Outcome.PASSED, Outcome.FLAKY, Outcome.FAILED, Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.BROKEN_ENV}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A failure in one or more cells, and the rule that separates them from cells in which the same tests passed."""

    group: FailureGroup
    explanation: Explanation

    @property
    def lines(self) -> tuple[str, ...]:
        """What is known of the cause, as a few lines of text: the rule first."""
        if self.group.again is CaseOutcome.PASSED:
            return (PASSED_AGAIN,)
        from venvgrid.analysis.rules import wording  # noqa: PLC0415  (a green run needs none)

        return wording.describe(self.explanation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A test whose outcome differs between cells. `verdicts` maps each cell that ran it to its outcome there."""

    test: str
    verdicts: Mapping[str, CaseOutcome]

    @property
    def is_broken(self) -> bool:
        """Whether the test failed in a cell. If not, it was skipped or expected to fail."""
        return not BAD.isdisjoint(self.verdicts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """Duration in seconds of all tests of a cell (`test` is ""), or of one test in its slowest cell."""

    cell: str
    seconds: float
    test: str = ""


@dataclass(frozen=True)
class Analysis:
    """Analysis of a report. Each part is computed on first access."""

    report: Report

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Every failure with its explanation, in the order of `grouping.by_signature`."""
        if not any(cell.failures or cell.outcome.is_red for cell in self.report.cells):
            return ()
        from venvgrid.analysis import grouping  # noqa: PLC0415  (a green run needs none)
        from venvgrid.analysis.rules.evidence import Evidence  # noqa: PLC0415

        evidence = Evidence(_repeated(cell) for cell in self.report.cells if cell.outcome in INFORMATIVE)
        return tuple(
            Finding(group=group, explanation=self._explained(group, evidence))
            for group in grouping.by_signature(self.report.cells)
        )

    def _explained(self, group: FailureGroup, evidence: Evidence) -> Explanation:
        """Return the explanation of a failure; one that passed when it ran again has no rule."""
        from venvgrid.analysis.rules.explanation import Explanation  # noqa: PLC0415

        found = evidence.explain(group.cells, self.passing(group), group.through)
        if group.again is CaseOutcome.PASSED:
            return Explanation(failed=found.failed, meeting=found.meeting + found.others)
        return found if group.again is None else replace(found, is_doubtful=False)

    @cached_property
    def changes(self) -> Changes:
        """Changes since the last run of each cell."""
        return comparison.changes(self.report.before, self.report.cells)

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """The tests whose outcome differs between cells, those that failed somewhere first."""
        names = dict.fromkeys(name for cases in self.report.tests.values() for name in cases)
        found = (self._difference(name) for name in names)
        return tuple(sorted((item for item in found if item is not None), key=lambda item: not item.is_broken))

    @property
    def flaky(self) -> Iterator[tuple[str, str, str]]:
        """Tests that passed after a failed attempt: cell, test, earlier failure."""
        for cell in self.report.cells:
            for name, case in self.report.tests.get(cell.id, {}).items():
                if case.earlier and case.verdict not in BAD:
                    yield cell.id, name, case.earlier

    def slowest_cells(self, most: int) -> tuple[Slow, ...]:
        """Return the cells whose tests took longest in this run."""
        ran = [cell for cell in self.report.cells if not cell.cached and "test" in cell.durations]
        found = heapq.nlargest(most, ran, key=lambda cell: cell.durations["test"])
        return tuple(Slow(cell=cell.id, seconds=cell.durations["test"]) for cell in found)

    def slowest_tests(self, most: int) -> tuple[Slow, ...]:
        """Return the tests with the longest duration in any cell, each with its slowest cell."""
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

    def passing(self, group: FailureGroup) -> list[str]:
        """Return the cells without a failure in which its tests passed.

        For a failure without tests, and in cells whose tests are not known, green cells count.
        """
        if not group.tests:
            found = self._green
        else:
            seen: dict[str, set[CaseOutcome]] = {}
            for cell, verdict in itertools.chain.from_iterable(self._verdicts[test] for test in group.tests):
                seen.setdefault(cell, set()).add(verdict)
            found = {cell for cell, verdicts in seen.items() if verdicts & GOOD and not verdicts & BAD}
            # A test file that could not be collected has no cases.
            is_file = any("::" not in test for test in group.tests)
            found |= {cell for cell in self._green if cell not in (seen if is_file else self.report.tests)}
        return sorted(found.difference(group.cells), key=self._places.__getitem__)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {cell.id: place for place, cell in enumerate(self.report.cells)}

    @cached_property
    def _green(self) -> set[str]:
        return {cell.id for cell in self.report.cells if cell.outcome.is_green}

    @cached_property
    def _verdicts(self) -> Mapping[str, list[tuple[str, CaseOutcome]]]:
        """The cells that ran each test which failed anywhere, with its verdict."""
        found: dict[str, list[tuple[str, CaseOutcome]]] = {
            failure.test: [] for cell in self.report.cells for failure in cell.failures
        }
        for cell, cases in self.report.tests.items():
            for test in found.keys() & cases.keys() if cell in self._places else ():
                found[test].append((cell, cases[test].verdict))
        return found


def _repeated(cell: CellResult) -> CellResult:
    """Return a cell whose failure was seen again as one that failed in two attempts."""
    again = any(failure.again is CaseOutcome.FAILED for failure in cell.failures)
    return replace(cell, attempts=max(cell.attempts, 2)) if again else cell


def _kind(verdict: CaseOutcome) -> str:
    return "good" if verdict in GOOD else "bad" if verdict in BAD else "neither"
