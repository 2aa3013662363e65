"""`venvgrid plan`: which cells run, which cannot, and why. Nothing is built and nothing of the project runs."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.cli import options
from venvgrid.model.errors import UsageError
from venvgrid.model.events import Stage
from venvgrid.model.plan import Status
from venvgrid.processes.command import Cancellation
from venvgrid.reporters.documents import plan_json
from venvgrid.reporters.terminal import plan_table
from venvgrid.resolving import lockfile

if TYPE_CHECKING:
    import argparse

    from venvgrid.app.context import RunContext
    from venvgrid.cli.terminal import Terminal
    from venvgrid.config.config_file import Source
    from venvgrid.model.plan import Plan
    from venvgrid.running.scheduler import Scheduler


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the plan and give the exit status."""
    chosen = options.select_grids(arguments)
    if arguments.json and len(chosen.grids) > 1:
        raise UsageError(f"--json gives one grid; name one of {', '.join(name or 'main' for name in chosen.grids)}")
    return options.in_each(chosen, terminal, lambda grid: _plan(arguments, terminal, chosen.source, grid))


def _plan(arguments: argparse.Namespace, terminal: Terminal, source: Source, grid: str) -> int:
    loaded = options.resolve_config(arguments, source, terminal, grid=grid).config
    context = options.context_for(arguments, loaded, terminal, Cancellation())
    planned = options.expand(arguments, context, terminal)
    if arguments.check:
        return _check(context, planned, terminal)
    scheduler = resolve(context, planned)
    known = replace(planned, cells=tuple(scheduler.planned[item.cell.id] for item in planned.cells))
    if arguments.json:
        terminal.data(json.dumps(plan_json.plan_json(known), indent=1))
    else:
        terminal.data(
            plan_table.render(known, width=terminal.width, colour=terminal.is_coloured, encoding=terminal.encoding)
        )
    return exit_status(known, strict=arguments.strict, skip_missing=arguments.skip_missing_interpreters)


def _check(context: RunContext, planned: Plan, terminal: Terminal) -> int:
    """Say whether matrix.lock fits, without network and without resolving anything."""
    names = [item.cell.id for item in planned.cells if item.status is Status.RUNNABLE]
    why = lockfile.stale(context.config, context.lock_digest(context.metadata), names)
    if why:
        terminal.error(f"venvgrid: {why}; type: venvgrid lock")
    return 1 if why else 0


def resolve(context: RunContext, planned: Plan, *, refresh: bool = False) -> Scheduler:
    """Resolve all cells of a plan; the director knows the answers."""
    request = context.request(planned, run="plan", until=Stage.RESOLVE)
    with tempfile.TemporaryDirectory(prefix="venvgrid-plan-") as folder:
        scheduler, events = context.direct(request, Path(folder), refresh=refresh)

        with options.signals(scheduler.stop):
            for _ in events:
                pass
    if scheduler.interrupted:
        raise KeyboardInterrupt
    return scheduler


def exit_status(known: Plan, *, strict: bool, skip_missing: bool) -> int:
    """Give 0 if all that can exist will run, 3 if one cannot be found out or lacks its interpreter, 4 for none."""
    counted = [item for item in known.cells if not item.cell.allow_failure]
    if any(item.status is Status.FAILED for item in counted):
        return 3
    if any(item.status is Status.MISSING_INTERPRETER for item in counted) and not skip_missing:
        return 3
    if any(item.status is Status.IMPOSSIBLE and (strict or item.cell.named) for item in counted):
        return 3
    return 0 if any(item.status is Status.RUNNABLE for item in known.cells) else 4
