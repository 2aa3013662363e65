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
from venvgrid.model.plan import Cell, Learnt, Plan, PlannedCell, Status
from venvgrid.planning import expansion
from venvgrid.planning.cell_ids import cell_id
from venvgrid.resolving import lockfile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from venvgrid.app.context import Workbench
    from venvgrid.model.config import Config

    Listening = Callable[[Callable[[], None]], AbstractContextManager[None]]

MOST_ROUNDS = 50


def plan_for(bench: Workbench, listening: Listening | None = None, *, locked: bool = False) -> Plan:
    """Give the plan of the bench's configuration; `locked`, or where the bench says so, with the cells of the lock.

    `listening` gives a context in which the function that it is given stops the resolving.
    """
    config = bench.config
    if config.planning.kind == "full":
        return expansion.expand(config)
    path = lockfile.path_for(config)
    if bench.wishes.locked or (locked and path.is_file()):
        lock = lockfile.read(path)
        fits = lock.digest == bench.lock_digest(bench.metadata)  # if not, whoever reads the lock next says so
        return expansion.expand(config, lock.learnt, lock.chosen if fits else ())
    return expansion.expand(config) if locked else _learnt(bench, listening)


def _learnt(bench: Workbench, listening: Listening | None) -> Plan:
    """Give a plan in which no chosen cell is impossible, as far as is known now."""
    learnt: tuple[Learnt, ...] = ()
    planned = expansion.expand(bench.config)
    for _ in range(MOST_ROUNDS):
        known = _resolve(bench, planned, listening)
        impossible = [item for item in known if item.status is Status.IMPOSSIBLE and not item.cell.named]
        found: list[Learnt] = []
        for item in impossible:
            if not any(other.values.items() <= item.cell.axes.items() for other in found):
                found.append(_smallest(bench, item, listening))
        if not found:
            break
        learnt = (*learnt, *found)
        planned = expansion.expand(bench.config, learnt)
    return planned


def _resolve(bench: Workbench, planned: Plan, listening: Listening | None) -> list[PlannedCell]:
    with tempfile.TemporaryDirectory(prefix="venvgrid-plan-") as folder:
        goal = bench.goal(planned, run="plan", until=Stage.RESOLVE)
        director, events = bench.direct(goal, Path(folder))
        with listening(director.stop) if listening else nullcontext():
            for _ in events:
                pass
    if director.interrupted:
        raise KeyboardInterrupt
    return [director.planned[item.cell.id] for item in planned.cells]


def _smallest(bench: Workbench, item: PlannedCell, listening: Listening | None) -> Learnt:
    """Leave out axes without which a cell is impossible all the same."""
    config, values, reason = bench.config, dict(item.cell.axes), item.reason
    for axis in bench.config.axes:
        if axis.kind is AxisKind.VARIABLE:  # no resolver sees it
            config, values = _without(config, values, axis.name)
        elif axis.kind is AxisKind.DEPENDENCY and len(values) > 1:
            fewer, left = _without(config, values, axis.name)
            cell = Cell(id=cell_id(fewer.axes, left, fewer.grid), axes=left)
            planned = Plan(cells=(PlannedCell(cell=cell, status=Status.RUNNABLE),))
            (known,) = _resolve(replace(bench, config=fewer), planned, listening)
            if known.status is Status.IMPOSSIBLE:
                config, values, reason = fewer, left, known.reason
    return Learnt(values=values, reason=reason)


def _without(config: Config, values: Mapping[str, str], name: str) -> tuple[Config, dict[str, str]]:
    axes = tuple(axis for axis in config.axes if axis.name != name)
    return replace(config, axes=axes), {key: value for key, value in values.items() if key != name}
