"""Planning strategies: select combinations of the axes' values, Pure."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from venvgrid.model import ConfigError
from venvgrid.model.values import dataclass
from venvgrid.planning import constraints
from venvgrid.planning.covering import generator
from venvgrid.planning.covering.certificate import certify

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from venvgrid.model import Config, Conflict, Planning
    from venvgrid.planning.constraints import Constraint
    from venvgrid.planning.covering.space import Row, Space

MAX_CORNERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The selected combinations; `named` are those that `must` asks for, though resolution found them impossible."""

    cells: tuple[dict[str, str], ...]
    named: tuple[dict[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def choose(
    config: Config, planning: Planning, conflicts: Sequence[Conflict] = (), locked: Sequence[Mapping[str, str]] = ()
) -> Choice:
    """Select the cells of a strategy; `conflicts` are combinations of values that resolution found impossible.

    Cells that are `locked` are kept as they are. A combination of `must` that a conflict makes impossible is selected,
    too: it was asked for, so its cell says why it does not run. The same holds if conflicts leave no cell at all.

    Raises:
        ConfigError: the excludes leave no cell, a cell of `must` is excluded, or there are too many combinations.
    """
    excluded = list(constraints.of_excludes(config))
    every = [*excluded, *constraints.of_conflicts(config.axes, conflicts)]
    wished, space = constraints.space_of(config, excluded), constraints.space_of(config, every)
    if not wished.witness(0):
        who = constraints.who_forbids(excluded, wished, 0)
        raise ConfigError([f"{config.file.name}: exclude: nothing is left: {who} every cell"])
    if locked:
        rows = [tuple(axis.values.index(item[axis.name]) for axis in config.axes) for item in locked]
        return Choice(cells=_cells(config, rows))
    if not space.witness(0):
        return Choice(cells=_cells(config, [wished.row(wished.witness(0))]))
    must = _must(config, planning, wished, excluded)
    rows, warnings = _rows(config, planning, space, [mask for mask in must if space.witness(mask)])
    if certify(space.sizes, [item.parts for item in every], rows, 1).invalid:
        raise AssertionError("a chosen cell is excluded")
    impossible = [wished.row(wished.witness(mask)) for mask in must if not space.witness(mask)]
    return Choice(cells=_cells(config, rows), named=_cells(config, impossible), warnings=tuple(warnings))


def _cells(config: Config, rows: Iterable[Row]) -> tuple[dict[str, str], ...]:
    return tuple({axis.name: axis.values[index] for axis, index in zip(config.axes, row, strict=True)} for row in rows)


def _must(config: Config, planning: Planning, space: Space, excluded: Sequence[Constraint]) -> list[int]:
    """Return the values of each combination of `must`.

    Raises:
        ConfigError: excludes forbid one.
    """
    masks = []
    for number, wanted in enumerate(planning.must):
        parts = [
            (position, axis.values.index(wanted[axis.name]))
            for position, axis in enumerate(config.axes)
            if axis.name in wanted
        ]
        if not space.witness(mask := space.mask(parts)):
            cell = " + ".join(f"{name} {value}" for name, value in wanted.items())
            who = constraints.who_forbids(excluded, space, mask)
            raise ConfigError([f"{config.file.name}: plan.must[{number}]: {who} {cell}; change one of them"])
        masks.append(mask)
    return masks


def _rows(config: Config, planning: Planning, space: Space, must: Sequence[int]) -> tuple[list[Row], list[str]]:
    if planning.strength:
        deadline = time.monotonic() + planning.optimise
        over = (lambda: time.monotonic() >= deadline) if planning.optimise else None
        limit = planning.budget or None
        try:
            rows = generator.array(space, planning.strength, must=must, seed=planning.seed, limit=limit, is_over=over)
        except ValueError as error:
            raise ConfigError([f"{config.file.name}: plan.strategy: {error}"]) from error
        is_over_budget = limit is not None and len(rows) > limit
        return list(rows), [f"budget={limit}: plan.must needs {len(rows)} cells"] if is_over_budget else []
    wanted = _corners(space) if planning.kind == "corners" else _one_at_a_time(config, planning, space)
    possible = [mask for row in wanted if space.is_allowed(mask := space.mask_of(row))]
    left_out = len(wanted) - len(possible)
    warnings = [f"{planning.kind}: {left_out} cells are excluded"] if left_out else []
    asked = generator.merged(space, [mask for mask in must if not any(mask & row == mask for row in possible)], 0)
    return list(dict.fromkeys(map(space.row, (*map(space.witness, asked), *possible)))), warnings


def _one_at_a_time(config: Config, planning: Planning, space: Space) -> list[Row]:
    """Return the baseline, by default the last value of each axis, and its variations in a single value."""
    base = tuple(
        axis.values.index(planning.baseline[axis.name]) if axis.name in planning.baseline else len(axis.values) - 1
        for axis in config.axes
    )
    others = [
        (*base[:factor], index, *base[factor + 1 :])
        for factor, size in enumerate(space.sizes)
        for index in range(size)
        if index != base[factor]
    ]
    return [base, *others]


def _corners(space: Space) -> list[Row]:
    """Return all combinations of the first and last values; with many axes, only those in which all but one agree."""
    ends = [tuple(dict.fromkeys((0, size - 1))) for size in space.sizes]
    if 2 ** sum(len(pair) > 1 for pair in ends) <= MAX_CORNERS:
        return list(itertools.product(*ends))
    first, last = tuple(pair[0] for pair in ends), tuple(pair[-1] for pair in ends)
    rows = [first, last]
    for factor, (low, high) in enumerate(zip(first, last, strict=True)):
        rows += [(*first[:factor], high, *first[factor + 1 :]), (*last[:factor], low, *last[factor + 1 :])]
    return list(dict.fromkeys(rows))
