"""Planning strategies: select combinations of the axes' values, and certify their coverage. Pure."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from venvgrid.model import Certificate, ConfigError, Conflict
from venvgrid.planning.covering import generator
from venvgrid.planning.covering.certificate import certify
from venvgrid.planning.covering.space import Space
from venvgrid.planning.matching import fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from venvgrid.model import Axis, Config, Planning, Rule
    from venvgrid.planning.covering.space import Row

MAX_CORNERS = 64
MAX_CLAUSES = 200_000
MAX_MISSING = 200  # uncovered combinations that `plan --json` names


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The selected combinations, and the certificate of their coverage."""

    cells: tuple[dict[str, str], ...]
    certificate: Certificate | None = None
    warnings: tuple[str, ...] = ()


def choose(
    config: Config, planning: Planning, conflicts: Sequence[Conflict] = (), locked: Sequence[Mapping[str, str]] = ()
) -> Choice:
    """Select the cells of a strategy; `conflicts` are combinations of values that resolution found impossible.

    Cells that are `locked` are only certified.

    Raises:
        ConfigError: the excludes leave no cell, a cell of `must` is excluded, or there are too many combinations.
    """
    constraints = [*_excluded(config), *_of_conflicts(config.axes, conflicts)]
    space = _space(config, constraints)
    if locked:
        rows = tuple(tuple(axis.values.index(item[axis.name]) for axis in config.axes) for item in locked)
        warnings: list[str] = []
    else:
        rows, warnings = _rows(config, planning, space, _must(config, planning, space))
    cells = tuple({axis.name: axis.values[index] for axis, index in zip(config.axes, row, strict=True)} for row in rows)
    certificate = None
    if planning.strength:
        certificate = _certificate(config, min(planning.strength, len(config.axes)), rows, constraints)
    return Choice(cells=cells, certificate=certificate, warnings=tuple(warnings))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Constraint:
    """A forbidden combination, as (axis, index of its value), and its origin."""

    parts: tuple[tuple[int, int], ...]
    why: str


def _excluded(config: Config) -> Iterator[_Constraint]:
    for rule in config.excludes:
        choices = [
            [(number, index) for index, value in enumerate(axis.values) if _is_named(rule, axis, value)]
            for number, axis in enumerate(config.axes)
            if axis.name in rule.keys
        ]
        yield from (_Constraint(parts=parts, why=rule.path) for parts in itertools.product(*choices))


def _is_named(rule: Rule, axis: Axis, value: str) -> bool:
    return any(fits(axis.kind, wanted, value) for wanted in rule.keys[axis.name])


def _of_conflicts(axes: Sequence[Axis], conflicts: Iterable[Conflict]) -> Iterator[_Constraint]:
    numbers = {axis.name: number for number, axis in enumerate(axes)}
    for item in conflicts:
        parts = tuple((numbers[name], axes[numbers[name]].values.index(value)) for name, value in item.values.items())
        yield _Constraint(parts=parts, why=item.reason)


def _space(config: Config, constraints: Sequence[_Constraint]) -> Space:
    if len(constraints) > MAX_CLAUSES:
        raise ConfigError([f"{config.file.name}: exclude: {len(constraints):,} combinations; at most {MAX_CLAUSES:,}"])
    plain = Space(tuple(len(axis.values) for axis in config.axes))
    space = plain.with_clauses(plain.mask(item.parts) for item in constraints)
    if not space.witness(0):
        raise ConfigError([f"{config.file.name}: exclude: {_conflict(plain, constraints)}"])
    return space


def _conflict(plain: Space, constraints: Sequence[_Constraint]) -> str:
    """Describe a minimal set of excludes that together leave no cell (by deletion, one after the other)."""
    needed = dict.fromkeys(item.why for item in constraints)
    for why in list(needed):
        others = [plain.mask(item.parts) for item in constraints if item.why in needed and item.why != why]
        if not plain.with_clauses(others).witness(0):
            del needed[why]
    return f"nothing is left: {', '.join(needed)} together exclude every cell"


def _must(config: Config, planning: Planning, space: Space) -> list[Row]:
    rows = []
    for number, wanted in enumerate(planning.must):
        parts = [
            (position, axis.values.index(wanted[axis.name]))
            for position, axis in enumerate(config.axes)
            if axis.name in wanted
        ]
        if not (found := space.witness(space.mask(parts))):
            cell = ", ".join(f"{name} {value}" for name, value in wanted.items())
            raise ConfigError([f"{config.file.name}: plan.must[{number}]: {cell} cannot be: it is excluded"])
        rows.append(space.row(found))
    return rows


def _rows(config: Config, planning: Planning, space: Space, must: Sequence[Row]) -> tuple[tuple[Row, ...], list[str]]:
    if planning.strength:
        deadline = time.monotonic() + planning.optimise
        over = (lambda: time.monotonic() >= deadline) if planning.optimise else None
        limit = max(0, planning.budget - len(must)) if planning.budget else None
        try:
            rows = generator.array(space, planning.strength, must=must, seed=planning.seed, limit=limit, is_over=over)
        except ValueError as error:
            raise ConfigError([f"{config.file.name}: plan.strategy: {error}"]) from error
        return rows, []
    wanted = _corners(space) if planning.kind == "corners" else _one_at_a_time(config, planning, space)
    possible = [row for row in wanted if space.is_allowed(space.mask_of(row))]
    left_out = len(wanted) - len(possible)
    warnings = [f"{planning.kind}: {left_out} cells are excluded"] if left_out else []
    return tuple(dict.fromkeys((*must, *possible))), warnings


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


def _certificate(config: Config, strength: int, rows: Sequence[Row], constraints: Sequence[_Constraint]) -> Certificate:
    """Certify the rows, by code that is independent of the generator."""
    found = certify([len(axis.values) for axis in config.axes], [item.parts for item in constraints], rows, strength)
    if found.invalid:
        raise AssertionError(f"a chosen cell is excluded: row {found.invalid[0]}")
    numbers = found.infeasible.values()
    reasons = Counter(constraints[number].why if number >= 0 else "follows from several" for number in numbers)
    return Certificate(
        strength=strength,
        feasible=found.feasible,
        covered=found.covered,
        infeasible=reasons,
        missing=tuple(_named(config, parts) for parts in found.missing[:MAX_MISSING]),
    )


def _named(config: Config, parts: Iterable[tuple[int, int]]) -> Mapping[str, str]:
    return {config.axes[factor].name: config.axes[factor].values[index] for factor, index in parts}
