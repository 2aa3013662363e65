"""Names of environments: factors of Pythons as values of the python axis, generated names, lines of factors. Pure."""

from __future__ import annotations

import itertools
import platform
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ENVIRONMENTS = 2_000  # environments

_FACTOR = re.compile(r"(?P<name>py|python|pypy|cpython|)-?(?P<major>[23])\.?(?P<minor>\d{1,2})(?P<threads>t?)")
_CONDITION = re.compile(r":(?:\s|$)")
_FACTOR_NAME = re.compile(r"!?[\w.*?\[\]!-]+")
_COMMENT = re.compile(r"(?:^|\s)(?<!\\)#.*")
_RANGE = re.compile(r"(\d+)-(\d*)|-(\d+)")
OLDEST, NEWEST = 11, 15  # minor versions that end an open range, as of tox 4.67
_MACHINES = {"amd64": "x86_64", "aarch64": "arm64"}  # names of machines in tox
_KNOWN_MACHINES = frozenset(
    {"x86_64", "amd64", "arm64", "aarch64", "x86", "i386", "i686", "ppc64le", "s390x", "riscv64"}
)
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
    for option in itertools.chain.from_iterable(map(_numbers, found[1].split(","))):
        whole = f"{text[: found.start()]}{option}{text[found.end() :]}"
        yield from itertools.islice(expand(whole), MAX_ENVIRONMENTS)


def _numbers(option: str) -> list[str]:
    """Return the numbers of a range, "9-13", "9-" or "-13"; another option as it is."""
    if (found := _RANGE.fullmatch(option.strip())) is None:
        return [option.strip()]
    start, stop = int(found[1] or OLDEST), int(found[2] or found[3] or NEWEST)
    return counted(start, stop) if start <= stop else counted(stop, start)[::-1]


def of_environment(name: str) -> set[str]:
    """Return the factors of an environment of tox: those of its name, and this system and machine."""
    factors, machine = set(name.split("-")), platform.machine().lower()
    here = {sys.platform} if factors & _KNOWN_MACHINES else {sys.platform, _MACHINES.get(machine, machine)}
    return factors | here


def uncommented(text: str) -> str:
    """Remove comments. A backslash protects from that, quotes do not: as in tox."""
    return "\n".join(_COMMENT.sub("", line).replace("\\#", "#") for line in text.splitlines())


def lines(text: str, factors: set[str]) -> list[str]:
    """Return the lines whose factors match. A command that is left out takes the lines that continue it with it."""
    found: list[str] = []
    is_continued, is_left_out = False, False  # the last line that counts; the command that this line continues
    for line in text.splitlines():
        content, condition = line.strip(), _condition(line)
        if condition is not None:
            content = content[len(condition) + 1 :].strip()
            is_left_out = not _fits(condition, factors)
        if not is_left_out:
            found += [content] if content else []
            is_continued = content.endswith("\\")
        is_left_out = is_left_out and not is_continued and content.endswith("\\")
    return found


def _condition(line: str) -> str | None:
    """Return what stands before the colon of a line if it can be factors, as `py3{9,10}-x`, not `{posargs`."""
    stripped = line.strip()
    if (found := _CONDITION.search(stripped)) is None:
        return None
    condition = stripped[: found.start()]
    is_expression = all(
        not name or _FACTOR_NAME.fullmatch(name) for part in _alternatives(condition) for name in expand(part)
    )
    return condition if is_expression and " " not in condition.strip() else None


def _alternatives(expression: str) -> list[str]:
    return re.split(r",(?![^{]*\})", expression)


def _fits(expression: str, factors: set[str]) -> bool:
    """Whether an alternative matches: all of its factors are there, and none of those with a `!`."""
    return any(
        all((factor.removeprefix("!") in factors) is not factor.startswith("!") for factor in name.split("-"))
        for part in _alternatives(expression)
        for name in expand(part)
    )


def counted(start: int, stop: int) -> list[str]:
    """Return the numbers of a range, at most 101."""
    return [str(number) for number in range(start, min(stop, start + 100) + 1)]
