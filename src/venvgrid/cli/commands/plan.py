"""`venvgrid plan`: which cells run, which cannot, and why. Nothing is built but wheels for dynamic metadata."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.context import RunContext
from venvgrid.app.plan import counted, make_plan, with_strategy
from venvgrid.app.request import elsewhere, lock_digest, runnable
from venvgrid.app.resolution import resolve, tell_notes
from venvgrid.app.run import read_config
from venvgrid.cli import options
from venvgrid.config import loading, platforms
from venvgrid.config.values import BadValueError, duration
from venvgrid.model import ExitStatus, Status, UsageError
from venvgrid.model.shard import MAX_SHARDS
from venvgrid.planning import expansion, packing, tiers
from venvgrid.planning.jobs import missed
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
    from venvgrid.app.travel import WantedJobs
    from venvgrid.cli.terminal import Terminal
    from venvgrid.config.config_file import Source
    from venvgrid.model import Config, FrozenPolicy, Plan
    from venvgrid.planning.jobs import Jobs

TARGET = "10m"  # of a job


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
    jobs_wanted, told = _wanted_jobs(arguments), _durations(arguments)  # what is mistyped is told before any work
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
    known = counted(config, resolved.plan, plan)
    jobs: tuple[Jobs, ...] = ()
    if arguments.output or jobs_wanted:
        jobs = _travelling(arguments.output, context, plan, resolved, loaded.frozen, jobs_wanted, told)
    if arguments.json:
        terminal.data(json.dumps(plan_json.plan_json(known, jobs), indent=1))
    else:
        terminal.data(
            plan_table.render(
                known,
                width=terminal.width,
                colour=terminal.is_coloured,
                encoding=terminal.encoding,
                verbose=arguments.verbose,
            )
            + "".join(f"{line}\n" for line in plan_table.jobs(jobs))
        )
    # Another machine may have the interpreter that this one lacks: the gate tells in the end.
    skip_missing = context.skips_missing or bool(arguments.output)
    return exit_status(known, strict=wanted.strict, skip_missing=skip_missing)


def _of_tier(wanted: RunOptions, config: Config, tier: str) -> RunOptions:
    """Return the options of a plan with the cells of a tier."""
    for name, given in {"-k": wanted.cells, "--strategy": wanted.strategy}.items():
        if given:
            raise UsageError(f"--tier and {name}: a tier says which cells run; leave out one of them")
    strategy, expression = tiers.meaning(config, tier)
    return replace(wanted, strategy=strategy, cells=expression)


def _leave_out(arguments: argparse.Namespace, context: RunContext, plan: Plan, config: Config) -> Plan:
    """Return the plan of a tier with the cells that it leaves out, and tell how many they are."""
    earlier = last_results.of(context.history, _results(arguments))
    made = tiers.leave_out(plan, config, arguments.tier, earlier)
    for line in made.warnings[len(plan.warnings) :]:
        context.front.notify(f"note: {line}")
    return made


def _travelling(
    output: str | None,
    context: RunContext,
    plan: Plan,
    resolved: ResolvedPlan,
    frozen: Mapping[str, FrozenPolicy],
    wanted: WantedJobs | None,
    told: Mapping[str, float],
) -> tuple[Jobs, ...]:
    """Make the plan that other machines run, write it if a file is named, and return its jobs."""
    from venvgrid.app import travel  # noqa: PLC0415  (most plans stay here)

    measured = {name: earlier.seconds for name, earlier in context.history.items() if earlier.seconds} | dict(told)
    made = travel.make_plan_file(context, plan, resolved, frozen, measured)
    if wanted is not None:
        made = travel.with_jobs(made, wanted, context.machine.platform)
        if not wanted.count and (late := missed(made.jobs, wanted.target)):
            context.front.notify(f"note: {late}")
        if unknown := sum(item.cell.id not in measured for item in made.cells):
            taken = "as its neighbours" if measured else f"{packing.UNKNOWN:.0f} s"
            context.front.notify(
                f"note: {unknown} of {len(made.cells)} cells were never measured: each is taken {taken}"
            )
    if output:
        write_atomic(
            Path(output).absolute(), made.render(plan_json.plan_json(counted(context.config, resolved.plan, plan)))
        )
        context.front.notify(f"{output}: {len(made.cells)} cells to run, plan {made.digest[:12]}")
    return made.jobs


def _durations(arguments: argparse.Namespace) -> dict[str, float]:
    """Return the seconds of cells that the files of --durations tell."""
    if not arguments.durations:
        return {}
    from venvgrid.app.shards import durations  # noqa: PLC0415  (most plans stay here)

    found = {name: item.seconds for name, item in last_results.of({}, _results(arguments)).items() if item.seconds}
    for file in arguments.durations:
        found |= durations.read(Path(file))
    return found


def _results(arguments: argparse.Namespace) -> list[Path]:
    """Return the files of --durations that are a results.json: those of `merge --durations` hold times alone."""
    if not arguments.durations:
        return []
    from venvgrid.app.shards import durations  # noqa: PLC0415

    return [Path(file) for file in arguments.durations if durations.is_results(Path(file))]


def _wanted_jobs(arguments: argparse.Namespace) -> WantedJobs | None:
    """Return what the jobs are to be, None if they are not asked for.

    Raises:
        UsageError: an option is wrong.
    """
    if not (arguments.jobs or arguments.target or arguments.cost):
        return None
    from venvgrid.app.travel import WantedJobs  # noqa: PLC0415  (most plans stay here)

    count = arguments.jobs or "auto"
    if count != "auto" and not (count.isascii() and count.isdigit() and 1 <= int(count) <= MAX_SHARDS):
        raise UsageError(f"--jobs {count!r}: write auto, or a number from 1 to {MAX_SHARDS}")
    if count != "auto" and arguments.target:
        raise UsageError("--target is the time of a job: it needs --jobs auto")
    try:
        target = duration(arguments.target or TARGET)
    except BadValueError as error:
        raise UsageError(f"--target: {error}") from error
    return WantedJobs(count=0 if count == "auto" else int(count), target=target, prices=_prices(arguments.cost or ""))


def _prices(text: str) -> dict[str, float]:
    """Read "macos=10,windows=2"."""
    prices = {}
    for part in filter(None, text.split(",")):
        name, _, price = (item.strip() for item in part.partition("="))
        name = platforms.OTHER_NAMES.get(name, name)
        if name not in platforms.PLATFORMS or not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", price):
            known = ", ".join(platforms.PLATFORMS)
            raise UsageError(f"--cost {part.strip()!r}: write a platform and the price of a minute, macos=10 ({known})")
        prices[name] = float(price)
    return prices


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
    why = lockfile.stale(
        context.config, lock_digest(context), [cell.id for cell in (*runnable(plan), *elsewhere(plan))]
    )
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
    is_any = any(item.status in {Status.RUNNABLE, Status.ELSEWHERE} for item in known.cells)
    return ExitStatus.PASSED if is_any else ExitStatus.NOTHING_TO_RUN
