"""Finds where a project's tests are, how to start them, and what they need that no table declares. Nothing is run."""

from __future__ import annotations

import itertools
import re
from configparser import Error as ConfigParserError
from configparser import RawConfigParser
from contextlib import suppress
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from venvgrid.migration.declarations import imports
from venvgrid.migration.declarations.modules import PLUGINS
from venvgrid.migration.model import Notes, subtable
from venvgrid.migration.readers import requirements
from venvgrid.migration.readers.requirements import InstallArguments
from venvgrid.migration.sources import siblings
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from venvgrid.migration.declared import Declared

APPLICATION = "requirements.txt"  # what an application needs that is no project
MAX_FILES = 400  # files of tests that are looked at
TEST_NAMES = ("test", "tests", "testing")
OTHER_NAMES = ("dev", "develop", "development")
FOLDERS = ("tests", "test", "testing")
COLLECTED = re.compile(r"test_.*\.py|.*_test\.py")  # what pytest collects in folders, if no setting names others
TEST_FILE = re.compile(r"test_.*\.py|.*_tests?\.py|tests?\.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How tests are started, and what they need; `requires` is empty for the default, `notes` are comments."""

    command: tuple[str, ...] = ("pytest",)
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()  # that a requirements file names
    notes: tuple[str, ...] = ()
    has_tests: bool = False


def find(folder: Path, known: Declared) -> Layout:
    """Look at the files of a project."""
    settings = list(_settings(folder, known))
    command, tests = _command(folder, settings)
    listed, notes = _listed(folder, known)
    if not known.is_installable and (folder / APPLICATION).is_file() and f"-r {APPLICATION}" not in listed.requires:
        base, said = _parsed_arguments(["-r", APPLICATION], folder, APPLICATION)
        listed.requires[:0], listed.named[:0], notes = base.requires, base.named, (*said, *notes)
    there = {*map(_name, (*listed.requires, *_of_chosen(known))), *listed.named}
    needed = [name for pattern, name in PLUGINS if any(re.search(pattern, line) for line in settings)]
    for line in settings:
        if line.startswith("required_plugins"):
            needed += line.partition("=")[2].split()
    own = {path.stem for base in (folder, folder / "src") if base.is_dir() for path in base.iterdir()}
    own |= {part for test in tests for part in (test.stem, *test.relative_to(folder).parts[:-1])}
    optional = _optional(known)
    needed += sorted(imports.imported(tests, own | {known.name.replace("-", "_")}, optional))
    needed += sorted(imports.of_project(tests, (folder, folder / "src"), optional))
    more = [
        line for line in dict.fromkeys(needed) if _name(line) not in there | {"pytest", canonicalize_name(known.name)}
    ]
    of_extras = [optional[_name(line)] for line in more if _name(line) in optional]
    more = [line for line in more if _name(line) not in optional]
    if more:
        notes = (*notes, f"{', '.join(more)}: found in the tests or in the settings of pytest.")
    if not tests:
        notes = (*notes, "No tests were found here: say in [test] how they are run.")
    requires = [*listed.requires, *more, *siblings(folder, known, there)]
    requires = requires if "pytest" in there or not requires else ["pytest", *requires]
    extras = tuple(dict.fromkeys(map(canonicalize_name, (*listed.extras, *sorted(of_extras)))))
    wanted = tuple(requires)
    return Layout(command=command, requires=wanted, extras=extras, notes=notes, has_tests=bool(tests))


def chosen(known: Declared) -> tuple[str, list[str]]:
    """Return "groups" or "extras", and the names of those that the tests need."""
    groups, extras = _for_tests(known.groups), _for_tests(known.extras)
    for key, names in (("groups", groups), ("extras", extras)):
        if set(names) & set(TEST_NAMES):
            return key, names
    return ("groups", groups) if groups else ("extras", extras)


def _for_tests(names: Iterable[str]) -> list[str]:
    """Return the names of groups or extras for tests, else those for development."""
    known = {canonicalize_name(name) for name in names}
    return sorted(known & set(TEST_NAMES)) or sorted(known & set(OTHER_NAMES))


def _of_chosen(known: Declared) -> Iterator[str]:
    """Yield the requirements of the project, and of its groups and extras for tests."""
    yield from known.dependencies
    key, names = chosen(known)
    for name, listed in (known.groups if key == "groups" else known.extras).items():
        if canonicalize_name(name) in names:
            yield from (line for line in _flat(listed, known, 0))


def _flat(listed: object, known: Declared, depth: int) -> Iterator[str]:
    """Yield the requirements of a group, with those of included ones."""
    for item in listed if isinstance(listed, list | tuple) and depth < 10 else ():  # noqa: PLR2004  (groups in groups)
        if isinstance(item, dict):
            yield from _flat(known.groups.get(item.get("include-group", "")), known, depth + 1)
        elif isinstance(item, str):
            yield item
            own = re.match(rf"{re.escape(known.name)}\[([^\]]*)\]", item) if known.name else None
            for extra in own[1].split(",") if own else ():
                yield from _flat(known.extras.get(extra.strip(), ()), known, depth + 1)


def _listed(folder: Path, known: Declared) -> tuple[InstallArguments, tuple[str, ...]]:
    """Return requirements of the tests that are in other places: tables of poetry or pdm, requirements files."""
    if chosen(known)[1]:
        return InstallArguments(), ()
    for wanted in (TEST_NAMES, (*OTHER_NAMES, "ci"), ()):
        for name, listed in known.others.items():
            if re.split(r"[.\s]", name)[-1] in wanted or (wanted == TEST_NAMES and "tests_require" in name):
                return _parsed_arguments([*listed], folder, name)
        for path in _requirement_files(folder):
            name = path.relative_to(folder).as_posix()
            words = set(re.split(r"[-_.\s/]", name.lower()))
            if words & set(wanted) or (not wanted and name == APPLICATION and "pytest" in imports.text(path)):
                return _parsed_arguments(["-r", name], folder, name)
    return InstallArguments(), ()


def _parsed_arguments(arguments: list[str], folder: Path, name: str) -> tuple[InstallArguments, tuple[str, ...]]:
    notes = Notes()
    found = requirements.parse_arguments(arguments, folder, notes, name)
    source = () if arguments[0] == "-r" and f"-r {name}" in found.requires else (f"From {name}.",)
    return found, (*source, *(f"Left out: {line}" for line in (*notes.lost, *notes.lines)))


def _requirement_files(folder: Path) -> list[Path]:
    found = [*folder.glob("*.txt"), *folder.glob("*requirements*/*.txt"), *folder.glob("tests/*.txt")]
    return sorted(path for path in found if "requirement" in path.relative_to(folder).as_posix().lower())


def _command(folder: Path, settings: list[str]) -> tuple[tuple[str, ...], list[Path]]:
    """Return the command that runs the tests, and their files."""
    has_paths = any(line.startswith("testpaths") for line in settings)
    for name in FOLDERS:
        if files := _tests_in(folder / name):
            return ("pytest", *_patterns(files, settings), *(() if has_paths else (name,))), files
    for package in _packages(folder):
        for inner in FOLDERS:
            if files := _tests_in(package / inner):
                return _inside(folder, package, package / inner, _patterns(files, settings)), files
    if files := sorted(path for path in folder.glob("*.py") if TEST_FILE.fullmatch(path.name)):
        return ("pytest",) if has_paths else ("pytest", *(path.name for path in files)), files
    for package in _packages(folder):
        if files := _tests_in(package):
            return _inside(folder, package, package, _patterns(files, settings)), files
    return ("pytest",), []


def _patterns(files: list[Path], settings: list[str]) -> tuple[str, ...]:
    """Return the option of pytest for files such as tests.py, which it does not collect in a folder by itself."""
    names = {path.name for path in files if TEST_FILE.fullmatch(path.name)}
    if any(line.startswith("python_files") for line in settings) or any(map(COLLECTED.fullmatch, names)):
        return ()
    patterns = {"*_tests.py" if name.endswith("_tests.py") else name for name in names}
    return ("-o", f"python_files={' '.join(sorted(patterns))}")


def _inside(folder: Path, package: Path, tests: Path, patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command for tests inside a package.

    Below src/, they run by their name, as they are installed; by their path they would import the package from there.
    """
    declarations = "".join(imports.text(folder / name) for name in ("setup.py", "setup.cfg", "pyproject.toml"))
    is_left_out = re.search(r"exclude\s*=[^\n]*\n?[^\n]*\btests?\b", declarations)
    if package.parent == folder or is_left_out:
        return ("pytest", *patterns, tests.relative_to(folder).as_posix())
    return ("pytest", *patterns, "--pyargs", package.name)


def _packages(folder: Path) -> list[Path]:
    places = [*folder.iterdir(), *((folder / "src").iterdir() if (folder / "src").is_dir() else ())]
    return sorted(path for path in places if (path / "__init__.py").is_file() and path.name not in FOLDERS)


def _tests_in(folder: Path) -> list[Path]:
    """Return the files of tests in a folder and below it, and the files beside them that may import for them."""
    if not folder.is_dir():
        return []
    files = sorted(itertools.islice(folder.rglob("*.py"), MAX_FILES))
    return files if any(TEST_FILE.fullmatch(path.name) for path in files) else []


def _settings(folder: Path, known: Declared) -> Iterator[str]:
    """Yield the lines of the settings of pytest as "name = value"."""
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    for name in ("pytest.ini", "tox.ini", "setup.cfg"):
        with suppress(OSError, ConfigParserError, UnicodeDecodeError):
            parser.read(folder / name, encoding="utf-8")
    for section in ("pytest", "tool:pytest"):
        if parser.has_section(section):
            yield from (f"{key} = {' '.join(value.split())}" for key, value in parser.items(section))
    table = subtable(subtable(known.pyproject, "tool"), "pytest")
    for key, value in (subtable(table, "ini_options") or table).items():
        yield f"{key} = {' '.join(map(str, value)) if isinstance(value, list) else value}"


def _optional(known: Declared) -> dict[str, str]:
    """Return the smallest extra of the project that has a distribution, by its name."""
    found: dict[str, str] = {}
    for extra, listed in sorted(known.extras.items(), key=lambda item: (-len(item[1]), item[0])):
        found |= {name: extra for name in map(_name, listed) if name}
    return found


def _name(line: str) -> str:
    if line.startswith("-"):
        return ""
    with suppress(InvalidRequirement):
        return canonicalize_name(Requirement(line).name)
    return ""
