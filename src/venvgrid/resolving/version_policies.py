"""The values of an axis for its policy, from the releases of an index. Pure.

Only installable releases count: not yanked, and with a file. Versions are grouped by minor ("2.2") and by major ("2");
a pre-release counts only for "+pre".
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from venvgrid.config.axis_values import LATEST, PACKAGE_POLICIES, PYTHON_POLICIES
from venvgrid.installers.base import allows_python
from venvgrid.model import PolicyError
from venvgrid.model.names import normalise
from venvgrid.model.python_releases import Minor, classified, released
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

SPEC0_PYTHON = timedelta(days=3 * 365.25)
SPEC0_PACKAGE = timedelta(days=2 * 365.25)  # https://scientific-python.org/specs/spec-0000/
POLICY = re.compile(
    r"(?P<name>requires-python|supported|classifiers|declared|latest-minors|latest-majors|spec0|max"
    r"|(?P<low>\d+(?:\.\d+)*)\s*\.\.\s*(?P<high>\d+(?:\.\d+)*)|latest)(?::(?P<count>[1-9]\d{0,2}))?(?P<pre>\+pre)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version of an index. `uploaded` is the time of its first file, or None if the index does not tell."""

    version: str
    uploaded: datetime | None = None
    requires_python: str = ""
    has_wheel: bool = True
    has_sdist: bool = False
    yanked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersions:
    """The values that a policy stands for; `pre` is a pre-release that may fail, "" for none."""

    values: tuple[str, ...]
    pre: str = ""


def of_python(policy: str, *, requires: str, classifiers: Iterable[str], today: date) -> PolicyVersions:
    """Return the minor versions of Python for a policy of the python axis, oldest first.

    Raises:
        PolicyError: there is none, or the project does not declare what the policy needs.
    """
    found = _parsed(policy, PYTHON_POLICIES)
    minors = [minor for minor in released(today) if _allows(requires, minor)]
    declared = requires or "any Python"
    if found["name"] == "requires-python":
        if not requires:
            raise PolicyError('"requires-python" needs [project] requires-python in pyproject.toml')
    elif found["name"] == "supported":
        minors = [minor for minor in minors if minor.end_of_life > today]
        declared = f"{declared} and not at its end of life on {today}"
    elif found["name"] == "spec0":
        minors = [minor for minor in minors if today - minor.released < SPEC0_PYTHON]
        declared = f"{declared} and released in the three years before {today}"
    else:
        listed = set(classified(classifiers))
        if not listed:
            raise PolicyError(
                '"classifiers" needs classifiers "Programming Language :: Python :: 3.X" in pyproject.toml'
            )
        minors = [minor for minor in minors if minor.name in listed]
        declared = f"{declared} and among the classifiers ({', '.join(sorted(listed))})"
    if not minors:
        raise PolicyError(f"{policy!r} gives no version: no released Python is {declared}")
    return PolicyVersions(values=tuple(minor.name for minor in minors))


def of_package(
    name: str, policy: str, releases: Sequence[Release], *, declared: str | None, today: date
) -> PolicyVersions:
    """Return the values for a policy of a distribution's axis, oldest first.

    `declared` is the project's specifier, or None if it does not depend on the distribution.

    Raises:
        PolicyError: there is no version, or the index lacks what the policy needs.
    """
    found = _parsed(policy, PACKAGE_POLICIES)
    allowed = SpecifierSet(declared or "")
    finals = sorted(
        (Version(item.version), item)
        for item in releases
        if not Version(item.version).is_prerelease and Version(item.version) in allowed
    )
    if not finals:
        bound = f" that {name}{declared} allows" if declared else ""
        raise PolicyError(f"{policy!r} gives no version: the index has no release of {name}{bound}")
    values = _values(name, found, [item for _, item in finals], declared=declared, today=today)
    if found["count"] and found["name"] != "max":
        values = values[-int(found["count"]) :]
    if not values:
        window = f"from {found['low']} to {found['high']} is released and allowed by the project"
        why = window if found["low"] else f"is left on {today}"
        raise PolicyError(f"{policy!r} gives no version of {name}: none {why}")
    return PolicyVersions(values=tuple(values), pre=_newest_pre(releases, finals[-1][0]) if found["pre"] else "")


def not_newest(
    axes: Mapping[str, str],
    locked: Mapping[str, str],
    lines: Iterable[str],
    releases: Callable[[str], Sequence[Release]],
    python: str,
    cutoff: str,
) -> Iterator[str]:
    """Yield a note for each axis with the value "latest" whose `locked` version is not the newest; see `behind`.

    `lines` are the requirements of the project and of the configuration.
    """
    for name in (name for name, value in axes.items() if value == LATEST and normalise(name) in locked):
        declared = [line for line in lines if normalise(Requirement(line).name) == normalise(name)]
        yield from behind(name, locked[normalise(name)], releases(name), python, cutoff, declared)


def behind(
    name: str, locked: str, releases: Sequence[Release], python: str, cutoff: str, declared: Sequence[str]
) -> Iterator[str]:
    """Yield a note if the `locked` version of a distribution is not its newest one, with the reason.

    `python` is the version of the cell's interpreter, `cutoff` the end of its era or "", `declared` the requirements on
    the distribution in the project and the configuration.
    """
    end = datetime.fromisoformat(cutoff) if cutoff else None
    finals = [
        item
        for item in releases
        if not Version(item.version).is_prerelease
        and not item.yanked
        and not (end and item.uploaded and item.uploaded.astimezone(end.tzinfo) >= end)
    ]
    newest = max(finals, key=lambda item: Version(item.version), default=None)
    if newest is None or Version(newest.version) <= Version(locked):
        return
    fits = allows_python(newest.requires_python or "", python)
    if declared and fits:
        why = f"required is {', '.join(declared)}"
    elif not fits:
        why = f"that needs Python {newest.requires_python}"
    else:
        why = "another distribution requires an older one, or it has no wheel here"
    yield f"{name} latest is {locked} here, not {newest.version}: {why}"


def _parsed(policy: str, known: Sequence[str]) -> dict[str, str | None]:
    match = POLICY.fullmatch(policy.strip())
    if match is None:
        raise PolicyError(f"{policy!r} is no policy (there are: {', '.join(known)})")
    return match.groupdict()


def _allows(requires: str, minor: Minor) -> bool:
    """Return whether some patch release of a minor is allowed: `>=3.9.2` allows 3.9."""
    specifier = SpecifierSet(requires)
    return any(f"{minor.name}.{patch}" in specifier for patch in (0, 99))


def _values(
    name: str, found: dict[str, str | None], finals: Sequence[Release], *, declared: str | None, today: date
) -> list[str]:
    kind = found["name"] or ""
    minors = list(dict.fromkeys(_minor(item.version) for item in finals))
    if kind == "declared":
        if declared is None:
            raise PolicyError(f'"declared" needs {name} in [project] dependencies of pyproject.toml')
        return list(dict.fromkeys((finals[0].version, finals[-1].version)))
    if kind == "latest":
        return [finals[-1].version]
    if kind == "latest-minors":
        return minors
    if kind == "latest-majors":
        return list({Version(minor).major: minor for minor in minors}.values())
    if kind == "spec0":
        return _spec0(name, finals, today)
    if kind == "max":
        return _spread(minors, int(found["count"] or "5"))
    low, high = (_numbers(found[end] or "0") for end in ("low", "high"))
    # The ends are prefixes, as in "2.2" for any 2.2.x: "1.22..2" goes up to the newest 2.x.
    return [minor for minor in minors if low <= _numbers(minor) and _numbers(minor)[: len(high)] <= high]


def _spec0(name: str, finals: Sequence[Release], today: date) -> list[str]:
    """Return the minors whose first release is less than two years old, but at least the newest."""
    first: dict[str, datetime] = {}
    for item in finals:
        if item.uploaded is None:
            raise PolicyError(f'"spec0" needs release dates, and the index does not tell those of {name}')
        minor = _minor(item.version)
        first[minor] = min(first.get(minor, item.uploaded), item.uploaded)
    recent = [minor for minor, day in first.items() if today - day.date() < SPEC0_PACKAGE]
    return recent or list(first)[-1:]


def _spread(minors: Sequence[str], most: int) -> list[str]:
    """Return at most `most` minors at even distances, with the oldest and the newest."""
    if len(minors) <= most:
        return list(minors)
    if most == 1:
        return [minors[-1]]
    return [minors[round(number * (len(minors) - 1) / (most - 1))] for number in range(most)]


def _newest_pre(releases: Iterable[Release], newest: Version) -> str:
    candidates = (Version(item.version) for item in releases)
    later = (item for item in candidates if item.is_prerelease and not item.is_devrelease and item > newest)
    return str(max(later, default=""))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))[:2]


def _minor(version: str) -> str:
    return ".".join(map(str, (*Version(version).release, 0)[:2]))


def changes(before: Sequence[str], after: Sequence[str]) -> str:
    """Return the changes of an axis's values, such as "+ 2.3, - 1.22", or ""."""
    added = [f"+ {value}" for value in after if value and value not in before]
    removed = [f"- {value}" for value in before if value and value not in after]
    return ", ".join([*added, *removed])
