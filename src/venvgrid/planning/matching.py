"""Matches values of cells against rules and expressions.

A value is version-like if it is a version ("3.5"), or a Python with a version in it ("3.13t", "pypy3.10"); words
("latest"), specifiers and paths are not.
"""

from __future__ import annotations

import functools
import re
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from venvgrid.config import axis_values
from venvgrid.model import AxisKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.model import Rule

_VERSION_LIKE = re.compile(r"[0-9][0-9a-z.!+]{0,200}")


@functools.lru_cache(maxsize=4096)
def version(value: str) -> Version | None:
    """Return the version in a version-like value, or None for other values."""
    if python := axis_values.PYTHON.fullmatch(value):
        return Version(python["version"])
    with suppress(ValueError):  # InvalidVersion is one
        return Version(value) if _VERSION_LIKE.fullmatch(value) else None
    return None


@functools.lru_cache(maxsize=4096)
def satisfies(value: str, specifier: str) -> bool:
    """Whether a version-like `value` is in the PEP 440 `specifier`; pre-releases count. False for any other value.

    Raises:
        InvalidSpecifier (a ValueError): `specifier` is invalid.
    """
    found = version(value)
    return SpecifierSet(specifier).contains(found, prereleases=True) if found is not None else False


def fits(kind: AxisKind, wanted: str, value: str) -> bool:
    """Whether the `value` of an axis matches that of a rule: equal, in its specifier, or (variables) by its glob."""
    if wanted == value:
        return True
    if kind in {AxisKind.PYTHON, AxisKind.DEPENDENCY}:
        return axis_values.is_specifier(wanted) and satisfies(value, wanted)
    return kind is AxisKind.VARIABLE and fnmatchcase(value, wanted)


def rule_fits(rule: Rule, kinds: Mapping[str, AxisKind], values: Mapping[str, str]) -> bool:
    """Whether each key of `rule` has a value that matches the cell's."""
    return all(
        any(fits(kinds[name], wanted, values[name]) for wanted in wanted_values)
        for name, wanted_values in rule.keys.items()
    )
