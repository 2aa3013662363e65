"""Renders a report by the name of a format. Renderers are imported on first use: a run needs few of them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from venvgrid.analysis import document
from venvgrid.model import UsageError
from venvgrid.reporters.manner import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venvgrid.analysis.stories import Investigated
    from venvgrid.analysis.trend import PastRun
    from venvgrid.model import CellResult
    from venvgrid.reporters.manner import Manner
    from venvgrid.results.report import Report


def text(
    format_: str,
    report: Report,
    log: Callable[[CellResult], str] = lambda _cell: "",
    folder: str = "",
    past: Callable[[], Sequence[PastRun]] = tuple,
    stories: Callable[[], Sequence[Investigated]] = tuple,
) -> str:
    """Render a report for a file.

    `log` reads the output of a cell. `folder` is the path from the repository to the tests: "" or "sub/". `past`
    reads the runs before this one, `stories` what `venvgrid why` found.

    Raises:
        UsageError: the format is unknown.
    """
    renderers: dict[str, Callable[[], str]] = {
        "table": lambda: table(report, width=120, colour=False, encoding="utf-8"),
        "json": lambda: "".join(document.pieces(report)),
        "junit": lambda: _reporter("junit").render(report),
        "markdown": lambda: _reporter("markdown").render(report, stories()),
        "html": lambda: _reporter("html").render(report, log, past(), stories()),
        "github": lambda: _reporter("ci").github(report, folder),
        "gitlab": lambda: _reporter("ci").gitlab(report, folder),
        "gitlab-junit": lambda: _reporter("junit").render(report, files=True),
        "badge": lambda: _reporter("badge").svg(report),
        "shields": lambda: _reporter("badge").shields(report),
    }
    if format_ not in renderers:
        raise UsageError(f"there is no format {format_!r}; the formats are {', '.join(renderers)}")
    return renderers[format_]()


def _reporter(name: str) -> Any:
    """Import a renderer."""
    return importlib.import_module(f"venvgrid.reporters.documents.{name}")


def table(report: Report, *, width: int, colour: bool, encoding: str, manner: Manner = PLAIN) -> str:
    """Render the report for a terminal."""
    from venvgrid.reporters.terminal import table as grid  # noqa: PLC0415  (rich takes 100 ms)

    return grid.render(report, width=width, colour=colour, encoding=encoding, manner=manner)
