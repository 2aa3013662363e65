"""`venvgrid lock`: write matrix.lock."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from venvgrid.cli import options
from venvgrid.cli.commands import plan
from venvgrid.model.errors import InfrastructureError
from venvgrid.model.plan import Status
from venvgrid.processes.command import Cancellation
from venvgrid.resolving import lockfile, version_policies
from venvgrid.storage import atomic

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from venvgrid.cli.terminal import Terminal
    from venvgrid.config.config_file import Source
    from venvgrid.model.config import FrozenPolicy


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Resolve every cell anew and write the lock; one that could not be resolved leaves the old lock as it is."""
    chosen = options.select_grids(arguments)
    return options.in_each(chosen, terminal, lambda grid: _lock(arguments, terminal, chosen.source, grid))


def _lock(arguments: argparse.Namespace, terminal: Terminal, source: Source, grid: str) -> int:
    settled = options.resolve_config(arguments, source, terminal, grid=grid, update=arguments.update)
    loaded = settled.config
    context = options.context_for(arguments, loaded, terminal, Cancellation())
    planned = options.expand(arguments, context, terminal)
    scheduler = plan.resolve(context, planned, refresh=True)
    failed = [item for item in scheduler.planned.values() if item.status is Status.FAILED]
    path = lockfile.path_for(loaded)
    if failed:
        message = f"{path.name} was not written: {failed[0].cell.id}: {failed[0].reason}"
        raise InfrastructureError(message + (f" (and {len(failed) - 1} more cells)" if len(failed) > 1 else ""))
    lock = lockfile.make(
        context.lock_digest(context.metadata), scheduler.planned, scheduler.entries, planned, settled.frozen
    )
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    for line in _moved(path, settled.frozen):
        terminal.message(line)
    after = lockfile.render(lock)
    atomic.write_atomic(path, after)
    terminal.message(f"{path}: {_changes(before, after)}")
    terminal.message(
        f"{len(lock.cells)} cells in {len(lock.environments)} environments, {len(lock.impossible)} impossible"
    )
    for cell, reason in lock.open.items():
        terminal.message(f"not locked: {cell}: {reason}")
    return 3 if lock.open and not arguments.skip_missing_interpreters else 0


def _moved(path: Path, frozen: Mapping[str, FrozenPolicy]) -> Iterator[str]:
    """Say how the values of policies differ from those of the lock that is there."""
    known = lockfile.read(path).frozen if path.is_file() else {}
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
