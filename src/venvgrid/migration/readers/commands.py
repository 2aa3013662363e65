"""Sorts the commands of an environment: what installs, what prepares, what tests, and what does neither."""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from venvgrid.migration.readers import installs
from venvgrid.migration.readers.substitution import UNAVAILABLE, display, drop_unavailable
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from venvgrid.migration.model import Notes

PYTEST = frozenset({"pytest", "py.test"})
# They look at the sources: no test depends on them.
LINTERS = frozenset({
    "mypy", "pyright", "basedpyright", "ty", "pyrefly", "ruff", "flake8", "black", "isort", "pre-commit", "prek",
    "pylint", "bandit", "codespell", "doc8", "pip-audit", "pyroma", "check-manifest", "twine", "towncrier", "cog",
    "diff-cover", "codecov", "coveralls", "interrogate", "vulture", "safety", "check-wheel-contents", "genbadge",
})  # fmt: skip
# They run no tests, but tests may need what they make.
NOT_TESTS = LINTERS | frozenset({
    "sphinx-build", "sphinx-autobuild", "mkdocs", "build", "pyproject-build", "make", "git", "rm", "python -c",
    "tox", "nox", "hatch", "cp", "mv", "mkdir", "touch", "cd", "npm", "docker", "pybabel", "setup.py",
})  # fmt: skip
SILENT = frozenset({"echo", "pip", "uv", "python", "python --version", "env", "printenv", "true", "ls", "cat", "set"})
# Programs that run tests and are never a step of other tests.
RUNNERS = frozenset({
    "pytest", "unittest", "doctest", "nosetests", "nose2", "trial", "stestr", "zope-testrunner", "runtests.py",
    "make test", "setup.py test", "ward",
})  # fmt: skip
_SHELLS = frozenset({"bash", "sh", "zsh", "dash"})
_OF_A_SHELL = re.compile(r"[|<>$`*]|\b(?:if|for|while|cd|export|source)\b")
_COVERAGE_VALUES = frozenset({"--source", "--rcfile", "--context", "--data-file", "--omit", "--include"})
_PYTHON_VALUES = frozenset({"-W", "-X"})


@dataclass(slots=True, kw_only=True)
class Steps:
    """Sorted commands: `tests` run tests, `before` has what comes before each of them, `left` what comes last."""

    arguments: list[str] = field(default_factory=list)  # of pip
    tests: list[tuple[str, ...]] = field(default_factory=list)
    before: list[tuple[tuple[str, ...], ...]] = field(default_factory=list)
    left: list[tuple[str, ...]] = field(default_factory=list)


def kind(command: Sequence[str]) -> str:
    """Return the program that a command runs in the end: "pytest", "mypy", "runtests.py"."""
    words = list(command)
    while words:
        name = PurePosixPath(words[0]).name
        if words[0] == "-c":
            return "python -c"
        if words[0] in {"-V", "--version", "-VV"}:
            return "python --version"
        if name == "coverage" and words[1:2] == ["run"]:
            words = _without_options(words[2:], _COVERAGE_VALUES)
        elif name.startswith("python") or name == "{python}":
            words = _without_options(words[1:], _PYTHON_VALUES)
        elif words[0] == "-m":
            words = words[1:]
        elif name in {"make", "setup.py"} and any("test" in word for word in words[1:]):
            return f"{name} test"
        else:
            return "pytest" if name in PYTEST else name
    return "python"


def _without_options(words: list[str], with_value: frozenset[str]) -> list[str]:
    """Remove the options before the program."""
    while words and words[0].startswith("-") and words[0] not in {"-m", "-c", "-V", "-VV", "--version"}:
        words = words[2 if words[0] in with_value else 1 :]
    return words


def sort(
    commands: Sequence[tuple[str, ...]], folder: Path, notes: Notes, where: str, *, expects_tests: bool = True
) -> Steps:
    """Sort commands in the order of their source; what has no place in a configuration is noted.

    Without `expects_tests`, all commands come before the tests.
    """
    steps, plain = Steps(), list[tuple[str, ...]]()
    for whole in _unshelled(commands, notes, where):
        inner = installs.unwrap(whole, folder, notes, where)
        steps.arguments += inner.arguments
        if inner.command:
            plain.append(inner.command)
    if not expects_tests:
        steps.left = [
            drop_unavailable(command, notes, where, is_test=False) for command in _useful(plain, notes, where)
        ]
        return steps
    best = _best(plain)
    if best is None:
        return steps
    early: list[tuple[str, ...]] = []
    for command in plain:
        is_alike = kind(command) == kind(best) and _names_tests(command)
        if command == best or is_alike or kind(command) in RUNNERS:
            steps.tests.append(drop_unavailable(command, notes, where))
            steps.before.append(tuple(early))
            steps.left = []
        else:
            useful = _useful([command], notes, where)
            early += [drop_unavailable(item, notes, where, is_test=False) for item in useful]
            steps.left += useful
    for command in steps.left:
        notes.add(f"{where}: `{display(' '.join(command))[:100]}` comes after the tests: it is left out")
    return steps


def _unshelled(commands: Sequence[tuple[str, ...]], notes: Notes, where: str) -> list[tuple[str, ...]]:
    """Return commands, those of `bash -c` split at && and ; if they are plain."""
    found: list[tuple[str, ...]] = []
    for command in commands:
        script = command[2] if len(command) > 2 and re.fullmatch(r"-[a-z]*c", command[1]) else ""  # noqa: PLR2004
        if not script or PurePosixPath(command[0]).name not in _SHELLS:
            found.append(command)
        elif _OF_A_SHELL.search(script):
            notes.lose(f"{where}: `{display(script)[:80]}`, which only a shell understands")
        else:
            parts = (part.strip() for part in re.split(r"&&|;|\n", script))
            found += [tuple(shlex.split(part)) for part in parts if part and part.count("'") % 2 == 0]
    return found


def _names_tests(command: Sequence[str]) -> bool:
    return "test" in " ".join(command)


def _useful(commands: Sequence[tuple[str, ...]], notes: Notes, where: str) -> list[tuple[str, ...]]:
    """Return the commands that tests may need; the others are noted."""
    found = []
    for command in commands:
        what, shown = kind(command), display(" ".join(command))[:100]
        if what == "coverage":
            if command[1:2] != ("erase",):
                notes.add("coverage is combined and reported by `coverage = true` in [test]")
        elif what in LINTERS:
            notes.add(f"{where}: `{shown}` runs no tests: it is left out")
        elif "process_startup()" in " ".join(command):
            notes.add(f"{where}: `{shown}` measures subprocesses: write `coverage = true` in [test] instead")
        elif what not in SILENT:
            found.append(command)
    return found


def _best(commands: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    known = NOT_TESTS | SILENT | {"coverage"}
    possible = [command for command in commands if kind(command) not in known]
    return min(possible, key=lambda item: (kind(item) != "pytest", not _names_tests(item)), default=None)


# The folder in which the commands run: a configuration has one, `test.working-directory`.

_UNIMPORTANT = SILENT | LINTERS | {"coverage"}
_FILES = (".", "-r", "-c", "-e", "--requirement", "--constraint", "--editable")  # beginnings of words that name files


@dataclass(frozen=True, slots=True)
class Placed:
    """A command, and the folder in which it runs: relative to the project, "" there."""

    argv: tuple[str, ...]
    folder: str = ""


def enter(current: str, folder: str) -> str:
    """Return the folder to which `cd folder` leads from `current`."""
    found = posixpath.normpath(posixpath.join(current, folder))
    return "" if found == "." else found


def installs_files(words: Sequence[str]) -> bool:
    """Whether the arguments of an installation name files, which are relative to where it runs."""
    return any(word.startswith(_FILES) for word in words)


def folder_of_tests(placed: Sequence[Placed], root: Path, notes: Notes, where: str) -> str:
    """Return the folder of the tests, and of the commands before them; what no configuration can say is lost."""
    for item in placed:
        if item.folder and "install" in item.argv and installs_files(item.argv):
            notes.lose(f"{where}: `{display(' '.join(item.argv))[:80]}` in the folder {display(item.folder)}")
    last = max((at for at, item in enumerate(placed) if kind(item.argv) in RUNNERS), default=-1)
    found: dict[str, tuple[str, ...]] = {}
    for item in placed[: last + 1]:
        if "install" not in item.argv and kind(item.argv) not in _UNIMPORTANT:
            found.setdefault(item.folder, item.argv)
    if len(found) > 1:
        told = " and ".join(f"`{display(' '.join(argv))[:60]}` in {folder or '.'}" for folder, argv in found.items())
        notes.lose(f"{where}: {told}: write one working-directory into [test]")
        return ""
    folder = next(iter(found), "")
    if folder.startswith(("..", "/", "~")) or UNAVAILABLE in folder or "$" in folder or not (root / folder).is_dir():
        notes.lose(f"{where}: it runs in the folder {display(folder)}, which is not in the project")
        return ""
    return folder
