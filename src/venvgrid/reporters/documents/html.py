"""The report as one HTML file without network access. Its script adds filters, tests, cells and the timeline.

Text from code under test is escaped by the template's environment, or inserted as text by the script. A content
security policy allows only that script, by its digest, and loads nothing.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from venvgrid.analysis import stories
from venvgrid.analysis.findings import Analysis
from venvgrid.analysis.neighbours import Neighbours
from venvgrid.reporters import text
from venvgrid.reporters.documents import html_data, html_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from venvgrid.analysis.stories import Investigated
    from venvgrid.analysis.trend import PastRun
    from venvgrid.model import CellResult
    from venvgrid.results.report import Report

ASSETS = Path(__file__).with_name("page")
SCRIPTS = ("base", "shapes", "filters", "panel", "tests", "cells", "timeline", "start")
MAX_RED_LOG = 100_000  # characters of one cell's log: its end
MAX_GREEN_LOG = 8_000
MAX_PLAIN_LOGS = 200_000  # characters of all logs that stand in the page as they are; more are packed
MAX_LOGS = 12_000_000  # characters of all logs
MAX_PACKED_LOGS = 260_000  # characters of all packed logs
RED_SHARES = 5  # room for the log of a bad cell, compared with that of a green one


def render(
    report: Report,
    log: Callable[[CellResult], str] = lambda _cell: "",
    past: Sequence[PastRun] = (),
    kept: Sequence[Investigated] = (),
) -> str:
    """Return the report as a page.

    `log` reads the output of a cell; `past` are the runs before this one; `kept` is what `venvgrid why` found.
    """
    style, code = (ASSETS / "page.css").read_text(encoding="utf-8"), script()
    analysis, known = Analysis(report), Neighbours(report.cells)
    view = html_view.view(analysis, past, known, stories.told(report, kept))
    policy = f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(code)}'; base-uri 'none'"
    return (
        _environment()
        .get_template("page.html")
        .render(
            view=view,
            policy=Markup(policy),  # noqa: S704  (ours, here and below)
            style=Markup(style),  # noqa: S704
            script=Markup(code),  # noqa: S704
            data=as_json(html_data.page_data(analysis, known, view.shape)),
            logs=tuple(_logs(report, log)),
        )
    )


def script() -> str:
    """Return the script of the page."""
    return "".join((ASSETS / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)


def as_json(value: Any) -> Markup:
    """Return JSON that cannot end its element or begin another."""
    plain = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return Markup(plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


@functools.cache
def _environment() -> jinja2.Environment:
    """Return an environment that escapes every value, and writes control characters as codes."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(ASSETS),
        finalize=lambda value: text.safe(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "flat": text.line,
        "seconds": text.seconds,
        "count": text.count,
        "mark": lambda cell: text.mark(cell, "utf-8"),
        "told": lambda cell: text.tests_of(cell) or cell.reason,
    }
    environment.globals |= {"tally": lambda report: text.tally(report.cells, {}), "line_end": Markup("\n")}
    return environment


def _digest(asset: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(asset.encode()).digest()).decode()}"


def _logs(report: Report, log: Callable[[CellResult], str]) -> Iterator[tuple[int, Markup]]:
    """Yield the number and the log of each cell, as JSON: plain if all together are small, packed if not."""
    kept = _kept_logs(report, log)
    if sum(map(len, kept.values())) <= MAX_PLAIN_LOGS:
        yield from ((number, as_json(output)) for number, output in kept.items())
        return
    shares = {number: 1 if report.cells[number].outcome.is_green else RED_SHARES for number in kept}
    share = MAX_PACKED_LOGS // sum(shares.values())
    for number, output in kept.items():
        name = text.log(report, report.cells[number].log)
        yield number, as_json({"gzip": _packed(output, share * shares[number], name)})


def _kept_logs(report: Report, log: Callable[[CellResult], str]) -> dict[int, str]:
    """Return the logs, those of bad cells first, up to the limit."""
    room, kept = MAX_LOGS, {}
    for number, cell in sorted(enumerate(report.cells), key=lambda item: item[1].outcome.is_green):
        most = min(room, MAX_GREEN_LOG if cell.outcome.is_green else MAX_RED_LOG)
        output = log(cell) if most else ""
        if output:
            kept[number] = html_data.coloured(_end(output, most, text.log(report, cell.log)))
            room -= min(room, len(output))
    return kept


def _end(output: str, most: int, name: str) -> str:
    return output if len(output) <= most else f"[the beginning is in {name}]\n{output[-most:]}"


def _packed(output: str, most: int, name: str) -> str:
    """Return the output as gzip in base64, of at most `most` characters: the shorter end if all of it is too long."""
    kept = output
    while True:
        packed = base64.b64encode(gzip.compress(kept.encode("utf-8", "backslashreplace"), mtime=0)).decode()
        if len(packed) <= most or len(kept) < 1_000:  # noqa: PLR2004  (a screen)
            return packed
        kept = _end(output, len(kept) // 2, name)
