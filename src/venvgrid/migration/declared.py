"""What a project declares about itself, wherever it does: pyproject.toml, setup.cfg, setup.py, PKG-INFO.

Files are parsed; nothing of the project is run. A value that only a program computes is not known here.
"""

from __future__ import annotations

import ast
import re
import warnings
from configparser import Error as ConfigParserError
from configparser import RawConfigParser
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from venvgrid.config import config_file
from venvgrid.migration.declarations import poetry
from venvgrid.migration.expressions import Scope, bound, value
from venvgrid.migration.model import subtable
from venvgrid.model import ConfigError, python_releases
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_FILE_BYTES = 1_000_000  # bytes
_LAST_PATCH = 99  # of a minor: no CPython had as many
SETUP_FILES = ("setup.py", "setup.cfg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The declarations of a project.

    `groups` are PEP 735; `others` are requirements that only other tools install, by the name of their table.
    """

    name: str = ""
    requires_python: str = ""
    classifiers: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pyproject: Mapping[str, Any] = field(default_factory=dict)
    is_installable: bool = True


def read(folder: Path) -> Declared:
    """Read the declarations of the project in a folder.

    Raises:
        ConfigError: pyproject.toml is no valid TOML.
    """
    pyproject = config_file.read_pyproject(folder)
    found = from_pyproject(pyproject)
    for more in (_setup_cfg, _setup_py, _pkg_info):
        found = _completed(found, more(folder))
    return Declared(**{**found, "pyproject": pyproject, "is_installable": _is_installable(folder, pyproject)})


def is_project(folder: Path) -> bool:
    """Whether a folder has a project that can be built, as far as its files can be read."""
    try:
        return _is_installable(folder, config_file.read_pyproject(folder))
    except ConfigError:
        return True


def _is_installable(folder: Path, pyproject: Mapping[str, Any]) -> bool:
    tables = {"project", "build-system"} & pyproject.keys()
    return bool(tables) or any((folder / name).exists() for name in SETUP_FILES)


def from_pyproject(pyproject: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `Declared` that a parsed pyproject.toml has; values of a wrong shape are ignored."""
    project, tool = subtable(pyproject, "project"), subtable(pyproject, "tool")
    found = {
        "name": _text(project.get("name")),
        "requires_python": _text(project.get("requires-python")),
        "classifiers": _texts(project.get("classifiers")),
        "dependencies": _texts(project.get("dependencies")),
        "extras": {name: _texts(listed) for name, listed in subtable(project, "optional-dependencies").items()},
        "groups": subtable(pyproject, "dependency-groups"),
        "others": dict(_others(tool)),
    }
    return _completed(found, poetry.fields(subtable(tool, "poetry")))


def _others(tool: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the tables of poetry, pdm and uv that PEP 621 and 735 do not know."""
    groups = poetry.groups(subtable(tool, "poetry"))
    yield from ((f"tool.poetry.group.{name}", listed) for name, listed in groups.items())
    for name, listed in subtable(subtable(tool, "pdm"), "dev-dependencies").items():
        yield f"tool.pdm.dev-dependencies.{name}", _texts(listed)
    if listed := _texts(subtable(tool, "uv").get("dev-dependencies")):
        yield "tool.uv.dev-dependencies", listed


def _setup_cfg(folder: Path) -> dict[str, Any]:
    parser = RawConfigParser()
    with suppress(OSError, ConfigParserError, UnicodeDecodeError):
        parser.read(folder / "setup.cfg", encoding="utf-8")

    def lines(section: str, key: str) -> tuple[str, ...]:
        text = parser.get(section, key, fallback=parser.get(section, key.replace("_", "-"), fallback=""))
        return tuple(line.strip() for line in text.splitlines() if line.strip())

    section = "options.extras_require"
    extras = parser.options(section) if parser.has_section(section) else []
    return {
        "name": parser.get("metadata", "name", fallback=""),
        "requires_python": "".join(lines("options", "python_requires")[:1]),
        "classifiers": lines("metadata", "classifiers"),
        "dependencies": lines("options", "install_requires"),
        "extras": {name: lines(section, name) for name in extras},
        "others": {"setup.cfg, tests_require": found} if (found := lines("options", "tests_require")) else {},
    }


def _setup_py(folder: Path) -> dict[str, Any]:
    """Return the literal arguments of the call of `setup`."""
    text = _read(folder / "setup.py")
    if not text:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    scope = Scope()
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                scope.names |= bound(target, value(statement.value, scope)) or {}
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    call = next((node for node in calls if ast.unparse(node.func).rpartition(".")[2] == "setup"), None)
    given: dict[str, Any] = {}
    for item in call.keywords if call else ():
        known = value(item.value, scope)
        given |= {item.arg: known} if item.arg else known if isinstance(known, dict) else {}
    extras = given.get("extras_require")
    tests = _texts(given.get("tests_require"))
    return {
        "name": _text(given.get("name")),
        "requires_python": _text(given.get("python_requires")),
        "classifiers": _texts(given.get("classifiers")),
        "dependencies": _texts(given.get("install_requires")),
        "extras": {name: _texts(listed) for name, listed in extras.items()} if isinstance(extras, dict) else {},
        "others": {"setup.py, tests_require": tests} if tests else {},
    }


def _pkg_info(folder: Path) -> dict[str, Any]:
    """Return what a source distribution says of itself."""
    text = _read(folder / "PKG-INFO")
    if not text:
        return {}
    raw, _ = parse_email(text)
    extras: dict[str, list[str]] = {canonicalize_name(name): [] for name in raw.get("provides_extra", [])}
    plain = []
    for line in raw.get("requires_dist", []):
        named = re.search(r"""extra\s*==\s*['"]([^'"]+)['"]""", line)
        if named is None:
            plain.append(line)
        elif (name := canonicalize_name(named[1])) in extras:
            extras[name].append(line.partition(";")[0].strip())
    return {
        "name": raw.get("name", ""),
        "requires_python": raw.get("requires_python", ""),
        "classifiers": tuple(raw.get("classifiers", [])),
        "dependencies": tuple(plain),
        "extras": {name: tuple(listed) for name, listed in extras.items()},
    }


def _completed(found: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields; those that are empty are taken from `more`, those of tables are merged."""
    merged = dict(found)
    for key, item in more.items():
        known = merged.get(key)
        if isinstance(known, dict) and isinstance(item, dict):
            merged[key] = {**item, **known} if key == "others" or not known else known
        elif not known:
            merged[key] = item
    return merged


def names(declared: Declared) -> dict[str, str]:
    """Return the specifiers of the project's dependencies by normalised name; "" for one that has several, or any."""
    found: dict[str, str] = {}
    for line in declared.dependencies:
        with suppress(InvalidRequirement):
            parsed = Requirement(line)
            name = canonicalize_name(parsed.name)
            found[name] = "" if name in found or parsed.marker else str(parsed.specifier)
    return found


def minors(known: Declared) -> list[str]:
    """Return the minor versions of Python that a project declares: by its bounds, else by its classifiers."""
    listed = python_releases.classified(known.classifiers)
    classified = [minor for minor in python_releases.NAMES if minor in listed]
    bounded = allowed_minors(known.requires_python)
    # Old projects have a lower bound alone: what they were tested with says more than all that came later.
    return bounded or classified


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


def _read(path: Path) -> str:
    with suppress(OSError, ValueError):
        if path.stat().st_size <= MAX_FILE_BYTES:
            return path.read_text(encoding="utf-8-sig")
    return ""


def _text(raw: Any) -> str:
    return raw if isinstance(raw, str) else ""


def _texts(raw: Any) -> tuple[str, ...]:
    if isinstance(raw, str):
        return tuple(line.strip() for line in raw.splitlines() if line.strip())
    return tuple(item for item in raw if isinstance(item, str)) if isinstance(raw, list | tuple) else ()
