"""A failure seen in one cell only is run again, once, before a rule over versions is told.

A flaky failure looks like a rule of several conditions. The second run tells them apart. It costs the failing tests, in
the environment that is there. The outcome of the cell stays what it is: a red cell is never made green by it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.analysis.findings import Analysis
from venvgrid.model import CaseOutcome, CellFinished, ExitStatus, Outcome, Plan, PlannedCell, RunFinished, Status
from venvgrid.model.config import PYTEST
from venvgrid.model.values import dataclass
from venvgrid.reporters import text
from venvgrid.storage import own_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from venvgrid.app.context import RunContext
    from venvgrid.model import Cell, CellResult, Event, Failure, LockEntry
    from venvgrid.results.report import Case, Report

    Perform = Callable[[RunContext, Plan, Mapping[str, LockEntry]], Report]

AGAIN = ".again"  # in the id of the cell of the second run
MOST_CELLS = 5  # with such failures: if there are more, they are not rare
LONGEST = 60.0  # seconds that the failing tests of a cell took


@dataclass(frozen=True, slots=True, kw_only=True)
class Lone:
    """A cell with failures that no other cell has: their signatures, and the tests that fail with them."""

    cell: str
    signatures: frozenset[str]
    tests: tuple[str, ...]


def lone_failures(report: Report) -> tuple[Lone, ...]:
    """Return the cells to run again; none if there are many."""
    results = {cell.id: cell for cell in report.cells}
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for finding in Analysis(report).findings:
        group, cell = finding.group, results[finding.group.cells[0]]
        has_rule = bool(finding.explanation.rule) or finding.explanation.is_doubtful
        is_new = cell.outcome is Outcome.FAILED and cell.attempts == 1 and not cell.cached
        if has_rule and len(group.cells) == 1 and is_new and _are_tests(group.tests):
            found.setdefault(cell.id, []).append((group.signature, group.tests))
    lone = tuple(
        Lone(
            cell=name,
            signatures=frozenset(signature for signature, _ in some),
            tests=tuple(dict.fromkeys(test for _, tests in some for test in tests)),
        )
        for name, some in found.items()
    )
    return tuple(item for item in lone if _is_short(item, report)) if len(lone) <= MOST_CELLS else ()


def _are_tests(names: tuple[str, ...]) -> bool:
    return bool(names) and all("::" in name for name in names)


def _is_short(item: Lone, report: Report) -> bool:
    cases = report.tests.get(item.cell, {})
    return sum(cases[test].duration for test in item.tests if test in cases) <= LONGEST


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """Runs lone failures again at the end of a run, with `perform`. `entries` are the worlds of the cells of `plan`."""

    context: RunContext
    plan: Plan
    entries: Mapping[str, LockEntry]
    perform: Perform

    def added_to(self, events: Iterable[Event], report: Callable[[], Report]) -> Iterator[Event]:
        """Yield the events of a run; before its end, the results of cells with what their lone failures did again."""
        ended = None
        for event in events:
            if isinstance(event, RunFinished):
                ended = event  # `entries` is filled when the events are through
            else:
                yield event
        if ended is None:
            return
        began, status = time.monotonic(), ended.exit_status
        try:
            for result in self._results(report()) if status != ExitStatus.INTERRUPTED else ():
                yield CellFinished(result=result, at=ended.at)
        except KeyboardInterrupt:
            status = ExitStatus.INTERRUPTED
        took = time.monotonic() - began
        yield replace(ended, exit_status=status, at=ended.at + took, duration=ended.duration + took)

    def _results(self, report: Report) -> Iterator[CellResult]:
        config, front = self.context.config, self.context.front
        if config.test.reports != PYTEST or self.context.options.fail_fast:
            return
        alone = lone_failures(report)
        names = {item.cell for item in alone}
        cells = {item.cell.id: item.cell for item in self.plan.cells if item.cell.id in names} if names else {}
        results = {result.id: result for result in report.cells if result.id in names}
        suite = replace(config.test, retries=0, imports="noted", coverage=False)
        whole = replace(self.context, config=replace(config, test=suite)).sharing(self.context)
        for item in alone:
            if item.cell in self.entries:
                tests = text.count(len(item.tests), "failing test")
                front.notify(f"{item.cell}: {tests} again, as no other cell has this failure")
                again = whole.with_options(tests=item.tests, run_unchanged=True)
                yield told(results[item.cell], item, self._second(again, cells[item.cell]))

    def _second(self, again: RunContext, first: Cell) -> Report:
        # A name of its own, so that no file of the first run is replaced: coverage, {cell} of the command.
        cell = replace(first, id=f"{first.id}{AGAIN}")
        plan = Plan(cells=(PlannedCell(cell=cell, status=Status.RUNNABLE),))
        try:
            made = self.perform(again, plan, {cell.id: self.entries[first.id]})
        finally:
            with suppress(OSError):
                (again.root / "envs" / cell.id).unlink()
                own_folders.delete(again.root / "cells", cell.id)
        if made.exit_status == ExitStatus.INTERRUPTED:
            raise KeyboardInterrupt
        return made


def is_repetition(event: Event) -> bool:
    """Return whether an event is a result with what lone failures did again."""
    return isinstance(event, CellFinished) and any(item.again for item in event.result.failures)


def told(result: CellResult, item: Lone, seen: Report) -> CellResult:
    """Return the result of a cell whose lone failures have what a second run showed."""
    (second,) = seen.cells
    return replace(
        result,
        failures=tuple(
            replace(failure, again=_again(failure, second, seen.tests.get(second.id, {})))
            if failure.signature in item.signatures
            else failure
            for failure in result.failures
        ),
    )


def _again(failure: Failure, second: CellResult, cases: Mapping[str, Case]) -> CaseOutcome | None:
    """Return what a test did the second time; None if it failed in another way, or did not run."""
    if any(item.test == failure.test and item.signature == failure.signature for item in second.failures):
        return CaseOutcome.FAILED
    case = cases.get(failure.test)
    return CaseOutcome.PASSED if case is not None and case.verdict is CaseOutcome.PASSED else None
