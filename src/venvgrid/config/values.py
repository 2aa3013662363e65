"""Checks raw TOML values: each function takes one and returns a checked value, or raises `BadValueError`.

The message names the expected and the actual value; `config/reader.py` adds file and key path.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, TypeVar

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from enum import StrEnum

    Choice = TypeVar("Choice", bound=StrEnum)

MAX_TEXT_LENGTH = 1_000  # characters
MAX_FREE_TEXT_LENGTH = 10_000  # of an argument of a command, or of an environment variable's value
MAX_DURATION = 365 * 86_400.0  # seconds: waits of the operating system overflow not far above
MAX_SEED = 2**32 - 1
MAX_RETRIES = 100
SHOWN = 60  # characters of a wrong value that a message repeats
HUGE = 10**SHOWN

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_LABEL = re.compile(rf"(?!(?i:and|or|not)$){_NAME.pattern}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE_PATTERN = re.compile(r"[^=]+")
_NUMBER = r"(\d{1,9}(?:\.\d{1,9})?)"
_UNITS = {"m": 1e6, "mb": 1e6, "mib": 2.0**20, "g": 1e9, "gb": 1e9, "gib": 2.0**30, "t": 1e12, "tb": 1e12}
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) *(MB?|MiB|GB?|GiB|TB?)", re.IGNORECASE | re.ASCII)
_DURATION = re.compile(rf" *(?=\d)(?:{_NUMBER} *h)? *(?:{_NUMBER} *m)? *(?:{_NUMBER} *s)? *", re.ASCII)


class BadValueError(ValueError):
    """A value of the configuration is not allowed at its key; the message names what is."""


def shown(value: object) -> str:
    """Return `value` for a message: on one line, strings quoted, about SHOWN characters at most."""
    if isinstance(value, str):
        return repr(value if len(value) <= SHOWN else value[:SHOWN] + "…")
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) > HUGE:
        return "a huge number"  # Python refuses to write out integers of more than 4,300 digits
    if isinstance(value, int | float):
        return f"the number {value!r}"
    return str(value)[:SHOWN]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'X'?" for the known name most like `name`, or ""."""
    options = {option.lower(): option for option in known}
    import difflib  # noqa: PLC0415  (only for mistakes)

    close = difflib.get_close_matches(name[:MAX_TEXT_LENGTH].lower(), options, n=1)
    return f"; did you mean '{options[close[0]]}'?" if close else ""


def one_of(options: Iterable[str]) -> str:
    """Return the allowed values for a message: "'a', 'b' or 'c'"."""
    *first, last = [f"'{option}'" for option in options]
    return f"{', '.join(first)} or {last}" if first else last


def text(raw: object) -> str:
    """Read a string of at most MAX_TEXT_LENGTH characters, none of them a control character."""
    return _text(raw, CONTROL, MAX_TEXT_LENGTH)


def free_text(raw: object) -> str:
    """Read a longer string that may have several lines: an argument of a command, a variable's value."""
    return _text(raw, _CONTROL_BUT_LAYOUT, MAX_FREE_TEXT_LENGTH)


def _text(raw: object, forbidden: re.Pattern[str], max_length: int) -> str:
    if not isinstance(raw, str):
        number = "; 3.10 as a number is 3.1" if isinstance(raw, float) else ""
        is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
        hint = f" (put it in quotes{number})" if is_number else ""
        raise BadValueError(f"expected a string, got {shown(raw)}{hint}")
    if len(raw) > max_length:
        raise BadValueError(f"a string of {len(raw):,} characters; at most {max_length:,} are allowed")
    if found := forbidden.search(raw):
        raise BadValueError(f"{shown(raw)} holds the control character {found.group()!r}, which is not allowed")
    return raw


def flag(raw: object) -> bool:
    """Read true or false."""
    if not isinstance(raw, bool):
        raise BadValueError(f"expected true or false (without quotes), got {shown(raw)}")
    return raw


def size(raw: object) -> int | None:
    """Read "2G", "512 MB" or "none"; return bytes, or None. Units are powers of 1000; "MiB" and "GiB" of 1024."""
    if raw == "none":
        return None
    match = _SIZE.fullmatch(raw.strip()) if isinstance(raw, str) else None
    found = float(match[1]) * _UNITS[match[2].lower()] if match else 0.0
    if not 1e6 <= found <= 1e18:  # noqa: PLR2004  (no Python runs with less; more overflows)
        raise BadValueError(
            f'expected a size such as "2G" or "512MB", at least 1 MB, got {shown(raw)} ("none" for no limit)'
        )
    return int(found)


def whole_number(most: int) -> Callable[[object], int]:
    """Return a function that reads a whole number from 0 to `most`."""

    def take(raw: object) -> int:
        if not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw <= most:
            hint = " (without quotes)" if isinstance(raw, str) and raw.isdigit() else ""
            raise BadValueError(f"expected a whole number from 0 to {most:,}, got {shown(raw)}{hint}")
        return raw

    return take


def choice(options: type[Choice]) -> Callable[[object], Choice]:
    """Return a function that reads one of the values of `options`."""

    def take(raw: object) -> Choice:
        value = text(raw)
        if value not in list(options):
            raise BadValueError(f"{shown(value)} is not allowed{nearest(value, options)} (allowed: {one_of(options)})")
        return options(value)

    return take


def duration(raw: object) -> float:
    """Read "10m", "1h30m", "90s" or a number of seconds; return seconds, from 0 to MAX_DURATION."""
    allowed = 'expected a duration such as "10m", "1h30m" or "90s", or a number of seconds'
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        # An integer of the file may be larger than any float.
        seconds = float(raw) if isinstance(raw, float) else float(max(-1, min(raw, HUGE)))
    elif isinstance(raw, str) and (match := _DURATION.fullmatch(raw)):
        hours, minutes, rest = (float(part or 0) for part in match.groups())
        seconds = hours * 3600 + minutes * 60 + rest
    else:
        seconds = math.nan
    if math.isnan(seconds) or seconds < 0:
        raise BadValueError(f"{allowed}, got {shown(raw)}")
    if seconds > MAX_DURATION:
        raise BadValueError(f"{shown(raw)} is too long: at most {MAX_DURATION / 3600:.0f}h")
    return seconds


def limit(raw: object) -> float | None:
    """Read a duration; return None, for no limit, for "none" or 0."""
    if raw == "none":
        return None
    try:
        return duration(raw) or None
    except BadValueError as error:
        raise BadValueError(f'{error} ("none" for no limit)') from None


def distribution_name(raw: object) -> str:
    """Read the name of a distribution, an extra or a group; return it as written."""
    return _checked(raw, _NAME.fullmatch, "valid name (letters, digits, '.', '-' and '_' in between)")


def _checked(raw: object, is_right: Callable[[str], object], expected: str) -> str:
    """Read a string for which `is_right` returns a true value; `expected` names what it should be."""
    value = text(raw)
    if not is_right(value):
        raise BadValueError(f"{shown(value)} is no {expected}")
    return value


def normal_name(raw: object) -> str:
    """Read the name of an extra or a group; return it normalised (PEP 685, 735)."""
    return canonicalize_name(distribution_name(raw))


def label(raw: object) -> str:
    """Read a word that cells can be selected by."""
    return _checked(raw, _LABEL.fullmatch, "label (letters, digits, '.', '-' and '_' in between)")


def variable_name(raw: object) -> str:
    """Read the name of an environment variable."""
    return _checked(raw, _VARIABLE.fullmatch, "valid variable name (letters, digits and '_', no digit first)")


def variable_pattern(raw: object) -> str:
    """Read the name of an environment variable or a pattern such as "MY_*"; Windows has names with parentheses."""
    return _checked(raw, _VARIABLE_PATTERN.fullmatch, 'variable name or pattern (such as "CI" or "MY_*")')


def module_name(raw: object) -> str:
    """Read the dotted name of a module."""
    value = text(raw)
    if not all(part.isidentifier() for part in value.split(".")):
        raise BadValueError(f'{shown(value)} is no module name (such as "matplotlib.pyplot")')
    return value


def requirement(raw: object) -> str:
    """Read a PEP 508 requirement; a URL only as "name @ https://…", "name @ git+https://…" or "name @ file:…"."""
    value = text(raw).strip()
    if value.startswith("-"):
        allowed = 'requirements such as "pytest>=8", "-r FILE" and "-c FILE" are allowed here'
        if value == "--pre":
            raise BadValueError("'--pre' is an option of pip: write pre-releases = true in [install]")
        raise BadValueError(f"{shown(value)} is an option; only {allowed}")
    if _NAME.fullmatch(value):
        return value
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415  (30 ms, for most runs in vain)

    try:
        parsed = Requirement(value)
    except InvalidRequirement as error:
        why = str(error).splitlines()[0]
        hint = f'; write "{meant}"' if (meant := _requirement_meant(value)) else f', such as "pytest>=8" ({why})'
        raise BadValueError(f"{shown(value)} is no valid requirement{hint}") from None
    if parsed.url is not None and not parsed.url.startswith(("https://", "file:", "git+")):
        raise BadValueError(f'{shown(value)}: a URL must be written as "name @ https://…" or "name @ git+https://…"')
    return value


def _requirement_meant(value: str) -> str:
    """Return a requirement with the operators that were meant, "pytest>=8" for "pytest=>8", or ""."""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415

    meant = re.sub(r"=([<>])", r"\1=", value)
    meant = re.sub(r"^([\w.-]+(?:\[[\w.,\s-]*\])?)\s+(?=\d)", r"\1==", meant, flags=re.ASCII)
    meant = re.sub(r"\s*(?<![<>=!~])=(?!=)\s*", "==", meant)
    if len(value) > SHOWN:
        return ""
    try:
        Requirement(meant)
    except InvalidRequirement:
        return ""
    return meant


def constraint(raw: object) -> str:
    """Read a PEP 508 requirement without extras, as pip and uv allow in a constraints file."""
    value = requirement(raw)
    from packaging.requirements import Requirement  # noqa: PLC0415

    if Requirement(value).extras:
        raise BadValueError(f"{shown(value)}: a constraint cannot have extras")
    return value
