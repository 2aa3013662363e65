"""Sorts the commands of an environment: what installs, what prepares, what tests, and what does neither."""

from __future__ import annotations

import re
from dataclasses import field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from venvgrid.migration.readers import installs, requirements, shell
from venvgrid.migration.readers.substitution import UNAVAILABLE, display, drop_unavailable
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from venvgrid.migration.model import Notes

PYTEST = frozenset({"pytest", "py.test"})
# They look at the sources: no test depends on them.
LINTERS = frozenset({
    "mypy", "pyright", "basedpyright", "ty", "pyrefly", "ruff", "flake8", "black", "isort", "pre-commit", "prek",
    "pylint", "bandit", "codespell", "doc8", "pip-audit", "pyroma", "check-manifest", "twine", "towncrier", "cog",
    "diff-cover", "codecov", "coveralls", "interrogate", "vulture", "safety", "check-wheel-contents", "genbadge",
    "pycodestyle", "pydocstyle", "pyflakes", "pep8", "darglint", "autopep8", "autoflake", "yapf", "radon", "xenon",
    "mypy.stubtest", "stubtest", "slotscheck", "deptry", "reuse", "rstcheck", "yamllint", "readme_renderer",
    "check-jsonschema", "validate-pyproject", "ruff-format", "djlint", "djhtml", "blacken-docs", "pyupgrade", "zizmor",
})  # fmt: skip
# They run no tests, but tests may need what they make.
NOT_TESTS = LINTERS | frozenset({
    "sphinx-build", "sphinx-autobuild", "mkdocs", "build", "pyproject-build", "make", "git", "rm", "python -c",
    "tox", "nox", "hatch", "cp", "mv", "mkdir", "touch", "cd", "npm", "docker", "pybabel", "setup.py", "bash -c",
})  # fmt: skip
SILENT = frozenset({"echo", "pip", "uv", "python", "python --version", "env", "printenv", "true", "ls", "cat", "set"})
# Programs that run tests and are never a step of other tests.
RUNNERS = frozenset({
    "pytest", "unittest", "doctest", "nosetests", "nose2", "trial", "stestr", "zope-testrunner", "runtests.py",
    "make test", "setup.py test", "manage.py test", "django-admin test", "django test", "ward",
})  # fmt: skip
# Programs that run another one, with the number of words that they take besides their options.
_WRAPPERS = {"xvfb-run": 0, "dbus-run-session": 0, "time": 0, "nice": 0, "catchsegv": 0, "timeout": 1, "stdbuf": 0}
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
# Targets of make that look at sources or documents only.
_LOOKS = re.compile(
    r"(?:.*[-_])?(?:lint|format|style|type-?check|types|mypy|ruff|flake8|black|docs?|spell\w*)(?:[-_].*)?"
)
_COVERAGE_VALUES = frozenset({"--source", "--rcfile", "--context", "--data-file", "--omit", "--include"})
_MODULE = re.compile(r"-[bBdEiIOPqsSuvx]*m(.*)")  # "-m", "-Im", "-mpytest"
_PYTHON_VALUES = frozenset({"-W", "-X"})


@dataclass(frozen=True, slots=True)
class CommandOfTests:
    """A command that runs tests, what comes before it, and its own variables."""

    command: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Steps:
    """Sorted commands: those of the tests, and what comes last."""

    arguments: list[str] = field(default_factory=list)  # of pip
    tests: list[CommandOfTests] = field(default_factory=list)
    left: list[tuple[str, ...]] = field(default_factory=list)


def split_variables(command: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Split `env NAME=VALUE … PROGRAM …` into variables and the command that gets them."""
    words = tuple(command)
    if words[:1] != ("env",):
        return {}, words
    end = next((at for at, word in enumerate(words) if at and not _ASSIGNMENT.fullmatch(word)), len(words))
    if end == len(words) or words[end].startswith("-"):  # it prints, or takes variables away
        return {}, words
    return dict(word.split("=", 1) for word in words[1:end]), words[end:]


def _unwrapped(words: list[str]) -> list[str]:
    """Return the words of the command that a wrapper runs."""
    left = words[1:]
    while left and left[0].startswith("-"):
        left = left[1:]
    return left[_WRAPPERS[PurePosixPath(words[0]).name] :]


def kind(command: Sequence[str]) -> str:  # noqa: C901  (a case a program that runs another one)
    """Return the program that a command runs in the end: "pytest", "mypy", "runtests.py"."""
    words = list(split_variables(command)[1])
    while words:
        name = PurePosixPath(words[0]).name
        if name in _WRAPPERS and (inner := _unwrapped(words)):
            words = inner
            continue
        if name in shell.SHELLS and len(words) > 1:
            if re.fullmatch(r"-[a-z]*c", words[1]):
                return "bash -c"
            words = [word for word in words[1:] if not word.startswith("-")] or [name]
            if len(words) == 1 and words[0] == name:
                return name
            continue
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
        elif name in {"make", "setup.py", "manage.py", "django-admin", "django"} and any(
            "test" in word and "doctest" not in word for word in words[1:]
        ):
            return f"{name} test"
        else:
            return "pytest" if name in PYTEST else name
    return "python"


def _without_options(words: list[str], with_value: frozenset[str]) -> list[str]:
    """Remove the options before the program."""
    while words and words[0].startswith("-") and words[0] not in {"-c", "-V", "-VV", "--version"}:
        if (found := _MODULE.fullmatch(words[0])) is not None:
            return ["-m", *filter(None, [found[1]]), *words[1:]]
        words = words[2 if words[0] in with_value else 1 :]
    return words


def sort(
    commands: Sequence[tuple[str, ...]], folder: Path, notes: Notes, where: str, *, expects_tests: bool = True
) -> Steps:
    """Sort commands in the order of their source; what has no place in a configuration is noted.

    Without `expects_tests`, all commands come before the tests.
    """
    steps = Steps()
    split = [_installed(whole, folder, notes, where) for whole in _unshelled(commands, notes, where)]
    plain = [command for _, command in split if command]
    best = _best(plain) if expects_tests else None
    is_test = [bool(command) and best is not None and _is_alike(command, best) for _, command in split]
    last = max((at for at, found in enumerate(is_test) if found), default=len(split))
    steps.arguments = [word for arguments, _ in split[: last + 1] for word in arguments]
    if not expects_tests:
        steps.left = [
            drop_unavailable(command, notes, where, is_test=False) for command in _useful(plain, notes, where)
        ]
        return steps
    if best is None:
        return steps
    built = max((at for at, (arguments, _) in enumerate(split[:last]) if _builds(arguments)), default=-1)
    early: list[tuple[str, ...]] = []
    for at, (_, command) in enumerate(split):
        if not command:
            continue
        if at > last:
            steps.left += _useful([command], notes, where)
        elif is_test[at]:
            variables, tested = split_variables(command)
            told = drop_unavailable(tested, notes, where)
            steps.tests.append(CommandOfTests(told, tuple(early), _known(variables, notes, where)))
        else:
            useful = _useful([command], notes, where)
            if useful and at < built:
                shown = display(" ".join(command))[:80]
                notes.lose(f"{where}: `{shown}` comes before the project is installed (nothing runs there)")
            early += [drop_unavailable(item, notes, where, is_test=False) for item in useful]
    for command in steps.left:
        notes.add(f"{where}: `{display(' '.join(command))[:100]}` comes after the tests: it is left out")
    return steps


def _installed(
    whole: tuple[str, ...], folder: Path, notes: Notes, where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what a command installs, as arguments of pip, and what it runs besides."""
    variables, command = split_variables(whole)
    inner = installs.unwrap(command, folder, notes, where)
    if not variables:
        return inner.arguments, inner.command
    of_installer = {name: text for name, text in variables.items() if name.startswith(("PIP_", "UV_"))}
    more = requirements.variables(of_installer, folder, notes, where)[1] if inner.arguments else []
    mark = ("env", *(f"{name}={text}" for name, text in variables.items()))
    return (*more, *inner.arguments), (*mark, *inner.command) if inner.command else ()


def _is_alike(command: tuple[str, ...], best: tuple[str, ...]) -> bool:
    """Whether a command runs tests as the best one does."""
    return command == best or kind(command) in RUNNERS or (kind(command) == kind(best) and _names_tests(command))


def _builds(arguments: Sequence[str]) -> bool:
    """Whether arguments of pip build a wheel of the project; an editable one sees what is made later."""
    return any(
        re.fullmatch(r"\./?(?:\[.*\])?", word) and before not in {"-e", "--editable"}
        for before, word in zip(("", *arguments), arguments, strict=False)
    )


def _known(variables: Mapping[str, str], notes: Notes, where: str) -> dict[str, str]:
    """Return the variables of a test command; a value that only its runner knows is lost."""
    for name, text in variables.items():
        if UNAVAILABLE in text:
            notes.lose(f"{where}: the variable {name}={display(text)[:60]}")
    return {name: text for name, text in variables.items() if UNAVAILABLE not in text}


def _unshelled(commands: Sequence[tuple[str, ...]], notes: Notes, where: str) -> list[tuple[str, ...]]:
    """Return commands, with the plain ones of `bash -c` in place of it."""
    found: list[tuple[str, ...]] = []
    for command in commands:
        script = command[2] if len(command) > 2 and re.fullmatch(r"-[a-z]*c", command[1]) else ""  # noqa: PLR2004
        if not script or PurePosixPath(command[0]).name not in shell.SHELLS:
            found.append(command)
            continue
        parts = list(shell.lines(script, {}))
        plain = [part.argv for part in parts]
        if all(plain) and not any(word == "cd" or UNAVAILABLE in word for argv in plain for word in argv):
            found += plain
        elif shell.needs_a_shell(script):
            notes.lose(f"{where}: `{display(script)[:80]}`, which only a shell understands")
        else:
            found.append(command)
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
        elif what in LINTERS or (what == "make" and all(map(_LOOKS.fullmatch, _targets(command)))):
            notes.add(f"{where}: `{shown}` runs no tests: it is left out")
        elif "process_startup()" in " ".join(command):
            notes.add(f"{where}: `{shown}` measures subprocesses: write `coverage = true` in [test] instead")
        elif what not in SILENT and not (what == "git" and {"fetch", "config", "status", "log"} & set(command)):
            found.append(command)
    return found


def _targets(command: Sequence[str]) -> list[str]:
    """Return the targets of a call of make; without one it makes the first of its file."""
    _, words = split_variables(command)
    return [word for word in words[1:] if not word.startswith("-") and "=" not in word] or [""]


def _best(commands: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    known = NOT_TESTS | SILENT | {"coverage"}
    possible = [command for command in commands if kind(command) not in known]
    order = lambda item: (  # noqa: E731
        kind(item) != "pytest", kind(item) not in RUNNERS, "test" not in kind(item), not _names_tests(item),
    )  # fmt: skip
    return min(possible, key=order, default=None)
