"""Sets of cells as ranges of axes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis import ranges

PYTHONS = ("3.9", "3.10", "3.11", "3.12")
NUMPYS = ("1.26", "2.0", "2.1")
CELLS = {f"py{a}-numpy{b}": {"python": a, "numpy": b, "os": "x"} for a in PYTHONS for b in NUMPYS}


def of(*pairs: str) -> list[str]:
    """Return the ids of cells: "3.9 2.0" for a Python and a numpy, "3.9 *" for all numpys."""
    wanted = [pair.split() for pair in pairs]
    return [
        name
        for name, axes in CELLS.items()
        if any(python in {axes["python"], "*"} and numpy in {axes["numpy"], "*"} for python, numpy in wanted)
    ]


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        (of("* *"), "every cell"),
        (of("3.12 *"), "python 3.12"),
        (of("3.10 *", "3.11 *", "3.12 *"), "python 3.10..3.12"),
        (of("3.9 *", "3.10 *"), "python 3.9, 3.10"),
        (of("3.9 *", "3.12 *"), "python 3.9, 3.12"),
        (of("3.9 2.0"), "python 3.9, numpy 2.0"),
        (of("3.9 2.0", "3.10 2.0", "3.9 2.1", "3.10 2.1"), "python 3.9, 3.10, numpy 2.0, 2.1"),
        (of("* 2.0"), "numpy 2.0"),
        (of("3.12 *", "3.9 2.0"), "python 3.12; python 3.9, numpy 2.0"),
        (of("3.9 1.26", "3.10 2.0", "3.11 2.1", "3.12 1.26"), "python 3.9, 3.12, numpy 1.26; python 3.10, numpy 2.0"),
    ],
)
def test_cells_are_folded_into_ranges(chosen: list[str], text: str) -> None:
    """An axis of which all values are chosen is not named; three or more values in sequence are a range."""
    assert ranges.described(chosen, CELLS).startswith(text)


def test_many_boxes_are_counted() -> None:
    """After three boxes only the number of cells is told."""
    diagonal = {f"{a}{b}": {"x": str(a), "y": str(b)} for a in range(6) for b in range(6)}
    text = ranges.described([f"{n}{n}" for n in range(6)], diagonal)
    assert text == "x 0, y 0; x 1, y 1; x 2, y 2; and 3 more"


def test_one_axis_and_one_cell() -> None:
    """Cells of one axis are its values; a run of one cell names it."""
    assert ranges.described(["a"], {"a": {"python": "3.9"}, "b": {"python": "3.10"}}) == "python 3.9"
    assert ranges.described(["a"], {"a": {"python": "3.9"}}) == "a"


@given(st.sets(st.sampled_from(list(itertools.product("abc", "12", "xyz")))))
def test_boxes_hold_exactly_what_was_picked(picked: set[tuple[str, ...]]) -> None:
    """For all sets of cells: the boxes are disjoint, and their cells are the set."""
    varying = {"one": "abc", "two": "12", "three": "xyz"}
    found = ranges.boxes([dict(zip(varying, item, strict=True)) for item in sorted(picked)], varying)
    inside = [item for box in found for item in itertools.product(*(box[name] for name in varying))]
    assert len(inside) == len(set(inside))
    assert set(inside) == picked
