"""Signs and phrases that reporters share, and sanitising of untrusted text.

Names, messages and reasons come from code under test. For a terminal or a CI log each of them passes `line`, and the
whole output passes `guard`.
"""

from __future__ import annotations

import math
import os
import posixpath
import re
import shlex
from typing import TYPE_CHECKING

from venvgrid.analysis import coverage as ran
from venvgrid.model import CaseOutcome, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from venvgrid.model import CellResult
    from venvgrid.results.report import Report

MAX_LINE_LENGTH = 300  # characters of a line of untrusted text
MAX_PAIRS = 5  # that a line names

# Whole escape sequences, also the 8-bit ones: CSI; OSC, DCS, SOS, PM and APC with their text; the short ones.
# A sequence without its end does not match: otherwise the output after it would be lost.
ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\n\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_SGR = re.compile(r"\x1b\[[0-9;:]*m")
# Control characters, line separators, direction marks, the byte order mark, lone surrogates.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
COMMAND = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)  # GitHub's, after leading blanks
OLD_COMMAND = re.compile(r"#(?=#(?:\[|vso\[|teamcity\[))")  # GitHub's old ones, Azure's, TeamCity's: anywhere in a line

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
    Outcome.ELSEWHERE: ("→", ">"),
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
    Outcome.ELSEWHERE: "bright_black",
    Outcome.BUILD_FAILED: "magenta",
    Outcome.CANCELLED: "bright_black",
}


def safe(text: str) -> str:
    """Remove colours, and write all other control characters and escape sequences as codes."""
    return _UNPRINTABLE.sub(spelt, _SGR.sub("", text))


def spelt(match: re.Match[str]) -> str:
    r"""Return the code of a matched character, "\x1b"; for `re.sub`."""
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004  (two digits)


def line(text: str, width: int = MAX_LINE_LENGTH, *, indented: bool = False) -> str:
    """Return untrusted text as one safe line of at most `width` characters. `indented` keeps the blanks before it."""
    margin = " " * min(len(text) - len(text.lstrip(" ")), width // 2) if indented else ""
    flat = safe(margin + " ".join(text[: 4 * width].split()))
    return flat if len(flat) <= width and len(text) <= 4 * width else f"{flat[: width - 1]}…"


def guard(text: str) -> str:
    r"""Escape commands to CI services: "::debug" becomes "\::debug", "##[group]" becomes "#\#[group]"."""
    return OLD_COMMAND.sub(r"#\\", COMMAND.sub(r"\1\\:", text))


def encodable(text: str, encoding: str) -> str:
    """Replace characters that `encoding` lacks: known signs by ASCII, others by their codes."""
    if can_encode(text, encoding):
        return text
    for sign, plain in (ELLIPSIS, *ASCII):
        text = text.replace(sign, plain)
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:
        return text.encode("ascii", "backslashreplace").decode("ascii")


def can_encode(text: str, encoding: str) -> bool:
    """Whether `encoding` has all characters of `text`; False for an unknown encoding."""
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def is_plain(encoding: str) -> bool:
    """Whether an encoding lacks any sign: then all signs are replaced by letters."""
    return not can_encode("".join(sign for sign, _ in (*SYMBOLS.values(), CACHED, ELLIPSIS)), encoding)


def symbol(outcome: Outcome, encoding: str) -> str:
    """Return the sign of an outcome, or a letter if the encoding lacks signs."""
    return SYMBOLS[outcome][is_plain(encoding)]


def mark(cell: CellResult, encoding: str) -> str:
    """Return the sign of a result: in brackets if it is allowed to fail and did, with "↻" if it is cached."""
    sign = symbol(cell.outcome, encoding) + (CACHED[is_plain(encoding)] if cell.cached else "")
    return f"({sign})" if cell.allow_failure and not cell.outcome.is_green else sign


def colour(outcome: Outcome) -> str:
    """Return the colour of an outcome, a name of rich."""
    return COLOURS.get(outcome, "red")


def seconds(value: float) -> str:
    """Format a duration in seconds: "0.8 s", "2 min 5 s", "1 h 2 min"."""
    if not math.isfinite(value) or value < 0:
        value = 0.0
    if value < 59.95:  # noqa: PLR2004  (59.95 would be rounded to 60.0 s)
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004


def count(number: int, noun: str) -> str:
    """Format a count: "1 test", "3 tests"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def some(items: Sequence[str], most: int) -> str:
    """Format the first `most` items: "a, b and 3 more"."""
    shown = ", ".join(line(item) for item in items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def combinations(strength: int) -> str:
    """Return the word for combinations of so many values."""
    return {1: "values", 2: "pairs", 3: "triples"}.get(strength, f"combinations of {strength} values")


def pairs(items: Sequence[Mapping[str, str]], total: int) -> str:
    """Format the first combinations of values: "python 3.9 + numpy 2.2; python 3.9 + numpy 2.3; and 3 more"."""
    shown = [line(" + ".join(f"{name} {value}" for name, value in item.items())) for item in items[:MAX_PAIRS]]
    return "; ".join([*shown, f"and {total - len(shown)} more"] if total > len(shown) else shown)


def coverage(report: Report) -> Iterator[str]:
    """Yield what the cells that ran cover, if the run is of chosen cells: of a full grid, the grid itself shows it."""
    if report.certificate is None or (found := ran.of(report)) is None:
        return
    what, rest = combinations(found.strength), found.feasible - found.covered
    if not rest:
        yield f"Cells that ran cover all {found.feasible} possible {what}"
        return
    yield f"Cells that ran cover {found.covered} of {found.feasible} possible {what}"
    yield f"  not covered: {pairs(found.missing, rest)}"
    for why, number in list(found.lost.items())[:MAX_PAIRS]:
        yield f"  {number} not covered, because their cells did not run: {line(why.partition('; ')[0])}"


def tests(counts: Mapping[str, int]) -> str:
    """Format the counts of tests: "2 of 40 tests failed, 3 skipped", or "" if there are none."""
    return _tests(counts, 0)


def tests_of(cell: CellResult) -> str:
    """Format the counts of a cell's tests. Files that could not be collected are no tests and told apart."""
    return _tests(cell.tests, cell.uncollected)


def _tests(counts: Mapping[str, int], uncollected: int) -> str:
    total = sum(counts.values()) - uncollected
    bad = counts.get(CaseOutcome.FAILED, 0) + counts.get(CaseOutcome.ERROR, 0) - uncollected
    skipped = counts.get(CaseOutcome.SKIPPED, 0)
    parts = [f"{bad} of {count(total, 'test')} failed" if bad else count(total, "test")] if total > 0 else []
    parts += [f"{skipped} skipped"] if skipped else []
    parts += [f"{count(uncollected, 'test file')} not collected"] if uncollected else []
    return ", ".join(parts)


def named(tests: Sequence[str]) -> str:
    """Count failing tests; a name without "::" is that of a file that was not collected."""
    files = sum("::" not in test and test.endswith(".py") for test in tests)
    parts = [count(len(tests) - files, "test")] if len(tests) > files else []
    return " and ".join([*parts, *([count(files, "test file")] if files else [])])


def tally(cells: Iterable[CellResult], words: Mapping[Outcome, str]) -> str:
    """Format the number of cells by outcome: "12 cells: 3 passed, 9 impossible". `words` rename outcomes."""
    every = tuple(cells)
    parts = []
    for outcome in Outcome:
        alike = [cell for cell in every if cell.outcome is outcome]
        again = sum(cell.cached for cell in alike)
        if alike:
            number = f"{len(alike)} {words.get(outcome, outcome.value)}"
            parts.append(f"{number} ({again} from an earlier run)" if again else number)
    return f"{count(len(every), 'cell')}: {', '.join(parts)}" if parts else "no cells"


def log(report: Report, name: str) -> str:
    """Return the path of a cell's log, relative to the configuration. It may be in the folder of an earlier run.

    Of a merged report it is relative to the folder in which the report was asked for.
    """
    return line(posixpath.normpath(f"{report.folder or f'.venvgrid/runs/{report.run}'}/{name}"))


def repeat(report: Report, cell: str, outcome: Outcome, options: Sequence[str] = (), *, place: str = "") -> str:
    """Return the command that runs one cell again; of a report of other machines, from its capsule in `place`."""
    if report.folder and outcome.is_red:
        return command("venvgrid", "reproduce", f"{place}{cell}.capsule")
    return command("venvgrid", "run", *([report.grid] if report.grid else []), *options, "-k", cell)


def command(*words: str) -> str:
    """Quote a command for a shell of this platform."""
    if os.name == "nt":
        return " ".join(f'"{word}"' if not word or " " in word else word for word in words)
    return shlex.join(words)
