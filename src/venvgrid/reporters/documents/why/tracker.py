"""A text for the tracker of the project to blame, with a reproduction in three plain lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvgrid.reporters import text
from venvgrid.reporters.documents.why.sections import MAX_TESTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvgrid.analysis.search.story import Finding, Story

MAX_LINE = 5000  # characters
MAX_TAIL = 15  # lines of a traceback
BETWEEN = ("", "-" * 72, "")  # the texts for two trackers


def upstream(story: Story) -> str:
    """Return the text for the tracker of each culprit, one after the other.

    Raises:
        IndexError: there is no culprit.
    """
    lines = list(_text(story, story.findings[0]))
    for item in story.findings[1:]:
        lines += [*BETWEEN, *_text(story, item)]
    return text.guard("\n".join(text.safe(line[:MAX_LINE]) for line in lines) + "\n")


def _text(story: Story, item: Finding) -> Iterator[str]:
    found = item.culprit
    since = (
        f"It passes with {found.name} {found.good} and fails with {found.name} {found.bad}"
        if found.good
        else f"It fails since {found.name} {found.bad} is installed"
    )
    tail = item.longrepr.splitlines()[-MAX_TAIL:] or [item.failure]
    company = f" but {', '.join(found.company)}, which had to move along" if found.company else ""
    skipped = f"; not tried: {', '.join(found.skipped)}" if found.skipped else ""
    yield f"{found.name} {found.bad}: {item.failure}"
    yield from ("", f"{since}, all other distributions as they were{company}.")
    yield from ("", "To reproduce:", "", *_fenced(reproduction(story, item)), "", *_fenced(tail), "")
    yield (
        f"Python {story.python}. Found by probing the releases between {found.good or 'none'} and {found.bad}{skipped}."
    )


def _fenced(lines: Sequence[str]) -> tuple[str, ...]:
    """Return lines as a block of code in Markdown, which none of them ends."""
    longest = max(map(len, re.findall("`+", "\n".join(lines))), default=0)
    fence = "`" * max(3, longest + 1)
    return fence, *lines, fence


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
