"""A badge for a README: as SVG, or as data for shields.io."""

from __future__ import annotations

import html
import json
import unicodedata
from typing import TYPE_CHECKING

from venvgrid.model import ExitStatus, Outcome

if TYPE_CHECKING:
    from venvgrid.results.report import Report

LABEL = "venvgrid"
COLOURS = {"brightgreen": "#2e8b3d", "red": "#c0392b", "lightgrey": "#6b7280"}
WIDE, NARROW = 7.2, 6.2  # pixels of a character at 11 px in a usual sans-serif; measured in Chromium
HEIGHT, PADDING = 20, 6


def shields(report: Report) -> str:
    """Return JSON for an endpoint of shields.io: https://shields.io/badges/endpoint-badge."""
    message, colour = _message(report)
    return json.dumps({"schemaVersion": 1, "label": LABEL, "message": message, "color": colour}) + "\n"


def svg(report: Report) -> str:
    """Return the badge as a self-contained SVG file."""
    message, colour = _message(report)
    left, right = (_width(words) + 2 * PADDING for words in (LABEL, message))
    title = html.escape(f"{LABEL}: {message}")
    middle = HEIGHT * 0.7
    texts = "".join(
        f'<text x="{x:.1f}" y="{middle:.0f}" textLength="{_width(words):.0f}">{html.escape(words)}</text>'
        for words, x in ((LABEL, left / 2), (message, left + right / 2))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right:.0f}" height="{HEIGHT}" role="img" '
        f'aria-label="{title}"><title>{title}</title>'
        f'<rect width="{left + right:.0f}" height="{HEIGHT}" rx="3" fill="#3b4048"/>'
        f'<path d="M{left:.0f} 0h{right - 3:.0f}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{right - 3:.0f}z" '
        f'fill="{COLOURS[colour]}"/>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{texts}</g></svg>\n"
    )


def _message(report: Report) -> tuple[str, str]:
    """Return message and colour: the cells that passed, of those that can exist and are not elsewhere.

    Cells that may fail do not count.
    """
    counted = [
        cell
        for cell in report.cells
        if cell.outcome not in {Outcome.IMPOSSIBLE, Outcome.ELSEWHERE}
        and (cell.outcome.is_green or not cell.allow_failure)
    ]
    green = sum(cell.outcome.is_green for cell in counted)
    if not counted or not report.finished:
        return "no result", "lightgrey"
    message = f"{green} cells pass" if green == len(counted) else f"{green} of {len(counted)} cells pass"
    return message, "brightgreen" if report.exit_status == ExitStatus.PASSED and green == len(counted) else "red"


def _width(words: str) -> float:
    return sum(NARROW if unicodedata.category(sign) in {"Po", "Zs"} or sign in "iljftr1" else WIDE for sign in words)
