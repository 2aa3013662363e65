"""The failures of a run on a terminal: each once, with its rule, the end of its traceback, its log, and the way out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text

from venvgrid.analysis import ranges
from venvgrid.model import Outcome
from venvgrid.outcomes import signatures
from venvgrid.outcomes.causes import tracebacks
from venvgrid.reporters import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvgrid.analysis.findings import Analysis, Finding
    from venvgrid.analysis.grouping import FailureGroup
    from venvgrid.model import CellResult
    from venvgrid.outcomes.causes.tracebacks import Frame
    from venvgrid.reporters.manner import Link
    from venvgrid.results.report import Report

MAX_GROUPS = 20
MAX_TESTS = 5  # of a failure group
MAX_IDS = 4  # cells: of more the ranges of their axes are shorter and say more
MAX_LINES = 8  # of an error, or of a tool's output
DIM = "bright_black"

_PLACE = re.compile(r" @ (\S+(?: > \S+)?)$")  # end of a signature


def lines(analysis: Analysis, encoding: str, link: Link) -> Iterator[Text]:
    """Yield the failures, those of most cells first."""
    results = {cell.id: cell for cell in analysis.report.cells}
    found = analysis.findings
    for finding in found[:MAX_GROUPS]:
        yield from _failure(finding, analysis.report, results[finding.group.cells[0]], encoding, link)
        yield Text()
    if len(found) > MAX_GROUPS:
        more = f"and {len(found) - MAX_GROUPS} more failures: venvgrid report --format json"
        yield Text(f"{text.ELLIPSIS[text.is_plain(encoding)]} {more}", style="bold red")
        yield Text()


def _failure(finding: Finding, report: Report, first: CellResult, encoding: str, link: Link) -> Iterator[Text]:
    group = finding.group
    yield _head(group, encoding)
    place = _PLACE.search(group.signature) if group.tests else None
    if place and not group.longrepr and place[1] not in group.tests:
        yield Text(f"    at {text.line(place[1])}", style=DIM)
    for test in group.tests[:MAX_TESTS]:
        yield Text(f"    {text.line(test)}")
    if len(group.tests) > MAX_TESTS:
        yield Text(f"    and {text.named(group.tests[MAX_TESTS:]).replace(' ', ' more ', 1)}")
    for number, line in enumerate(finding.lines):
        yield Text(f"    {text.line(line, 500)}", style=DIM if number else "bold")
    many = f"{len(group.cells)} of {text.count(len(report.cells), 'cell')}"
    yield Text(f"    in {many}: {which(group.cells, report)}", style=DIM)
    if not group.tests and first.reason and group.message not in first.reason:
        yield Text(f"    {text.line(first.reason, 500)}")
    yield from _tail(group, report, link)
    if group.log:
        yield Text(f"    log: {text.log(report, group.log)}", style=DIM)
    is_wanted = any(item.is_axis and item.text.endswith(" not installed") for item in finding.explanation.rule)
    if group.hint and not is_wanted:
        yield Text.assemble(("    → ", "bold cyan"), (text.line(group.hint, 500), "cyan"))


def _head(group: FailureGroup, encoding: str) -> Text:
    known = group.kind.replace("-", " ") == group.outcome.value.replace("-", " ")
    what = [] if group.tests else [group.outcome.value]
    is_said = (known and what) or group.kind in group.message or group.kind == "start"
    what += [group.kind] if group.kind and not is_said else []
    head = ": ".join([*what, *([group.message] if group.message else [])]) or "failed"
    sign = text.symbol(group.outcome if not group.tests else Outcome.FAILED, encoding)
    return Text.assemble((f"{sign} {text.line(head, 500)}", "bold red"), " (may fail)" if group.allowed else "")


def _tail(group: FailureGroup, report: Report, link: Link) -> Iterator[Text]:
    """Yield the end of the traceback; of an output without one its last lines, if they tell more than the message."""
    found = tracebacks.read(group.longrepr)
    for frame in found.tail:
        yield _frame(frame, report, link)
    error = tuple(map(signatures.without_environment, found.error))
    if not found.frames and not group.tests:
        error = tuple(map(signatures.without_environment, group.longrepr.strip().splitlines()))
    elif error and _is_headline(error[0], f"{group.kind}: {group.message}"):
        error = error[1:]
    if error and (len(error) > 1 or found.frames):
        for line in error[-MAX_LINES:] if not found.error else error[:MAX_LINES]:
            yield Text(f"      {text.line(line.expandtabs(4), indented=True)}", style=DIM)


def _is_headline(line: str, headline: str) -> bool:
    """Whether a line of an error says no more than the headline: pytest qualifies classes, causes add the place."""
    return line.endswith(headline) or headline.startswith(line)


def _frame(frame: Frame, report: Report, link: Link) -> Text:
    address = link(frame.file, frame.line)
    folder = report.config.replace("\\", "/").rpartition("/")[0]
    shown = frame.shown.removeprefix(f"{folder}/") if folder else frame.shown  # Python prints the whole path
    place = f"{text.line(shown)}:{frame.line}"
    line = Text("      ").append(place, style=Style(link=address) if address else "")
    return line.append(f"  {text.line(frame.code)}", style=DIM) if frame.code else line


def which(cells: Sequence[str], report: Report) -> str:
    """Return the ids of a few cells; of more, the ranges of their axes."""
    if len(cells) <= MAX_IDS:
        return text.some(cells, MAX_IDS)
    return text.line(ranges.described(cells, {cell.id: cell.axes for cell in report.cells}), 500)
