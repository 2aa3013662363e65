"""A first matrix.toml from the declarations of the project (`venvgrid init`)."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from venvgrid.config import config_file, toml_writer
from venvgrid.migration import declared, layout
from venvgrid.migration.model import subtable
from venvgrid.model import InfrastructureError, UsageError, python_releases

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from venvgrid.migration.declared import Declared
    from venvgrid.migration.layout import Layout

MAX_LINE = 100  # characters that are easy to read
MAX_EXAMPLES = 3  # dependencies that the file mentions

_FIRST_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def suggest(known: Declared, found: Layout, available: Collection[str] = ()) -> str:
    """Return the text of a first matrix.toml.

    Args:
        known: what the project declares.
        found: where its tests are, and what else they need.
        available: the Pythons of this machine ("3.12", "3.13t"); empty if they are unknown.
    """
    requires = found.requires or ("pytest",)
    lines = [
        "# Which combinations venvgrid tests. `venvgrid plan` shows the grid, `venvgrid run` runs it.",
        "",
        *_project_lines(known, found),
        "[axes]",
        *_python_lines(declared.minors(known), available),
        *_dependency_lines(known),
        _line('# env.NAME = ["a", "b"]', "an environment variable"),
        _line('# as-of = ["release", "today"]', "with the dependencies of the pins' time, and of now"),
        "",
        "[install]",
        *_requires_lines(requires),
        *(f"# {note}" for note in found.notes),
        "",
        "[test]",
        f"command = {toml_writer.strings(found.command)}",
        _line('# timeout = "10m"', "of a cell"),
        _line('# smoke = ["your_package"]', "imported first"),
        _line('# env = { NAME = "value" }', "for all cells"),
        "",
        _line("# [[exclude]]", "cells that you do not want; those that cannot exist are found without this"),
        '# python = "<3.10"',
    ]
    return "\n".join(lines) + "\n"


def _line(setting: str, comment: str) -> str:
    return f"{setting:<31} # {comment}"


def write(folder: Path, text: str, *, name: str = config_file.FILE_NAME, force: bool = False) -> Path:
    """Write a configuration into `folder` and return its path.

    Raises:
        UsageError: a configuration exists already, and `force` is not given.
        InfrastructureError: it cannot be written.
    """
    target = folder / name
    source = folder / config_file.PYPROJECT
    hint = "Edit it, remove it first, or type: venvgrid init --force"
    if not force and name == config_file.FILE_NAME and _is_configured(folder):
        raise UsageError(f"{source} has [tool.venvgrid] already; nothing was written. {hint}")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: there is no folder {target.parent}; make it first, or give another file")
    try:
        with target.open("w" if force else "x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{target} is there already; nothing was written. {hint}") from None
    except OSError as error:
        raise InfrastructureError(f"{target}: cannot be written: {error.strerror or error}") from None
    return target


def _is_configured(folder: Path) -> bool:
    return "venvgrid" in subtable(config_file.read_pyproject(folder), "tool")


def _requires_lines(requires: Sequence[str]) -> list[str]:
    comment = "what the tests need besides the project"
    line = f"requires = {toml_writer.strings(requires)}"
    if len(line) <= MAX_LINE:
        return [_line(line, comment)]
    return [f"# {comment.capitalize()}.", f"requires = {toml_writer.block(map(toml_writer.text, requires))}"]


def _project_lines(known: Declared, found: Layout) -> list[str]:
    if not known.is_installable:
        return ["[project]", _line('install = "none"', "there is no project here that could be built"), ""]
    key, names = layout.chosen(known)
    wanted: dict[str, list[str]] = {"groups": [], "extras": []} | {key: names}
    wanted["extras"] += [name for name in found.extras if name not in wanted["extras"]]
    comment = "what the tests need, as the project declares it"
    lines = [_line(f"{name} = {toml_writer.strings(listed)}", comment) for name, listed in wanted.items() if listed]
    return ["[project]", *lines, ""] if lines else []


def _python_lines(found: Sequence[str], available: Collection[str]) -> list[str]:
    here = [minor for minor in found if minor in available] if available else list(found)
    if not here:
        newest = python_releases.NEWEST[1]
        example = f'# python = "3.{newest - 3}..3.{newest}"'
        return [_line(example, "a range, or a list; without it: the Python that runs venvgrid")]
    lines = [_line(f"python = {range_of(here) or toml_writer.strings(here)}", "a range, or a list")]
    if gone := [minor for minor in found if minor not in here]:
        lines.append(f"# The project also allows {', '.join(gone)}, which this machine does not have.")
    return lines


def range_of(found: Sequence[str]) -> str:
    """Return a range of exactly these minor versions as a TOML string, or "" if there is none."""
    minors = python_releases.NAMES
    if len(found) < 2 or any(minor not in minors for minor in found):  # noqa: PLR2004
        return ""
    first, last = found[0], found[-1]
    between = minors[minors.index(first) : minors.index(last) + 1]
    return f'"{first}..{last}"' if tuple(found) == between else ""


def _dependency_lines(known: Declared) -> list[str]:
    lines: dict[str, str] = {}  # by name: a dependency may occur once for each marker
    for text in known.dependencies:
        with suppress(InvalidRequirement):
            requirement = Requirement(text)
            lines.setdefault(canonicalize_name(requirement.name), _dependency_line(requirement))
    return list(lines.values())[:MAX_EXAMPLES] or [_line('# numpy = ["1.26", "2.0"]', '"1.26" means any 1.26.x')]


def _dependency_line(requirement: Requirement) -> str:
    lowest = [
        match[0]
        for specifier in requirement.specifier
        if specifier.operator in {">=", "~=", "=="} and (match := _FIRST_VERSION.match(specifier.version))
    ]
    line = f"# {toml_writer.key(requirement.name)} = {toml_writer.strings([*lowest[:1], 'latest'])}"
    return _line(line, f'"{lowest[0]}" means any {lowest[0]}.x') if lowest else line
