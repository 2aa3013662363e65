"""`venvgrid plan`: which cells run, which cannot, and why. Nothing is built but wheels for dynamic metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from venvgrid.app.context import RunContext
from venvgrid.app.plan import make_plan
from venvgrid.app.request import lock_digest, runnable
from venvgrid.app.resolution import note_builds, resolve
from venvgrid.app.run import read_config
from venvgrid.cli import options
from venvgrid.model import ExitStatus, Status, UsageError
from venvgrid.reporters.documents import plan_json
from venvgrid.reporters.terminal import plan_table
from venvgrid.resolving import lockfile

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal
    from venvgrid.config.config_file import Source
    from venvgrid.model import Plan


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the plan and return the exit status."""
    chosen = options.select_grids(arguments)
    if arguments.json and len(chosen.grids) > 1:
        raise UsageError(f"--json gives one grid; name one of {', '.join(name or 'main' for name in chosen.grids)}")
    return options.in_each(chosen, terminal, lambda grid: _plan(arguments, terminal, chosen.source, grid))


def _plan(arguments: argparse.Namespace, terminal: Terminal, source: Source, grid: str) -> int:
    wanted, front = options.run_options(arguments, terminal), options.front_end(arguments, terminal)
    context = RunContext(config=read_config(source, wanted, front, grid=grid).config, options=wanted, front=front)
    plan = make_plan(context, from_lock=arguments.check)
    if arguments.check:
        return _check(context, plan, terminal)
    known = resolve(context, plan).plan
    note_builds(context)
    if arguments.json:
        terminal.data(json.dumps(plan_json.plan_json(known), indent=1))
    else:
        terminal.data(
            plan_table.render(
                known,
                width=terminal.width,
                colour=terminal.is_coloured,
                encoding=terminal.encoding,
                verbose=arguments.verbose,
            )
        )
    return exit_status(known, strict=wanted.strict, skip_missing=wanted.skip_missing)


def _check(context: RunContext, plan: Plan, terminal: Terminal) -> int:
    """Print whether matrix.lock fits, without network and without resolving anything."""
    why = lockfile.stale(context.config, lock_digest(context), [cell.id for cell in runnable(plan)])
    if why:
        terminal.error(f"venvgrid: {why}; type: venvgrid lock")
    return ExitStatus.TESTS_FAILED if why else ExitStatus.PASSED


def exit_status(known: Plan, *, strict: bool, skip_missing: bool) -> ExitStatus:
    """Return the exit status of a plan: incomplete if a cell is unknown or lacks its interpreter."""
    counted = [item for item in known.cells if not item.cell.allow_failure]
    if any(item.status is Status.FAILED for item in counted):
        return ExitStatus.INCOMPLETE
    if any(item.status is Status.MISSING_INTERPRETER for item in counted) and not skip_missing:
        return ExitStatus.INCOMPLETE
    if any(item.status is Status.IMPOSSIBLE and (strict or item.cell.named) for item in counted):
        return ExitStatus.INCOMPLETE
    is_any = any(item.status is Status.RUNNABLE for item in known.cells)
    return ExitStatus.PASSED if is_any else ExitStatus.NOTHING_TO_RUN
