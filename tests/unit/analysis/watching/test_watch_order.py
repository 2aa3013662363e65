"""Which cells go first after an edit, and how the grid stands."""

from __future__ import annotations

import factories
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis.findings import Analysis
from venvgrid.analysis.prioritisation import Order
from venvgrid.analysis.watching import order
from venvgrid.analysis.watching.standing import Standing
from venvgrid.model import Cell, Outcome

GRID = [
    Cell(id=f"py{python}-six{six}", axes={"python": python, "six": six})
    for six in ("1.15", "1.16")
    for python in ("3.11", "3.12", "3.13")
]


def test_red_then_the_canary_then_both_sides() -> None:
    """Red cells go first, then the newest of everything that is not red, then the sides of rules, each once."""
    chosen = order.first(GRID, ["py3.11-six1.15", "gone"], [("py3.11-six1.15", "py3.12-six1.15")])
    assert chosen == ("py3.11-six1.15", "py3.13-six1.16", "py3.12-six1.15")


def test_the_canary_is_not_red() -> None:
    """If the newest cell is red, the next newest is the canary."""
    assert order.first(GRID, ["py3.13-six1.16"], [])[1] in {"py3.12-six1.16", "py3.13-six1.15"}


def test_nothing_is_known_of_no_cells() -> None:
    """A grid without cells has no first one."""
    assert order.first([], ["a"], [("a", "b")]) == ()


@given(st.lists(st.sampled_from([cell.id for cell in GRID])), st.lists(st.sampled_from([cell.id for cell in GRID])))
def test_it_orders_and_leaves_nothing_out(red: list[str], others: list[str]) -> None:
    """Every cell keeps a place of its own, and those that go first are before all others."""
    first = order.first(GRID, red, [(name, name) for name in others])
    places = Order(places={cell.id: float(place) for place, cell in enumerate(GRID)}).after(first).places
    assert len(set(places.values())) == len(places) == len(GRID)
    assert sorted(places, key=places.__getitem__)[: len(first)] == list(first)


def test_both_sides_of_a_rule() -> None:
    """A failure has a cell in which it is seen, and the one most like it that passed."""
    (pair,) = order.sides(Analysis(factories.matplotlib_grid()))
    inside, outside = (next(cell for cell in factories.matplotlib_grid().cells if cell.id == name) for name in pair)
    assert inside.outcome.is_red
    assert outside.outcome.is_green
    assert sum(inside.axes[name] != outside.axes[name] for name in inside.axes) == 1


def test_the_standing_counts_what_is_of_the_newest_state() -> None:
    """After an edit all is stale; each result makes its cell fresh; a stopped cell stays stale."""
    standing = Standing().planned(["a", "b", "c", "d"])
    for name, outcome in {"a": Outcome.PASSED, "b": Outcome.FAILED, "c": Outcome.IMPOSSIBLE}.items():
        standing = standing.finished(factories.result(name, outcome))
    assert standing.line() == "green in 1 of 3, red in 1, 1 stale"
    edited = standing.edited().finished(factories.result("b", Outcome.CANCELLED))
    assert edited.line() == "green in 0 of 3, 3 stale"
    assert edited.red == ("b",)


def test_a_part_of_the_grid_keeps_the_rest() -> None:
    """A round of some cells forgets nothing of the others; a round of all forgets what is no longer there."""
    standing = Standing().planned(["a", "b"]).finished(factories.result("a", Outcome.PASSED))
    assert standing.planned(["b"], is_part=True).line() == "green in 1 of 2, 1 stale"
    assert standing.planned(["b"]).line() == "green in 0 of 1, 1 stale"


def test_a_preview_is_marked() -> None:
    """A warm result counts, and is told as one until the cold one comes."""
    warm = Standing().planned(["a"]).previewed("a", Outcome.PASSED)
    assert warm.line() == "green in 1 of 1, 1 warm"
    assert warm.finished(factories.result("a", Outcome.PASSED)).line() == "green in 1 of 1"
