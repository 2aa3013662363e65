"""What an investigation found, in words: one section for each culprit. The screen, the page and Markdown show these.

The words hold text of code under test as it is: who shows a section escapes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from venvgrid.analysis.search.culprits import GREEN, RED
from venvgrid.analysis.search.protocol import Verdict
from venvgrid.model.values import dataclass
from venvgrid.reporters import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvgrid.analysis.search.culprits import Culprit
    from venvgrid.analysis.search.protocol import Observation
    from venvgrid.analysis.search.story import Finding, Story
    from venvgrid.analysis.stories import Told

MAX_TESTS = 3  # that are named
MAX_SKIPPED = 8  # releases that are named
MAX_REASON = 120  # characters
WORDS = {Verdict.GOOD: "passes", Verdict.BAD: "fails the same way", Verdict.UNKNOWN: "cannot be told"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a proof: a world, and what the tests do in it."""

    world: str
    verdict: Verdict
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A thing to do: a verb, what to type or where to look, and what for."""

    verb: str
    what: str
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A culprit: its headline, the failure, the tests that are named, the proof, what to know, what to do."""

    headline: str
    failure: str
    tests: tuple[str, ...]
    more_tests: int
    proof: tuple[Row, ...]
    notes: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a story says of one failure of a report: where and when it was found, the rule, culprits, what is left."""

    source: str
    rule: tuple[str, ...]
    sections: tuple[Section, ...]
    rest: tuple[str, ...]


def account(told: Told) -> Account:
    """Return what a report shows of a story beside one of its failures."""
    story, when = told.investigated.story, told.investigated.when[:16].replace("T", " ")
    day = f" on {when} UTC" if when else ""
    every = sections(story, told.investigated.command)
    return Account(
        source=f"venvgrid why, in {story.cell}{day}",
        rule=proven_rule(story) if told.is_asked else (),
        sections=tuple(every[number] for number in told.numbers),
        rest=rest(story) if told.is_asked else (),
    )


def sections(story: Story, command: str = "") -> tuple[Section, ...]:
    """Return the culprits of a story; `command` is the one that told it."""
    again = command or text.command("venvgrid", "why", story.cell)
    return tuple(
        Section(
            headline=headline(item),
            failure=item.failure,
            tests=item.tests[:MAX_TESTS],
            more_tests=max(0, len(item.tests) - MAX_TESTS),
            proof=tuple(_proof(story, number)),
            notes=tuple(_notes(item)),
            steps=tuple(_steps(item, again)),
        )
        for number, item in enumerate(story.findings)
    )


def proven_rule(story: Story) -> tuple[str, ...]:
    """Return the lines of the rule if probes tried to refute it and failed, () if not."""
    return story.rule if story.is_certain else ()


def rest(story: Story) -> tuple[str, ...]:
    """Return what is left to explain, and what could not be tested, in sentences."""
    lines = [story.problem] if story.problem else []
    if story.untested:
        held = ", ".join(f"{name} {version}" for name, version in sorted(story.untested.items()))
        lines.append(f"not tested, as the older release holds it back: {held}")
    return tuple(lines)


def headline(item: Finding) -> str:
    """Return who did it, and since when."""
    found = item.culprit
    when = f", released {item.uploaded}," if item.uploaded else ""
    with_ = f" together with {_versions(found.partners)}" if found.partners else ""
    if not found.good:
        return f"{found.name} {found.bad}{when} broke it, which was not there before{with_}"
    if _is_older(found):
        return f"it needs a newer {found.name}: {found.good} passes, and {found.bad} does not{with_}"
    return f"{found.name} {found.bad}{when} broke it{with_}"


def _is_older(found: Culprit) -> bool:
    """Return whether the bad release came before the good one."""
    try:
        return bool(found.good) and Version(found.bad) < Version(found.good)
    except InvalidVersion:
        return False


def _versions(packages: Mapping[str, str]) -> str:
    return " and ".join(f"{name} {version}" for name, version in packages.items())


def _proof(story: Story, number: int) -> Iterator[Row]:
    """Yield the lines that prove a culprit: the green world without it, with it, and the red world without it.

    Where the mix with the green world tells nothing, the red world is all that the proof has.
    """
    found = story.findings[number].culprit
    ends = {GREEN: story.green, RED: story.red}
    end = ends.get(found.base)
    green = end.name if end else found.base.removesuffix("T00:00:00Z")
    earlier = [f"{item.culprit.name} {item.culprit.good}" for item in story.findings[:number] if item.culprit.good]
    kept = f" and {' and '.join(earlier)}" if earlier else ""
    last = f" with {found.name} {found.good}" if found.good else ""
    yield _row(f"{green}{last}", found.whole)
    yield _row(f"{green} with {found.name} {found.bad}", found.broken)
    if found.without is not None and story.red and found.base != RED:
        yield _row(f"{story.red.name} with {found.name} {found.good}{kept}", found.without)


def _row(world: str, seen: Observation) -> Row:
    if seen.verdict is Verdict.UNKNOWN and seen.reason:
        word = f"fails in another way: {text.line(seen.reason, MAX_REASON)}"
    else:
        word = WORDS[seen.verdict]
    return Row(world=world, verdict=seen.verdict, word=word)


def _notes(item: Finding) -> Iterator[str]:
    """Yield what moved along with a culprit, and what could not be tried."""
    found = item.culprit
    if found.company:
        moved = ", ".join(f"{name} {good or 'none'} → {bad}" for name, (good, bad) in sorted(found.company.items()))
        told = {True: "breaks nothing alone", False: "breaks the same alone", None: "cannot be tried alone"}
        yield f"moved along with it: {moved}: {told[found.acquitted]}"
    if found.skipped:
        yield f"not tried, between {found.good} and {found.bad}: {text.some(found.skipped, MAX_SKIPPED)}"


def _steps(item: Finding, again: str) -> Iterator[Step]:
    """Yield what to do: pin, patch, report."""
    found = item.culprit
    if found.good:
        yield Step(verb="pin", what=f"{found.name}{'>' if _is_older(found) else '<'}{found.bad}")
    else:
        yield Step(verb="pin", what=f"{found.name}<{found.bad}", remark="or leave it out, as before")
    if item.place:
        yield Step(verb="patch", what=item.place)
    if not _is_older(found):
        yield Step(verb="report", what=f"{again} --upstream", remark="a text for its tracker")
