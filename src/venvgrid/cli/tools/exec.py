"""`venvgrid exec CELL CMD`: run a command in a cell's environment, which is built if it does not exist."""

from __future__ import annotations

import difflib
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.context import RunContext
from venvgrid.app.run import trial
from venvgrid.cli import options
from venvgrid.config import placeholders
from venvgrid.environments import venv_layout
from venvgrid.model import InfrastructureError, Outcome, Stage, UsageError
from venvgrid.processes import runner, variables
from venvgrid.processes.command import Command
from venvgrid.reporters import text
from venvgrid.storage import own_folders

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from venvgrid.cli.terminal import Terminal

PROGRAM = re.compile(r"python[\d.]*|pypy[\d.]*|py\.?test|pip[\d.]*|(?:ba|z|fi)?sh")  # no id of a cell
PIP = re.compile(r"pip[\d.]*")


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Run the command on this terminal and return its exit status."""
    if PROGRAM.fullmatch(arguments.cell):
        words = text.command("venvgrid", "exec", "CELL", arguments.cell, *arguments.rest)
        raise UsageError(f"exec needs the id of a cell before the command: {words}. The cells: venvgrid list")
    if not arguments.rest:
        raise UsageError(f"exec needs a command. Type: venvgrid exec {arguments.cell} python")

    def argv(place: Path, _private: Path) -> tuple[str, ...]:
        if problem := missing(arguments.cell, arguments.rest, place, terminal.environ.get("PATH", "")):
            raise UsageError(problem)
        return tuple(arguments.rest)

    return enter(arguments, terminal, argv)


def missing(cell: str, words: Sequence[str], place: Path, path: str) -> str:
    """Return why a command cannot start in an environment, with what to type, or "".

    A pip that is not in the environment is that of another Python: it shows and changes packages that no cell has.
    """
    folder = venv_layout.python_of(place).parent
    if shutil.which(words[0], path=str(folder)):
        return ""
    if PIP.fullmatch(words[0]):
        return (
            f"the environment of {cell} has no pip. To see what is installed, type: venvgrid env freeze {cell}. "
            'To have pip in all cells, add "pip" to install.requires'
        )
    if shutil.which(words[0], path=path):
        return ""
    there = [item.stem if item.suffix == ".exe" else item.name for item in sorted(folder.iterdir())]
    close = difflib.get_close_matches(words[0], there, n=1)
    typed = text.command("venvgrid", "exec", cell, *close, *words[1:])
    hint = f"; did you mean {close[0]}? Type: {typed}" if close else f" (it has {', '.join(filter(_is_tool, there))})"
    return f"there is no command {words[0]!r} in the environment of {cell}, and none on PATH{hint}"


def _is_tool(name: str) -> bool:
    return not name.lower().startswith(("activate", "deactivate", "python", "."))


def enter(
    arguments: argparse.Namespace,
    terminal: Terminal,
    argv: Callable[[Path, Path], tuple[str, ...]],
) -> int:
    """Build the environment of a cell, if need be, and run a command with its variables in the current folder.

    `argv` returns the command, for the environment's place and a folder of the cell's own.
    """
    wanted, front = options.run_options(arguments, terminal), options.front_end(arguments, terminal)
    config, plan = options.one_cell(options.find(arguments, terminal), arguments.cell, wanted, front)
    context = RunContext(config=config, options=wanted, front=front)
    (result,) = trial(context, plan, until=Stage.BUILD).cells
    if result.outcome is not Outcome.CANCELLED:
        raise InfrastructureError(f"{arguments.cell} has no environment: {result.reason}")
    cell = plan.cells[0].cell
    place = context.root / "envs" / cell.id
    private = own_folders.make(context.root, "cells", cell.id)
    python, tmp = str(venv_layout.python_of(place)), str(own_folders.make(private, placeholders.TMP))
    values = placeholders.of_cell(cell, python=python, project=str(config.project.path), tmp=tmp)
    given = {**config.test.env, **cell.variables}
    filled = {name: placeholders.fill_variable(value, values) for name, value in given.items()}
    environment = variables.child_environment(
        terminal.environ,
        pass_env=("*",),
        extra={**filled, "VENVGRID_CELL": cell.id},
        prefix=place,
    )
    return runner.attach(Command(argv=argv(place, private), cwd=Path.cwd(), env=environment))
