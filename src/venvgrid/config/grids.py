"""Several grids in one file: [grid.NAME] inherits the sections outside of it. Pure.

A table is inherited key by key; any other value of a grid, also a list, replaces the inherited one. `false` removes an
axis. Excludes are inherited if the grid has none of its own. Includes, `must` and `baseline` name cells of one grid and
are not inherited.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from venvgrid.config import axis_values
from venvgrid.config.sections import HOMES
from venvgrid.config.values import shown
from venvgrid.model.config import VARIABLE_PREFIX
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from venvgrid.config.reader import Table

GRID = "grid"
SECTIONS = ("project", "axes", "plan", "ci", "exclude", "include", "install", "test")
OF_ONE_GRID = ("must", "baseline")  # of [plan]
MAX_NAME_LENGTH = 30  # characters: the ids of its cells begin with it
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The sections of one grid; the one outside of all [grid.NAME] has no name."""

    table: Table
    excludes: list[Table]
    includes: list[Table]
    name: str = ""
    has_excludes_of_top: bool = False


def sections(top: Table) -> list[Section]:
    """Return the section of each grid, the unnamed one first; mistakes are noted in the table."""
    if not top.path and "venvgrid" in (tool if isinstance(tool := top.values.get("tool"), dict) else {}):
        top.wrong("tool", "[tool.venvgrid.axes] is for pyproject.toml; in this file write [axes], and so on")
        top = replace(top, values={key: value for key, value in top.values.items() if key != "tool"})
    top.only((*SECTIONS, GRID), "section", HOMES)
    excludes = top.tables("exclude")
    found = [Section(table=top, excludes=excludes, includes=top.tables("include"))]
    named = top.table(GRID)
    for name in named.values:
        if not NAME.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
            allowed = f"at most {MAX_NAME_LENGTH} letters, digits, '-' and '_'"
            named.mistakes.add(named.path, f"a grid needs a name of {allowed}, got {shown(name)}")
            continue
        own = named.table(name)
        own.only(SECTIONS, "section", HOMES)
        dropped = {key for key, value in _flat(own.values.get("axes")) if value is False}
        has_own = "exclude" in own.values
        inherited = [item for item in excludes if not dropped & dict(_flat(item.values)).keys()]
        found.append(
            Section(
                table=replace(own, values=_merged(top.values, own.values)),
                excludes=own.tables("exclude") if has_own else inherited,
                includes=own.tables("include"),
                name=name,
                has_excludes_of_top=not has_own,
            )
        )
    return found


def names(table: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the grids in the table of a configuration."""
    named = table.get(GRID)
    return tuple(named) if isinstance(named, dict) else ()


def distinct(mistakes: Collection[str]) -> list[str]:
    """Return the mistakes without inherited ones: each is reported once, at its own place."""
    known = set(mistakes)
    return [line for line in mistakes if (above := re.sub(r"\bgrid\.[\w-]+\.", "", line)) == line or above not in known]


def _merged(above: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of a grid, without rules, which are inherited in another way."""
    found = {}
    for section in (name for name in SECTIONS if name not in {"exclude", "include"}):
        first, second = above.get(section, {}), own.get(section, {})
        if section == "plan" and isinstance(first, dict):
            first = {key: value for key, value in first.items() if key not in OF_ONE_GRID}
        inherit = _axes if section == "axes" else _inherited
        found[section] = inherit(first, second) if isinstance(first, dict) and isinstance(second, dict) else second
    return found


def _inherited(above: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(above)
    for key, value in own.items():
        known = found.get(key)
        found[key] = _inherited(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return found


def _axes(above: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merged axes: names are compared normalised, and `false` removes an axis."""
    same = {axis_values.key(name): name for name in above}
    renamed = {same.get(axis_values.key(name), name): value for name, value in own.items()}
    found = _inherited(above, renamed)
    if isinstance(found.get("env"), dict):
        found["env"] = {name: value for name, value in found["env"].items() if value is not False}
    return {name: value for name, value in found.items() if value is not False and value != {}}


def _flat(table: object) -> Iterable[tuple[str, Any]]:
    """Yield the key and the value of each axis in a table; none for another value."""
    for name, value in table.items() if isinstance(table, dict) else ():
        if name == "env" and isinstance(value, dict):
            for inner, item in value.items():
                yield axis_values.key(f"{VARIABLE_PREFIX}{inner}"), item
        else:
            yield axis_values.key(name), value
