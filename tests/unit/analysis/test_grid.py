"""Where each cell stands in the grid."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.analysis.grid import Grid, arrange, values


def _cells(**axes: list[str]) -> dict[str, dict[str, str]]:
    """Return the full product of axes, with ids."""
    combinations = itertools.product(*axes.values())
    return {"/".join(chosen): dict(zip(axes, chosen, strict=True)) for chosen in combinations}


def _arranged(cells: dict[str, dict[str, str]]) -> Grid:
    grid = arrange(cells)
    assert grid is not None
    return grid


def test_pythons_are_columns_and_the_other_axis_rows() -> None:
    """Also where python is the last axis."""
    for cells in (_cells(python=["3.9", "3.10"], numpy=["1", "2"]), _cells(numpy=["1", "2"], python=["3.9", "3.10"])):
        grid = _arranged(cells)
        assert (grid.column_axis, grid.columns, grid.row_axes) == ("python", ("3.9", "3.10"), ("numpy",))
        assert [row.labels for row in grid.rows] == [("1",), ("2",)]


def test_without_pythons_the_last_axis_that_varies_is_the_columns() -> None:
    """An axis of one value is fixed: it is no row and no column."""
    grid = _arranged(_cells(python=["3.9"], numpy=["1", "2"], pandas=["a", "b", "c"]))
    assert (grid.column_axis, grid.row_axes, grid.fixed) == ("pandas", ("numpy",), (("python", "3.9"),))


def test_with_three_axes_rows_are_combinations_of_the_others() -> None:
    """In the order of the axes' values."""
    grid = _arranged(_cells(python=["3.9", "3.10"], numpy=["1", "2"], mode=["x", "y"]))
    assert [row.labels for row in grid.rows] == [("1", "x"), ("1", "y"), ("2", "x"), ("2", "y")]


def test_one_axis_or_none_is_a_list() -> None:
    """A grid needs two axes that vary."""
    assert (arrange({}), arrange(_cells(python=["3.9"])), arrange(_cells(python=["3.9", "3.10"]))) == (None, None, None)


def test_a_plan_that_leaves_most_combinations_out_is_a_list() -> None:
    """A grid with one cell a row would be gaps."""
    cells = {str(n): {"python": f"3.{n}", "a": str(n), "b": str(n)} for n in range(6)}
    assert arrange(cells) is None


def test_cells_of_equal_values_are_a_list() -> None:
    """In a grid one would hide the other."""
    cells = _cells(python=["3.9", "3.10"], numpy=["1", "2"])
    assert arrange({**cells, "again": {"python": "3.9", "numpy": "1"}}) is None


def test_a_cell_that_an_include_adds_takes_its_place_among_the_versions() -> None:
    """Versions in no order are sorted as versions; those in falling order stay so."""
    axes = [{"python": version} for version in ("3.9", "3.10", "3.8")]
    assert values(axes) == {"python": ("3.8", "3.9", "3.10")}
    assert values([axes[1], axes[0], axes[2]]) == {"python": ("3.10", "3.9", "3.8")}
    assert values([{"python": version} for version in ("3.13t", "pypy3.10", "3.13")]) == {
        "python": ("3.13", "3.13t", "pypy3.10")
    }


def test_values_that_are_no_versions_keep_their_order() -> None:
    """As they stand in the configuration."""
    assert values([{"as-of": value} for value in ("today", "release", "2020-01-01", "today")]) == {
        "as-of": ("today", "release", "2020-01-01")
    }


@settings(deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({name: st.sampled_from(["1", "2", "3.9", "x", ""]) for name in ("python", "a", "b")}),
        max_size=20,
        unique_by=lambda axes: tuple(axes.values()),
    )
)
def test_every_cell_stands_in_its_own_row_and_column(found: list[dict[str, str]]) -> None:
    """No cell is lost, none is shown twice, and the labels beside and above are its values."""
    cells = {str(number): axes for number, axes in enumerate(found)}
    grid = arrange(cells)
    if grid is None:
        return
    placed = [(name, row, column) for row in grid.rows for name, column in zip(row.cells, grid.columns, strict=True)]
    assert sorted(cells) == sorted(name for name, _, _ in placed if name)
    for name, row, column in placed:
        if name:
            assert column == cells[name][grid.column_axis]
            assert row.labels == tuple(cells[name][axis] for axis in grid.row_axes)


def test_a_tall_grid_is_laid_out_wide() -> None:
    """With many rows, columns are the axis that leaves half of them at most; a few more columns are not worth it."""
    tens = [str(number) for number in range(10)]
    grid = _arranged(_cells(python=["3.11", "3.12"], a=tens, b=tens))
    assert (grid.column_axis, len(grid.columns), len(grid.rows), grid.row_axes) == ("a", 10, 20, ("python", "b"))
    grid = _arranged(_cells(python=[f"3.{minor}" for minor in range(8, 14)], a=tens, b=tens))
    assert (grid.column_axis, len(grid.rows)) == ("python", 100)
    grid = _arranged(_cells(python=["3.11", "3.12"], a=tens[:5], b=tens[:8]))
    assert grid.column_axis == "python"
