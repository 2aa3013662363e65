"""Places of cells in the page: its grid, and the small pictures of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import factories
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.reporters.documents import html_shape

if TYPE_CHECKING:
    from venvgrid.model import CellResult


def cells(*axes: dict[str, str]) -> list[CellResult]:
    return [factories.result(factories.cell(f"c{number}", of_cell)) for number, of_cell in enumerate(axes)]


def test_one_axis_is_one_row() -> None:
    """Pythons alone stand beside each other, in their order."""
    grid = html_shape.layout(cells({"python": "3.10"}, {"python": "3.8"}, {"python": "3.9"}))
    assert grid is not None
    assert grid.columns == ("3.8", "3.9", "3.10")
    assert [row.cells for row in grid.rows] == [("c1", "c2", "c0")]


def test_a_cell_that_lacks_an_axis_has_a_row() -> None:
    """An axis that some cells lack is one more axis, with an empty value."""
    grid = html_shape.layout(
        cells(*({"python": python, **more} for python in ("3.8", "3.9") for more in ({}, {"django": "5.1"})))
    )
    assert grid is not None
    assert [(row.labels, row.cells) for row in grid.rows] == [(("",), ("c0", "c2")), (("5.1",), ("c1", "c3"))]


def test_few_cells_of_many_axes_are_a_list() -> None:
    """Where most places would be empty, there is no grid, and pictures have rows that are filled."""
    chosen = cells(*({"python": f"3.{n}", "aa": f"{n}", "bb": f"{n * 3 % 7}"} for n in range(8)))
    assert html_shape.layout(chosen) is None
    shape = html_shape.shape(chosen, None)
    assert (shape.columns, shape.rows) == (4, 2)


def test_values_of_an_axis_in_a_few_words() -> None:
    """Few values are named; of many, the first and the last."""
    assert html_shape.span(["fast", ""]) == "fast, (empty)"
    assert html_shape.span(["3.8", "3.9", "3.10", "3.11", "3.12"]) == "3.8 to 3.12 (5 values)"


axes = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(["", "1.0", "2.0", "x"]) for name in ("python", "numpy", "env.A", "extras")}
)


@given(st.lists(axes, min_size=1, max_size=30), st.sets(st.integers(0, 29)), st.sets(st.integers(0, 29)))
def test_every_cell_has_a_place_of_its_own(of_cells: list[dict[str, str]], dark: set[int], ran: set[int]) -> None:
    """Law: whatever the axes, no two cells share a place, all lie inside, and a picture draws each cell once."""
    made = cells(*of_cells)
    shape = html_shape.shape(made, html_shape.layout(made))
    assert set(shape.places) == {cell.id for cell in made}
    assert len(set(shape.places.values())) == len(made)
    assert all(0 <= x < shape.columns and 0 <= y < shape.rows for x, y in shape.places.values())
    drawn = html_shape.picture(shape, {f"c{number}" for number in dark}, {f"c{number}" for number in ran})
    squares = [len(re.findall("M", path)) for path in (drawn.dark, drawn.pale, drawn.dots)]
    assert sum(squares) == len(made)
    assert squares[0] == len([cell for cell in made if int(cell.id[1:]) in dark])
