"""What went wrong, for the HTML report: each failure with its picture, its rule and its nearest green cell."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.analysis import grouping, neighbours
from venvgrid.model import Outcome
from venvgrid.model.values import dataclass
from venvgrid.outcomes import signatures
from venvgrid.reporters import text
from venvgrid.reporters.documents import html_shape
from venvgrid.reporters.documents.why import sections

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvgrid.analysis.findings import Analysis, Finding
    from venvgrid.analysis.neighbours import Neighbour, Neighbours
    from venvgrid.analysis.stories import Told
    from venvgrid.reporters.documents.html_shape import Picture, Shape
    from venvgrid.reporters.documents.why.sections import Account

MAX_OPEN = 12  # failures whose traceback is open
MAX_FAILURES = 60
MAX_TESTS = 30  # that a failure names
MAX_TRACEBACK = 12_000  # characters: its end
MAX_ROWS = 15  # of a comparison
MAX_RULER = 41  # characters of pytest's lines "_ _ _", which are as wide as a terminal
_PLACE = re.compile(r" @ (\S+(?: > \S+)?)$")  # end of a signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A red cell and its nearest cell in which the tests passed."""

    red: str
    neighbour: Neighbour
    is_green: bool

    @property
    def rows(self) -> tuple[neighbours.Row, ...]:
        """The differences that are shown."""
        return self.neighbour.rows[:MAX_ROWS]

    @property
    def more(self) -> int:
        """The number of differences that are not."""
        return len(self.neighbour.rows) - len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure. `chips` are the conditions of its rules, `lines` its traceback: pairs of "e", ">" or "" and text."""

    number: int
    headline: str
    style: str
    picture: Picture
    chips: tuple[tuple[str, ...], ...]
    support: str
    said: tuple[str, ...]
    place: str
    tests: tuple[str, ...]
    more_tests: int
    named: str
    cells: tuple[str, ...]
    lines: tuple[tuple[str, str], ...]
    cut: bool
    is_open: bool
    repeat: str
    log: str
    beside: Beside | None
    is_allowed: bool
    stories: tuple[Account, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Cells that were not tested, for one reason."""

    outcome: str
    sign: str
    reason: str
    cells: tuple[str, ...]
    picture: Picture


def failures(
    analysis: Analysis, shape: Shape, known: Neighbours, why: Mapping[str, tuple[Told, ...]]
) -> Iterator[Failure]:
    """Yield the failures, up to a limit; `why` are their stories, by signature."""
    for number, finding in enumerate(analysis.findings[:MAX_FAILURES]):
        shown = _failure(analysis, finding, number, shape, known)
        yield replace(shown, stories=tuple(map(sections.account, why.get(finding.group.signature, ()))))


def reasons(analysis: Analysis, shape: Shape) -> Iterator[Reason]:
    """Yield the reasons for which cells were not tested."""
    for group in grouping.by_reason(analysis.report.cells):
        yield Reason(
            outcome=group.outcome.value,
            sign=text.SYMBOLS[group.outcome][0],
            reason=text.line(group.reason or "no reason was given", 500),
            cells=group.cells,
            picture=html_shape.picture(shape, set(group.cells), shape.places.keys()),
        )


def _failure(analysis: Analysis, finding: Finding, number: int, shape: Shape, known: Neighbours) -> Failure:
    report, group = analysis.report, finding.group
    place = _PLACE.search(group.signature) if group.tests else None
    where = text.line(place[1]) if place and place[1] not in group.tests else ""
    ran = {cell.id for cell in report.cells if cell.outcome.is_green or cell.outcome.is_red}
    chips, support, said = _explained(finding)
    longrepr = signatures.without_environment(group.longrepr)
    tail = longrepr[-MAX_TRACEBACK:]
    return Failure(
        number=number,
        headline=text.line(group.headline, 500),
        style="crashed" if group.outcome in {Outcome.CRASHED, Outcome.TIMED_OUT} and not group.tests else "failed",
        picture=html_shape.picture(shape, set(group.cells), ran),
        chips=chips,
        support=support,
        said=said,
        place=where,
        tests=group.tests[:MAX_TESTS],
        more_tests=max(0, len(group.tests) - MAX_TESTS),
        named=text.named(group.tests),
        cells=group.cells,
        lines=tuple(_marked(tail)) if tail.strip() else (),
        cut=len(tail) < len(longrepr),
        is_open=number < MAX_OPEN,
        repeat=text.repeat(report, group.cells[0], group.outcome),
        log=text.log(report, group.log) if group.log else "",
        beside=_beside(analysis, finding, known),
        is_allowed=group.allowed,
    )


def _explained(finding: Finding) -> tuple[tuple[tuple[str, ...], ...], str, tuple[str, ...]]:
    """Return the conditions of the rule, one or two conjunctions, its support, and further lines."""
    why = finding.explanation
    lines = finding.lines
    if not why.rule:
        return (), "", lines
    support = f"{why.failed} of {text.count(why.meeting, 'cell')} with it, {why.outside} of {why.others} without"
    return tuple(tuple(condition.text for condition in rule) for rule in why.rules), support, lines[1:]


def _marked(longrepr: str) -> Iterator[tuple[str, str]]:
    for raw in text.ANSI.sub("", longrepr).rstrip().split("\n"):
        line = text.safe(raw.rstrip("\r").expandtabs(4))
        line = line[:MAX_RULER] if set(line) <= {"_", " "} else line
        yield ("e" if line.startswith("E  ") else ">" if line.startswith(">") else ""), line


def _beside(analysis: Analysis, finding: Finding, known: Neighbours) -> Beside | None:
    """Return the two nearest cells, of those with the failure and those in which its tests passed."""
    found = known.closest(finding.group.cells, analysis.passing(finding.group))
    if found is None:
        return None
    red, neighbour = found
    is_green = any(cell.id == neighbour.cell and cell.outcome.is_green for cell in analysis.report.cells)
    return Beside(red=red, neighbour=neighbour, is_green=is_green)
