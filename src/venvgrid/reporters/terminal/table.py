"""The report on a terminal: the grid, then the reasons and failures behind its signs. Readable without colour."""

from __future__ import annotations

import io
import itertools
import re
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from venvgrid.analysis import grid as grid_layout
from venvgrid.analysis import grouping
from venvgrid.analysis.findings import Analysis
from venvgrid.model import Outcome
from venvgrid.reporters import text
from venvgrid.reporters.manner import PLAIN
from venvgrid.reporters.terminal import sections
from venvgrid.reporters.terminal.grid_view import centred, padded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from venvgrid.analysis.grid import Grid
    from venvgrid.analysis.grouping import ReasonGroup
    from venvgrid.model import CellResult
    from venvgrid.reporters.manner import Manner
    from venvgrid.results.report import Report

MAX_CELLS = 8
MAX_FLAKY = 10
MAX_NOTES = 12
GAP = "  "
WHOLE = ("venvgrid", "log:")  # first words of lines that are not broken
DIM = "bright_black"

# Sections of reasons in the order of printing: the most important one is last, just above the prompt.
_TITLES = {
    Outcome.ELSEWHERE: "Elsewhere",
    Outcome.IMPOSSIBLE: "Impossible",
    Outcome.MISSING_INTERPRETER: "Missing interpreters",
    Outcome.CANCELLED: "No result",
    Outcome.BUILD_FAILED: "Not built",
}
_PLANNED = {Outcome.PASSED: "runnable", Outcome.BUILD_FAILED: "unknown"}


def render(report: Report, *, width: int, colour: bool, encoding: str, manner: Manner = PLAIN) -> str:
    """Render the report for a terminal of `width` columns with `encoding`."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=max(width, 20),
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
        _environ={},
    )
    for item in _lines(report, width, encoding, manner):
        for part in _wrapped(item, console) if manner.wrap else [item]:
            console.print(part, soft_wrap=True)
    return text.guard(text.encodable(out.getvalue(), encoding))


def _wrapped(item: Text, console: Console) -> Iterator[Text]:
    """Yield a line in parts that fit, indented; commands and paths stay whole, to be copied."""
    plain = item.plain
    if cell_len(plain) > console.width and (ends := re.search(r"\S {3,}(?=\S)", plain)) and plain[:1] != " ":
        yield from _wrapped(item[: ends.start() + 1], console)  # a list, such as two commands
        yield from _wrapped(item[ends.end() :], console)
        return
    margin = len(plain) - len(plain.lstrip())
    room = console.width - margin - 2
    words = plain.split()
    if cell_len(plain) <= console.width or max(map(cell_len, words)) > room or words[0] in WHOLE:
        yield item
        return
    for number, part in enumerate(item[margin:].wrap(console, room)):
        part.rstrip()
        yield Text(" " * (margin + 2 * bool(number))) + part


def summary(report: Report, *, planned: bool = False) -> str:
    """Return one line: the number of cells by outcome, and the duration."""
    cells = text.tally(report.cells, _PLANNED if planned else {})
    excluded = f", {len(report.excluded)} excluded" if report.excluded else ""
    return f"{cells}{excluded}" if planned else f"{cells}{excluded} in {text.seconds(report.duration)}"


def _lines(report: Report, width: int, encoding: str, manner: Manner) -> Iterator[Text]:
    planned = manner.planned
    if report.cells:
        yield from _cells(report, width, encoding, planned=planned)
        yield Text()
        yield _legend(report.cells, encoding, planned=planned)
        yield Text()
    for outcome, title in _TITLES.items():
        found = [group for group in grouping.by_reason(report.cells) if group.outcome is outcome]
        if found:
            name = "Unknown" if planned and outcome is Outcome.BUILD_FAILED else title
            yield from _reasons(name, found, report, encoding, verbose=manner.verbose)
    yield from _flaky(report)
    yield from sections.lines(report, width, encoding, manner)
    yield from _notes(report)
    if not report.finished:
        yield Text("The run did not finish; run it again: venvgrid run", style="bold red")
    yield Text(summary(report, planned=planned), style="bold")
    if not planned:
        yield from map(Text, text.coverage(report))
        yield from () if manner.has_keys else sections.next_commands(report, manner.options)


# the grid


def _cells(report: Report, width: int, encoding: str, *, planned: bool) -> Iterator[Text]:
    grid = grid_layout.arrange({cell.id: cell.axes for cell in report.cells})
    drawn = list(_grid(grid, report.cells, encoding)) if grid else []
    if grid and max(cell_len(item.plain) for item in drawn) <= width:
        yield from drawn
    else:
        yield from _list(report.cells, encoding, _PLANNED if planned else {})


def _grid(grid: Grid, cells: Iterable[CellResult], encoding: str) -> Iterator[Text]:
    marks = {cell.id: (text.mark(cell, encoding), text.colour(cell.outcome)) for cell in cells}
    columns = [text.line(column) or '""' for column in grid.columns]
    widths = [
        max(cell_len(column), *(cell_len(marks[row.cells[index]][0]) if row.cells[index] else 0 for row in grid.rows))
        for index, column in enumerate(columns)
    ]
    labels = [
        [text.line(label) or '""' for label in labels] for labels in (grid.row_axes, *(row.labels for row in grid.rows))
    ]
    beside = [max(cell_len(label) for label in column) for column in zip(*labels, strict=True)]
    if grid.fixed:
        yield Text("every cell: " + ", ".join(f"{text.line(name)}={text.line(value)}" for name, value in grid.fixed))
    head = [padded(label, wide) for label, wide in zip(labels[0], beside, strict=True)]
    head += [centred(column, wide) for column, wide in zip(columns, widths, strict=True)]
    yield Text(GAP.join(head).rstrip(), style="bold")
    for row, names in zip(grid.rows, labels[1:], strict=True):
        drawn = Text(GAP.join(padded(label, wide) for label, wide in zip(names, beside, strict=True)))
        for identifier, wide in zip(row.cells, widths, strict=True):
            sign, colour = marks.get(identifier, ("", ""))
            drawn.append(GAP).append(centred(sign, wide), style=colour)
        drawn.rstrip()
        yield drawn


def _list(cells: tuple[CellResult, ...], encoding: str, words: Mapping[Outcome, str]) -> Iterator[Text]:
    wide = max(len(cell.id) for cell in cells)
    signs = {cell.id: text.mark(cell, encoding) for cell in cells}
    for cell in cells:
        colour = text.colour(cell.outcome)
        details = [
            text.tests_of(cell),
            text.seconds(cell.durations["test"]) if "test" in cell.durations else "",
        ]
        yield Text.assemble(
            (padded(signs[cell.id], max(map(cell_len, signs.values()))), colour),
            f" {padded(text.line(cell.id), wide)}  ",
            (words.get(cell.outcome, cell.outcome.value), colour),
            (f": {', '.join(filter(None, details))}" if any(details) else "", DIM),
        )


def _legend(cells: Iterable[CellResult], encoding: str, *, planned: bool) -> Text:
    every = tuple(cells)
    words = _PLANNED if planned else {}
    present = [outcome for outcome in Outcome if any(cell.outcome is outcome for cell in every)]
    signs = [f"{text.symbol(outcome, encoding)} {words.get(outcome, outcome.value)}" for outcome in present]
    if any(cell.cached for cell in every):
        signs.append(f"{text.CACHED[text.is_plain(encoding)]} from an earlier run")
    if any(cell.allow_failure and not cell.outcome.is_green for cell in every):
        signs.append("( ) may fail")
    return Text("   ".join(signs), style=DIM)


# reasons, flaky tests, notes


def _reasons(title: str, found: list[ReasonGroup], report: Report, encoding: str, *, verbose: bool) -> Iterator[Text]:
    sign = text.symbol(found[0].outcome, encoding)
    nothing_ran = not any(cell.outcome.is_green or cell.outcome.is_red for cell in report.cells)
    yield Text(f"{sign} {title}", style=f"bold {text.colour(found[0].outcome)}")
    for group in found:
        single = len(group.cells) == 1
        which = text.line(group.cells[0]) if single else text.count(len(group.cells), "cell")
        yield Text(f"  {text.line(group.reason or 'no reason was given', 500)} ({which})")
        if group.outcome is not Outcome.IMPOSSIBLE and not single:
            from venvgrid.reporters.terminal import failures  # noqa: PLC0415  (a green run needs none)

            yield Text(f"    {failures.which(group.cells, report)}", style=DIM)
        if group.hint and (verbose or nothing_ran or group.outcome is not Outcome.IMPOSSIBLE):
            yield Text(f"    → {text.line(group.hint, 500)}", style="cyan")
        if verbose:
            for line in group.words.splitlines():
                yield Text(f"    | {text.line(line, 500, indented=True)}".rstrip(), style=DIM)
        if group.log:
            yield Text(f"    log: {text.log(report, group.log)}", style=DIM)
    yield Text()


def _flaky(report: Report) -> Iterator[Text]:
    found = list(Analysis(report).flaky)
    if not found:
        return
    yield Text("~ Flaky", style="bold yellow")
    for cell, name, earlier in found[:MAX_FLAKY]:
        yield Text(f"  {text.line(name)} in {text.line(cell)}: passed after {text.line(earlier)}")
    if len(found) > MAX_FLAKY:
        yield Text(f"  and {len(found) - MAX_FLAKY} more")
    yield Text()


def _notes(report: Report) -> Iterator[Text]:
    found = grouping.by_note(report.cells)
    for note, cells in itertools.islice(found.items(), MAX_NOTES):
        yield Text(f"note: {text.line(note, 500)} ({text.some(cells, MAX_CELLS)})", style="yellow")
    if len(found) > MAX_NOTES:
        yield Text(
            f"note: {len(found) - MAX_NOTES} more; to see them: venvgrid report --format markdown", style="yellow"
        )
    for warning in report.warnings:
        yield Text(f"warning: {text.line(warning, 500)}", style="yellow")
    if found or report.warnings:
        yield Text()
