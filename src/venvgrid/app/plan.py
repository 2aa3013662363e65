"""The use case "plan": the cells of a configuration, selected, and without the combinations that cannot exist.

With a strategy other than "full", an impossible cell is minimised axis by axis. The remaining values are a conflict,
which excludes every cell that contains them. Then the cells are chosen anew, until none of them is impossible.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from venvgrid.app import assembly
from venvgrid.app.request import lock_digest, runnable
from venvgrid.config.sections import strategy
from venvgrid.config.values import BadValueError, duration
from venvgrid.installers.base import Unresolvable
from venvgrid.model import (
    AxisKind,
    Cell,
    Conflict,
    LockError,
    Mark,
    NothingToRunError,
    Outcome,
    PlannedCell,
    Product,
    Status,
    UsageError,
)
from venvgrid.planning import expansion, selection
from venvgrid.planning.cell_ids import cell_id
from venvgrid.processes import runner
from venvgrid.resolving import lockfile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.app.context import RunContext
    from venvgrid.app.options import RunOptions
    from venvgrid.app.resolution import ResolvedPlan
    from venvgrid.model import Config, Plan

MAX_ROUNDS = 50
MAX_NAMED = 8  # values in a message
MAX_READ = 10_000  # cells, for the reasons in a message
_COMPARISON = re.compile(r"([\w.-]+)\s*(?:==|<=|>=|<|>)\s*[\w.*]+")


def make_plan(context: RunContext, *, from_lock: bool = False) -> Plan:
    """Expand the configuration of a run, and keep the cells that its options select.

    `from_lock`: use the cells that the lock holds, if there is one, and resolve nothing.

    Raises:
        NothingToRunError: no cell is left.
    """
    expanded = _expand(context, from_lock=from_lock)
    plan = by_platform(expanded, context.machine.platform)
    for warning in plan.warnings:
        context.front.notify(f"warning: {warning}")
    options = context.options
    if options.cells:
        plan = _matching(context, plan)
    if not (plan.values("python") or plan.values("python", status=Status.ELSEWHERE)):
        raise NothingToRunError(_all_excluded(context, plan))
    if options.changed:
        plan = _changed(context, plan)
    if options.failed:
        plan = _failed(context, plan)
    return counted(context.config, plan, expanded)


def counted(config: Config, plan: Plan, before: Plan) -> Plan:
    """Return the plan with what its cells cover, if these are not the cells of the plan `before`."""
    is_full = config.planning.kind == "full"
    if plan.cells == before.cells or (is_full and len(plan.cells) == len(before.cells)):
        return plan
    from venvgrid.planning import coverage  # noqa: PLC0415  (only for a part of the full product)

    return coverage.of_a_part(before, plan) if is_full else coverage.with_certificate(config, plan)


def by_platform(plan: Plan, here: str) -> Plan:
    """Return the plan with the cells of other platforms marked; `here` is that of this machine."""
    away = [name for name in plan.values("platform") if name not in {"", here}]
    if not away:
        return plan
    reasons = {name: f"it runs on {name}; this machine is {here}" for name in away}
    if isinstance(plan.cells, Product):
        marks = [
            Mark(values={"platform": (name,)}, status=Status.ELSEWHERE, reason=why) for name, why in reasons.items()
        ]
        return replace(plan, cells=plan.cells.marked(marks))
    cells = tuple(
        replace(item, status=Status.ELSEWHERE, reason=reasons[item.cell.platform])
        if item.status is Status.RUNNABLE and item.cell.platform in reasons
        else item
        for item in plan.cells
    )
    return replace(plan, cells=cells)


def choose_cells(plan: Plan, keep: Callable[[Cell], bool]) -> Plan:
    """Return the plan with the cells that `keep` accepts."""
    return replace(plan, cells=tuple(item for item in plan.cells if keep(item.cell)))


def _matching(context: RunContext, plan: Plan) -> Plan:
    expression = context.options.cells
    outcomes = {name: earlier.outcome for name, earlier in context.history.items()}
    names = [axis.name for axis in context.config.axes]
    ids = [item.cell.id for item in plan.cells]

    def chosen(text: str) -> Plan:
        return choose_cells(plan, selection.compile(text, names, outcomes, ids))

    found = chosen(expression)
    if not found.cells:
        raise NothingToRunError(_no_match(expression, plan, chosen))
    return found


def _no_match(expression: str, plan: Plan, chosen: Callable[[str], Plan]) -> str:
    """Return the message for an expression that matches no cell; what it proposes matches some."""
    import difflib  # noqa: PLC0415  (only for mistakes)
    import shlex  # noqa: PLC0415

    from venvgrid.planning import habits  # noqa: PLC0415

    ids = [item.cell.id for item in plan.cells]
    close = difflib.get_close_matches(expression, ids, n=1)
    hint = f"did you mean {close[0]}? All cells: venvgrid list" if close else "see all cells with: venvgrid list"
    for meant in (habits.selection([expression]), habits.factors(expression)):
        if meant and meant != expression and chosen(meant).cells:
            hint = f"write: -k {shlex.quote(meant)}"
            break
    else:
        for name in _missed_axes(expression, chosen):
            values = dict.fromkeys(item.cell.axes[name] for item in plan.cells if name in item.cell.axes)
            if values and (name != "python" or habits.python(expression) not in values):
                there = ", ".join([*islice(values, MAX_NAMED), *(("…",) if len(values) > MAX_NAMED else ())])
                hint = f"the {name} axis has {there}; {hint}"
    tests = f". To choose tests, type: venvgrid run -- -k {expression}" if expression.isidentifier() else ""
    return f"-k {expression!r} matches no cell; {hint}{tests}"


def _missed_axes(expression: str, chosen: Callable[[str], Plan]) -> list[str]:
    """Return the axes that an expression compares with what no cell has; a name such as py313 is the python axis."""
    from venvgrid.planning import habits  # noqa: PLC0415  (only for mistakes)

    found = ["python"] if habits.python(expression) else []
    for term in _COMPARISON.finditer(expression):
        with suppress(UsageError):
            found += [] if chosen(term[0]).cells else [term[1]]
    return list(dict.fromkeys(found))


def _all_excluded(context: RunContext, plan: Plan) -> str:
    """Return the message for a plan without a cell that can run: which tables exclude them."""
    which = f"every cell that -k {context.options.cells!r} chooses" if context.options.cells else "every cell"
    reasons = dict.fromkeys(item.reason for item in islice(plan.cells, MAX_READ) if item.status is Status.EXCLUDED)
    told = ", ".join(reason.removeprefix("excluded by ") for reason in islice(reasons, MAX_NAMED))
    by = f" by {told}; remove that, or name fewer cells in it" if told else ""
    return f"{context.config.file.name}: {which} is excluded{by}"


def _changed(context: RunContext, plan: Plan) -> Plan:
    from venvgrid.resolving import changed_cells  # noqa: PLC0415  (only for --changed)

    reference = context.options.changed
    names = [cell.id for cell in runnable(plan)]
    if why := lockfile.stale(context.config, lock_digest(context), names):
        raise LockError(f"--changed: {why}; type: venvgrid lock")
    cells = changed_cells.changed_cells(context.config, reference, runner.run, context.machine.environ)
    chosen = choose_cells(plan, lambda cell: cell.id in cells)
    if not chosen.cells:
        raise NothingToRunError(f"--changed: every cell has the lock that it had at {reference}")
    return chosen


def _failed(context: RunContext, plan: Plan) -> Plan:
    if not context.history:
        raise NothingToRunError("--failed: there is no earlier run; type: venvgrid run")
    fine = {Outcome.PASSED, Outcome.FLAKY, Outcome.IMPOSSIBLE, Outcome.ELSEWHERE}
    bad = {name for name, earlier in context.history.items() if earlier.outcome not in fine}
    chosen = choose_cells(plan, lambda cell: cell.id in bad)
    if not chosen.cells:
        raise NothingToRunError("--failed: every cell was green when it last ran")
    return chosen


def _expand(context: RunContext, *, from_lock: bool) -> Plan:
    config = context.config
    if config.planning.kind == "full":
        return expansion.expand(config)
    path = context.lock_file
    if context.options.locked or (from_lock and path.is_file()):
        lock = lockfile.read(path)
        fits = lock.digest == lock_digest(context)  # if not, the next reader of the lock reports it
        return expansion.expand(config, lock.learnt if lock.has_checksum else (), lock.chosen if fits else ())
    return expansion.expand(config) if from_lock else _without_conflicts(context)


def _without_conflicts(context: RunContext) -> Plan:
    """Return a plan in which no chosen cell is impossible, as far as is known now."""
    from venvgrid.app.resolution import resolve  # noqa: PLC0415  (only where cells are chosen by strategy)

    conflicts: tuple[Conflict, ...] = ()
    plan = expansion.expand(context.config)
    for _ in range(MAX_ROUNDS):
        resolved = resolve(context, by_platform(plan, context.machine.platform))
        found: list[Conflict] = []
        for item in resolved.plan.cells:
            # A conflict that was found before is in a plan only if nothing is left without it.
            is_known = any(other.values.items() <= item.cell.axes.items() for other in (*conflicts, *found))
            if item.status is Status.IMPOSSIBLE and not item.cell.named and not is_known:
                found.append(_conflict(context, resolved, item))
        if not found:
            break
        conflicts = (*conflicts, *found)
        plan = expansion.expand(context.config, conflicts)
    return plan


def _conflict(context: RunContext, resolved: ResolvedPlan, item: PlannedCell) -> Conflict:
    """Remove the axes without which a cell is still impossible."""
    config, values, reason = context.config, dict(item.cell.axes), item.reason
    interpreter = resolved.interpreters[item.cell.axes["python"], item.cell.platform]
    resolver = assembly.make_resolver(context, resolved.metadata.get(item.cell.axes["python"]))
    for axis in context.config.axes:
        if axis.kind is AxisKind.VARIABLE:  # no resolver sees it
            config, values = _without(config, values, axis.name)
        elif axis.kind is AxisKind.DEPENDENCY and len(values) > 1:
            fewer, left = _without(config, values, axis.name)
            cell = Cell(id=cell_id(fewer.axes, left, fewer.grid), axes=left)
            answer = replace(resolver, config=fewer).resolve(cell, interpreter)
            if isinstance(answer, Unresolvable):
                config, values, reason = fewer, left, context.machine.redactor.text(answer.reason)
    return Conflict(values=values, reason=reason)


def _without(config: Config, values: Mapping[str, str], name: str) -> tuple[Config, dict[str, str]]:
    axes = tuple(axis for axis in config.axes if axis.name != name)
    return replace(config, axes=axes), {key: value for key, value in values.items() if key != name}


def with_strategy(config: Config, options: RunOptions) -> Config:
    """Return the configuration with the strategy of the options."""
    name, planning = config.strategy, config.planning
    option = "--strategy"
    try:
        if options.strategy:
            name, chosen = strategy(options.strategy)
            planning = replace(planning, kind=chosen.kind, strength=chosen.strength, budget=chosen.budget)
        option = "--optimise"
        if options.optimise:
            planning = replace(planning, optimise=duration(options.optimise))
    except BadValueError as error:
        raise UsageError(f"{option}: {error}") from error
    return replace(config, strategy=name, planning=planning)
