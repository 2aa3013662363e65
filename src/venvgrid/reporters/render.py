"""A report as text, by the name of a format; each renderer is imported when it is asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from venvgrid.errors import UsageError

if TYPE_CHECKING:
    from venvgrid.report import Report

FORMATS = ("table", "json", "junit", "markdown")


def text(format_: str, report: Report) -> str:
    """Render a report for a file.

    Raises:
        UsageError: there is no such format.
    """
    if format_ == "table":
        return table(report, width=120, colour=False, encoding="utf-8")
    if format_ == "json":
        return json.dumps(results(report), indent=1) + "\n"
    if format_ == "junit":
        from venvgrid.reporters import junit  # noqa: PLC0415

        return junit.render(report)
    if format_ == "markdown":
        from venvgrid.reporters import markdown  # noqa: PLC0415

        return markdown.render(report)
    raise UsageError(f"there is no format {format_!r}; the formats are {', '.join(FORMATS)}")


def table(report: Report, *, width: int, colour: bool, encoding: str) -> str:
    """Render the grid and what stands below it, for a terminal."""
    from venvgrid.reporters import table as grid  # noqa: PLC0415  (rich takes 100 ms)

    return grid.render(report, width=width, colour=colour, encoding=encoding)


def results(report: Report) -> dict[str, Any]:
    """Give results.json as data."""
    from venvgrid.reporters.results import to_results  # noqa: PLC0415

    return to_results(report)
