"""Writes the text of a matrix.toml from groups of variants. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.version import Version

from venvgrid.config.grids import MAX_NAME_LENGTH
from venvgrid.config.toml_writer import block, inline, key, strings, table, text
from venvgrid.migration.factoring import factor
from venvgrid.migration.readers import commands
from venvgrid.migration.scaffold import range_of
from venvgrid.model import python_releases
from venvgrid.model.names import normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from venvgrid.migration.model import VariantGroup

_DEFAULTS = {
    "before": "[]", "install": '"wheel"', "extras": "[]", "groups": "[]", "requires": '["pytest"]', "constraints": "[]",
    "resolution": '"highest"', "pre-releases": "false", "working-directory": '"."', "command": '["pytest"]',
    "reports": '"pytest"', "pass-env": "[]",
}  # fmt: skip
MAX_LINE = 100  # characters that are easy to read
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


def render(
    groups: Sequence[VariantGroup],
    notes: Sequence[str],
    lost: Sequence[str],
    source: str,
    *,
    skip_missing: bool = False,
) -> str:
    """Return the file: the first group outside of all grids, each other one in a [grid.NAME].

    `lost` says which environments of the source are not in it and why, `notes` what else differs. `skip_missing`: a
    Python that is not there is no failure.
    """
    lines = [f"# Made from {source}. `venvgrid plan` shows the grid, `venvgrid run` runs it.", ""]
    used: set[str] = set()
    for number, group in enumerate(groups):
        prefix = f"grid.{_grid_name(group.name, used)}." if number else ""
        lines += _grid(group, prefix, groups[0] if number else None)
        lines += table("plan", {"skip-missing-interpreters": "true"}) if skip_missing and not number else []
    if lost:
        lines += ["# Not written, because a configuration cannot express it:", *(f"# - {note}" for note in lost), ""]
    if notes:
        lines += ["# What differs:", *(f"# - {note}" for note in notes)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _grid_name(name: str, used: set[str]) -> str:
    base = _NOT_IN_NAMES.sub("-", name).strip("-_")[:MAX_NAME_LENGTH].rstrip("-_") or "other"
    found, number = base, 2
    while found in used:
        suffix = f"-{number}"
        found, number = base[: MAX_NAME_LENGTH - len(suffix)] + suffix, number + 1
    used.add(found)
    return found


def _grid(group: VariantGroup, prefix: str, above: VariantGroup | None) -> Iterator[str]:
    found = factor(group.cells)
    inherited = factor(above.cells).axes if above else {}
    yield from _table(f"{prefix}project", _changed(_project, group, above))
    values = {name: _sorted(name, known) for name, known in found.axes.items()}
    if above and "python" in inherited and "python" not in values:
        values = {"python": [_default_python(inherited["python"])], **values}
    axes = {name: _values(name, known) for name, known in values.items()}
    axes |= {name: "false" for name in inherited if name not in found.axes and name != "python"}
    yield from _table(f"{prefix}axes", {_axis(name): value for name, value in axes.items()}, always=not prefix)
    if above and not found.excludes and factor(above.cells).excludes:
        yield from ["# No exclude of the grid above holds here.", f"[{prefix.rstrip('.')}]", "exclude = []", ""]
    for rule in found.excludes:
        yield from table(f"[{prefix}exclude]", {_axis(name): _list(values) for name, values in rule.items()})
    for cell in group.may_fail:
        keys = {_axis(name): text(value) for name, value in cell.items() if len(found.axes[name]) > 1}
        keys = keys or {"python": text(cell["python"])}
        yield from table(f"[{prefix}include]", keys | {"allow-failure": "true"})
    yield from _table(f"{prefix}install", _changed(_install, group, above))
    yield from _table(f"{prefix}test", _changed(_test, group, above))
    if above and (more := sorted(set(above.env) - set(group.env))):
        yield from [f"# test.env also has {', '.join(more)}, as above.", ""]


def _default_python(values: Sequence[str]) -> str:
    """Return the Python for a grid whose source names none: the newest release among those of the main grid."""
    newest = Version(python_releases.NAMES[-1])
    plain = [value for value in _sorted("python", values) if re.fullmatch(r"[0-9.]+", value)]
    return next((value for value in reversed(plain) if Version(value) <= newest), _sorted("python", values)[-1])


def _table(name: str, keys: Mapping[str, str], *, always: bool = False) -> list[str]:
    return table(name, keys) if keys or always else []


def _project(group: VariantGroup) -> dict[str, str]:
    extras = () if group.cells and "extras" in group.cells[0] else group.extras
    return _written({"install": group.install, "extras": extras, "groups": group.groups})


def _install(group: VariantGroup) -> dict[str, str]:
    requires = group.requires
    if requires and commands.kind(group.command) == "pytest":
        plain = [item for item in requires if not item.startswith("-")]
        names = {*(normalise(Requirement(item).name) for item in plain), *group.named}
        requires = requires if "pytest" in names else ("pytest", *requires)
    found = _written({"requires": requires, "constraints": group.constraints, "resolution": group.resolution})
    return found | ({"pre-releases": "true"} if group.pre_releases else {})


def _test(group: VariantGroup) -> dict[str, str]:
    command = () if group.command == ("pytest",) else group.command
    reports = "exit-status" if command and commands.kind(command) != "pytest" else ""
    found = {"before": _commands(group.before)} if group.before else {}
    found |= _written({"command": command, "working-directory": group.working_directory, "reports": reports})
    found |= _written({"pass-env": group.pass_env})
    if group.env:
        found["env"] = inline({key(name): text(value) for name, value in group.env.items()})
    return found


def _commands(commands_: Sequence[Sequence[str]]) -> str:
    listed = list(map(strings, commands_))
    short = f"[{', '.join(listed)}]"
    return short if len(short) <= MAX_LINE else block(listed)


def _written(settings: Mapping[str, str | tuple[str, ...]]) -> dict[str, str]:
    """Return settings as TOML, without empty ones."""
    return {name: text(value) if isinstance(value, str) else _list(value) for name, value in settings.items() if value}


def _changed(
    section: Callable[[VariantGroup], dict[str, str]], group: VariantGroup, above: VariantGroup | None
) -> dict[str, str]:
    """Return the settings of a grid that differ from those above, and the defaults of those that it does not have."""
    own, inherited = section(group), section(above) if above else {}
    found = {key: value for key, value in own.items() if inherited.get(key) != value}
    return found | {key: _DEFAULTS[key] for key in inherited if key not in own and key in _DEFAULTS}


def _axis(name: str) -> str:
    return f"env.{key(name.removeprefix('env.'))}" if name.startswith("env.") else key(name)


def _values(name: str, values: Sequence[str]) -> str:
    return (range_of(values) if name == "python" else "") or _list(values)


def _sorted(name: str, values: Sequence[str]) -> list[str]:
    """Sort versions, with other implementations of Python and words last."""
    if name.startswith("env.") or name == "extras":
        return list(values)
    return sorted(values, key=_version_order)


def _version_order(value: str) -> tuple[int, Version]:
    found = re.search(r"[0-9]+(?:\.[0-9]+)*", value)
    return (value[:1].isalpha(), Version(found[0])) if found else (2, Version("0"))


def _list(values: Sequence[str]) -> str:
    short = strings(values)
    return short if len(short) <= MAX_LINE else block(map(text, values))
