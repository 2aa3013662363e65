"""`venvgrid exec CELL -- CMD`: run a command in a cell's environment, which is built where it is not there."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.run import run_lock
from venvgrid.cli import options
from venvgrid.model.config import AxisKind
from venvgrid.model.errors import InfrastructureError, UsageError
from venvgrid.model.events import Stage
from venvgrid.processes import runner, variables
from venvgrid.processes.command import Cancellation, Command
from venvgrid.storage import directories

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from venvgrid.cli.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Run the command on this terminal and give its exit status."""
    if not arguments.rest:
        raise UsageError("exec needs a command: venvgrid exec CELL -- CMD")
    return enter(arguments, terminal, lambda _place, _private: tuple(arguments.rest))


def enter(
    arguments: argparse.Namespace,
    terminal: Terminal,
    argv: Callable[[Path, Path], tuple[str, ...]],
) -> int:
    """Build the environment of a cell, if need be, and run a command with its variables in the current folder.

    `argv` gives the command, for the environment's place and a folder of the cell's own.
    """
    loaded, planned = options.one_cell(arguments, arguments.cell, terminal)
    context = options.context_for(arguments, loaded, terminal, Cancellation())
    directories.prepare(context.root, context.store.folder)
    with (
        run_lock(context.root, terminal.message),
        tempfile.TemporaryDirectory(prefix="venvgrid-exec-") as folder,
    ):
        scheduler, events = context.direct(context.request(planned, run="exec", until=Stage.BUILD), Path(folder))
        for _ in events:
            pass
    result = scheduler.results.get(arguments.cell)
    if result is not None:
        raise InfrastructureError(f"{arguments.cell} has no environment: {result.reason}")
    cell = planned.cells[0].cell
    place = context.root / "envs" / cell.id
    axes = {
        axis.name.removeprefix("env."): cell.axes[axis.name] for axis in loaded.axes if axis.kind is AxisKind.VARIABLE
    }
    environment = variables.child_environment(
        terminal.environ,
        pass_env=("*",),
        extra={**loaded.test.env, **axes, "VENVGRID_CELL": cell.id},
        prefix=place,
    )
    private = context.root / "cells" / cell.id
    private.mkdir(parents=True, exist_ok=True)
    return runner.attach(Command(argv=argv(place, private), cwd=Path.cwd(), env=environment))
