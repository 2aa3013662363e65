"""Text of others, made safe to print: names of tests, messages and reasons come from code that is being tested."""

from __future__ import annotations

import re

from venvgrid.model import Outcome

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
SYMBOLS = {
    Outcome.PASSED: ("✓", "."),
    Outcome.FLAKY: ("~", "~"),
    Outcome.FAILED: ("✗", "F"),
    Outcome.CRASHED: ("☠", "C"),
    Outcome.TIMED_OUT: ("⧖", "T"),
    Outcome.NO_TESTS: ("0", "0"),
    Outcome.MISMATCH: ("≠", "M"),
    Outcome.BROKEN_ENV: ("!", "!"),
    Outcome.BUILD_FAILED: ("B", "B"),
    Outcome.IMPOSSIBLE: ("\N{EN DASH}", "-"),
    Outcome.MISSING_INTERPRETER: ("?", "?"),
    Outcome.CANCELLED: ("c", "c"),
}
COLOURS = {
    Outcome.PASSED: "green",
    Outcome.FLAKY: "yellow",
    Outcome.IMPOSSIBLE: "bright_black",
    Outcome.MISSING_INTERPRETER: "yellow",
    Outcome.BUILD_FAILED: "magenta",
    Outcome.CANCELLED: "bright_black",
}


def safe(text: str) -> str:
    """Spell out control characters, escape sequences and marks that change the direction of writing."""
    return CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text.expandtabs(4))


def line(text: str, width: int = 300) -> str:
    """Make one safe line of bounded length; it cannot begin a command of a CI service ("::error")."""
    flat = safe(" ".join(text.split()))
    short = flat if len(flat) <= width else flat[: width - 1] + "…"
    return f" {short}" if short.startswith("::") else short


def symbol(outcome: Outcome, encoding: str) -> str:
    """Give the sign of an outcome; a letter where the encoding has no signs."""
    sign, letter = SYMBOLS[outcome]
    try:
        sign.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return letter
    return sign


def colour(outcome: Outcome) -> str:
    """Give the colour of an outcome, as rich names it."""
    return COLOURS.get(outcome, "red")


def seconds(value: float) -> str:
    """Write a duration: "0.8 s", "2 min 5 s"."""
    if value < 60:  # noqa: PLR2004
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def count(number: int, noun: str) -> str:
    """Write a number of things: "1 test", "3 tests"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
