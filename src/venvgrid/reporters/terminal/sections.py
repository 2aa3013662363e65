"""Sections below the grid at the end of a run: tests that differ, slow ones, changes, failures, commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from venvgrid.analysis import ranges, rules
from venvgrid.analysis.findings import GOOD, Analysis
from venvgrid.model import CaseOutcome, Outcome
from venvgrid.reporters import text
from venvgrid.results.report import BAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venvgrid.analysis.findings import Difference, Finding
    from venvgrid.model import CellResult
    from venvgrid.results.report import Report

MAX_GROUPS = 20
MAX_TESTS = 5  # of a failure group
MAX_CELLS = 8
MAX_IDS = 4  # cells: of more the ranges of their axes are shorter and say more
MAX_DIFFERENCES = 20
MIN_DIFFERENCES = 2  # for one test its failure is enough
MAX_SLOW = 3
MAX_REPEATS = 10
SLOW_CELL, SLOW_TEST = 5.0, 1.0  # seconds; faster ones are not listed
MIN_NAME_WIDTH = 24  # columns for the name of a test
DIM = "bright_black"
SIGNS = {
    CaseOutcome.PASSED: ("✓", "+", "green"),
    CaseOutcome.XPASSED: ("✓", "+", "green"),
    CaseOutcome.FAILED: ("✗", "x", "red"),
    CaseOutcome.ERROR: ("E", "E", "red"),
    CaseOutcome.SKIPPED: ("s", "s", DIM),
    CaseOutcome.XFAILED: ("s", "s", DIM),
}

_PLACE = re.compile(r" @ (\S+(?: > \S+)?)$")  # end of a signature


def lines(report: Report, width: int, encoding: str, options: Sequence[str]) -> Iterator[Text]:
    """Yield all sections."""
    analysis = Analysis(report)
    yield from _differences(analysis, width, encoding)
    yield from _slowest(analysis)
    yield from _changes(analysis)
    yield from _failures(analysis, encoding)
    yield from _repeat(report, options)


def next_commands(report: Report, options: Sequence[str]) -> Iterator[Text]:
    """Yield the commands for the next step, if there is one."""
    red = [cell for cell in report.cells if cell.outcome.is_red and not cell.allow_failure]
    outcomes = {cell.outcome for cell in report.cells}
    if not report.finished:
        return
    if red:
        again = text.command("venvgrid", "run", *_grid(report), *options, "--failed")
        shell = text.command("venvgrid", "shell", *options, red[0].id)
        yield Text(f"Run red cells again: {again}   Open a shell in a cell: {shell}", style=DIM)
    elif Outcome.MISSING_INTERPRETER in outcomes:
        yield Text(f"List the interpreters found: {text.command('venvgrid', 'python')}", style=DIM)
    elif outcomes & {Outcome.BUILD_FAILED, Outcome.CANCELLED}:
        yield Text(f"Continue with: {text.command('venvgrid', 'run', *_grid(report), *options, '--failed')}", style=DIM)


def _failures(analysis: Analysis, encoding: str) -> Iterator[Text]:
    results = {cell.id: cell for cell in analysis.report.cells}
    found = analysis.findings
    for finding in found[:MAX_GROUPS]:
        yield from _failure(finding, analysis.report, results, encoding)
        yield Text()
    if len(found) > MAX_GROUPS:
        more = f"and {len(found) - MAX_GROUPS} more failures: venvgrid report --format json"
        yield Text(f"{text.ELLIPSIS[text.is_plain(encoding)]} {more}", style="bold red")
        yield Text()


def _failure(finding: Finding, report: Report, results: Mapping[str, CellResult], encoding: str) -> Iterator[Text]:
    group = finding.group
    known = group.kind.replace("-", " ") == group.outcome.value.replace("-", " ")
    what = [] if group.tests else [group.outcome.value]
    what += [group.kind] if group.kind and not (known and what) else []
    head = ": ".join([*what, *([group.message] if group.message else [])]) or "failed"
    sign = text.symbol(group.outcome if not group.tests else Outcome.FAILED, encoding)
    yield Text.assemble((f"{sign} {text.line(head, 500)}", "bold red"), " (may fail)" if group.allowed else "")
    place = _PLACE.search(group.signature) if group.tests else None
    if place:
        yield Text(f"    at {text.line(place[1])}", style=DIM)
    for test in group.tests[:MAX_TESTS]:
        yield Text(f"    {text.line(test)}")
    if len(group.tests) > MAX_TESTS:
        yield Text(f"    and {len(group.tests) - MAX_TESTS} more tests")
    for number, line in enumerate(rules.describe(finding.explanation)):
        yield Text(f"    {text.line(line, 500)}", style=DIM if number else "bold")
    many = f"{len(group.cells)} of {text.count(len(report.cells), 'cell')}"
    yield Text(f"    in {many}: {which(group.cells, report)}", style=DIM)
    first = results[group.cells[0]]
    if not group.tests and first.reason and group.message not in first.reason:
        yield Text(f"    {text.line(first.reason, 500)}")
    if group.log:
        yield Text(f"    log: {text.log(report, group.log)}", style=DIM)


def which(cells: Sequence[str], report: Report) -> str:
    """Return the ids of a few cells; of more, the ranges of their axes."""
    if len(cells) <= MAX_IDS:
        return text.some(cells, MAX_IDS)
    return text.line(ranges.described(cells, {cell.id: cell.axes for cell in report.cells}), 500)


def _changes(analysis: Analysis) -> Iterator[Text]:
    changes = analysis.changes
    if not changes:
        return
    yield Text("Since the last run", style="bold")
    for word, cells, colour in (
        ("regressed", changes.regressed, "red"),
        ("fixed", changes.fixed, "green"),
        ("newly impossible", changes.newly_impossible, "yellow"),
        ("newly possible", changes.newly_possible, "green"),
    ):
        if cells:
            yield Text.assemble((f"  {word}: ", colour), text.some(cells, MAX_CELLS))
    if changes.moved:
        yield Text(f"    common to all regressed cells: {text.some(changes.moved, MAX_CELLS)}", style=DIM)
    yield Text()


def _slowest(analysis: Analysis) -> Iterator[Text]:
    found = analysis.slowest_cells(MAX_SLOW) if len(analysis.report.cells) > 1 else ()
    cells = [item for item in found if item.seconds >= SLOW_CELL]
    tests = [item for item in analysis.slowest_tests(MAX_SLOW) if item.seconds >= SLOW_TEST]
    if cells:
        names = ", ".join(f"{text.line(item.cell)} {text.seconds(item.seconds)}" for item in cells)
        yield Text(f"Slowest cells: {names}", style=DIM)
    if tests:
        names = ", ".join(f"{text.line(item.test)} {text.seconds(item.seconds)} in {item.cell}" for item in tests)
        yield Text(f"Slowest tests: {names}", style=DIM)
    if cells or tests:
        yield Text()


# tests that differ


def _differences(analysis: Analysis, width: int, encoding: str) -> Iterator[Text]:
    broken = [item for item in analysis.differences if item.is_broken and GOOD & set(item.verdicts.values())]
    if len(broken) < MIN_DIFFERENCES:
        return
    cells = [cell for cell in analysis.report.cells if cell.id in analysis.report.tests]
    heads = _heads(cells)
    columns = [max(cell_len(line) for line in head) for head in zip(*heads, strict=True)]
    room = width - sum(columns) - 2 * len(columns)
    yield Text(f"{text.count(len(broken), 'test')} with different outcomes in different cells", style="bold")
    if room < MIN_NAME_WIDTH:
        yield from _listed(broken, cells)
    else:
        yield from _tabled(broken, cells, heads, columns, min(room, 100), text.is_plain(encoding))
    if len(broken) > MAX_DIFFERENCES:
        yield Text(f"  and {len(broken) - MAX_DIFFERENCES} more: venvgrid report --format html", style=DIM)
    yield Text()


def _heads(cells: Sequence[CellResult]) -> list[list[str]]:
    """Return a line of labels for each axis that varies; at least one."""
    axes = [name for name in cells[0].axes if len({cell.axes.get(name) for cell in cells}) > 1] or ["python"]
    return [[text.line(cell.axes.get(name, "")) for cell in cells] for name in axes]


def _tabled(
    found: Sequence[Difference],
    cells: Sequence[CellResult],
    heads: Sequence[Sequence[str]],
    columns: Sequence[int],
    room: int,
    is_plain: bool,  # noqa: FBT001  (private)
) -> Iterator[Text]:
    shown = found[:MAX_DIFFERENCES]
    names = [_shortened(text.line(item.test), room - 2) for item in shown]
    wide = max(map(cell_len, names)) + 2
    for head in heads:
        labels = "".join(f"  {label:>{column}}" for label, column in zip(head, columns, strict=True))
        yield Text(" " * wide + labels, style=DIM)
    for item, name in zip(shown, names, strict=True):
        drawn = Text(f"  {name}" + " " * (wide - 2 - cell_len(name)))
        for cell, column in zip(cells, columns, strict=True):
            verdict = item.verdicts.get(cell.id)
            sign, colour = (SIGNS[verdict][is_plain], SIGNS[verdict][2]) if verdict else (" ", "")
            drawn.append(f"  {sign:>{column}}", style=colour)
        yield drawn


def _listed(found: Sequence[Difference], cells: Sequence[CellResult]) -> Iterator[Text]:
    for item in found[:MAX_DIFFERENCES]:
        bad = [cell.id for cell in cells if item.verdicts.get(cell.id) in BAD]
        yield Text(f"  {text.line(item.test)}")
        yield Text(f"    fails in {len(bad)} of {len(item.verdicts)}: {text.some(bad, MAX_CELLS)}", style=DIM)


def _shortened(name: str, room: int) -> str:
    """Cut the beginning of a test's name: its end is more specific."""
    return name if cell_len(name) <= room else f"…{name[-(room - 1) :]}"


def _repeat(report: Report, options: Sequence[str]) -> Iterator[Text]:
    red = [cell for cell in report.cells if cell.outcome.is_red]
    if not red:
        return
    yield Text("To repeat just one" if len(red) > 1 else "To repeat it", style="bold")
    for cell in red[:MAX_REPEATS]:
        yield Text(f"  {text.line(repeat(cell.id, (*_grid(report), *options)), 500)}")
    if len(red) > MAX_REPEATS:
        yield Text(f"  and {len(red) - MAX_REPEATS} more, each with its id", style=DIM)
    yield Text()


def _grid(report: Report) -> tuple[str, ...]:
    return (report.grid,) if report.grid else ()


def repeat(cell: str, options: Sequence[str] = ()) -> str:
    """Return the command that runs one cell again."""
    return text.command("venvgrid", "run", *options, "-k", cell)
