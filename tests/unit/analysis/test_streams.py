"""The order of the cells of a product, which are not compared with each other."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis import prioritisation
from venvgrid.analysis.prioritisation import Order, Stream
from venvgrid.model import Cell, Mark, Outcome, Product, ProductAxis, Status
from venvgrid.results.report import Earlier

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("python", "env.A", "numpy", "env.B")


def product(*sizes: int, marks: tuple[Mark, ...] = (), names: Sequence[str] = NAMES) -> Product:
    axes = tuple(
        ProductAxis(
            name=name,
            values=tuple(map(str, range(size))),
            parts=tuple(f"{name.removeprefix('env.')}{number}" for number in range(size)),
        )
        for name, size in zip(names, sizes, strict=False)
    )
    return Product(axes=axes, order=tuple(range(len(axes))), marks=marks)


def ids(groups: list[list[Cell]]) -> list[str]:
    return [cell.id for group in groups for cell in group]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
def test_each_cell_that_is_to_run_comes_once(sizes: list[int], data: st.DataObject) -> None:
    """Law: whatever is known of earlier runs, each cell that is not excluded comes once, with all of its group."""
    excluded = data.draw(st.lists(st.sampled_from(["0", "1", "2"]), max_size=2))
    cells = product(*sizes, marks=(Mark(values={"python": tuple(excluded)}, status=Status.EXCLUDED),))
    known = [item.cell.id for item in cells]
    some = st.lists(st.sampled_from([*known, "of-no-cell"]), unique=True)
    order = Order(early=tuple(data.draw(some)), late=tuple(data.draw(some)))
    stream = Stream(cells, order, frozenset(data.draw(some)))
    recorded, others = list(stream.recorded()), list(stream.others())
    assert sorted(ids([*recorded, *others])) == sorted(i.cell.id for i in cells if i.status is Status.RUNNABLE)
    versions = [{cell.versions for cell in group} for group in (*recorded, *others) if group]
    assert all(len(of) == 1 for of in versions)
    assert len({next(iter(of)) for of in versions}) == len(versions)


def test_red_before_unknown_before_green_and_recorded_apart() -> None:
    """What was red goes first, what passed last and the longest of it first; what is recorded is not among them."""
    cells = product(3, 1, 3)
    first, second, third, recorded = (cells[place].cell.id for place in (4, 2, 6, 8))
    last = {
        second: Earlier(run="r", outcome=Outcome.PASSED, seconds=1.0),
        third: Earlier(run="r", outcome=Outcome.PASSED, seconds=9.0),
        first: Earlier(run="r", outcome=Outcome.FAILED),
    }
    stream = Stream(cells, prioritisation.order(cells, last).after([cells[5].cell.id]), {recorded})
    found = ids(list(stream.others()))
    assert (found[:2], found[-2:]) == ([cells[5].cell.id, first], [third, second])
    assert ids(list(stream.recorded())) == [recorded]


def test_the_ends_first_and_then_all_values_soon() -> None:
    """The newest and the oldest cell go first. Each value comes in 1 %, each pair in a quarter of the cells."""
    found = list(Stream(product(4, 50, 50, names=("python", "numpy", "six")), Order()).others())
    assert [[*group[0].axes.values()] for group in found[:2]] == [["3", "49", "49"], ["0", "0", "0"]]
    values = {item for group in found[:100] for item in group[0].axes.items()}
    pairs = {pair for group in found[:2600] for pair in itertools.combinations(group[0].axes.items(), 2)}
    assert (len(values), len(pairs)) == (4 + 50 + 50, 2 * 4 * 50 + 50 * 50)
