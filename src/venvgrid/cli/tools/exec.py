"""`venvgrid exec CELL CMD`: run a command in a cell's environment, which is built if it does not exist."""

from __future__ import annotations

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
from venvgrid.storage import own_folders

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from venvgrid.cli.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Run the command on this terminal and return its exit status."""
    if not arguments.rest:
        raise UsageError(f"exec needs a command. Type: venvgrid exec {arguments.cell} python")
    return enter(arguments, terminal, lambda _place, _private: tuple(arguments.rest))


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
