"""Words that reporters share, and text of others made safe: names, messages and reasons come from code under test.

What a reporter writes for a terminal or a CI log passes `line` piece by piece, and `guard` as a whole.
"""

from __future__ import annotations

import math
import os
import re
import shlex
from typing import TYPE_CHECKING

from venvgrid.model.result import CaseOutcome, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from venvgrid.model.result import CellResult
    from venvgrid.results.report import Report

MAX_LINE_LENGTH = 300  # characters of a line of somebody else's text

# Whole escape sequences, also the 8-bit ones: CSI; OSC, DCS, SOS, PM and APC with their text; the short ones.
# Text that has no end is no sequence: what a test printed after it is not lost.
ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\n\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_SGR = re.compile(r"\x1b\[[0-9;:]*m")
# Control characters, line separators, what changes the direction of writing, the byte order mark, lone surrogates.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
COMMAND = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)  # GitHub's, after leading blanks
OLD_COMMAND = re.compile(r"#(?=#(?:\[|vso\[|teamcity\[))")  # GitHub's of old, Azure's, TeamCity's: anywhere in a line

SYMBOLS = {
    Outcome.PASSED: ("✓", "+"),
    Outcome.FLAKY: ("~", "~"),
    Outcome.FAILED: ("✗", "x"),
    Outcome.CRASHED: ("C", "C"),
    Outcome.TIMED_OUT: ("T", "T"),
    Outcome.NO_TESTS: ("0", "0"),
    Outcome.MISMATCH: ("M", "M"),
    Outcome.BROKEN_ENV: ("!", "!"),
    Outcome.BUILD_FAILED: ("B", "B"),
    Outcome.IMPOSSIBLE: ("–", "-"),  # noqa: RUF001  (a dash, as wide as the other signs)
    Outcome.MISSING_INTERPRETER: ("?", "?"),
    Outcome.CANCELLED: ("c", "c"),
}
CACHED = ("↻", "*")
ELLIPSIS = ("…", "...")
ASCII = (("≥", ">="), ("≤", "<="), ("→", "->"))
COLOURS = {
    Outcome.PASSED: "green",
    Outcome.FLAKY: "yellow",
    Outcome.IMPOSSIBLE: "bright_black",
    Outcome.MISSING_INTERPRETER: "yellow",
    Outcome.BUILD_FAILED: "magenta",
    Outcome.CANCELLED: "bright_black",
}


def safe(text: str) -> str:
    """Spell out control characters, and with them every escape sequence; colours are left out."""
    return _UNPRINTABLE.sub(spelt, _SGR.sub("", text))


def spelt(match: re.Match[str]) -> str:
    r"""Give the code of a matched character: "\x1b"; to be used with `re.sub`."""
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004  (two digits)


def line(text: str, width: int = MAX_LINE_LENGTH) -> str:
    """Make one safe line of bounded length."""
    flat = safe(" ".join(text[: 4 * width].split()))
    return flat if len(flat) <= width and len(text) <= 4 * width else f"{flat[: width - 1]}…"


def guard(text: str) -> str:
    r"""Make sure that no line is a command to a CI service: "::debug" becomes "\::debug", "##[group]" "#\#[group]"."""
    return OLD_COMMAND.sub(r"#\\", COMMAND.sub(r"\1\\:", text))


def encodable(text: str, encoding: str) -> str:
    """Spell out what cannot be written in `encoding`."""
    if can_encode(text, encoding):
        return text
    for sign, plain in (ELLIPSIS, *ASCII):
        text = text.replace(sign, plain)
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:
        return text.encode("ascii", "backslashreplace").decode("ascii")


def can_encode(text: str, encoding: str) -> bool:
    """Whether `encoding`, which need not exist, has all characters of `text`."""
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def is_plain(encoding: str) -> bool:
    """Whether an encoding lacks a sign: then letters are written instead of all of them."""
    return not can_encode("".join(sign for sign, _ in (*SYMBOLS.values(), CACHED, ELLIPSIS)), encoding)


def symbol(outcome: Outcome, encoding: str) -> str:
    """Give the sign of an outcome; a letter where the encoding has no signs."""
    return SYMBOLS[outcome][is_plain(encoding)]


def mark(cell: CellResult, encoding: str) -> str:
    """Give the sign of a result: in brackets if it is bad and may be, with one more if it is of an earlier run."""
    sign = symbol(cell.outcome, encoding) + (CACHED[is_plain(encoding)] if cell.cached else "")
    return f"({sign})" if cell.allow_failure and not cell.outcome.is_green else sign


def colour(outcome: Outcome) -> str:
    """Give the colour of an outcome, as rich names it."""
    return COLOURS.get(outcome, "red")


def seconds(value: float) -> str:
    """Write a duration: "0.8 s", "2 min 5 s", "1 h 2 min"."""
    if not math.isfinite(value) or value < 0:
        value = 0.0
    if value < 59.95:  # noqa: PLR2004  (what is written as 60.0 s is a minute)
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004


def count(number: int, noun: str) -> str:
    """Write a number of things: "1 test", "3 tests"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def some(items: Sequence[str], most: int) -> str:
    """Write the first few of a list: "a, b and 3 more"."""
    shown = ", ".join(line(item) for item in items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def tests(counts: Mapping[str, int]) -> str:
    """Write what became of a cell's tests: "40 tests", "2 of 40 tests failed, 3 skipped"; "" if there were none."""
    total = sum(counts.values())
    if not total:
        return ""
    bad = counts.get(CaseOutcome.FAILED, 0) + counts.get(CaseOutcome.ERROR, 0)
    skipped = counts.get(CaseOutcome.SKIPPED, 0)
    first = f"{bad} of {count(total, 'test')} failed" if bad else count(total, "test")
    return f"{first}, {skipped} skipped" if skipped else first


def tally(cells: Iterable[CellResult], words: Mapping[Outcome, str]) -> str:
    """Write how many cells there are of each outcome: "12 cells: 3 passed, 9 impossible"; `words` are other names."""
    every = tuple(cells)
    parts = []
    for outcome in Outcome:
        alike = [cell for cell in every if cell.outcome is outcome]
        again = sum(cell.cached for cell in alike)
        if alike:
            told = f"{len(alike)} {words.get(outcome, outcome.value)}"
            parts.append(f"{told} ({again} from an earlier run)" if again else told)
    return f"{count(len(every), 'cell')}: {', '.join(parts)}" if parts else "no cells"


def log(report: Report, name: str) -> str:
    """Give the path of a cell's log as seen from the configuration."""
    return line(f".venvgrid/runs/{report.run}/{name}")


def command(*words: str) -> str:
    """Write a command so that it can be typed, in a shell of this platform."""
    if os.name == "nt":
        return " ".join(f'"{word}"' if not word or " " in word else word for word in words)
    return shlex.join(words)
