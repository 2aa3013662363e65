"""Which combinations of values the cells of a plan cover: only cells that run count. Pure.

The certificate is made by code that is independent of the generator.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.model import Certificate, Status
from venvgrid.planning.covering.tuples import MAX_TUPLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from venvgrid.model import Config, Plan
    from venvgrid.planning.covering.space import Row

    Named = tuple[tuple[str, str], ...]

OF_A_GRID = 2  # values in a combination, where no strategy says how many
MAX_MISSING = 200  # uncovered combinations that `plan --json` names
SEVERAL = "follows from several"


def with_certificate(config: Config, plan: Plan) -> Plan:
    """Return the plan with the certificate of its cells that run, here or elsewhere.

    A strategy that promises no coverage has none.
    """
    if not config.planning.strength:
        return plan
    from venvgrid.planning import constraints  # noqa: PLC0415  (not needed for the full product)
    from venvgrid.planning.covering.certificate import certify  # noqa: PLC0415

    forbidden = [*constraints.of_excludes(config), *constraints.of_conflicts(config.axes, plan.learnt)]
    sizes, parts = [len(axis.values) for axis in config.axes], [item.parts for item in forbidden]
    strength = min(config.planning.strength, len(config.axes))
    here, others = (_rows(config, plan, status) for status in (Status.RUNNABLE, Status.ELSEWHERE))
    found = certify(sizes, parts, [*here, *others], strength)
    only_here = certify(sizes, parts, here, strength).covered if others else found.covered
    reasons = Counter(forbidden[number].why if number >= 0 else SEVERAL for number in found.infeasible.values())
    missing = [_named(config, item) for item in found.missing]
    certificate = Certificate(
        strength=strength,
        feasible=found.feasible,
        covered=found.covered,
        infeasible=reasons,
        missing=tuple(map(dict, missing[:MAX_MISSING])),
        lost=lost(
            missing,
            [
                (item.cell.axes, item.reason)
                for item in plan.cells
                if item.status not in {Status.RUNNABLE, Status.ELSEWHERE, Status.EXCLUDED}
            ],
        ),
        elsewhere=found.covered - only_here,
        axes={axis.name: axis.values for axis in config.axes},
    )
    return replace(plan, certificate=certificate)


def of_a_part(whole: Plan, part: Plan) -> Plan:
    """Return a part of a full grid with what its cells cover: the pairs of all cells that are not excluded count."""
    cells = [item.cell.axes for item in whole.cells if item.status is not Status.EXCLUDED]
    strength = min(OF_A_GRID, min(map(len, cells), default=0))
    if not strength or len(cells) * math.comb(len(cells[0]), strength) > MAX_TUPLES:
        return part
    feasible = dict.fromkeys(named for axes in cells for named in combinations(axes, strength))
    covered = {
        named
        for item in part.cells
        if item.status in {Status.RUNNABLE, Status.ELSEWHERE}
        for named in combinations(item.cell.axes, strength)
    }
    missing = [named for named in feasible if named not in covered]
    certificate = Certificate(
        strength=strength,
        feasible=len(feasible),
        covered=len(feasible) - len(missing),
        infeasible={},
        missing=tuple(map(dict, missing[:MAX_MISSING])),
    )
    return replace(part, certificate=certificate)


def combinations(axes: Mapping[str, str], strength: int) -> Iterable[Named]:
    """Return the combinations of values of a cell."""
    return itertools.combinations(axes.items(), strength)


def lost(missing: Sequence[Named], idle: Iterable[tuple[Mapping[str, str], str]]) -> dict[str, int]:
    """Count the missing combinations that are in a cell that does not run, by the reason of the first such cell."""
    left, found = set(missing), Counter[str]()
    strength = len(missing[0]) if missing else 0
    for axes, reason in idle if missing else ():
        known = left.intersection(combinations(axes, strength))
        left -= known
        found.update({reason: len(known)} if known else {})
    return dict(found)


def _rows(config: Config, plan: Plan, status: Status) -> list[Row]:
    """Return the cells with a status as rows, without those of an include that have other values than the axes."""
    return [
        tuple(axis.values.index(item.cell.axes[axis.name]) for axis in config.axes)
        for item in plan.cells
        if item.status is status and all(item.cell.axes[axis.name] in axis.values for axis in config.axes)
    ]


def _named(config: Config, parts: Iterable[tuple[int, int]]) -> Named:
    return tuple((config.axes[factor].name, config.axes[factor].values[index]) for factor, index in parts)
