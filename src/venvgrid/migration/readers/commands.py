"""Finds the test command among the commands of an environment."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venvgrid.migration.model import Notes

PYTEST = frozenset({"pytest", "py.test"})
NOT_TESTS = frozenset({
    "mypy", "pyright", "basedpyright", "ty", "pyrefly", "ruff", "flake8", "black", "isort", "pre-commit", "prek",
    "sphinx-build", "sphinx-autobuild", "twine", "pylint", "bandit", "mkdocs", "cog", "towncrier", "check-manifest",
    "coverage", "codespell", "doc8", "pip-audit", "pyroma", "build", "pyproject-build", "make", "git", "rm", "echo",
    "pip", "uv", "diff-cover", "codecov", "coveralls", "python -c",
})  # fmt: skip
_COVERAGE_VALUES = frozenset({"--source", "--rcfile", "--context", "--data-file", "--omit"})
_PYTHON_VALUES = frozenset({"-W", "-X"})


def kind(command: Sequence[str]) -> str:
    """Return the program that a command runs in the end: "pytest", "mypy", "runtests.py"."""
    words = list(command)
    while words:
        name = PurePosixPath(words[0]).name
        if words[0] == "-c":
            return "python -c"
        if name == "coverage" and words[1:2] == ["run"]:
            words = _without_options(words[2:], _COVERAGE_VALUES)
        elif name.startswith("python") or name == "{python}":
            words = _without_options(words[1:], _PYTHON_VALUES)
        elif words[0] == "-m":
            words = words[1:]
        elif name == "make" and any("test" in word for word in words[1:]):
            return "make test"
        else:
            return "pytest" if name in PYTEST else name
    return "python"


def _without_options(words: list[str], with_value: frozenset[str]) -> list[str]:
    """Remove the options before the program."""
    while words and words[0].startswith("-") and words[0] not in {"-m", "-c"}:
        words = words[2 if words[0] in with_value else 1 :]
    return words


def tests(commands: Sequence[tuple[str, ...]], notes: Notes, where: str) -> tuple[str, ...]:
    """Return the command that runs the tests, or (); note the others."""
    found = [command for command in commands if command]
    possible = [command for command in found if kind(command) not in NOT_TESTS]
    if not possible:
        return ()
    best = min(possible, key=lambda command: (kind(command) != "pytest", "test" not in " ".join(command)))
    for command in found:
        if kind(command) == "coverage":
            notes.add("coverage is combined and reported by `coverage = true` in [test]")
        elif command != best:
            notes.add(f"{where}: the command `{' '.join(command)[:100]}` (a cell has one command)")
    return best
