"""`venvgrid plan`: which cells run, which cannot, and why. Nothing is built but wheels for dynamic metadata."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.context import RunContext
from venvgrid.app.plan import make_plan
from venvgrid.app.request import lock_digest, runnable
from venvgrid.app.resolution import resolve, tell_notes
from venvgrid.app.run import read_config, with_strategy
from venvgrid.cli import options
from venvgrid.config import loading
from venvgrid.model import ExitStatus, Status, UsageError
from venvgrid.planning import expansion, tiers
from venvgrid.reporters import text
from venvgrid.reporters.documents import plan_json
from venvgrid.reporters.terminal import plan_table
from venvgrid.resolving import lockfile
from venvgrid.results import last_results
from venvgrid.storage.atomic import write_atomic

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from venvgrid.app.options import RunOptions
    from venvgrid.app.resolution import ResolvedPlan
    from venvgrid.cli.terminal import Terminal
    from venvgrid.config.config_file import Source
    from venvgrid.model import Config, FrozenPolicy, Plan


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the plan and return the exit status."""
    chosen = options.select_grids(arguments, terminal)
    if (arguments.json or arguments.output) and len(chosen.grids) > 1:
        names = ", ".join(name or "main" for name in chosen.grids)
        raise UsageError(f"{'--json' if arguments.json else '-o'} gives one grid; name one of {names}")
    if arguments.check_config:
        return _check_config(chosen, terminal)
    return options.in_each(chosen, terminal, lambda grid: _plan(arguments, terminal, chosen.source, grid))


def _plan(arguments: argparse.Namespace, terminal: Terminal, source: Source, grid: str) -> int:
    wanted, front = options.run_options(arguments, terminal), options.front_end(arguments, terminal)
    loaded = read_config(source, wanted, front, grid=grid)
    config = loaded.config
    if arguments.tier:
        wanted = _of_tier(wanted, config, arguments.tier)
        config = with_strategy(config, wanted)
    context = RunContext(config=config, options=wanted, front=front)
    plan = make_plan(context, from_lock=arguments.check)
    if arguments.tier:
        plan = _leave_out(arguments, context, plan, loaded.config)
    if arguments.check:
        return _check(context, plan, terminal)
    resolved = resolve(context, plan)
    tell_notes(context, resolved)
    known = resolved.plan
    if arguments.output:
        _write(arguments, context, plan, resolved, loaded.frozen)
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
    return exit_status(known, strict=wanted.strict, skip_missing=context.skips_missing)


def _of_tier(wanted: RunOptions, config: Config, tier: str) -> RunOptions:
    """Return the options of a plan with the cells of a tier."""
    for name, given in {"-k": wanted.cells, "--strategy": wanted.strategy}.items():
        if given:
            raise UsageError(f"--tier and {name}: a tier says which cells run; leave out one of them")
    strategy, expression = tiers.meaning(config, tier)
    return replace(wanted, strategy=strategy, cells=expression)


def _leave_out(arguments: argparse.Namespace, context: RunContext, plan: Plan, config: Config) -> Plan:
    """Return the plan of a tier with the cells that it leaves out, and tell how many they are."""
    earlier = last_results.of(context.history, map(Path, arguments.durations))
    made = tiers.leave_out(plan, config, arguments.tier, earlier)
    for line in made.warnings[len(plan.warnings) :]:
        context.front.notify(f"note: {line}")
    return made


def _write(
    arguments: argparse.Namespace,
    context: RunContext,
    plan: Plan,
    resolved: ResolvedPlan,
    frozen: Mapping[str, FrozenPolicy],
) -> None:
    """Write the plan that other machines run."""
    from venvgrid.app import travel  # noqa: PLC0415  (most plans stay here)

    known = last_results.of(context.history, map(Path, arguments.durations))
    measured = {name: earlier.seconds for name, earlier in known.items() if earlier.seconds}
    made = travel.make_plan_file(context, plan, resolved, frozen, measured)
    write_atomic(Path(arguments.output).absolute(), made.render(plan_json.plan_json(resolved.plan)))
    context.front.notify(f"{arguments.output}: {len(made.cells)} cells to run, plan {made.digest[:12]}")


def _check_config(chosen: options.SelectedGrids, terminal: Terminal) -> int:
    """Print how many cells each grid has, and its warnings. Nothing is looked for, here or in the network."""
    for name in chosen.grids:
        config = loading.build(chosen.source, grid=name)
        tiers.check(config)
        policies = [axis.name for axis in config.axes if axis.policy]
        grid = f"grid {name}, " if name else ""
        if policies:
            names = ", ".join(policies)
            terminal.data(f"{config.file.name} is valid: {grid}the plan chooses the values of {names}\n")
            continue
        plan = expansion.expand(config)
        for warning in plan.warnings:
            terminal.message(f"warning: {warning}")
        cells = sum(item.status is not Status.EXCLUDED for item in plan.cells)
        terminal.data(f"{config.file.name} is valid: {grid}{text.count(cells, 'cell')}\n")
    return ExitStatus.PASSED


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
