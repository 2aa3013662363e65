"""Data for the script of the HTML report. Every untrusted text is one safe line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from venvgrid.model import CaseOutcome, Stage
from venvgrid.reporters import text
from venvgrid.reporters.documents.html_failures import MAX_FAILURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venvgrid.analysis.findings import Analysis
    from venvgrid.analysis.neighbours import Neighbours
    from venvgrid.model import CellResult
    from venvgrid.reporters.documents.html_shape import Shape
    from venvgrid.results.report import Report, Span

LETTERS = {
    CaseOutcome.PASSED: "p",
    CaseOutcome.XPASSED: "P",
    CaseOutcome.FAILED: "f",
    CaseOutcome.ERROR: "e",
    CaseOutcome.SKIPPED: "s",
    CaseOutcome.XFAILED: "x",
}
MAX_ERRORS = 30  # failed tests of a cell, which the filter searches
_SGR = re.compile(r"(\x1b\[[0-9;:]*m)")


def page_data(analysis: Analysis, known: Neighbours, shape: Shape) -> dict[str, Any]:
    """Return everything but the logs."""
    report = analysis.report
    green = [cell.id for cell in report.cells if cell.outcome.is_green]
    axes = list(dict.fromkeys(name for cell in report.cells for name in cell.axes))
    numbers = {cell.id: number for number, cell in enumerate(report.cells)}
    groups: dict[str, list[int]] = {}
    for number, finding in enumerate(analysis.findings):
        for cell in finding.group.cells:
            groups.setdefault(cell, []).append(number)
    watched = [cell.id for cell in report.cells if cell.id in report.tests]
    return {
        "axes": [text.line(name) for name in axes],
        "cells": [
            {
                **_cell(cell, numbers[cell.id], axes, groups.get(cell.id, []), report),
                "near": _near(cell, known, green, numbers),
                "place": shape.places.get(cell.id, (0, 0)),
            }
            for cell in report.cells
        ],
        "shape": [shape.columns, shape.rows, shape.step],
        "watched": [numbers[name] for name in watched],
        "tests": list(_tests(analysis, watched)),
        "groups": [text.line(finding.group.headline) for finding in analysis.findings],
        "shown": min(len(analysis.findings), MAX_FAILURES),
        "spans": [
            [numbers[span.cell], span.stage.value, _lane(span), round(span.began, 3), round(span.ended, 3)]
            for span in report.spans
            if span.cell in numbers and span.ended > span.began
        ],
        "duration": report.duration,
    }


def _lane(span: Span) -> str:
    """Return where the timeline shows a stage: its machine, of several, else its worker."""
    if span.machine:
        return text.line(span.machine)
    return f"{'resolver' if span.stage is Stage.RESOLVE else 'worker'} {span.worker}"


def _cell(cell: CellResult, number: int, axes: Sequence[str], groups: list[int], report: Report) -> dict[str, Any]:
    python = cell.interpreter
    failed = dict.fromkeys(text.line(item.test) for item in cell.failures[:MAX_ERRORS] if item.test)
    earlier = report.before.get(cell.id)
    return {
        "number": number,
        "id": cell.id,
        "axes": [text.line(cell.axes.get(name, "")) for name in axes],
        "outcome": cell.outcome.value,
        "reason": text.line(cell.reason, 500),
        "failed": list(failed),
        "counts": [cell.tests.get("failed", 0) + cell.tests.get("error", 0), sum(cell.tests.values())],
        "before": f"{earlier.outcome.value} in run {text.line(earlier.run)}" if earlier else "",
        "since": text.line(cell.since),
        "attempts": cell.attempts,
        "tests": text.tests_of(cell),
        "python": text.line(f"{python.implementation} {python.version}, {python.executable}") if python else "",
        "attested": text.line(cell.attested.python),
        "packages": {text.line(name): text.line(version) for name, version in sorted(cell.packages.items())},
        "durations": {stage: round(value, 3) for stage, value in cell.durations.items()},
        "notes": [text.line(note, 500) for note in cell.notes],
        "groups": groups,
        "log": text.log(report, cell.log) if cell.log else "",
        "repeat": text.repeat(report, cell.id, cell.outcome),
        "shell": text.command("venvgrid", "shell", cell.id) if cell.outcome.is_red or cell.packages else "",
    }


def _near(cell: CellResult, known: Neighbours, green: Sequence[str], numbers: Mapping[str, int]) -> list[Any] | None:
    """Return the nearest green cell of a red one: its number, rows of name, value here and there, equal packages."""
    found = known.closest([cell.id], green) if cell.outcome.is_red else None
    if found is None:
        return None
    _, neighbour = found
    rows = [[text.line(part) for part in (row.name, row.here, row.there)] for row in neighbour.rows]
    return [numbers[neighbour.cell], rows, neighbour.equal]


def _tests(analysis: Analysis, watched: Sequence[str]) -> Iterator[list[Any]]:
    """Yield each test: name, one letter a cell, longest duration in seconds, whether its outcome differs."""
    columns = [analysis.report.tests[name] for name in watched]
    differing = {item.test for item in analysis.differences}
    for name in dict.fromkeys(test for cases in columns for test in cases):
        cases = [cases.get(name) for cases in columns]
        letters = "".join(LETTERS[case.verdict] if case else "." for case in cases)
        longest = max(case.duration for case in cases if case)
        yield [text.line(name, 500), letters, round(longest, 3), name in differing]


def coloured(output: str) -> str:
    """Return output with its colours; other control characters become codes."""
    lines = []
    for line in output.replace("\r\n", "\n").split("\n"):
        pieces = _SGR.split(line.expandtabs(4))
        plain = (
            text.safe(text.ANSI.sub("", piece)) if not number % 2 else piece for number, piece in enumerate(pieces)
        )
        lines.append("".join(plain))
    return "\n".join(lines)
