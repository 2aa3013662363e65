"""The end of a run for people: the grid, then what stands behind its signs."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from venvgrid import grid_layout, report
from venvgrid.model import Outcome
from venvgrid.reporters import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from venvgrid.model import CellResult
    from venvgrid.report import FailureGroup, Report

MOST_TESTS = 8  # of a failure group
MOST_CELLS = 12
ORDER = tuple(Outcome)


def render(finished: Report, *, width: int, colour: bool, encoding: str, planned: bool = False) -> str:
    """Render the report for a terminal of `width` columns; without colour it says the same.

    `planned`: nothing has run yet; what is marked as passed is runnable.
    """
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
        soft_wrap=False,
    )
    if finished.cells:
        _grid(console, finished, width, encoding)
        _legend(console, finished, encoding, planned=planned)
    _reasons(console, finished)
    _failures(console, finished)
    _notes(console, finished)
    console.print(Text(summary(finished, planned=planned), style="bold"))
    return out.getvalue()


def summary(finished: Report, *, planned: bool = False) -> str:
    """Say in one line how many cells there are of each outcome."""
    counts = [
        f"{number} {_name(outcome, planned=planned)}"
        for outcome in ORDER
        if (number := sum(cell.outcome is outcome for cell in finished.cells))
    ]
    excluded = [f"{len(finished.excluded)} excluded"] if finished.excluded else []
    tests = sum(sum(cell.tests.values()) for cell in finished.cells)
    told = f", {text.count(tests, 'test')}" if tests else ""
    cells = text.count(len(finished.cells), "cell")
    took = "" if planned else f" in {text.seconds(finished.duration)}"
    return f"{cells}: {', '.join([*counts, *excluded]) or 'nothing to run'}{told}{took}"


def _name(outcome: Outcome, *, planned: bool) -> str:
    if not planned:
        return outcome.value
    return {Outcome.PASSED: "runnable", Outcome.BUILD_FAILED: "not found out"}.get(outcome, outcome.value)


def _grid(console: Console, finished: Report, width: int, encoding: str) -> None:
    results = {cell.id: cell for cell in finished.cells}
    grid = grid_layout.arrange({cell.id: cell.axes for cell in finished.cells})
    needed = max(map(len, [*grid.rows, grid.title])) + sum(len(column) + 2 for column in grid.columns)
    if needed > width:
        _list(console, finished.cells, encoding)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_edge=False, header_style="bold")
    table.add_column(grid.title or grid.column_axis, no_wrap=True)
    for column in grid.columns:
        table.add_column(column, justify="center", no_wrap=True)
    for row in grid.rows:
        signs = [_sign(results.get(grid.places.get((row, column), "")), encoding) for column in grid.columns]
        table.add_row(text.line(row), *signs)
    console.print(table)


def _list(console: Console, cells: Iterable[CellResult], encoding: str) -> None:
    for cell in cells:
        took = text.seconds(cell.durations["test"]) if "test" in cell.durations else ""
        line = Text.assemble(_sign(cell, encoding), " ", text.line(cell.id), f"  {cell.outcome.value}  {took}")
        console.print(line, no_wrap=True, overflow="ellipsis")


def _sign(cell: CellResult | None, encoding: str) -> Text:
    if cell is None:
        return Text(" ")
    again = "*" if cell.cached else ""
    return Text(text.symbol(cell.outcome, encoding) + again, style=text.colour(cell.outcome))


def _legend(console: Console, finished: Report, encoding: str, *, planned: bool) -> None:
    present = [outcome for outcome in ORDER if any(cell.outcome is outcome for cell in finished.cells)]
    signs = [f"{text.symbol(outcome, encoding)} {_name(outcome, planned=planned)}" for outcome in present]
    cached = ["* from an earlier run"] if any(cell.cached for cell in finished.cells) else []
    console.print()
    console.print(Text("   ".join([*signs, *cached]), style="bright_black"))


def _reasons(console: Console, finished: Report) -> None:
    found = report.reasons(finished)
    if not found:
        return
    console.print()
    outcomes = dict.fromkeys(group.outcome for group in found)
    for outcome in outcomes:
        console.print(Text(outcome.value, style=f"bold {text.colour(outcome)}"))
        for group in (group for group in found if group.outcome is outcome):
            console.print(Text(f"  {text.line(group.reason, 400)}"), soft_wrap=True)
            console.print(Text(f"    {_cells(group.cells)}", style="bright_black"), soft_wrap=True)


def _failures(console: Console, finished: Report) -> None:
    results = {cell.id: cell for cell in finished.cells}
    for group in report.groups(finished):
        console.print()
        console.print(_title(group, finished, results), soft_wrap=True)
        for test in group.tests[:MOST_TESTS]:
            console.print(Text(f"    {text.line(test)}"), soft_wrap=True)
        if len(group.tests) > MOST_TESTS:
            console.print(Text(f"    … and {len(group.tests) - MOST_TESTS} more tests"))
        console.print(Text(f"  in {_cells(group.cells)}", style="bright_black"), soft_wrap=True)
        log = results[group.cells[0]].log
        if log:
            console.print(Text(f"  log: .venvgrid/runs/{finished.run}/{log}", style="bright_black"), soft_wrap=True)


def _title(group: FailureGroup, finished: Report, results: Mapping[str, CellResult]) -> Text:
    first = results[group.cells[0]]
    many = f"{len(group.cells)} of {text.count(len(finished.cells), 'cell')}"
    if not group.tests:
        return Text.assemble((f"{first.outcome.value}: ", "bold red"), text.line(first.reason, 400), f"  ({many})")
    head = f"{group.kind}: {group.message}" if group.message else group.kind
    what = text.count(len(group.tests), "test")
    return Text.assemble((text.line(head, 400), "bold red"), f"  ({what}, {many})")


def _notes(console: Console, finished: Report) -> None:
    found: dict[str, list[str]] = {}
    for cell in finished.cells:
        for note in cell.notes:
            found.setdefault(note, []).append(cell.id)
    for note, cells in found.items():
        console.print()
        console.print(Text(f"note: {text.line(note)} ({_cells(tuple(cells))})", style="yellow"), soft_wrap=True)
    for warning in finished.warnings:
        console.print(Text(f"warning: {text.line(warning)}", style="yellow"), soft_wrap=True)
    console.print()


def _cells(cells: tuple[str, ...]) -> str:
    more = f" and {len(cells) - MOST_CELLS} more" if len(cells) > MOST_CELLS else ""
    return ", ".join(text.line(cell) for cell in cells[:MOST_CELLS]) + more
