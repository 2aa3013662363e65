"""`venvgrid why`: the release that broke a cell, with the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.app.context import RunContext
from venvgrid.app.investigation.why import explain
from venvgrid.cli import options
from venvgrid.config.axis_values import as_of
from venvgrid.model import ExitStatus

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Find the cause, print it, and return the exit status."""
    wanted, front = options.run_options(arguments, terminal), options.front_end(arguments, terminal)
    config, plan = options.one_cell(options.find(arguments, terminal), arguments.cell, wanted, front)
    context = RunContext(config=config, options=wanted, front=front)
    found = explain(context, plan.cells[0].cell, good=as_of(arguments.good))
    for item in found.culprits:
        terminal.data(f"{item.culprit}")
    terminal.data(f"{found.problem}; {found.resolves} resolves, {found.builds} builds, {found.tests} tests")
    return ExitStatus.CANNOT_TELL if found.problem and not found.culprits else ExitStatus.PASSED
