"""Markdown for a job's summary, a release note or a pull request: the grid, then the failures, folded.

GitHub discards a summary of more than 1,024 kB. So the size is limited, and omitted items are counted.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from venvgrid.analysis import grid as grid_layout
from venvgrid.analysis import grouping, stories
from venvgrid.analysis.findings import Analysis
from venvgrid.model import Outcome
from venvgrid.reporters import machines, text
from venvgrid.reporters.documents.why import sections

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from venvgrid.analysis.findings import Finding
    from venvgrid.analysis.grouping import ReasonGroup
    from venvgrid.analysis.stories import Investigated, Told
    from venvgrid.model import CellResult
    from venvgrid.reporters.documents.why.sections import Account
    from venvgrid.results.report import Report

LIMIT = 890_000  # bytes of UTF-8, of the whole page
TABLE_LIMIT = 400_000  # up to the end of the table
REASONS_LIMIT = 550_000  # up to the end of the reasons
RESERVE = 2_000  # bytes for the counts of omitted items
MAX_TRACEBACK_LENGTH = 4_000  # characters
MAX_NAMES = 20  # of cells or tests, in one list

SIGNS = {
    Outcome.PASSED: "✅",
    Outcome.FAILED: "❌",
    Outcome.FLAKY: "✅ flaky",
    Outcome.IMPOSSIBLE: "–",  # noqa: RUF001  (a dash, as in other tables of compatibility)
    Outcome.MISSING_INTERPRETER: "❔ no interpreter",
    Outcome.ELSEWHERE: "→ elsewhere",
    Outcome.CANCELLED: "❔ no result",
}
_TITLES = {
    Outcome.BUILD_FAILED: "not built",
    Outcome.CANCELLED: "without a result",
    Outcome.MISSING_INTERPRETER: "without an interpreter",
    Outcome.IMPOSSIBLE: "impossible",
    Outcome.ELSEWHERE: "elsewhere",
}
# Characters with a meaning in Markdown or HTML, and those of GitHub's links, mentions, emoji and formulas.
_ACTIVE = re.compile(r"[&<>\"'`*_{}\[\]#+!|~@$:;^=\\]|(?<=www)\.", re.IGNORECASE)


def render(report: Report, kept: Iterable[Investigated] = ()) -> str:
    """Return the report as GitHub-flavoured Markdown, less than 900 kB; `kept` is what `venvgrid why` found."""
    page = _Page()
    project = f"{report.project} {report.project_version}".strip() or "venvgrid"
    page.add(f"### {prose(project)}\n\n")
    page.add(f"**{text.tally(report.cells, {})}** in {text.seconds(report.duration)}\n\n")
    for line in text.coverage(report):
        page.add(f"{prose(line.strip())}\n\n")
    if not report.finished:
        page.add("❌ **The run did not finish.**\n\n")
    _add_table(page, report.cells)
    for outcome, title in _TITLES.items():
        found = [group for group in grouping.by_reason(report.cells) if group.outcome is outcome]
        cells = sum(len(group.cells) for group in found)
        page.folded(f"{text.count(cells, 'cell')} {title}", [_reason(group) for group in found], "reasons")
    analysis = Analysis(report)
    _add_changes(page, analysis)
    _add_failures(page, analysis, stories.told(report, kept))
    _add_machines(page, report)
    flaky = [
        f"- {code(test)} in {code(cell)}: passed after {code(earlier)}\n" for cell, test, earlier in analysis.flaky
    ]
    page.folded("Flaky tests", flaky, "tests")
    page.folded("Notes", list(_notes(report)), "notes")
    return page.text()


def prose(raw: str) -> str:
    """Return untrusted text escaped for a heading or a table."""
    return _ACTIVE.sub(lambda match: f"&#{ord(match[0])};", text.line(raw))


def code(raw: str) -> str:
    """Return untrusted text as code on one line."""
    flat = text.line(raw)
    fence = "`" * (1 + max(map(len, re.findall("`+", flat)), default=0))
    space = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{space}{flat}{space}{fence}" if flat else "(nothing)"


def escaped(raw: str) -> str:
    """Return untrusted text of several lines, escaped for an HTML block."""
    plain = "\n".join(text.safe(line.expandtabs(4)) for line in text.ANSI.sub("", raw).split("\n"))
    return text.COMMAND.sub(r"\1&#58;", html.escape(plain))


class _Page:
    """Markdown with a limited size."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0

    def add(self, part: str, limit: int = LIMIT) -> bool:
        """Add a part if the page stays below `limit`. Return whether it was added."""
        size = len(part.encode("utf-8", "replace"))
        if self._size + size > limit - RESERVE:
            return False
        self._parts.append(part)
        self._size += size
        return True

    def add_all(self, parts: Iterable[str], total: int, noun: str, limit: int) -> None:
        """Add `total` parts up to `limit`, then the number of omitted ones."""
        for index, part in enumerate(parts):
            if not self.add(part, limit):
                self._parts.append(f"\n{total - index} more {noun} in results.json\n")
                return

    def folded(self, title: str, items: Sequence[str], noun: str) -> None:
        """Add a list that is folded."""
        if items:
            self._parts.append(f"<details><summary>{html.escape(title)}</summary>\n\n")
            self.add_all(items, len(items), noun, REASONS_LIMIT)
            self._parts.append("\n</details>\n\n")

    def text(self) -> str:
        """Return the page."""
        return text.guard("".join(self._parts).rstrip("\n") + "\n")


def _add_table(page: _Page, cells: tuple[CellResult, ...]) -> None:
    if not cells:
        return
    head, rows = _grid(cells) or _list(cells)
    columns = len(head)
    page.add(f"| {' | '.join(head)} |\n|{' --- |' * columns}\n")
    drawn = [(f"| {' | '.join(row)} |\n", is_bad) for row, is_bad in rows]
    if sum(len(line.encode()) for line, _ in drawn) > TABLE_LIMIT:
        drawn.sort(key=lambda item: not item[1])  # bad rows first, as not all fit
    page.add_all((line for line, _ in drawn), len(drawn), "rows", TABLE_LIMIT)
    page.add("\n")


Rows = list[tuple[list[str], bool]]  # columns, and whether a cell in the row is bad


def _grid(cells: tuple[CellResult, ...]) -> tuple[list[str], Rows] | None:
    grid = grid_layout.arrange({cell.id: cell.axes for cell in cells})
    if grid is None:
        return None
    results = {cell.id: cell for cell in cells}
    rows: Rows = []
    for row in grid.rows:
        found = [results.get(identifier) for identifier in row.cells]
        labels = [f"**{prose(label or '(empty)')}**" for label in row.labels]
        rows.append(([*labels, *(_sign(cell) if cell else "" for cell in found)], any(map(_is_bad, found))))
    return [*map(prose, grid.row_axes), *(prose(column or "(empty)") for column in grid.columns)], rows


def _list(cells: tuple[CellResult, ...]) -> tuple[list[str], Rows]:
    rows: Rows = []
    for cell in cells:
        took = text.seconds(cell.durations["test"]) if "test" in cell.durations else ""
        rows.append(([prose(cell.id), _sign(cell, spelt=True), text.tests_of(cell), took], _is_bad(cell)))
    return ["cell", "outcome", "tests", "time"], rows


def _sign(cell: CellResult, *, spelt: bool = False) -> str:
    sign = SIGNS.get(cell.outcome, f"❌ {cell.outcome.value}")
    if spelt:
        sign = f"{sign.split()[0]} {cell.outcome.value}"
    may = " (may fail)" if cell.allow_failure and not cell.outcome.is_green else ""
    return f"{sign}{' ↻' if cell.cached else ''}{may}"


def _is_bad(cell: CellResult | None) -> bool:
    return (
        cell is not None and not cell.outcome.is_green and cell.outcome not in {Outcome.IMPOSSIBLE, Outcome.ELSEWHERE}
    )


def _reason(group: ReasonGroup) -> str:
    single = len(group.cells) == 1 or group.outcome is not Outcome.IMPOSSIBLE
    which = _names(group.cells) if single else text.count(len(group.cells), "cell")
    return f"- {code(group.reason or 'no reason was given')} ({which})\n"


def _add_changes(page: _Page, analysis: Analysis) -> None:
    changes = analysis.changes
    lists = {
        "❌ regressed": changes.regressed,
        "✅ fixed": changes.fixed,
        "newly impossible": changes.newly_impossible,
        "newly possible": changes.newly_possible,
        "common to all regressed": changes.moved,
    }
    if changes:
        page.add("#### Since the last run\n\n")
        lines = [f"- {word}: {_names(names)}\n" for word, names in lists.items() if names]
        page.add_all(lines, len(lines), "changes", LIMIT)
        page.add("\n")


def _add_machines(page: _Page, report: Report) -> None:
    """Add where the time went, if it went to several machines."""
    rows = [share.columns for share in machines.shares(report)]
    if rows:
        page.add("#### Machines\n\n")
        head = [" | ".join(machines.HEAD), " | ".join("---" for _ in machines.HEAD)]
        lines = [*head, *(" | ".join(map(prose, row)) for row in rows)]
        page.add_all([f"| {line} |\n" for line in lines], len(lines), "machines", LIMIT)
        page.add(f"\n{machines.LEGEND}\n\n")


def _add_failures(page: _Page, analysis: Analysis, known: Mapping[str, tuple[Told, ...]]) -> None:
    found = analysis.findings
    if found:
        page.add(f"#### {text.count(len(found), 'failure')}\n\n")
        shown = (_failure(item, analysis.report, known.get(item.group.signature, ())) for item in found)
        page.add_all(shown, len(found), "failures", LIMIT)
        page.add("\n")


def _failure(finding: Finding, report: Report, why: Iterable[Told]) -> str:
    group = finding.group
    where = f"{len(group.cells)} of {text.count(len(report.cells), 'cell')}"
    tests = f"{text.named(group.tests)} in " if group.tests else f"{group.outcome.value} in "
    may = " (may fail)" if group.allowed else ""
    lines = [
        f"<details><summary>❌ <code>{escaped(text.line(group.headline))}</code> — {tests}{where}{may}</summary>\n",
        *(f"- {prose(line)}" for line in finding.lines),
        *(line for told in why for line in _story(sections.account(told))),
        *([f"- tests: {_names(group.tests)}"] if group.tests else []),
        f"- cells: {_names(group.cells)}",
        *([f"- what to do: {prose(group.hint)}"] if group.hint else []),
        f"- to repeat one: {code(text.repeat(report, group.cells[0], group.outcome))}",
        *([f"- log: {code(text.log(report, group.log))}"] if group.log else []),
        "",
    ]
    if group.longrepr:
        cut = group.longrepr[-MAX_TRACEBACK_LENGTH:]  # the end has the exception
        lines += [f"<pre>\n{escaped(cut)}\n</pre>", ""]
    return "\n".join([*lines, "</details>\n\n"])


def _story(told: Account) -> Iterator[str]:
    """Yield what an investigation found as a list: who did it, the proof, what to know, what to do."""
    yield from (f"- {prose(line)} ({prose(told.source)})" for line in told.rule[:1])
    yield from (f"- {prose(line)}" for line in told.rule[1:])
    for number, section in enumerate(told.sections):
        behind = f"behind it, {code(section.failure)}: " if number else ""
        yield f"- {behind}**{prose(section.headline)}** ({prose(told.source)})"
        yield from (f"  - {prose(row.world)}: {prose(row.word)}" for row in section.proof)
        yield from (f"  - {prose(note)}" for note in section.notes)
        for step in section.steps:
            yield f"  - {step.verb}: {code(step.what)}{f' ({prose(step.remark)})' if step.remark else ''}"
    yield from (f"- {prose(line)} ({prose(told.source)})" for line in told.rest)


def _notes(report: Report) -> Iterator[str]:
    notes = grouping.by_note(report.cells)
    yield from (f"- {code(note)} ({_names(cells)})\n" for note, cells in notes.items())
    yield from (f"- {code(warning)}\n" for warning in report.warnings)


def _names(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - MAX_NAMES} more" if len(every) > MAX_NAMES else ""
    return ", ".join(code(name) for name in every[:MAX_NAMES]) + more
