"""The report as one HTML file without network access. Its script adds filters, tests, cells and the timeline.

Text from code under test is escaped here, or inserted as text by the script. A content security policy allows only that
script, by its digest, and loads nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.analysis import grid as grid_layout
from venvgrid.analysis import grouping, rules
from venvgrid.analysis.findings import Analysis
from venvgrid.model import Outcome
from venvgrid.reporters import text
from venvgrid.reporters.documents import html_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from venvgrid.analysis.findings import Finding
    from venvgrid.model import CellResult
    from venvgrid.results.report import Report

ASSETS = Path(__file__).with_name("page")
MAX_LOGS = 12_000_000  # characters of all logs
MAX_RED_LOG = 100_000  # of one cell: its end
MAX_GREEN_LOG = 8_000
MAX_TESTS = 30  # that a failure names


def render(report: Report, log: Callable[[CellResult], str] = lambda _cell: "") -> str:
    """Return the report as a page. `log` reads the output of a cell."""
    style, script = ((ASSETS / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    analysis = Analysis(report)
    title = f"{report.project} {report.project_version}".strip() or "venvgrid"
    policy = f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'"
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f"<title>{_flat(title)}: {_flat(text.tally(report.cells, {}))}</title>\n",
        f"<style>{style}</style>\n</head>\n<body>\n",
        *_head(report, title),
        *_grid(report),
        *_changes(analysis),
        *_reasons(report),
        *_failures(analysis),
        *_rest(report),
        f'<script type="application/json" id="data">{as_json(html_data.page_data(analysis))}</script>\n',
        *_logs(report, log),
        f"<script>{script}</script>\n</body>\n</html>\n",
    ]
    return "".join(parts)


def _digest(asset: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(asset.encode()).digest()).decode()}"


def _flat(raw: str, width: int = 500) -> str:
    """Return untrusted text as one line of HTML."""
    return html.escape(text.line(raw, width))


def _block(raw: str) -> str:
    """Return untrusted text of several lines as HTML, without colours."""
    return html.escape("\n".join(text.safe(line.expandtabs(4)) for line in text.ANSI.sub("", raw).split("\n")))


# parts that need no script


def _head(report: Report, title: str) -> Iterator[str]:
    yield f"<header>\n<h1>{_flat(title)}</h1>\n"
    took = text.seconds(report.duration)
    yield f'<p class="summary">{_flat(text.tally(report.cells, {}))} in {took}</p>\n'
    if not report.finished:
        yield '<p class="summary b">The run did not finish.</p>\n'
    command = f" · <code>{_flat(text.command(*report.command))}</code>" if report.command else ""
    when = report.started[:19].replace("T", " ")
    version = f" · venvgrid {_flat(report.venvgrid)}" if report.venvgrid else ""
    yield f'<p class="dim">run {_flat(report.run)} · {_flat(when)} UTC{command}{version}</p>\n</header>\n'
    yield "<noscript><p>Filters, tests, cells and the timeline need JavaScript.</p></noscript>\n"
    yield '<div class="filters" id="filters"></div>\n'


def _grid(report: Report) -> Iterator[str]:
    if not report.cells:
        return
    yield '<h2 id="grid">Cells</h2>\n<div class="wide"><table class="grid">\n'
    results = {cell.id: cell for cell in report.cells}
    grid = grid_layout.arrange({cell.id: cell.axes for cell in report.cells})
    if grid is None:
        axes = list(dict.fromkeys(name for cell in report.cells for name in cell.axes))
        yield f"<thead><tr>{_heads(axes)}<th></th></tr></thead>\n<tbody>\n"
        for cell in report.cells:
            labels = "".join(f'<th scope="row">{_flat(cell.axes.get(name, ""))}</th>' for name in axes)
            yield f"<tr>{labels}<td>{_link(cell)}</td></tr>\n"
    else:
        fixed = ", ".join(f"{name} = {value}" for name, value in grid.fixed)
        yield f'<caption class="dim">every cell: {_flat(fixed)}</caption>' if fixed else ""
        yield f"<thead><tr>{_heads([*grid.row_axes, *grid.columns])}</tr></thead>\n<tbody>\n"
        for row in grid.rows:
            labels = "".join(f'<th scope="row">{_flat(label or "(empty)")}</th>' for label in row.labels)
            cells = "".join(f"<td>{_link(results[name]) if name else ''}</td>" for name in row.cells)
            yield f"<tr>{labels}{cells}</tr>\n"
    yield "</tbody>\n</table></div>\n"
    present = [outcome for outcome in Outcome if any(cell.outcome is outcome for cell in report.cells)]
    legend = " ".join(
        f'<span class="tag {outcome.value}">{text.SYMBOLS[outcome][0]}</span> {outcome.value}' for outcome in present
    )
    yield f"<p>{legend}</p>\n"


def _heads(names: Iterable[str]) -> str:
    return "".join(f'<th scope="col">{_flat(name or "(empty)")}</th>' for name in names)


def _link(cell: CellResult) -> str:
    title = html.escape(f"{cell.id}: {cell.outcome.value}{', may fail' if cell.allow_failure else ''}", quote=True)
    sign = html.escape(text.mark(cell, "utf-8"))
    name = html.escape(cell.id, quote=True)
    return f'<a href="#cell-{name}" data-cell="{name}" class="{cell.outcome.value}" title="{title}">{sign}</a>'


def _changes(analysis: Analysis) -> Iterator[str]:
    changes = analysis.changes
    if not changes:
        return
    yield '<h2 id="changes">Since the last run</h2>\n'
    for word, style, cells in (
        ("regressed", "b", changes.regressed),
        ("fixed", "g", changes.fixed),
        ("newly impossible", "w", changes.newly_impossible),
        ("newly possible", "g", changes.newly_possible),
    ):
        if cells:
            yield f'<p><span class="tag {style}">{word}</span> {_cell_links(cells)}</p>\n'
    if changes.moved:
        yield f'<p class="dim">common to all regressed cells: {_flat(", ".join(changes.moved))}</p>\n'


def _cell_links(cells: Iterable[str]) -> str:
    return ", ".join(f'<a href="#cell-{html.escape(cell, quote=True)}">{_flat(cell)}</a>' for cell in cells)


def _reasons(report: Report) -> Iterator[str]:
    found = grouping.by_reason(report.cells)
    if found:
        yield '<h2 id="not-tested">Not tested</h2>\n'
    for group in found:
        tag = f'<span class="tag {group.outcome.value}">{group.outcome.value}</span>'
        yield f"<p>{tag} {_flat(group.reason or 'no reason was given')}: {_cell_links(group.cells)}</p>\n"


def _failures(analysis: Analysis) -> Iterator[str]:
    if analysis.findings:
        yield '<h2 id="failures">Failures</h2>\n'
    for number, finding in enumerate(analysis.findings):
        yield from _failure(finding, number, analysis.report)


def _failure(finding: Finding, number: int, report: Report) -> Iterator[str]:
    group = finding.group
    may = " may" if group.allowed else ""
    yield f'<section class="failure{may}" id="failure-{number}">\n<h3>{_flat(group.headline)}</h3>\n'
    for index, line in enumerate(rules.describe(finding.explanation)):
        yield f'<p class="{"dim" if index else "rule"}">{_flat(line)}</p>\n'
    yield f"<p>in {len(group.cells)} of {text.count(len(report.cells), 'cell')}: {_cell_links(group.cells)}</p>\n"
    if group.tests:
        items = "".join(f"<li><code>{_flat(test)}</code></li>" for test in group.tests[:MAX_TESTS])
        more = len(group.tests) - MAX_TESTS
        yield f"<ul>{items}{f'<li>and {more} more</li>' if more > 0 else ''}</ul>\n"
    repeat = text.command("venvgrid", "run", "-k", group.cells[0])
    yield f"<p>repeat one: <code>{_flat(repeat)}</code></p>\n"
    if group.longrepr:
        yield f'<details><summary>traceback</summary><pre tabindex="0">{_block(group.longrepr)}</pre></details>\n'
    yield "</section>\n"


def _rest(report: Report) -> Iterator[str]:
    if report.tests:
        yield '<h2 id="tests">Tests</h2>\n<div class="filters" id="test-filters"></div>\n'
        yield '<div class="wide"><table class="matrix" id="tests-table"></table></div>\n'
        yield '<p class="more"><button id="more-tests" class="hidden">Show more tests</button></p>\n'
    if report.cells:
        yield '<section class="compare">\n<h2 id="compare">Packages of two cells</h2>\n'
        yield '<div class="filters" id="compare-fields"></div><p id="compare-said" class="dim"></p>\n'
        yield '<div class="wide"><table id="compare-table"></table></div>\n</section>\n'
    if report.spans and report.duration:
        yield '<h2 id="when">Timeline</h2>\n<div class="timeline" id="timeline"></div>\n'
    yield '<h2 id="cells">Each cell</h2>\n'
    for number, cell in enumerate(report.cells):
        name = html.escape(cell.id, quote=True)
        tag = f'<span class="tag {cell.outcome.value}">{html.escape(text.mark(cell, "utf-8"))}</span>'
        detail = text.tests_of(cell) or cell.reason
        summary = (
            f'{tag} {name} <span class="dim">{cell.outcome.value}{": " if detail else ""}{_flat(detail, 200)}</span>'
        )
        yield f'<details class="cell" id="cell-{name}" data-id="{name}" data-number="{number}">'
        yield f"<summary>{summary}</summary><div></div></details>\n"


def _logs(report: Report, log: Callable[[CellResult], str]) -> Iterator[str]:
    """Yield the logs, those of bad cells first, up to the limit."""
    room = MAX_LOGS
    numbered = sorted(enumerate(report.cells), key=lambda item: item[1].outcome.is_green)
    for number, cell in numbered:
        most = min(room, MAX_GREEN_LOG if cell.outcome.is_green else MAX_RED_LOG)
        output = log(cell) if most else ""
        if not output:
            continue
        if len(output) > most:
            output = f"[the beginning is in {text.log(report, cell.log)}]\n{output[-most:]}"
        room -= min(room, len(output))
        yield f'<script type="application/json" id="log-{number}">{as_json(html_data.coloured(output))}</script>\n'


def as_json(value: Any) -> str:
    """Return JSON that cannot end its element or begin another."""
    plain = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
