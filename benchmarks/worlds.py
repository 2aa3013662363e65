"""Simulated grids with planted faults, from a seed: what rules and probes are measured with.

A world has 2 to 5 axes and 10 to 40 resolved packages whose versions follow the axes. A fault is a conjunction of one
to three conditions on axes or resolved versions, or two of them. Its truth is known for every possible cell, also for
those that the plan left out.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.analysis.rules.conditions import conditions
from venvgrid.model import CellResult, Outcome
from venvgrid.planning.covering.generator import array
from venvgrid.planning.covering.space import Space

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from venvgrid.analysis.rules.conditions import Condition

PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
MOST_CELLS = 1500
MOSTLY = 0.7  # share of packages that follow one axis
PLANS = ("full", "pairwise", "sampled")
KINDS = ("one", "two causes", "flaky failure", "flaky pass", "flake alone", "masked")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All possible cells, which of them the plan has, and the cells that are seen to fail.

    `truth` has one bit for each possible cell that the fault breaks; `known` maps the text of each condition to the
    possible cells that meet it. `failing` and `passing` are ids of planned cells; other planned cells failed otherwise.
    """

    cells: tuple[CellResult, ...]
    planned: tuple[int, ...]
    truth: int
    known: Mapping[str, int]
    failing: tuple[str, ...]
    passing: tuple[str, ...]

    @property
    def results(self) -> list[CellResult]:
        """The planned cells."""
        return [self.cells[number] for number in self.planned]

    def holds(self, rules: Sequence[Sequence[Condition]]) -> int:
        """Return the possible cells that meet one of the rules; -1 if a condition is not known."""
        found = 0
        for rule in rules:
            cells = (1 << len(self.cells)) - 1
            for condition in rule:
                if condition.text not in self.known:
                    return -1
                cells &= self.known[condition.text]
            found |= cells
        return found


def cells_of(source: random.Random) -> tuple[CellResult, ...]:
    """Return all cells of a random grid, green, with their packages."""
    while True:
        axes = {"python": PYTHONS[: source.randint(2, 6)]}
        for number in range(source.randint(1, 4)):
            start = source.randint(1, 3)
            axes[f"lib{number}"] = tuple(f"{start + minor // 3}.{minor % 3}" for minor in range(source.randint(2, 5)))
        if math.prod(map(len, axes.values())) <= MOST_CELLS:
            break
    names = list(axes)
    packages = {f"pkg{number}": _follows(source, axes) for number in range(source.randint(10, 40))}
    made = []
    for row in itertools.product(*(range(len(values)) for values in axes.values())):
        at = dict(zip(names, row, strict=True))
        chosen = {name: axes[name][at[name]] for name in names}
        installed = {name: f"{chosen[name]}.0" for name in names if name != "python"}
        installed |= {name: f"{1 + _step(at, steps)}.0" for name, steps in packages.items()}
        made.append(
            CellResult(
                id="-".join(f"{name}{value}" for name, value in chosen.items()),
                axes=MappingProxyType(chosen),
                outcome=Outcome.PASSED,
                packages=MappingProxyType(installed),
            )
        )
    return tuple(made)


def _follows(source: random.Random, axes: Mapping[str, Sequence[str]]) -> list[tuple[str, int]]:
    """Return from which place of an axis on a package has a newer version; most packages follow one axis."""
    drivers = source.sample(list(axes), min(len(axes), 1 if source.random() < MOSTLY else 2))
    return [(name, source.randint(0, len(axes[name]) - 1)) for name in drivers for _ in range(source.randint(1, 2))]


def _step(at: Mapping[str, int], steps: Sequence[tuple[str, int]]) -> int:
    return sum(at[name] >= place > 0 for name, place in steps)


def plan(source: random.Random, cells: Sequence[CellResult], strategy: str) -> tuple[int, ...]:
    """Return the numbers of the cells that a strategy chooses."""
    if strategy == "full":
        return tuple(range(len(cells)))
    if strategy == "sampled":
        count = max(4, round(len(cells) * source.uniform(0.1, 0.2)))
        return tuple(sorted(source.sample(range(len(cells)), min(count, len(cells)))))
    values = {name: list(dict.fromkeys(cell.axes[name] for cell in cells)) for name in cells[0].axes}
    sizes = tuple(map(len, values.values()))
    rows = array(Space(sizes), 2, seed=source.randint(0, 10**6))
    return tuple(sorted({sum(at * math.prod(sizes[n + 1 :]) for n, at in enumerate(row)) for row in rows}))


def world(source: random.Random, strategy: str, kind: str) -> World:
    """Return a world whose fault is hit by at least one planned cell and missed by at least one."""
    while True:
        cells = cells_of(source)
        planned = plan(source, cells, strategy)
        seen = sum(1 << number for number in planned)
        every = list(conditions(cells))
        known = {condition.text: condition.cells for condition in every}
        truth = _fault(source, every, seen) if kind != "flake alone" else 0
        if kind == "two causes":
            other = _fault(source, every, seen)
            if not (other & ~truth & seen and truth & ~other & seen):
                continue
            truth |= other
        hidden = _fault(source, every, seen) if kind == "masked" else 0
        bad = _seen_to_fail(source, planned, truth, kind)
        failing, passing = (
            tuple(cells[n].id for n in planned if (n in bad) is is_bad and not hidden >> n & 1)
            for is_bad in (True, False)
        )
        if failing and passing:
            return World(cells=cells, planned=planned, truth=truth, known=known, failing=failing, passing=passing)


def _seen_to_fail(source: random.Random, planned: Sequence[int], truth: int, kind: str) -> set[int]:
    """Return the planned cells that fail, with the flake of this kind of world; none if it does not fit."""
    bad = {number for number in planned if truth >> number & 1}
    good = [number for number in planned if number not in bad]
    if not good or (kind != "flake alone" and not bad):
        return set()
    if kind in {"flaky failure", "flake alone"}:
        bad.add(source.choice(good))
    elif kind == "flaky pass":
        bad.remove(source.choice(sorted(bad)))
    return bad


def _fault(source: random.Random, every: Sequence[Condition], seen: int) -> int:
    """Return the cells of a random conjunction that some planned cells meet and others do not."""
    while True:
        size = source.choices((1, 2, 3), (0.6, 0.3, 0.1))[0]
        found = -1
        for condition in source.sample(every, size):
            found &= condition.cells
        if found & seen and seen & ~found:
            return found
