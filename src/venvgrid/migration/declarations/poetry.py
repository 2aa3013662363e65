"""Reads the tables of poetry: its version constraints as PEP 440, its groups as lists of requirements. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from venvgrid.migration.model import subtable

if TYPE_CHECKING:
    from collections.abc import Mapping

_PART = re.compile(r"(?P<operator>\^|~=|~|===|==|!=|>=|<=|>|<|=)?\s*v?(?P<version>\d[\w.+!*-]*|\*)")


def fields(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `Declared` that [tool.poetry] has."""
    listed = dict(subtable(table, "dependencies"))
    python = listed.pop("python", "")
    extras = {
        name: tuple(item for item in map(str, names) if item)
        for name, names in subtable(table, "extras").items()
        if isinstance(names, list)
    }
    return {
        "name": table.get("name", ""),
        "requires_python": specifier(python) if isinstance(python, str) else "",
        "classifiers": tuple(map(str, table.get("classifiers", ()))),
        "dependencies": requirements(listed),
        "extras": extras,
    }


def groups(table: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the requirements of each group; the old table `dev-dependencies` is the group "dev"."""
    found = {
        name: requirements(subtable(group, "dependencies"))
        for name, group in subtable(table, "group").items()
        if isinstance(group, dict)
    }
    if old := requirements(subtable(table, "dev-dependencies")):
        found["dev"] = (*found.get("dev", ()), *old)
    return found


def requirements(table: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a table of dependencies as PEP 508; optional ones are left out."""
    found = []
    for name, raw in table.items():
        for item in raw if isinstance(raw, list) else [raw]:
            options = item if isinstance(item, dict) else {"version": item}
            if not options.get("optional") and name != "python":
                found.append(_requirement(name, options))
    return tuple(found)


def _requirement(name: str, options: Mapping[str, Any]) -> str:
    extras = f"[{','.join(map(str, options['extras']))}]" if options.get("extras") else ""
    markers = [f"({options['markers']})"] if options.get("markers") else []
    if isinstance(python := options.get("python"), str):
        markers += [f"python_version {part}" for part in _quoted(specifier(python))]
    marker = f" ; {' and '.join(markers)}" if markers else ""
    if "git" in options:
        revision = next((f"@{options[key]}" for key in ("rev", "tag", "branch") if key in options), "")
        return f"{name}{extras} @ git+{options['git']}{revision}{marker}"
    if "path" in options:
        return f"{name}{extras} @ file:./{options['path']}{marker}"
    if "url" in options:
        return f"{name}{extras} @ {options['url']}{marker}"
    return f"{name}{extras}{specifier(str(options.get('version', '')))}{marker}"


def _quoted(text: str) -> list[str]:
    parts = (re.match(r"([<>=!~]+)(.*)", part) for part in text.split(",") if part)
    return [f"{part[1]} '{'.'.join(part[2].split('.')[:2])}'" for part in parts if part]


def specifier(text: str) -> str:
    """Return a version constraint of poetry ("^1.2", "~1.2", "1.*", ">=1,<2") as PEP 440, "" for any.

    Alternatives ("^2.7 || ^3.6") become the widest range, from the lowest bound on.
    """
    if "|" in text:
        lowest = [specifier(part).split(",")[0] for part in re.split(r"\s*\|\|?\s*", text)]
        return min((part for part in lowest if part.startswith((">=", "=="))), default="").replace("==", ">=")
    found = []
    for match in _PART.finditer(text):
        operator, version = match["operator"] or "", match["version"]
        if version == "*":
            continue
        numbers = [int(part) for part in re.findall(r"\d+", version)]
        if operator == "^":
            found += [f">={version}", f"<{_caret(numbers)}"]
        elif operator == "~":
            found += [f">={version}", f"<{_next(numbers[: 1 if len(numbers) == 1 else 2])}"]
        else:
            found.append(f"{'==' if operator in {'', '='} else operator}{version}")
    return ",".join(found)


def _caret(numbers: list[int]) -> str:
    """Return the first version that changes the leftmost number that is not zero."""
    place = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
    return _next(numbers[: place + 1])


def _next(numbers: list[int]) -> str:
    return ".".join(map(str, [*numbers[:-1], numbers[-1] + 1]))
