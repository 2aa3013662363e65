"""Which cells go first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import factories
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis import prioritisation
from venvgrid.analysis.prioritisation import ranks
from venvgrid.model import Distribution, Outcome
from venvgrid.results.report import Earlier

if TYPE_CHECKING:
    from venvgrid.model import Cell

PYTHONS = ("3.9", "3.10", "3.11", "3.12")
NUMPYS = ("1.26", "2.0", "2.2")


def grid() -> list[Cell]:
    """Make twelve cells."""
    return [
        factories.cell(f"py{python}-numpy{numpy}", {"python": python, "numpy": numpy})
        for python in PYTHONS
        for numpy in NUMPYS
    ]


def order(last: dict[str, Earlier]) -> list[str]:
    """Give the ids in the order in which they go."""
    places = ranks(grid(), last)
    return sorted(places, key=places.__getitem__)


def green(seconds: float = 1.0) -> dict[str, Earlier]:
    """Say that every cell passed."""
    return {cell.id: Earlier(run="r", outcome=Outcome.PASSED, seconds=seconds) for cell in grid()}


def test_the_newest_and_the_oldest_corner_first() -> None:
    """Where nothing is known, a break at either end of the versions shows at once."""
    assert order({})[:2] == ["py3.12-numpy2.2", "py3.9-numpy1.26"]


def test_every_value_comes_early() -> None:
    """After as many cells as the longest axis has values, each value of every axis was there."""
    first = order({})[: len(PYTHONS)]
    assert {name.split("-")[0] for name in first} == {f"py{python}" for python in PYTHONS}
    assert {name.split("-numpy")[1] for name in first} == set(NUMPYS)


def test_red_before_unknown_before_green() -> None:
    """What was red last goes first, then what nobody knows yet."""
    last = green()
    last["py3.10-numpy2.0"] = Earlier(run="r", outcome=Outcome.FAILED)
    del last["py3.11-numpy2.2"]
    assert order(last)[:2] == ["py3.10-numpy2.0", "py3.11-numpy2.2"]


def test_a_cell_that_takes_long_is_not_left_for_the_end() -> None:
    """Of those that passed, the one that takes much longer than the others goes first."""
    last = green()
    last["py3.10-numpy2.0"] = Earlier(run="r", outcome=Outcome.PASSED, seconds=60.0)
    assert order(last)[0] == "py3.10-numpy2.0"


def test_a_cell_with_other_versions_than_last_time_goes_before_what_has_not_changed() -> None:
    """Which versions a cell has shows when it is resolved; what was red stays before it."""
    last = {
        cell.id: Earlier(run="r", outcome=Outcome.PASSED, seconds=1.0, packages={"numpy": "2.0.1"}) for cell in grid()
    }
    last["py3.10-numpy2.0"] = Earlier(run="r", outcome=Outcome.FAILED, packages={"numpy": "2.0.1"})
    made = prioritisation.order(grid(), last)
    places = {
        cell.id: made.of(
            cell.id,
            [
                Distribution(
                    name="numpy", version="2.0.2" if cell.id in {"py3.10-numpy2.0", "py3.11-numpy2.0"} else "2.0.1"
                )
            ],
        )
        for cell in grid()
    }
    assert sorted(places, key=places.__getitem__)[:2] == ["py3.10-numpy2.0", "py3.11-numpy2.0"]
    assert made.of("py3.11-numpy2.0", [Distribution(name="numpy", version="2.0.1")]) == made.places["py3.11-numpy2.0"]


@given(st.dictionaries(st.sampled_from([cell.id for cell in grid()]), st.sampled_from(Outcome)))
def test_every_cell_has_its_place(outcomes: dict[str, Outcome]) -> None:
    """Law: no cell is lost, no place is given twice."""
    places = ranks(grid(), {name: Earlier(run="r", outcome=outcome) for name, outcome in outcomes.items()})
    assert sorted(places) == sorted(cell.id for cell in grid())
    assert len(set(places.values())) == len(grid())
