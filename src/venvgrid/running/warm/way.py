"""How a cell's command starts pytest, and whether a fork can do the same."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.model.config import PYTEST
from venvgrid.model.values import dataclass
from venvgrid.processes.children import find_executable
from venvgrid.running.warm.preview import Cold

if TYPE_CHECKING:
    from venvgrid.model import SuiteOptions
    from venvgrid.processes.command import Command

SCRIPTS = ("pytest", "py.test")
PYTHON = re.compile(r"python[\d.]*")
SHEBANG = re.compile(
    rb"#!/bin/sh\r?\n'''exec' (?P<quote>[\"']?)(?P<long>/[^\r\n]+?)(?P=quote) \"\$0\""
    rb"|#! ?(?P<direct>/[^ \r\n]+)\r?\n"
)
PLAIN = frozenset({"-b", "-bb", "-B", "-O", "-OO", "-u", "-d"})  # options of Python that change no path
WITH_VALUE = ("-W", "-X")
# Variables by which every Python that starts measures coverage: the server must not.
MEASURING = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "COV_CORE_SOURCE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way of starting pytest: `python` starts the interpreter, `script` is the file that it runs, "" for -m."""

    python: tuple[str, ...]
    script: str = ""


def objection(suite: SuiteOptions) -> str:
    """Return why tests with these settings have no preview, or "". What pytest is told is looked at when it starts."""
    if os.name != "posix":
        return "this system cannot fork a process"
    if suite.reports != PYTEST:
        return f'test.reports is "{suite.reports}"'
    if suite.before:
        return "test.before prepares each run"
    return "coverage is measured" if suite.coverage else ""


def of_command(command: Command, environment: Path) -> Way | Cold:
    """Return the way in which a command starts pytest with the Python of an environment."""
    for name in MEASURING:
        if name in command.env:
            return Cold(reason=f"{name} is set")
    try:
        found = find_executable(command.argv[0], command.cwd, command.env)
    except OSError:
        return Cold(reason=f"{command.argv[0]} was not found")
    if Path(found).parent != environment / "bin":
        return Cold(reason=f"{command.argv[0]} is not of the environment")
    name = Path(found).name
    if name in SCRIPTS:
        python = _interpreter(Path(found))
        if Path(python).parent != environment / "bin":
            return Cold(reason=f"the script {name} does not start the Python of the environment")
        return Way(python=(python,), script=found)
    if not PYTHON.fullmatch(name):
        return Cold(reason=f"the command is {name}, not pytest")
    options = _options(command.argv)
    return Way(python=options) if options else Cold(reason="the command starts Python otherwise than with -m pytest")


def _interpreter(script: Path) -> str:
    """Return the interpreter that the first lines of a script name, or ""; installers write long paths in two lines."""
    try:
        with script.open("rb") as stream:
            match = SHEBANG.match(stream.read(4096))
    except OSError:
        return ""
    return os.fsdecode(match["direct"] or match["long"]) if match else ""


def _options(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the interpreter and its options before `-m pytest`; () if there are others, or another module."""
    place = 1
    while place < len(argv):
        item = argv[place]
        if item == "-m":
            return argv[:place] if argv[place + 1 : place + 2] == ("pytest",) else ()
        if item in WITH_VALUE:
            place += 2
        elif item in PLAIN or item.startswith(WITH_VALUE):
            place += 1
        else:
            return ()
    return ()
