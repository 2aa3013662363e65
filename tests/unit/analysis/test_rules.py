"""The smallest rule that tells failing cells from others, and what is said of it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import factories
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis.rules import Evidence, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.analysis.rules import Explanation
    from venvgrid.model import CellResult

PYTHONS = ("3.9", "3.10", "3.13")
NUMPYS = ("1.26", "2.0", "2.2")


def grid(packages: Mapping[str, Mapping[str, str]] | None = None) -> list[CellResult]:
    """Make nine cells; `packages` maps ids to what is installed."""
    cells = []
    for python, numpy in itertools.product(PYTHONS, NUMPYS):
        name = f"py{python}-numpy{numpy}"
        installed = (packages or {}).get(name, {"numpy": f"{numpy}.1"})
        cells.append(
            factories.result(factories.cell(name, {"python": python, "numpy": numpy}), packages=dict(installed))
        )
    return cells


def explain(cells: list[CellResult], fails: Callable[[CellResult], bool]) -> Explanation:
    """Explain the failure of the cells that a function names."""
    bad = [cell.id for cell in cells if fails(cell)]
    return Evidence(cells).explain(bad, [cell.id for cell in cells if cell.id not in bad])


def test_one_axis() -> None:
    """A break in a version is told as a bound, with the numbers that it rests on and the nearest version tried."""
    found = explain(grid(), lambda cell: cell.axes["numpy"] != "1.26")
    assert describe(found) == ("fails in 6 of 6 cells with numpy ≥ 2.0, in 0 of 3 without", "next tried: numpy 1.26")


def test_versions_are_ordered_as_versions() -> None:
    """3.9 comes before 3.10."""
    found = explain(grid(), lambda cell: cell.axes["python"] == "3.9")
    assert describe(found)[0] == "fails in 3 of 3 cells with Python ≤ 3.9, in 0 of 6 without"


def test_a_version_in_the_middle() -> None:
    """What fails with one version alone, neither older nor newer ones, is said so."""
    found = explain(grid(), lambda cell: cell.axes["numpy"] == "2.0")
    assert describe(found) == ("fails in 3 of 3 cells with numpy 2.0, in 0 of 6 without",)


def test_two_axes_together() -> None:
    """A break that needs two versions at once names both."""
    found = explain(grid(), lambda cell: cell.id == "py3.13-numpy1.26")
    assert describe(found) == (
        "fails in 1 of 1 cell with Python ≥ 3.13 and numpy ≤ 1.26, in 0 of 8 without",
        "next tried: Python 3.10, numpy 2.0",
    )


def test_a_resolved_version_that_is_no_axis() -> None:
    """A package that nobody asked for explains what the axes do not."""
    packages = {
        cell.id: {"numpy": cell.packages["numpy"], "six": "1.17" if number % 2 else "1.16"}
        for number, cell in enumerate(grid())
    }
    cells = grid(packages)
    found = explain(cells, lambda cell: cell.packages["six"] == "1.17")
    assert describe(found)[0] == "fails in 4 of 4 cells with six ≥ 1.17, in 0 of 5 without"


def test_what_cannot_be_told_apart_is_said() -> None:
    """Two things that change together are both named: the data does not say which it is."""
    packages = {
        cell.id: {"numpy": cell.packages["numpy"], **({"tomli": "2.0"} if cell.axes["python"] == "3.9" else {})}
        for cell in grid()
    }
    found = explain(grid(packages), lambda cell: cell.axes["python"] == "3.9")
    assert describe(found)[-1] == "fits as well: tomli installed"


def test_an_inexact_rule_is_no_rule() -> None:
    """What holds for most cells that fail is told as such; a pattern without a rule is told as none."""
    cells = grid()
    most = {"py3.9-numpy1.26", "py3.10-numpy1.26", "py3.9-numpy2.0", "py3.13-numpy2.0"}
    found = explain(cells, lambda cell: cell.id in most)
    (line,) = describe(found)
    assert line.startswith("fails in 4 of 6 cells with numpy ≤ 2.0, in 0 of 3 without; no rule")
    diagonal = {"py3.9-numpy1.26", "py3.10-numpy2.0", "py3.13-numpy2.2"}
    assert describe(explain(cells, lambda cell: cell.id in diagonal)) == (
        "no rule over axes and resolved versions tells 3 cells from the 6 without it",
    )


def test_nothing_to_compare_with() -> None:
    """Where every cell fails there is no rule, and where there is one cell nothing is said."""
    assert describe(explain(grid(), lambda _cell: True)) == ("fails in every cell that ran it (9)",)
    assert describe(explain(grid()[:1], lambda _cell: True)) == ()


def test_only_cells_that_say_something_count() -> None:
    """A cell that neither failed so nor passed is no support."""
    cells = grid()
    found = Evidence(cells).explain(["py3.13-numpy2.2"], ["py3.9-numpy2.2"])
    assert describe(found)[0] == "fails in 1 of 1 cell with Python ≥ 3.13, in 0 of 1 without"


bits = st.sets(st.integers(0, 8), min_size=1, max_size=8)


@given(bits)
def test_a_rule_holds(numbers: set[int]) -> None:
    """Law: an exact rule is met by every failing cell and by no other, and an inexact one by every failing cell."""
    cells = grid()
    failing = {cells[number].id for number in numbers}
    found = explain(cells, lambda cell: cell.id in failing)
    for rule in (found.rule, *found.alternatives):
        meeting = {cell.id for number, cell in enumerate(cells) if all(item.cells >> number & 1 for item in rule)}
        assert failing <= meeting
        assert not found.is_exact or failing == meeting
    if found.rule:
        assert found.failed == len(failing)
        assert found.meeting + found.others == len(cells)


@given(bits)
def test_no_smaller_rule_holds(numbers: set[int]) -> None:
    """Law: where a rule of two is told, no single value, bound or exception would do."""
    cells = grid()
    failing = {cells[number].id for number in numbers}
    found = explain(cells, lambda cell: cell.id in failing)
    single = [
        {cell.id for cell in cells if test(cell.axes[axis], value)}
        for axis, values in (("python", PYTHONS), ("numpy", NUMPYS))
        for value in values
        for test in (
            lambda own, other: own == other,
            lambda own, other: own != other,
            lambda own, other: tuple(map(int, own.split("."))) >= tuple(map(int, other.split("."))),
            lambda own, other: tuple(map(int, own.split("."))) <= tuple(map(int, other.split("."))),
        )
    ]
    assert (len(found.rule) == 1 and found.is_exact) == (failing in single)
