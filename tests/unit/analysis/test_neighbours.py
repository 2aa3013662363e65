"""The nearest green cell of a red one."""

from __future__ import annotations

import factories
from hypothesis import given
from hypothesis import strategies as st

from venvgrid import testing
from venvgrid.analysis.neighbours import Neighbours, Row
from venvgrid.model import CellResult, Outcome


def made(python: str, six: str, outcome: Outcome = Outcome.PASSED, **packages: str) -> CellResult:
    cell = factories.cell(f"py{python}-six{six}", {"python": python, "six": six})
    interpreter = testing.interpreter(f"{python}.1")
    return factories.result(cell, outcome, packages={"six": f"{six}.0", **packages}, interpreter=interpreter)


def test_fewest_packages_come_first() -> None:
    """A cell with the same packages on another Python is nearer than one with an older set of everything."""
    red = made("3.13", "1.16", Outcome.FAILED, pytest="9", pluggy="2")
    old = made("3.8", "1.16", pytest="8", pluggy="1")
    near = made("3.12", "1.16", pytest="9", pluggy="2")
    found = Neighbours([old, red, near]).closest([red.id], [old.id, near.id])
    assert found is not None
    cell, neighbour = found
    assert (cell, neighbour.cell, neighbour.equal) == (red.id, near.id, 3)
    assert neighbour.rows == (Row(name="python", here="3.13.1", there="3.12.1"),)


def test_the_nearest_value_of_an_axis_breaks_a_tie() -> None:
    """Of two cells with equal packages, the one with the next Python is nearer."""
    red, next_to, far = made("3.12", "1.16", Outcome.FAILED), made("3.11", "1.16"), made("3.8", "1.16")
    found = Neighbours([far, next_to, red]).closest([red.id], [far.id, next_to.id])
    assert found is not None
    assert found[1].cell == next_to.id


def test_a_green_cell_wins_a_tie() -> None:
    """Of two cells that differ equally, a green one is shown."""
    red, other, green = made("3.10", "1.16", Outcome.FAILED), made("3.9", "1.16", Outcome.FAILED), made("3.11", "1.16")
    found = Neighbours([other, red, green]).closest([red.id], [other.id, green.id])
    assert found is not None
    assert found[1].cell == green.id


def test_exact_versions_of_an_axis_and_missing_packages() -> None:
    """An axis package is one row with its exact versions; a package that is not installed is empty."""
    red, green = made("3.12", "1.16", Outcome.FAILED), made("3.12", "1.17", tomli="2.0")
    found = Neighbours([red, green]).closest([red.id], [green.id])
    assert found is not None
    assert found[1].rows == (Row(name="six", here="1.16.0", there="1.17.0"), Row(name="tomli", here="", there="2.0"))


def test_without_others() -> None:
    """Where no cell is green, there is no neighbour."""
    red = made("3.12", "1.16", Outcome.FAILED)
    assert Neighbours([red]).closest([red.id], []) is None


versions = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("12"), min_size=1)


@given(versions, st.lists(versions, min_size=1, max_size=6))
def test_no_other_differs_in_fewer_packages(red: dict[str, str], others: list[dict[str, str]]) -> None:
    """Law: no other cell has fewer different packages, and the rows are exactly these differences."""
    cells = [
        factories.result(factories.cell(f"c{number}", {"python": "3.12"}), packages=packages)
        for number, packages in enumerate([red, *others])
    ]
    found = Neighbours(cells).closest(["c0"], [cell.id for cell in cells[1:]])
    assert found is not None
    differing = [{name for name in {*red, *other} if red.get(name) != other.get(name)} for other in others]
    assert len(found[1].rows) == min(map(len, differing))
    assert {row.name for row in found[1].rows} in differing
