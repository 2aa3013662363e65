"""`venvgrid bounds`: the lowest versions of the dependencies with which the tests pass."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from venvgrid.analysis.search.bounds import Standing
from venvgrid.app.bounds import rewriting
from venvgrid.app.bounds.bounds import find_bounds
from venvgrid.app.context import RunContext
from venvgrid.app.run import read_config
from venvgrid.cli import options
from venvgrid.model import ExitStatus, UsageError
from venvgrid.reporters import text
from venvgrid.reporters.documents import bounds as report

if TYPE_CHECKING:
    import argparse

    from venvgrid.analysis.search.bounds import Bounds
    from venvgrid.cli.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Search the bounds, print them, and return the exit status."""
    if arguments.check and arguments.write:
        raise UsageError("--check writes nothing: leave out --check or --write")
    chosen = options.select_grids(arguments, terminal)
    if len(chosen.grids) > 1:
        raise UsageError(f"bounds goes by one grid; name one of {', '.join(name or 'main' for name in chosen.grids)}")
    wanted, front = options.run_options(arguments, terminal), options.front_end(arguments, terminal)
    config = read_config(chosen.source, wanted, front, grid=chosen.grids[0]).config
    context = RunContext(config=config, options=wanted, front=front)
    found = find_bounds(context, check=arguments.check)
    if arguments.json:
        terminal.data(json.dumps(report.bounds_json(found), indent=1))
    else:
        for line in report.lines(found):
            terminal.data(text.encodable(text.guard(line), terminal.encoding))
    if arguments.write:
        _write(context, found, terminal)
    return _status(found, check=arguments.check)


def _status(found: Bounds, *, check: bool) -> int:
    if check and found.standing is Standing.TOO_LOW:
        return ExitStatus.TESTS_FAILED
    return ExitStatus.CANNOT_TELL if found.standing is Standing.UNKNOWN else ExitStatus.PASSED


def _write(context: RunContext, found: Bounds, terminal: Terminal) -> None:
    """Write the lower bounds, and say what was written and what cannot be."""
    written = rewriting.write(context.config.project.path, found)
    for place, line in written.changed:
        terminal.message(text.line(f"{place.title}: {place.line} is now {line}"))
    for line, where in written.by_hand:
        terminal.message(text.line(f"write this by hand, in {where}: {line}"))
    if not (written.changed or written.by_hand):
        terminal.message("nothing to write: no declared lower bound is proven wrong")
