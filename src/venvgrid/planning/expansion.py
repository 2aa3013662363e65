"""Expands a Config into its cells, in order, each with its status before resolution."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.config import axis_values
from venvgrid.config.loading import MAX_CELLS, too_many
from venvgrid.model import Cell, ConfigError, Mark, Plan, PlannedCell, Status
from venvgrid.planning import cell_ids
from venvgrid.planning.cell_ids import CellIds
from venvgrid.planning.matching import fits, rule_fits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venvgrid.model import Config, Conflict, Product, Rule

MAX_COLLISIONS = 20  # of ids, that a message lists


def expand(
    config: Config,
    conflicts: tuple[Conflict, ...] = (),
    locked: tuple[Mapping[str, str], ...] = (),
    *,
    keep: int = MAX_CELLS,
) -> Plan:
    """Return every cell of `config`: the full product, the first axis slowest, then those of [[include]].

    A strategy other than "full" selects combinations, and avoids `conflicts`: combinations of values that resolution
    found impossible. With `locked`, the cells of a lock, it selects nothing.

    Cells that an [[exclude]] matches get Status.EXCLUDED. An [[include]] is applied after all excludes. Each
    combination of its values sets the options of the cells that it matches, or, if there are none, adds cells with all
    values of the axes that it does not name. It restores excluded cells if it names one cell exactly, or if all that it
    matches are excluded.

    A product of more than `keep` cells is not expanded: see `model.Product`. The plan has the same cells.

    Raises:
        ConfigError: more than MAX_CELLS cells to expand, or two cells whose ids would be the same file on some system.
    """
    if (product := _product(config, keep)) is not None:
        return _with_marks(config, product, conflicts)
    _check_size(config)
    kinds = {axis.name: axis.kind for axis in config.axes}
    warnings: list[str] = []
    ids = CellIds(config.axes, config.grid)
    if config.planning.kind == "full":
        cells = [_runnable(ids, values) for values in _combinations(_open_values(config, {}))]
    else:
        from venvgrid.planning import strategies  # noqa: PLC0415  (not needed for the full product)

        choice = strategies.choose(config, config.planning, conflicts, locked)
        cells = [_runnable(ids, values) for values in choice.cells]
        asked = (_runnable(ids, values) for values in choice.named)
        cells += [replace(item, cell=replace(item.cell, named=True)) for item in asked]
        warnings = list(choice.warnings)
    for rule in config.excludes if config.planning.kind == "full" else ():
        hits = [index for index, planned in enumerate(cells) if rule_fits(rule, kinds, planned.cell.axes)]
        for index in hits:
            if cells[index].status is Status.RUNNABLE:
                reason = f"excluded by {rule.path} ({_rule_text(rule)})"
                cells[index] = replace(cells[index], status=Status.EXCLUDED, reason=reason)
        if not hits and not rule.inherited:
            warnings.append(f"{config.file.name}: {rule.path} ({_rule_text(rule)}) matches no cell")
    for rule in config.includes:
        for wanted in _combinations(rule.keys):
            _include(cells, config, wanted, rule, ids)
    _check_ids(config, cells)
    plan = Plan(cells=tuple(cells), strategy=config.strategy, learnt=conflicts)
    plan = replace(plan, warnings=(*warnings, *_dropped(config, plan, conflicts)))
    if config.planning.kind == "full":
        return plan
    from venvgrid.planning import coverage  # noqa: PLC0415  (not needed for the full product)

    return coverage.with_certificate(config, replace(plan, combinations=axis_values.count(config.axes)))


def _product(config: Config, keep: int) -> Product | None:
    """Return the cells as a product of more than `keep`, without its excludes; None if they have to be listed."""
    if config.planning.kind != "full" or config.includes or axis_values.count(config.axes) <= keep:
        return None
    return cell_ids.product(config.axes, config.grid)


def _with_marks(config: Config, cells: Product, conflicts: tuple[Conflict, ...]) -> Plan:
    """Return the plan of a product and its excludes: what `expand` finds cell by cell, found value by value."""
    marks, warnings = list[Mark](), list[str]()
    for rule in config.excludes:
        values = {
            axis.name: tuple(
                value for value in axis.values if any(fits(axis.kind, wanted, value) for wanted in rule.keys[axis.name])
            )
            for axis in config.axes
            if axis.name in rule.keys
        }
        if all(values.values()):
            reason = f"excluded by {rule.path} ({_rule_text(rule)})"
            marks.append(Mark(values=MappingProxyType(values), status=Status.EXCLUDED, reason=reason))
        elif not rule.inherited:
            warnings.append(f"{config.file.name}: {rule.path} ({_rule_text(rule)}) matches no cell")
    plan = Plan(cells=cells.marked(marks), strategy=config.strategy, learnt=conflicts)
    return replace(plan, warnings=(*warnings, *_dropped(config, plan, conflicts)))


def _dropped(config: Config, plan: Plan, conflicts: tuple[Conflict, ...]) -> Iterator[str]:
    """Yield a warning for each value of an axis that no cell has: whoever wrote it believes that it is tested.

    The strategy "corners" takes the first and last values only, and is chosen for that. An exclude that names nothing
    else than the value means it.
    """
    if config.planning.kind == "corners":
        return
    for axis in config.axes:
        there = plan.values(axis.name)
        meant = [wanted for rule in config.excludes if {*rule.keys} == {axis.name} for wanted in rule.keys[axis.name]]
        for value in axis.values if there else ():
            if value not in there and not any(fits(axis.kind, wanted, value) for wanted in meant):
                why = _why_dropped(config, plan.cells, conflicts, axis.name, value)
                yield f"{config.file.name}: axes.{axis.name}: no cell is left with {value!r}: {why}"


def _why_dropped(
    config: Config, cells: Sequence[PlannedCell], conflicts: tuple[Conflict, ...], name: str, value: str
) -> str:
    excluded = dict.fromkeys(item.reason for item in cells if item.cell.axes[name] == value)
    impossible = [item.reason for item in conflicts if item.values.get(name) == value]
    if excluded or impossible:
        found = list(dict.fromkeys([*impossible, *excluded]))
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return f"{found[0]}{more}"
    if config.planning.budget:
        return f"budget={config.planning.budget} is too few cells for all values; give more"
    return "excludes, and cells that are impossible, leave none"


def _runnable(ids: CellIds, values: Mapping[str, str]) -> PlannedCell:
    cell = Cell(id=ids(values), axes=MappingProxyType(dict(values)))
    return PlannedCell(cell=cell, status=Status.RUNNABLE)


def _open_values(config: Config, chosen: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the values of each axis: the chosen ones, or else all."""
    return {axis.name: chosen.get(axis.name, axis.values) for axis in config.axes}


def _combinations(keys: Mapping[str, tuple[str, ...]]) -> Iterator[dict[str, str]]:
    for values in itertools.product(*keys.values()):
        yield dict(zip(keys, values, strict=True))


def _include(cells: list[PlannedCell], config: Config, wanted: dict[str, str], rule: Rule, ids: CellIds) -> None:
    """Set the options of the cells that `wanted` matches, or add its cells."""
    kinds = {axis.name: axis.kind for axis in config.axes}
    matches = [
        index
        for index, planned in enumerate(cells)
        if all(fits(kinds[name], value, planned.cell.axes[name]) for name, value in wanted.items())
    ]
    if not matches:
        open_values = _open_values(config, {name: (value,) for name, value in wanted.items()})
        added = (_runnable(ids, values) for values in _combinations(open_values))
        cells += [replace(item, cell=_with_options(item.cell, rule, named=True)) for item in added]
        return
    # A cell can be named without the axes that have one value.
    exact = all(axis.name in wanted or len(axis.values) == 1 for axis in config.axes)
    live = [index for index in matches if cells[index].status is not Status.EXCLUDED]
    for index in matches:
        cell = cells[index].cell
        named = exact and wanted.items() <= cell.axes.items()
        if named or not live or index in live:
            cells[index] = PlannedCell(cell=_with_options(cell, rule, named=named), status=Status.RUNNABLE)


def _with_options(cell: Cell, rule: Rule, *, named: bool) -> Cell:
    return replace(
        cell,
        allow_failure=cell.allow_failure or rule.allow_failure,
        named=cell.named or named,
        labels=tuple(dict.fromkeys((*cell.labels, *rule.labels))),
    )


def _rule_text(rule: Rule) -> str:
    return ", ".join(f"{name} {' or '.join(values)}" for name, values in rule.keys.items())


def _check_size(config: Config) -> None:
    """Check the number of cells before expansion, so that no configuration can fill the memory."""
    total = axis_values.count(config.axes) if config.planning.kind == "full" else 0
    total += sum(math.prod(map(len, _open_values(config, rule.keys).values())) for rule in config.includes)
    if total > MAX_CELLS:
        sizes = " x ".join(f"{len(axis.values)} {axis.name}" for axis in config.axes)
        more = f" and {len(config.includes)} includes" if config.includes else ""
        raise ConfigError([f"{config.file.name}: axes: {too_many(total, sizes + more)}"])


def _check_ids(config: Config, cells: list[PlannedCell]) -> None:
    # On Windows and macOS, names that differ only in case are one file.
    if len({planned.cell.id.casefold() for planned in cells}) == len(cells):
        return
    same: dict[str, list[Cell]] = defaultdict(list)
    for planned in cells:
        same[planned.cell.id.casefold()].append(planned.cell)
    mistakes = [
        f"{config.file.name}: axes: two cells would have the same id {group[0].id!r} (capital letters do not count): "
        f"{_values(group[0])} and {_values(group[1])}; remove or respell one of the values"
        for group in same.values()
        if len(group) > 1
    ]
    if mistakes:
        raise ConfigError(mistakes[:MAX_COLLISIONS])


def _values(cell: Cell) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in cell.axes.items())
