"""`venvgrid list`: the ids of the cells, without resolving or building anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.app.context import RunContext
from venvgrid.app.plan import make_plan
from venvgrid.app.request import elsewhere, runnable
from venvgrid.app.run import read_config
from venvgrid.cli import options

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal
    from venvgrid.config.config_file import Source


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the ids and return the exit status."""
    chosen = options.select_grids(arguments, terminal)
    for grid in chosen.grids:
        _list(arguments, terminal, chosen.source, grid)
    return 0


def _list(arguments: argparse.Namespace, terminal: Terminal, source: Source, grid: str) -> None:
    wanted, front = options.run_options(arguments, terminal), options.front_end(arguments, terminal)
    context = RunContext(config=read_config(source, wanted, front, grid=grid).config, options=wanted, front=front)
    plan = make_plan(context, from_lock=True)
    cells = runnable(plan)
    for cell in cells:
        terminal.data(cell.id)
    if others := elsewhere(plan):
        where = ", ".join(dict.fromkeys(cell.platform for cell in others))
        front.notify(f"note: {len(others)} run elsewhere ({where}); see which: venvgrid plan")
    if left_out := len(plan.cells) - len(cells) - len(others):
        front.notify(f"note: {left_out} excluded; see which: venvgrid plan")
