"""How early a break shows, in the order of venvgrid and in plain order: `python benchmarks/order.py`.

Grids of several shapes, each with many seeded faults: a value, or a pair of values, whose cells are red. Counted is
how many cells finish until the first red one does, as a part of the grid; the mean over the faults. Nothing is run:
cells are values, and so are their outcomes.
"""

from __future__ import annotations

import itertools
import random
import statistics
from typing import TYPE_CHECKING

from venvgrid.analysis import prioritisation
from venvgrid.model import Axis, AxisKind, Cell, Distribution, Outcome
from venvgrid.planning.cell_ids import cell_id
from venvgrid.results.report import Earlier

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FAULTS = 500
GRIDS = {"9 x 2": (9, 2), "5 x 4 x 3": (5, 4, 3), "6 x 5 x 2 x 2": (6, 5, 2, 2), "10 x 10": (10, 10)}

Fault = tuple[tuple[int, int], ...]  # pairs of axis and value, all of which a red cell has


def grid(sizes: Sequence[int]) -> list[Cell]:
    """Make the cells of a product; the first axis is python."""
    axes = [Axis(name="python", kind=AxisKind.PYTHON, values=tuple(f"3.{6 + n}" for n in range(sizes[0])))]
    for number, size in enumerate(sizes[1:]):
        values = tuple(f"{n + 1}.0" for n in range(size))
        axes.append(Axis(name=f"dep{chr(97 + number)}", kind=AxisKind.DEPENDENCY, values=values))
    cells = []
    for values in itertools.product(*(axis.values for axis in axes)):
        named = dict(zip((axis.name for axis in axes), values, strict=True))
        cells.append(Cell(id=cell_id(axes, named), axes=named))
    return cells


def newest(sizes: Sequence[int], chance: random.Random) -> Fault:
    """Break the newest value of one axis: a release that is not supported yet."""
    axis = chance.randrange(len(sizes))
    return ((axis, sizes[axis] - 1),)


def oldest(sizes: Sequence[int], chance: random.Random) -> Fault:
    """Break the oldest value of one axis: something new is used."""
    return ((chance.randrange(len(sizes)), 0),)


def corner(sizes: Sequence[int], chance: random.Random) -> Fault:
    """Break the newest of one axis together with an end of another."""
    first, second = chance.sample(range(len(sizes)), 2)
    return ((first, sizes[first] - 1), (second, chance.choice([0, sizes[second] - 1])))


def anywhere(sizes: Sequence[int], chance: random.Random) -> Fault:
    """Break any pair of values."""
    first, second = chance.sample(range(len(sizes)), 2)
    return ((first, chance.randrange(sizes[first])), (second, chance.randrange(sizes[second])))


KINDS: dict[str, Callable[[Sequence[int], random.Random], Fault]] = {
    "the newest of an axis": newest,
    "the oldest of an axis": oldest,
    "two ends together": corner,
    "any pair of values": anywhere,
}


def red(cells: Sequence[Cell], sizes: Sequence[int], fault: Fault) -> set[str]:
    """Give the ids of the cells that a fault breaks."""
    places = itertools.product(*(range(size) for size in sizes))
    return {cell.id for cell, place in zip(cells, places, strict=True) if all(place[axis] == n for axis, n in fault)}


def shown(order: Sequence[str], broken: set[str]) -> float:
    """Give the part of the grid that has finished when the first red cell has."""
    return (next(place for place, name in enumerate(order) if name in broken) + 1) / len(order)


def main() -> None:
    """Print the table."""
    print("| fault | grid | plain order | venvgrid, nothing known | red last time | its versions changed |")
    print("|---|---|---|---|---|---|")
    for kind, make in KINDS.items():
        for name, sizes in GRIDS.items():
            chance = random.Random(f"{kind} {name}")  # noqa: S311  (nothing secret: the same faults each time)
            cells = grid(sizes)
            plain = [cell.id for cell in cells]
            fresh = prioritisation.ranks(cells, {})
            first = sorted(plain, key=fresh.__getitem__)
            rows = []
            for _ in range(FAULTS):
                broken = red(cells, sizes, make(sizes, chance))
                rows.append((shown(plain, broken), shown(first, broken), *_with_history(cells, broken)))
            means = " | ".join(f"{statistics.mean(column):.0%}" for column in zip(*rows, strict=True))
            print(f"| {kind} | {name} | {means} |")


def _with_history(cells: Sequence[Cell], broken: set[str]) -> tuple[float, float]:
    """Give how early a break shows that was there last time, and one that came with other versions."""
    before = {"x": "1"}
    known = {
        cell.id: Earlier(run="r", outcome=Outcome.FAILED if cell.id in broken else Outcome.PASSED, packages=before)
        for cell in cells
    }
    last = prioritisation.ranks(cells, known)
    green = {cell.id: Earlier(run="r", outcome=Outcome.PASSED, packages=before) for cell in cells}
    order = prioritisation.order(cells, green)
    changed = {
        cell.id: order.of(cell.id, [Distribution(name="x", version="2" if cell.id in broken else "1")])
        for cell in cells
    }
    return shown(sorted(last, key=last.__getitem__), broken), shown(sorted(changed, key=changed.__getitem__), broken)


if __name__ == "__main__":
    main()
