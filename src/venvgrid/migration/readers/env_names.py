"""Names of environments: factors of Pythons as values of the python axis, generated names, lines of factors. Pure."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ENVIRONMENTS = 2_000  # environments

_FACTOR = re.compile(r"(?P<name>py|python|pypy|cpython|)-?(?P<major>[23])\.?(?P<minor>\d{1,2})(?P<threads>t?)")
_FACTOR_LINE = re.compile(r"(?P<expression>[\w{}.!,-]+):\s+(?P<content>.*)")
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


def listed(text: str) -> list[str]:
    """Expand a list of names with generative parts."""
    lines = [line for line in text.splitlines() if not line.strip().startswith("#")]
    parts = re.split(r"[,\s](?![^{]*\})", "\n".join(lines))
    expanded = itertools.chain.from_iterable(expand(part.strip()) for part in parts if part.strip())
    return list(itertools.islice(expanded, MAX_ENVIRONMENTS))


def expand(text: str) -> Iterator[str]:
    """Expand `py3{9,10}-x{,y}` and `py3{9-13}`."""
    if (found := re.search(r"\{([^{}]*)\}", text)) is None:
        yield re.sub(r"\s", "", text)
        return
    numbers = re.fullmatch(r"\s*(\d+)-(\d+)\s*", found[1])
    options = counted(int(numbers[1]), int(numbers[2])) if numbers else found[1].split(",")
    for option in options:
        whole = f"{text[: found.start()]}{option.strip()}{text[found.end() :]}"
        yield from itertools.islice(expand(whole), MAX_ENVIRONMENTS)


def lines(text: str, factors: set[str]) -> list[str]:
    """Return the lines whose factors match."""
    found = []
    for line in text.splitlines():
        stripped = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip() if "'" not in line else line.strip()
        if (match := _FACTOR_LINE.fullmatch(stripped)) is None:
            found += [stripped] if stripped else []
        elif _fits(match["expression"], factors):
            found += [match["content"].strip()] if match["content"].strip() else []
    return found


def _fits(expression: str, factors: set[str]) -> bool:
    """Whether an alternative matches: all of its factors are there, and none of those with a `!`."""
    parts = re.split(r",(?![^{]*\})", expression)
    return any(
        all((factor.removeprefix("!") in factors) is not factor.startswith("!") for factor in name.split("-"))
        for part in parts
        for name in expand(part)
    )


def counted(start: int, stop: int) -> list[str]:
    """Return the numbers of a range, at most 101."""
    return [str(number) for number in range(start, min(stop, start + 100) + 1)]
