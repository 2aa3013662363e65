"""Sections below the grid at the end of a run: tests that differ, slow ones, changes, failures, commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from venvgrid.analysis.findings import GOOD, Analysis
from venvgrid.model import CaseOutcome, ExitStatus, Outcome
from venvgrid.reporters import machines, text
from venvgrid.results.report import BAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvgrid.analysis.findings import Difference
    from venvgrid.model import CellResult
    from venvgrid.reporters.manner import Manner
    from venvgrid.results.report import Report

MAX_CELLS = 8
MAX_DIFFERENCES = 20
MIN_DIFFERENCES = 2  # for one test its failure is enough
MAX_SLOW = 3
MAX_REPEATS = 3  # failures
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


def lines(report: Report, width: int, encoding: str, manner: Manner) -> Iterator[Text]:
    """Yield all sections."""
    analysis = Analysis(report)
    yield from _differences(analysis, width, encoding)
    yield from _slowest(analysis)
    yield from _machines(report)
    yield from _changes(analysis)
    if analysis.findings:
        from venvgrid.reporters.terminal import failures  # noqa: PLC0415  (a green run needs none)

        yield from failures.lines(analysis, encoding, manner.link)
        if not manner.has_keys:
            yield from _repeat(analysis, manner.options)


def next_commands(report: Report, options: Sequence[str]) -> Iterator[Text]:
    """Yield the commands for the next step, if there is one."""
    red = [cell for cell in report.cells if cell.outcome.is_red and not cell.allow_failure]
    outcomes = {cell.outcome for cell in report.cells}
    if not report.finished or report.folder:  # of other machines: there is nothing here to go on with
        return
    if report.exit_status == ExitStatus.INTERRUPTED:
        yield Text(f"Continue with: {text.command('venvgrid', 'run', *_grid(report), *options, '--resume')}", style=DIM)
    elif red:
        again = text.command("venvgrid", "run", *_grid(report), *options, "--failed")
        shell = text.command("venvgrid", "shell", *options, red[0].id)
        yield Text(f"Run red cells again: {again}   Open a shell in a cell: {shell}", style=DIM)
    elif Outcome.MISSING_INTERPRETER in outcomes:
        yield Text(f"List the interpreters found: {text.command('venvgrid', 'python')}", style=DIM)
    elif outcomes & {Outcome.BUILD_FAILED, Outcome.CANCELLED}:
        yield Text(f"Continue with: {text.command('venvgrid', 'run', *_grid(report), *options, '--failed')}", style=DIM)


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


def _machines(report: Report) -> Iterator[Text]:
    """Yield where the time went, if it went to several machines."""
    rows = [share.columns for share in machines.shares(report)]
    if not rows:
        return
    columns = [max(map(cell_len, column)) for column in zip(machines.HEAD, *rows, strict=True)]
    for row in (machines.HEAD, *rows):
        yield Text("  ".join(f"{part:<{wide}}" for part, wide in zip(row, columns, strict=True)).rstrip(), style=DIM)
    yield Text(machines.LEGEND, style=DIM)
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


def _repeat(analysis: Analysis, options: Sequence[str]) -> Iterator[Text]:
    """Yield the commands that run one cell of each failure again."""
    cells = list(dict.fromkeys((finding.group.cells[0], finding.group.outcome) for finding in analysis.findings))
    report, place = analysis.report, f"{analysis.report.folder}/capsules/"
    yield Text("To repeat it" if len(cells) == 1 else "To repeat each failure in one cell", style="bold")
    for cell, outcome in cells[:MAX_REPEATS]:
        yield Text(f"  {text.line(text.repeat(report, cell, outcome, options, place=place), 500)}")
    if len(cells) > MAX_REPEATS:
        yield Text(f"  and {len(cells) - MAX_REPEATS} more, each with the id of a cell", style=DIM)
    yield Text()


def _grid(report: Report) -> tuple[str, ...]:
    return (report.grid,) if report.grid else ()
