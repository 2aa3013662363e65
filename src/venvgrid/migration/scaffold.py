"""A first matrix.toml from the declarations of the project (`venvgrid init`)."""

from __future__ import annotations

import re
from configparser import Error as ConfigParserError
from configparser import RawConfigParser
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from venvgrid.config import config_file, toml_writer
from venvgrid.migration.model import subtable
from venvgrid.model import InfrastructureError, UsageError, python_releases

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

MAX_EXAMPLES = 3  # dependencies that the file mentions
TEST_NAMES = ("test", "tests", "testing")
OTHER_NAMES = ("dev",)

_LAST_PATCH = 99  # of a minor: no CPython had as many
_FIRST_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def suggest(pyproject: Mapping[str, Any], *, installable: bool = True) -> str:
    """Return the text of a first matrix.toml.

    Args:
        pyproject: the parsed pyproject.toml, {} if there is none; values of a wrong shape are ignored.
        installable: whether there is a project to build; without one, cells contain only the packages of [install].
    """
    lines = [
        "# Which combinations venvgrid tests. `venvgrid plan` shows the grid, `venvgrid run` runs it.",
        "",
        *_project_lines(pyproject, installable=installable),
        "[axes]",
        _python_line(minors(pyproject)),
        *_dependency_lines(pyproject),
        _line('# env.NAME = ["a", "b"]', "an environment variable"),
        _line('# as-of = ["release", "today"]', "with the dependencies of the pins' time, and of now"),
        "",
        "[install]",
        _line('requires = ["pytest"]', "what the tests need besides the project"),
        "",
        "[test]",
        'command = ["pytest"]',
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


def write(folder: Path, text: str | None = None) -> Path:
    """Write matrix.toml into `folder` and return its path; by default its text is that of `suggest`.

    Raises:
        UsageError: a configuration exists already.
        ConfigError: pyproject.toml is no valid TOML.
        InfrastructureError: it cannot be written.
    """
    target = folder / config_file.FILE_NAME
    source = folder / config_file.PYPROJECT
    pyproject = declared(folder)
    if "venvgrid" in subtable(pyproject, "tool"):
        raise UsageError(f"{source} has [tool.venvgrid] already; nothing was written. Edit it, or remove it first")
    installable = bool({"project", "build-system"} & pyproject.keys()) or any(
        (folder / name).exists() for name in ("setup.py", "setup.cfg")
    )
    if text is None:
        text = suggest(pyproject, installable=installable)
    try:
        with target.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{target} is there already; nothing was written. Edit it, or remove it first") from None
    except OSError as error:
        raise InfrastructureError(f"{target}: cannot be written: {error.strerror or error}") from None
    return target


def declared(folder: Path) -> Mapping[str, Any]:
    """Return the parsed pyproject.toml; if it has no [project], that is filled from setup.cfg.

    Raises:
        ConfigError: pyproject.toml is no valid TOML.
    """
    pyproject = config_file.read_pyproject(folder)
    if "project" in pyproject:
        return pyproject
    parser = RawConfigParser()
    with suppress(OSError, ConfigParserError, UnicodeDecodeError):
        parser.read(folder / "setup.cfg", encoding="utf-8")
    if not parser.has_section("metadata") and not parser.has_section("options"):
        return pyproject

    def lines(section: str, key: str) -> list[str]:
        return [line.strip() for line in parser.get(section, key, fallback="").splitlines() if line.strip()]

    extras = parser.options("options.extras_require") if parser.has_section("options.extras_require") else []
    project = {
        "requires-python": parser.get("options", "python_requires", fallback=""),
        "classifiers": lines("metadata", "classifiers"),
        "dependencies": lines("options", "install_requires"),
        "optional-dependencies": {name: lines("options.extras_require", name) for name in extras},
    }
    return {**pyproject, "project": project}


def dependencies(pyproject: Mapping[str, Any]) -> frozenset[str]:
    """Return the normalised names of the project's dependencies."""
    return frozenset(canonicalize_name(requirement.name) for requirement in _requirements(pyproject))


def _requirements(pyproject: Mapping[str, Any]) -> Iterator[Requirement]:
    """Yield the dependencies of the project that can be parsed."""
    listed = subtable(pyproject, "project").get("dependencies")
    for item in listed if isinstance(listed, list) else []:
        with suppress(InvalidRequirement, TypeError):
            yield Requirement(item)


def minors(pyproject: Mapping[str, Any]) -> list[str]:
    """Return the minor versions of Python that a project declares: by its bounds, else by its classifiers."""
    project = subtable(pyproject, "project")
    lines = project.get("classifiers")
    listed = python_releases.classified(lines if isinstance(lines, list) else [])
    known = [minor for minor in python_releases.NAMES if minor in listed]
    return allowed_minors(project.get("requires-python")) or known


def _project_lines(pyproject: Mapping[str, Any], *, installable: bool) -> list[str]:
    if not installable:
        return ["[project]", _line('install = "none"', "there is no project here that could be built"), ""]
    groups = _for_tests(subtable(pyproject, "dependency-groups"))
    extras = [] if groups else _for_tests(subtable(subtable(pyproject, "project"), "optional-dependencies"))
    if not groups and not extras:
        return []
    key, names = ("groups", groups) if groups else ("extras", extras)
    line = _line(f"{key} = {toml_writer.strings(names)}", "what the tests need, as pyproject.toml declares it")
    return ["[project]", line, ""]


def _for_tests(names: Iterable[str]) -> list[str]:
    """Return the names of groups or extras for tests."""
    known = {canonicalize_name(name) for name in names}
    return sorted(known & set(TEST_NAMES)) or sorted(known & set(OTHER_NAMES))


def _python_line(found: Sequence[str]) -> str:
    if not found:
        newest = python_releases.NEWEST[1]
        example = f'# python = "3.{newest - 3}..3.{newest}"'
        return _line(example, "a range, or a list; without it: the Python that runs venvgrid")
    return _line(f"python = {range_of(found) or toml_writer.strings(found)}", "a range, or a list")


def range_of(found: Sequence[str]) -> str:
    """Return a range of exactly these minor versions as a TOML string, or "" if there is none."""
    minors = python_releases.NAMES
    if len(found) < 2 or any(minor not in minors for minor in found):  # noqa: PLR2004
        return ""
    first, last = found[0], found[-1]
    between = minors[minors.index(first) : minors.index(last) + 1]
    return f'"{first}..{last}"' if tuple(found) == between else ""


def allowed_minors(bound: object) -> list[str]:
    """Return the minor versions with a patch release that `bound`, a PEP 440 specifier, allows."""
    if not isinstance(bound, str) or not bound.strip():
        return []
    try:
        allowed = SpecifierSet(bound)
    except InvalidSpecifier:
        return []
    return [
        minor
        for minor in python_releases.NAMES
        if any(allowed.contains(f"{minor}.{patch}") for patch in range(_LAST_PATCH + 1))
    ]


def _dependency_lines(pyproject: Mapping[str, Any]) -> list[str]:
    lines: dict[str, str] = {}  # by name: a dependency may occur once for each marker
    for requirement in _requirements(pyproject):
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
