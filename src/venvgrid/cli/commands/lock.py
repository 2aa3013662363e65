"""`venvgrid lock`: write matrix.lock."""

from __future__ import annotations

import difflib
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.app.context import RunContext
from venvgrid.app.plan import make_plan
from venvgrid.app.request import lock_digest
from venvgrid.app.resolution import resolve, tell_notes
from venvgrid.app.run import read_config
from venvgrid.cli import options
from venvgrid.model import ExitStatus, InfrastructureError, LockError, Status
from venvgrid.resolving import lockfile, version_policies
from venvgrid.storage.atomic import write_atomic

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from venvgrid.cli.terminal import Terminal
    from venvgrid.config.config_file import Source
    from venvgrid.model import FrozenPolicy


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Resolve every cell anew and write the lock; if a cell cannot be resolved, the old lock stays as it is."""
    chosen = options.select_grids(arguments, terminal)
    return options.in_each(chosen, terminal, lambda grid: _lock(arguments, terminal, chosen.source, grid))


def _lock(arguments: argparse.Namespace, terminal: Terminal, source: Source, grid: str) -> int:
    wanted, front = options.run_options(arguments, terminal), options.front_end(arguments, terminal)
    found = read_config(source, wanted, front, grid=grid, update=arguments.update, remake=True)
    context = RunContext(config=found.config, options=wanted, front=front, refresh=True)
    plan = make_plan(context)
    resolved = resolve(context, plan)
    tell_notes(context, resolved)
    planned = {item.cell.id: item for item in resolved.plan.cells}
    failed = [item for item in planned.values() if item.status is Status.FAILED]
    path = lockfile.path_for(found.config)
    if failed:
        message = f"{path.name} was not written: {failed[0].cell.id}: {failed[0].reason}"
        raise InfrastructureError(message + (f" (and {len(failed) - 1} more cells)" if len(failed) > 1 else ""))
    lock = lockfile.make(lock_digest(context), planned, resolved.entries, plan, found.frozen)
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    for line in _moved(path, found.frozen):
        front.notify(line)
    after = lockfile.render(lock)
    write_atomic(path, after)
    front.notify(f"{path}: {_changes(before, after)}")
    front.notify(f"{len(lock.cells)} cells in {len(lock.environments)} environments, {len(lock.impossible)} impossible")
    for cell, reason in lock.open.items():
        front.notify(f"not locked: {cell}: {reason}")
    return ExitStatus.INCOMPLETE if lock.open and not context.skips_missing else ExitStatus.PASSED


def _moved(path: Path, frozen: Mapping[str, FrozenPolicy]) -> Iterator[str]:
    """Yield a line for each policy whose versions differ from those of the lock."""
    known: Mapping[str, FrozenPolicy] = {}
    with suppress(LockError):
        known = lockfile.read(path).frozen
    for name, item in frozen.items():
        before = known.get(name)
        now = (*item.values, item.pre)
        told = version_policies.changes((*before.values, before.pre), now) if before else ", ".join(filter(None, now))
        if told:
            yield f"axes.{name} ({item.policy}): {told}"


def _changes(before: str, after: str) -> str:
    if not before:
        return "written"
    if before == after:
        return "unchanged"
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))
    added = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
    removed = sum(line.startswith("-") and not line.startswith("---") for line in lines)
    return f"{added} lines added, {removed} removed"
