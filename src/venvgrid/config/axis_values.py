"""The values of an axis: from a raw TOML value to the canonical string of cells.

The supported Python versions are 2.7, and 3.6 and newer.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from venvgrid.config.platforms import MEANT, OTHER_NAMES, PLATFORMS
from venvgrid.config.values import BadValueError, choice, nearest, normal_name, shown, text, variable_name
from venvgrid.model import Axis, AxisKind, Resolution, python_releases
from venvgrid.model.config import VARIABLE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ALLOW_FAILURE = "allow-failure"
ABSENT = "absent"  # the distribution must not be installed
LATEST = "latest"  # no bound
RELEASE = "release"
TODAY = "today"

# A policy is one string in place of all values of an axis; `resolving/version_policies.py` has their meaning.
PYTHON_POLICY = re.compile(r"requires-python|supported|classifiers|spec0")
PYTHON_POLICIES = ("requires-python", "supported", "classifiers", "spec0")
PACKAGE_POLICIES = ("declared", "latest-minors", "latest-majors", "spec0", "latest+pre", "max:5", "1.22..2.2")
PACKAGE_POLICY = re.compile(
    r"(?:declared|latest-minors|latest-majors|spec0|max|\d+(?:\.\d+)*\s*\.\.\s*\d+(?:\.\d+)*)(?::[1-9]\d{0,2})?(?:\+pre)?"
    r"|latest\+pre"
)

PYTHON = re.compile(
    r"(?P<implementation>pypy|graalpy|)"
    r"(?P<version>(?:0|[1-9]\d{0,2})\.(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2}))?(?:(?:a|b|rc)\d{1,3})?)"
    r"(?P<threads>t?)",
    re.ASCII,
)
_RANGE = re.compile(r"(\d{1,3})\.(\d{1,3})\s*\.\.\s*(\d{1,3})\.(\d{1,3})", re.ASCII)
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_FULL_VERSION = re.compile(
    r"(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc)[0-9]+)?(?:\.post[0-9]+)?(?:\.dev[0-9]+)?(?:\+[a-z0-9.]+)?"
)
_OPERATORS = ("<", ">", "=", "!", "~")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def kind(name: str) -> AxisKind:
    """Return the kind of the axis `name` ("env.X" for a variable); raises BadValueError for a wrong name."""
    found = AxisKind.of_axis(name)
    if found is AxisKind.VARIABLE:
        variable_name(name.removeprefix(VARIABLE_PREFIX))
    if found is not AxisKind.DEPENDENCY:
        return found
    if name == ALLOW_FAILURE:
        raise BadValueError("is an option of [[include]], not an axis")
    normal = normal_name(name)
    if AxisKind.of_axis(normal) is not AxisKind.DEPENDENCY:
        raise BadValueError(f"write {normal!r}, not {name!r}")
    if right := meant(name):
        raise BadValueError(f"is no axis; did you mean {right!r}?")
    return AxisKind.DEPENDENCY


def meant(name: str) -> str:
    """Return the special axis that a name probably means, "pyhton" or "extra"; "" for the name of a distribution.

    Only letters in another order, one too few, and a wrong plural are mistakes: "ipython" is a distribution.
    """
    wrong = str(canonicalize_name(name))
    for right in (AxisKind.PYTHON, AxisKind.PLATFORM, AxisKind.RESOLUTION, AxisKind.AS_OF, AxisKind.EXTRAS):
        fewer = {right[:index] + right[index + 1 :] for index in range(len(right))}
        if wrong != right.value and (sorted(wrong) == sorted(right) or wrong in {*fewer, f"{right}s"}):
            return right.value
    return ""


def key(name: str) -> str:
    """Return the key that all names of the same axis share: distributions by their normalised name."""
    return name if name.startswith(VARIABLE_PREFIX) else canonicalize_name(name)


def values(axis_kind: AxisKind, raw: object, root: Path) -> list[str]:
    """Return the canonical value of an axis's item, or several for a range of Pythons.

    The path of a Python is relative to the folder `root`. Raises BadValueError.
    """
    match axis_kind:
        case AxisKind.PYTHON:
            return _pythons(text(raw).strip(), root)
        case AxisKind.PLATFORM:
            return [_platform(text(raw).strip())]
        case AxisKind.DEPENDENCY:
            return [_dependency(text(raw).strip())]
        case AxisKind.VARIABLE:
            return [text(raw)]
        case AxisKind.RESOLUTION:
            return [choice(Resolution)(raw).value]
        case AxisKind.AS_OF:
            return [as_of(raw)]
        case AxisKind.EXTRAS:
            return [_extras(raw)]


def policy(axis_kind: AxisKind, raw: object) -> str:
    """Return the policy of an axis, or "" if its values are listed."""
    if not isinstance(raw, str) or axis_kind not in {AxisKind.PYTHON, AxisKind.DEPENDENCY}:
        return ""
    value = raw.strip()
    names = PYTHON_POLICY if axis_kind is AxisKind.PYTHON else PACKAGE_POLICY
    return value if names.fullmatch(value) else ""


def count(axes: Iterable[Axis]) -> int:
    """Return the number of cells of the full product."""
    return math.prod(len(axis.values) for axis in axes)


def is_specifier(value: str) -> bool:
    """Return whether a value of a Python or dependency axis is a PEP 440 specifier."""
    return value.startswith(_OPERATORS)


def version_specifier(value: str) -> str | None:
    """Return the PEP 440 specifier of a dependency axis's value: "" for any version, or None for absent."""
    if value == ABSENT:
        return None
    if value == LATEST:
        return ""
    if is_specifier(value):
        return value
    # PEP 440 has a wildcard for release numbers only.
    return f"=={value}.*" if _VERSION.fullmatch(value) else f"=={value}"


def as_of(raw: object) -> str:
    """Read "release", "today", a date, or a time with its offset; a time is returned in UTC: "2023-01-31T12:00:00Z"."""
    if isinstance(raw, dt.datetime):
        return _utc(raw)
    if isinstance(raw, dt.date):
        return raw.isoformat()
    value = text(raw).strip()
    if value in {RELEASE, TODAY}:
        return value
    try:
        if _DATE.fullmatch(value):
            return dt.date.fromisoformat(value).isoformat()
        time = dt.datetime.fromisoformat(value.upper()) if _TIME.fullmatch(value) else None
    except ValueError:  # the 31st of February
        raise BadValueError(f"{shown(value)} is no date of the calendar") from None
    if time is not None:
        return _utc(time)
    raise BadValueError(
        f"{shown(value)} is not allowed (allowed: 'release', 'today', a date such as 2023-01-31, "
        "a time such as 2023-01-31T12:00:00Z)"
    )


def _platform(value: str) -> str:
    found = OTHER_NAMES.get(value.lower(), value.lower())
    if found not in PLATFORMS:
        allowed = f"allowed: {', '.join(PLATFORMS)}"
        meant = next((name for begin, name in MEANT.items() if value.lower().startswith(begin)), value)
        raise BadValueError(f"{shown(value)} is no platform{nearest(meant, tuple(PLATFORMS))} ({allowed})")
    return found


def _utc(time: dt.datetime) -> str:
    if time.tzinfo is None:
        raise BadValueError(f"{time.isoformat()} has no time zone: write {time.isoformat()}Z for UTC")
    try:
        return time.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise BadValueError(f"{shown(time)} is no time of the calendar") from None


def _stands_alone(value: str) -> BadValueError:
    return BadValueError(f"the policy {shown(value)} stands for all values of an axis: write it alone, not in a list")


def _dependency(value: str) -> str:
    if value in {ABSENT, LATEST}:
        return value
    if PACKAGE_POLICY.fullmatch(value):
        raise _stands_alone(value)
    if is_specifier(value):
        return _specifier(value)
    if _FULL_VERSION.fullmatch(value):
        return value
    candidates = (value.removesuffix(".*"), value.removeprefix("v"))
    right = next((item for item in candidates if _FULL_VERSION.fullmatch(item) or item in {ABSENT, LATEST}), None)
    hint = f"; write {right!r}" if right else _meant(value) or nearest(value, PACKAGE_POLICIES)
    allowed = 'a version such as "2.2" (any 2.2.x), a specifier such as ">=1,<2", "absent" or "latest"'
    raise BadValueError(
        f'{shown(value)} is no version{hint} (allowed: {allowed}, or a policy such as "latest-minors:3")'
    )


def _meant(value: str) -> str:
    """Return what to write for a version of poetry or npm, "^1.16" or "1.16.x", or for several in one string."""
    if caret := re.fullmatch(r"\^\s*(0\.\d+|[1-9]\d*)(?:\.\d+)*", value, re.ASCII):
        *before, last = caret[1].split(".")
        return f'; write ">={value[1:].strip()},<{".".join([*before, str(int(last) + 1)])}"'
    if tilde := re.fullmatch(r"~\s*(\d+\.\d+)(?:\.\d+)?", value, re.ASCII):
        return f'; write "{tilde[1]}" (any {tilde[1]}.x)'
    if wild := re.fullmatch(r"(\d+(?:\.\d+)*)(?:\.[xX*])+", value, re.ASCII):
        return f'; write "{wild[1]}" (any {wild[1]}.x)'
    if value == "*":
        return f"; write {LATEST!r} for any version"
    if named := re.fullmatch(r"[A-Za-z][\w.-]*\s*((?:[<>=!~]=?|===)\s*\d.*)", value, re.ASCII):  # "six==1.16"
        return f"; write {json.dumps(named[1].removeprefix('==').strip())}: the name is that of the axis"
    parts = re.split(r"[\s,;|]+", value.strip())
    return f"; write {json.dumps(parts)}" if len(parts) > 1 and all(map(_FULL_VERSION.fullmatch, parts)) else ""


def _specifier(value: str) -> str:
    with suppress(InvalidSpecifier):
        if len(SpecifierSet(value)):
            return value
    raise BadValueError(f'{shown(value)} is no valid PEP 440 specifier{_meant(value)}, such as ">=1,<2"')


def _pythons(value: str, root: Path) -> list[str]:
    if PYTHON_POLICY.fullmatch(value):
        raise _stands_alone(value)
    if "/" in value or "\\" in value:
        return [os.path.normpath(root / os.path.expanduser(value))]  # noqa: PTH111 - Path.expanduser raises without a home
    if is_specifier(value):
        return [_specifier(value)]
    if ".." in value:
        return _range(value)
    if (match := PYTHON.fullmatch(value)) is None:
        allowed = (
            'a version such as "3.12", "3.12.1", "3.13t" or "pypy3.10", a range such as "3.8..3.13", '
            'a specifier such as ">=3.9,<3.12", a path, or a policy such as "supported"'
        )
        hint = _python_meant(value) or nearest(value, PYTHON_POLICIES)
        raise BadValueError(f"{shown(value)} is no Python{hint} (allowed: {allowed})")
    major, minor = Version(match["version"]).release[:2]
    _supported(value, (major, minor))
    if match["threads"] and (match["implementation"] or (major, minor) < python_releases.OLDEST_FREE_THREADED):
        raise BadValueError(f"{shown(value)}: only CPython 3.13 and newer can be free-threaded")
    return [value]


def _python_meant(value: str) -> str:
    """Return what to write for a Python as other tools have it, "py311" or "3.9-3.11", or ""."""
    if found := re.fullmatch(r"(\d+\.\d+)\s*[-:]\s*(\d+\.\d+)", value, re.ASCII):
        return f'; write "{found[1]}..{found[2]}" for a range'
    if len(parts := re.split(r"[\s,;|]+", value.strip())) > 1 and all(map(PYTHON.fullmatch, parts)):
        return f"; write {json.dumps(parts)}"
    if PYTHON.fullmatch(bare := re.sub(r"^(cpython|python|py)-?(?=\d)|\.[xX*]$", "", value)):
        return f'; write "{bare}"'
    if joint := re.fullmatch(r"(?:cpython|python|py)?-?([23])(\d{1,2}t?)", value, re.ASCII):  # "py311"
        return f'; write "{joint[1]}.{joint[2]}"'
    if value in {"3", "3.x", "latest", "all", "*"}:
        return '; write "supported"'
    return ""


def _supported(value: str, *minors: tuple[int, int]) -> None:
    if not {*minors} <= {*python_releases.ACCEPTED}:
        raise BadValueError(f"{shown(value)} is not supported: venvgrid knows Python 2.7, 3.6 and newer")


def _range(value: str) -> list[str]:
    if (match := _RANGE.fullmatch(value)) is None:
        raise BadValueError(f'{shown(value)} is no range of Python versions, such as "3.8..3.13"')
    major, minor, last_major, last_minor = map(int, match.groups())
    first, last = (major, minor), (last_major, last_minor)
    _supported(value, first, last)
    if first > last:
        raise BadValueError(f'{shown(value)} runs backwards; write "{last[0]}.{last[1]}..{first[0]}.{first[1]}"')
    return [f"{major}.{minor}" for major, minor in python_releases.ACCEPTED if first <= (major, minor) <= last]


def _extras(raw: object) -> str:
    items = raw if isinstance(raw, list) else [item.strip() for item in text(raw).split(",") if item.strip()]
    return ",".join(sorted(set(map(normal_name, items))))
