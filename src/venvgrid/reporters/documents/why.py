"""What an investigation found, as text: for a screen, as Markdown, and for the tracker of the project to blame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from venvgrid.analysis.search.culprits import GREEN, RED
from venvgrid.analysis.search.protocol import Verdict
from venvgrid.reporters import text
from venvgrid.reporters.documents.markdown import code, prose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from venvgrid.analysis.search.culprits import Culprit
    from venvgrid.analysis.search.protocol import Observation
    from venvgrid.analysis.search.story import Finding, Story

MAX_TESTS = 3  # that are named
MAX_LINE = 5000  # characters
MAX_TAIL = 15  # lines of a traceback, for a tracker
WORDS = {Verdict.GOOD: "passes", Verdict.BAD: "fails the same way", Verdict.UNKNOWN: "cannot be told"}


def screen(story: Story) -> str:
    """Return an investigation as lines for a terminal."""
    return _safe(_lines(story))


def _safe(lines: Iterable[str]) -> str:
    """Return lines whose text comes from code under test as one text that does nothing."""
    return text.guard("\n".join(text.safe(line[:MAX_LINE]) for line in lines) + "\n")


def _lines(story: Story) -> Iterator[str]:
    python = f" (Python {story.python})" if story.python else ""
    if story.rule:
        yield f"{story.cell}{python}"
        yield from (f"  {line}" for line in story.rule)
        yield ""
    for number, item in enumerate(story.findings):
        yield from ([""] if number else [])
        yield f"{story.cell}{python}: {_headline(item)}"
        yield f"  {item.failure}"
        yield from (f"    {test}" for test in item.tests[:MAX_TESTS])
        if len(item.tests) > MAX_TESTS:
            yield f"    and {len(item.tests) - MAX_TESTS} more tests"
        yield ""
        for title, lines in (("proof", proof(story, number)), ("note", notes(item)), ("to do", advice(item))):
            for place, line in enumerate(lines):
                yield f"  {title if not place else '':7}{line}"
    if story.findings:
        yield ""
    if story.problem:
        yield f"{story.cell}: {story.problem}"
    if story.untested:
        held = ", ".join(f"{name} {version}" for name, version in sorted(story.untested.items()))
        yield f"not tested: {held}: what is said above holds them back"
    effort = story.effort
    counts = (text.count(effort.builds, "environment"), text.count(effort.tests, "test run"))
    yield f"{', '.join(counts)}, {text.seconds(effort.seconds)}"


def _headline(item: Finding) -> str:
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
    return bool(found.good) and Version(found.bad) < Version(found.good)


def _versions(packages: Mapping[str, str]) -> str:
    return " and ".join(f"{name} {version}" for name, version in packages.items())


def proof(story: Story, number: int) -> list[str]:
    """Return the three lines that prove a culprit."""
    found = story.findings[number].culprit
    green = found.base
    for base, end in ((GREEN, story.green), (RED, story.red)):
        green = end.name if found.base == base and end else green
    earlier = [f"{item.culprit.name} {item.culprit.good}" for item in story.findings[:number]]
    kept = f" and {' and '.join(earlier)}" if earlier else ""
    last = f" with {found.name} {found.good}" if found.good else ""
    rows = [
        (f"{green}{last}", _word(found.whole)),
        (f"{green} with {found.name} {found.bad}", _word(found.broken)),
    ]
    if found.without is not None and story.red:
        rows.append((f"{story.red.name} with {found.name} {found.good}{kept}", _word(found.without)))
    width = max(len(title) for title, _ in rows)
    return [f"{title:{width}}  {word}" for title, word in rows]


def _word(seen: Observation) -> str:
    if seen.verdict is Verdict.UNKNOWN and seen.reason:
        return f"fails in another way: {text.line(seen.reason, 120)}"
    return WORDS[seen.verdict]


def notes(item: Finding) -> list[str]:
    """Return what moved along with a culprit, and what could not be tried."""
    found, lines = item.culprit, []
    if found.company:
        moved = ", ".join(f"{name} {good or 'none'} → {bad}" for name, (good, bad) in sorted(found.company.items()))
        told = {True: "breaks nothing alone", False: "breaks the same alone", None: "cannot be tried alone"}
        lines.append(f"moved along with it: {moved}: {told[found.acquitted]}")
    if found.skipped:
        lines.append(f"not tried, between {found.good} and {found.bad}: {', '.join(found.skipped)}")
    return lines


def advice(item: Finding) -> list[str]:
    """Return what to do: pin, patch, report."""
    found = item.culprit
    pin = f"{found.name}{'>' if _is_older(found) else '<'}{found.bad}"
    if not found.good:
        pin = f"none: leave {found.name} out, or use a release before {found.bad}"
    return [
        f"pin     {pin}",
        *([f"patch   {item.place}"] if item.place else []),
        "report  venvgrid why --upstream: a text for the tracker of " + found.name,
    ]


def markdown(story: Story) -> str:
    """Return an investigation as a section of Markdown."""
    parts = [f"### Why {prose(story.cell)} is red\n"]
    for number, item in enumerate(story.findings):
        parts.append(f"**{prose(_headline(item))}**: {code(item.failure)}\n")
        parts.append("\n".join(f"- {prose(line)}" for line in (*proof(story, number), *notes(item))) + "\n")
        parts.append("\n".join(f"- {prose(line)}" for line in advice(item)) + "\n")
    if story.problem:
        parts.append(f"{prose(story.problem)}\n")
    return "\n".join(parts)


def upstream(story: Story) -> str:
    """Return a text for the tracker of the first culprit, with a reproduction in three plain lines.

    Raises:
        IndexError: there is no culprit.
    """
    item = story.findings[0]
    found = item.culprit
    since = (
        f"It passes with {found.name} {found.good} and fails with {found.name} {found.bad}"
        if found.good
        else (f"It fails since {found.name} {found.bad} is installed")
    )
    tail = item.longrepr.splitlines()[-MAX_TAIL:] or [item.failure]
    return _safe(
        [
            f"{found.name} {found.bad}: {item.failure}",
            "",
            f"{since}, all other distributions as they were"
            + (f" but {', '.join(found.company)}, which had to move along." if found.company else "."),
            "",
            "To reproduce:",
            "",
            "```",
            *reproduction(story, item),
            "```",
            "",
            "```",
            *tail,
            "```",
            "",
            f"Python {story.python}. Found by probing the releases between {found.good or 'none'} and {found.bad}"
            + (f"; not tried: {', '.join(found.skipped)}." if found.skipped else "."),
        ]
    )


def reproduction(story: Story, item: Finding) -> tuple[str, str, str]:
    """Return three lines for a shell: the sources, an environment with exact versions, the failing tests."""
    python = ".".join(story.python.split(".")[:2])
    pins = " ".join(f"{name}=={version}" for name, version in sorted(item.culprit.broken.packages.items()))
    tests = " ".join(item.tests[:MAX_TESTS])
    return (
        story.sources or "cd sources  # of the project",
        f"python{python} -m venv cell && cell/bin/python -m pip install --no-deps {pins} {story.install}".rstrip(),
        f"cell/bin/python -m pytest {tests}".rstrip(),
    )
