"""Names of cells, and of environments of tox and nox, as expressions of `-k`. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PYTHON = re.compile(r"(?:py|python)?-?(?:([23])\.?(\d{1,2})(t?))")
_IS_PYTHON = re.compile(r"py(?:py)?\d")
_FACTOR = re.compile(r"([a-z][a-z_]*?)[-_]?(\d)(\d*)")
_DOTTED = re.compile(r"py(?:py)?\d\.\d")  # as ids of cells begin; tox joins the digits


def selection(names: Iterable[str]) -> str:
    """Return the expression of -k for names of cells and of tox environments, "py311-django42".

    "" if one has no Python in it. The versions in the id of a cell, "py3.11-packaging23", stay as they are.
    """
    terms = [factors(name, splits=not _DOTTED.match(name.strip())) for name in names]
    several = len(terms) > 1
    return " or ".join(f"({term})" if several and " and " in term else term for term in terms) if all(terms) else ""


def factors(name: str, *, splits: bool = True) -> str:
    """Return the expression of -k for the factors of a tox environment, or "" if none is a Python.

    `splits`: the digits of "django42" are a major and a minor version.
    """
    parts = [_part(factor, splits=splits) for factor in re.split(r"-(?!\d)", name.strip())]
    return " and ".join(parts) if any(_IS_PYTHON.match(part) for part in parts) else ""


def python(name: str) -> str:
    """Return the version in the name of a Python, "3.13" of "py3.13" and "py313", or ""."""
    found = _PYTHON.fullmatch(name)
    return f"{found[1]}.{found[2]}{found[3]}" if found else ""


def _part(factor: str, *, splits: bool) -> str:
    if version := python(factor):
        return f"py{version}"
    if factor.startswith("pypy") and (version := python(factor.removeprefix("pypy"))):
        return f"pypy{version}"
    found = _FACTOR.fullmatch(factor) if splits else None
    return f"{found[1]}{found[2]}{f'.{found[3]}' if found[3] else ''}" if found else factor
