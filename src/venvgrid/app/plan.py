"""Plans whose cells are chosen: what resolution finds impossible is learnt as a constraint, and covered otherwise.

A chosen cell that is impossible is made smaller, one axis after the other, as long as it stays impossible: what is left
is the reason, and rules out every cell that has it. Then the cells are chosen anew, until all of them can be.
"""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.model.config import AxisKind
from venvgrid.model.events import Stage
from venvgrid.model.plan import Cell, Conflict, Plan, PlannedCell, Status
from venvgrid.planning import expansion
from venvgrid.planning.cell_ids import cell_id
from venvgrid.resolving import lockfile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from venvgrid.app.context import RunContext
    from venvgrid.model.config import Config

    Listening = Callable[[Callable[[], None]], AbstractContextManager[None]]

MAX_ROUNDS = 50


def plan_for(context: RunContext, listening: Listening | None = None, *, locked: bool = False) -> Plan:
    """Give the plan of the bench's configuration; `locked`, or where the bench says so, with the cells of the lock.

    `listening` gives a context in which the function that it is given stops the resolving.
    """
    config = context.config
    if config.planning.kind == "full":
        return expansion.expand(config)
    path = lockfile.path_for(config)
    if context.wishes.locked or (locked and path.is_file()):
        lock = lockfile.read(path)
        fits = lock.digest == context.lock_digest(context.metadata)  # if not, whoever reads the lock next says so
        return expansion.expand(config, lock.learnt, lock.chosen if fits else ())
    return expansion.expand(config) if locked else _learnt(context, listening)


def _learnt(context: RunContext, listening: Listening | None) -> Plan:
    """Give a plan in which no chosen cell is impossible, as far as is known now."""
    learnt: tuple[Conflict, ...] = ()
    planned = expansion.expand(context.config)
    for _ in range(MAX_ROUNDS):
        known = _resolve(context, planned, listening)
        impossible = [item for item in known if item.status is Status.IMPOSSIBLE and not item.cell.named]
        found: list[Conflict] = []
        for item in impossible:
            if not any(other.values.items() <= item.cell.axes.items() for other in found):
                found.append(_smallest(context, item, listening))
        if not found:
            break
        learnt = (*learnt, *found)
        planned = expansion.expand(context.config, learnt)
    return planned


def _resolve(context: RunContext, planned: Plan, listening: Listening | None) -> list[PlannedCell]:
    with tempfile.TemporaryDirectory(prefix="venvgrid-plan-") as folder:
        request = context.request(planned, run="plan", until=Stage.RESOLVE)
        scheduler, events = context.direct(request, Path(folder))
        with listening(scheduler.stop) if listening else nullcontext():
            for _ in events:
                pass
    if scheduler.interrupted:
        raise KeyboardInterrupt
    return [scheduler.planned[item.cell.id] for item in planned.cells]


def _smallest(context: RunContext, item: PlannedCell, listening: Listening | None) -> Conflict:
    """Leave out axes without which a cell is impossible all the same."""
    config, values, reason = context.config, dict(item.cell.axes), item.reason
    for axis in context.config.axes:
        if axis.kind is AxisKind.VARIABLE:  # no resolver sees it
            config, values = _without(config, values, axis.name)
        elif axis.kind is AxisKind.DEPENDENCY and len(values) > 1:
            fewer, left = _without(config, values, axis.name)
            cell = Cell(id=cell_id(fewer.axes, left, fewer.grid), axes=left)
            planned = Plan(cells=(PlannedCell(cell=cell, status=Status.RUNNABLE),))
            (known,) = _resolve(replace(context, config=fewer), planned, listening)
            if known.status is Status.IMPOSSIBLE:
                config, values, reason = fewer, left, known.reason
    return Conflict(values=values, reason=reason)


def _without(config: Config, values: Mapping[str, str], name: str) -> tuple[Config, dict[str, str]]:
    axes = tuple(axis for axis in config.axes if axis.name != name)
    return replace(config, axes=axes), {key: value for key, value in values.items() if key != name}
