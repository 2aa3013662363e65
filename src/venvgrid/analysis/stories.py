"""Investigations, and the failures of a report that they explain. Pure.

A story explains a failure of a report while its cell has that failure, and still has the release to blame. So a story
is never shown of a cell that is green again, fails in another way, or fails without that release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from venvgrid.analysis import grouping
from venvgrid.analysis.search.story import Story
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from venvgrid.analysis.search.culprits import Culprit
    from venvgrid.model import CellResult
    from venvgrid.results.report import Report

MAX_TOLD = 3  # of one failure, each of another cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Investigated:
    """A story, the failure that was investigated, the command that did it, and when it ended: ISO 8601 in UTC."""

    story: Story
    signature: str
    command: str = ""
    when: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a story says of one failure of a report: `numbers` are the places of its findings in the story.

    `is_asked`: it is the failure that was investigated, so that the rule and the problem of the story belong to it.
    """

    investigated: Investigated
    numbers: tuple[int, ...] = ()
    is_asked: bool = False


def told(report: Report, stories: Iterable[Investigated]) -> Mapping[str, tuple[Told, ...]]:
    """Return what the stories say of the failures of a report, by signature; of each cell the newest story only."""
    results, found = {cell.id: cell for cell in report.cells}, dict[str, dict[str, Told]]()
    for item in sorted(stories, key=lambda item: item.when, reverse=True):
        result = results.get(item.story.cell)
        for signature, part in _parts(item, result) if result and result.outcome.is_red else ():
            found.setdefault(signature, {}).setdefault(item.story.cell, part)
    return {signature: tuple(parts.values())[:MAX_TOLD] for signature, parts in found.items()}


def _parts(item: Investigated, result: CellResult) -> Iterator[tuple[str, Told]]:
    """Yield the failures of a cell that a story explains. A failure that others hide goes with the one before it."""
    there = {failure.signature for failure in grouping.failures_of(result)}
    place, numbers = item.signature if item.signature in there else "", dict[str, list[int]]()
    for number, finding in enumerate(item.story.findings):
        is_to_blame = _is_to_blame(finding.culprit, result.packages)
        if finding.signature in there:
            place = finding.signature if is_to_blame else ""
        if place and is_to_blame:
            numbers.setdefault(place, []).append(number)
    if not item.story.findings and place:
        numbers[place] = []
    asked = item.signature if item.signature in numbers else next(iter(numbers), "")
    for signature, some in numbers.items():
        yield signature, Told(investigated=item, numbers=tuple(some), is_asked=signature == asked)


def _is_to_blame(culprit: Culprit, packages: Mapping[str, str]) -> bool:
    """Return whether a cell has a release on the bad side of the good one; also if its packages are not known."""
    known = {normalise(name): version for name, version in packages.items()}
    if not known:
        return True
    version = known.get(culprit.name)
    if version is None or any(known.get(name) != partner for name, partner in culprit.partners.items()):
        return False
    try:
        here, bad = Version(version), Version(culprit.bad)
        return here <= bad if culprit.good and Version(culprit.good) > bad else here >= bad
    except InvalidVersion:
        return version == culprit.bad
