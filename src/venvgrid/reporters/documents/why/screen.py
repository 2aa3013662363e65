"""What an investigation found, as one screen of a terminal. Text of code under test does nothing there."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from venvgrid.analysis.search.protocol import Verdict
from venvgrid.reporters import text
from venvgrid.reporters.documents.why import sections

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from venvgrid.analysis.search.story import Story
    from venvgrid.reporters.documents.why.sections import Section

WIDTH = 80  # columns; names that are longer are not broken
MAX_LINE = 500  # characters of a text that is wrapped
LABEL = 7  # columns, of "proof", "note" and "to do"
STYLES = {"bold": "1", "dim": "2", Verdict.GOOD: "32", Verdict.BAD: "31", Verdict.UNKNOWN: "33"}

Piece = tuple[str, str]  # a text, and its style or ""
Line = tuple[Piece, ...]


def render(
    story: Story, command: str = "", *, width: int = WIDTH, colour: bool = False, encoding: str = "utf-8"
) -> str:
    """Return an investigation as lines for a terminal; `command` is the one that told it."""
    lines = _lines(story, command, min(width, WIDTH))
    shown = "\n".join("".join(_painted(piece, colour=colour) for piece in line) for line in lines)
    return text.guard(text.encodable(shown, encoding) + "\n")


def _painted(piece: Piece, *, colour: bool) -> str:
    words, style = text.safe(piece[0]), piece[1]
    return f"\x1b[{STYLES[style]}m{words}\x1b[0m" if colour and style and words else words


def _lines(story: Story, command: str, width: int) -> Iterator[Line]:
    cell = f"{story.cell} (Python {story.python})" if story.python else story.cell
    if story.rule:
        yield ((cell, "bold"),)
        for line in story.rule:
            yield from _wrapped(line, width, "  ")
        yield ()
    for section in sections.sections(story, command):
        yield from _section(cell, section, width)
        yield ()
    for line in sections.rest(story):
        yield from _wrapped(f"{story.cell}: {line}", width, "", after="  ")
    yield from [()] if sections.rest(story) else []
    effort = story.effort
    counts = (text.count(effort.builds, "environment"), text.count(effort.tests, "test run"))
    yield ((f"{', '.join(counts)}, {text.seconds(effort.seconds)}", "dim"),)


def _section(cell: str, section: Section, width: int) -> Iterator[Line]:
    yield from _wrapped(f"{cell}: {section.headline}", width, "", after="  ", style="bold")
    yield from _wrapped(section.failure, width, "  ")
    for test in section.tests:
        yield ((f"    {test}", ""),)
    if section.more_tests:
        yield ((f"    and {text.count(section.more_tests, 'more test')}", "dim"),)
    yield ()
    yield from _labelled("proof", _proof(section, width))
    inner = width - LABEL - 2
    yield from _labelled("note", (line for note in section.notes for line in _wrapped(note, inner, "", after="  ")))
    yield from _labelled("to do", _steps(section, inner))


def _proof(section: Section, width: int) -> Iterator[Line]:
    """Yield world and verdict side by side; the verdict stands below a world that leaves it no room."""
    room = width - LABEL - 2
    beside = [row for row in section.proof if len(row.world) + 2 + len(row.word) <= room]
    column = max((len(row.world) for row in beside), default=0)
    for row in section.proof:
        if row in beside and column + 2 + len(row.word) <= room:
            yield (f"{row.world:{column}}  ", ""), (row.word, row.verdict)
        else:
            yield ((row.world, ""),)
            yield from _wrapped(row.word, room, "  ", style=row.verdict)


def _steps(section: Section, width: int) -> Iterator[Line]:
    column = max((len(step.verb) for step in section.steps), default=0)
    for step in section.steps:
        line, remark = f"{step.verb:{column}}  {step.what}", f"({step.remark})" if step.remark else ""
        if remark and len(line) + 2 + len(remark) > width:
            yield ((line, ""),)
            yield ((f"{'':{column}}  {remark}", "dim"),)
        else:
            yield (line, ""), (f"  {remark}" if remark else "", "dim")


def _labelled(label: str, lines: Iterable[Line]) -> Iterator[Line]:
    for number, line in enumerate(lines):
        yield (("  ", ""), (f"{label if not number else '':{LABEL}}", "dim"), *line)


def _wrapped(words: str, width: int, before: str, *, after: str = "", style: str = "") -> Iterator[Line]:
    """Yield a text in lines: the first begins with `before`, the others with both."""
    wrapper = textwrap.TextWrapper(
        width=max(width, 2 * LABEL),
        initial_indent=before,
        subsequent_indent=before + after,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in wrapper.wrap(text.line(words, MAX_LINE)):
        yield ((line, style),)
