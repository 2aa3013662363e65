"""Combinations of values that no cell may have: those of excludes, and those that a resolver found impossible. Pure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from venvgrid.model import ConfigError
from venvgrid.model.values import dataclass
from venvgrid.planning.covering.space import Space
from venvgrid.planning.matching import fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from venvgrid.model import Axis, Config, Conflict, Rule

MAX_CLAUSES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A forbidden combination, as (axis, index of its value), and its origin."""

    parts: tuple[tuple[int, int], ...]
    why: str


def of_excludes(config: Config) -> Iterator[Constraint]:
    """Yield the combinations that excludes forbid."""
    for rule in config.excludes:
        choices = [
            [(number, index) for index, value in enumerate(axis.values) if _is_named(rule, axis, value)]
            for number, axis in enumerate(config.axes)
            if axis.name in rule.keys
        ]
        yield from (Constraint(parts=parts, why=rule.path) for parts in itertools.product(*choices))


def of_conflicts(axes: Sequence[Axis], conflicts: Iterable[Conflict]) -> Iterator[Constraint]:
    """Yield the combinations that resolution found impossible."""
    numbers = {axis.name: number for number, axis in enumerate(axes)}
    for item in conflicts:
        parts = tuple((numbers[name], axes[numbers[name]].values.index(value)) for name, value in item.values.items())
        yield Constraint(parts=parts, why=item.reason)


def space_of(config: Config, constraints: Sequence[Constraint]) -> Space:
    """Return the space of the axes; no row of it may be feasible.

    Raises:
        ConfigError: there are too many constraints.
    """
    if len(constraints) > MAX_CLAUSES:
        raise ConfigError([f"{config.file.name}: exclude: {len(constraints):,} combinations; at most {MAX_CLAUSES:,}"])
    plain = Space(tuple(len(axis.values) for axis in config.axes))
    return plain.with_clauses(plain.mask(item.parts) for item in constraints)


def who_forbids(constraints: Sequence[Constraint], space: Space, mask: int) -> str:
    """Return a minimal set of excludes that together forbid some values (by deletion, one after the other)."""
    plain = Space(space.sizes)
    needed = dict.fromkeys(item.why for item in constraints)
    for why in list(needed):
        others = [plain.mask(item.parts) for item in constraints if item.why in needed and item.why != why]
        if not plain.with_clauses(others).witness(mask):
            del needed[why]
    return f"{', '.join(needed)} together exclude" if len(needed) > 1 else f"{next(iter(needed))} excludes"


def _is_named(rule: Rule, axis: Axis, value: str) -> bool:
    return any(fits(axis.kind, wanted, value) for wanted in rule.keys[axis.name])
