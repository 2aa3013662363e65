"""Converts names of Pythons in other runners' files to values of the python axis. Pure."""

from __future__ import annotations

import re

_FACTOR = re.compile(r"(?P<name>py|python|pypy|cpython|)-?(?P<major>[23])\.?(?P<minor>\d{1,2})(?P<threads>t?)")
_VERSION = re.compile(
    r"(?P<name>pypy|pypy-|python|py|cpython-|)(?P<major>[23])\.(?P<minor>\d{1,2})(?:\.\d+)?(?P<threads>t?)"
    r"(?:-dev|\.0-0|-alpha.*|-beta.*|-rc.*|\.0?-.*)?"
)


def of_factor(factor: str) -> str:
    """Return the value for a factor of tox ("py39", "3.14t", "pypy310"), or "" if it names no version."""
    found = _FACTOR.fullmatch(factor)
    if found is None or (not found["name"] and "." not in factor):
        return ""
    return _value(found)


def of_version(text: str) -> str:
    """Return the value for a version of nox, hatch or setup-python ("3.9", "pypy-3.11", "~3.14.0-0"), or ""."""
    found = _VERSION.fullmatch(text.strip().lstrip("~"))
    return _value(found) if found else ""


def unsupported(python: str) -> str:
    """Return why venvgrid does not know a Python, or ""."""
    found = re.fullmatch(r"(?:pypy)?(\d)\.(\d+)t?", python)
    is_known = found is None or (int(found[1]), int(found[2])) == (2, 7) or (int(found[1]), int(found[2])) >= (3, 6)
    return "" if is_known else f"venvgrid knows Python 2.7, 3.6 and newer, not {python}"


def _value(found: re.Match[str]) -> str:
    version = f"{found['major']}.{int(found['minor'])}{found['threads']}"
    return f"pypy{version}" if found["name"].startswith("pypy") else version
