"""Names of environments of tox and nox as expressions of `-k`. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PYTHON = re.compile(r"(?:py|python)?-?(?:([23])\.?(\d{1,2})(t?))")
_IS_PYTHON = re.compile(r"py(?:py)?\d")
_FACTOR = re.compile(r"([a-z][a-z_]*?)[-_]?(\d)(\d*)")


def selection(names: Iterable[str]) -> str:
    """Return the expression of -k for names of tox environments, "py311-django42"; "" if one has no Python in it."""
    terms = []
    for name in names:
        parts = [_part(factor) for factor in re.split(r"-(?!\d)", name.strip())]
        if not any(_IS_PYTHON.match(part) for part in parts):
            return ""
        terms.append(" and ".join(parts))
    several = len(terms) > 1
    return " or ".join(f"({term})" if several and " and " in term else term for term in terms)


def _part(factor: str) -> str:
    if found := _PYTHON.fullmatch(factor):
        return f"py{found[1]}.{found[2]}{found[3]}"
    if factor.startswith("pypy") and (found := _PYTHON.fullmatch(factor.removeprefix("pypy"))):
        return f"pypy{found[1]}.{found[2]}"
    found = _FACTOR.fullmatch(factor)
    return f"{found[1]}{found[2]}{f'.{found[3]}' if found[3] else ''}" if found else factor
