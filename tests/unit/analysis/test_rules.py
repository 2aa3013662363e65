"""The smallest rule that tells failing cells from others, and what is said of it."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import factories
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from venvgrid.analysis.rules.evidence import Evidence
from venvgrid.analysis.rules.wording import SURE, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from venvgrid.analysis.rules.conditions import Condition
    from venvgrid.analysis.rules.explanation import Explanation
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


def wide() -> list[CellResult]:
    """Make 24 cells of three axes."""
    return [
        factories.result(
            factories.cell(f"py{python}-numpy{numpy}-{mode}", {"python": python, "numpy": numpy, "env.MODE": mode}),
            packages={"numpy": f"{numpy}.1"},
        )
        for python, numpy, mode in itertools.product((*PYTHONS, "3.14"), NUMPYS, "ab")
    ]


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
        "about 71 % sure",
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


def test_two_axes_together_seen_twice() -> None:
    """A failure that was repeated is no flake: the rule is surer."""
    cells = [replace(cell, attempts=2) for cell in grid()]
    once, twice = (explain(made, lambda cell: cell.id == "py3.13-numpy1.26") for made in (grid(), cells))
    assert twice.rule == once.rule
    assert twice.confidence > once.confidence


@pytest.mark.parametrize("modes", ["a", "ab"])
def test_a_failure_of_one_cell_without_a_simple_rule_is_doubtful(modes: str) -> None:
    """A flake in a large grid looks like a rule of three conditions: it is run again before a rule is believed."""
    names = ("python", "six", "numpy", "env.MODE")
    cells = [
        factories.result(factories.cell("-".join(row), dict(zip(names, row, strict=True))), packages={})
        for row in itertools.product(PYTHONS, ("1.15", "1.16", "1.17"), NUMPYS, modes)
    ]
    found = explain(cells, lambda cell: cell.id == "3.10-1.16-2.0-a")
    assert found.is_doubtful
    assert "seen in one cell only: run it again before you believe a rule" in describe(found)
    assert bool(found.rule) == (modes == "a"), "four conditions are no rule"


def test_two_causes_are_told_with_or() -> None:
    """Either of two versions breaks the tests: both are named, with what each of them needs."""
    found = explain(wide(), lambda cell: cell.axes["numpy"] == "2.2" or cell.axes["python"] == "3.9")
    assert describe(found)[0] == "fails in 12 of 12 cells with Python ≤ 3.9, or numpy ≥ 2.2, in 0 of 12 without"
    assert found.is_exact


@pytest.mark.parametrize(
    ("odd", "support"),
    [
        ("py3.9-numpy1.26-a", "fails in 16 of 16 cells with numpy ≥ 2.0, in 1 of 8 without"),
        ("py3.9-numpy2.2-a", "fails in 15 of 16 cells with numpy ≥ 2.0, in 0 of 8 without"),
    ],
)
def test_one_odd_cell_hides_no_rule(odd: str, support: str) -> None:
    """A flaky failure, or a flaky pass: the rule is told, and the cell that it does not fit is named."""
    found = explain(wide(), lambda cell: (cell.axes["numpy"] >= "2") != (cell.id == odd))
    assert describe(found)[:2] == (support, f"does not fit {odd}: run it again")
    assert not found.is_exact


def test_a_rule_that_most_cells_meet_is_told_with_its_doubts() -> None:
    """What holds for most failing cells is told with odd cells and rivals; a pattern without a rule as none."""
    cells = grid()
    most = {"py3.9-numpy1.26", "py3.10-numpy1.26", "py3.9-numpy2.0", "py3.13-numpy2.0"}
    support, odd, sure, *_ = describe(explain(cells, lambda cell: cell.id in most))
    assert support == "fails in 4 of 6 cells with numpy ≤ 2.0, in 0 of 3 without"
    assert odd == "does not fit py3.10-numpy2.0, py3.13-numpy1.26: run them again"
    assert re.match(r"about \d+ % sure; or ", sure)
    diagonal = {"py3.9-numpy1.26", "py3.10-numpy2.0", "py3.13-numpy2.2"}
    assert describe(explain(cells, lambda cell: cell.id in diagonal)) == (
        "no rule over axes and resolved versions tells 3 cells from the 6 without it",
    )


def test_what_coincides_only_in_the_cells_that_ran_makes_a_rule_less_sure() -> None:
    """In a full grid two rules for the same cells are one; in a part of it they may differ elsewhere."""
    packages = {cell.id: {**cell.packages, "six": f"1.{cell.axes['numpy'][0]}"} for cell in grid()}
    cells = grid(packages)
    full = explain(cells, lambda cell: cell.axes["numpy"] != "1.26")
    part = explain(cells[1:], lambda cell: cell.axes["numpy"] != "1.26")
    assert full.confidence > SURE > part.confidence
    assert full.rule[0].text == part.rule[0].text == "numpy ≥ 2.0"


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
    """Law: the failing cells and those that meet the rule differ by its odd cells; alternatives hold for the same."""
    cells = grid()
    failing = {cells[number].id for number in numbers}
    found = explain(cells, lambda cell: cell.id in failing)
    if not found.rule:
        return

    def meeting(rules: Sequence[Sequence[Condition]]) -> set[str]:
        return {
            cell.id
            for number, cell in enumerate(cells)
            if any(all(item.cells >> number & 1 for item in rule) for rule in rules)
        }

    assert meeting(found.rules) ^ failing == set(found.odd)
    assert all(meeting([rule]) == meeting(found.rules) for rule in found.alternatives)
    assert len(failing) == found.failed + found.outside
    assert found.meeting + found.others == len(cells)
    assert 0 < found.confidence + sum(rival.chance for rival in found.rivals) <= 1.0001


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
    assert (len(found.rule) == 1 and not found.either and found.is_exact) == (failing in single)


def test_the_cell_that_tells_rules_apart_is_named() -> None:
    """Python 3.13 and numpy 2.2 always came together: the cell with just one of them decides; a full grid has none."""
    part = [cell for cell in grid() if (cell.axes["python"] == "3.13") == (cell.axes["numpy"] == "2.2")]
    found = explain(part, lambda cell: cell.axes["python"] == "3.13")
    (axes,) = {tuple(found.apart.values())}
    assert (axes[0] == "3.13") != (axes[1] == "2.2")
    assert f"one more cell would tell most: python {axes[0]}, numpy {axes[1]}" in describe(found)
    assert not explain(grid(), lambda cell: cell.axes["python"] == "3.13").apart


# words of versions


def six_grid(values: Sequence[str], resolved: Sequence[str]) -> list[CellResult]:
    """Make a cell for each value of an axis "six", with the version that it resolved to, or none."""
    return [
        factories.result(
            factories.cell(f"c{number}", {"python": "3.9", "six": value}),
            packages={"six": version} if version else {},
        )
        for number, (value, version) in enumerate(zip(values, resolved, strict=True))
    ]


def test_specifiers_and_words_have_no_bounds() -> None:
    """The bound is on the version that they resolved to; "absent" is no version."""
    cells = six_grid(("<1.16", "1.16", "latest", "absent"), ("1.15.0", "1.16.0", "1.17.0", ""))
    assert describe(explain(cells[:3], lambda cell: cell.id == "c0")) == (
        "fails in 1 of 1 cell with six ≤ 1.15.0, in 0 of 2 without",
        "next tried: six 1.16.0",
    )
    assert describe(explain(cells, lambda cell: cell.id == "c3"))[0].endswith(
        "with six not installed, in 0 of 3 without"
    )
    assert describe(explain(cells, lambda cell: cell.id in {"c1", "c2"}))[0].endswith("six ≥ 1.16.0, in 0 of 2 without")


def test_pypy_is_ordered_by_its_release() -> None:
    """It is a Python 3.10; a path is ordered by the interpreter that is there."""
    pythons = ("3.9", "3.10", "pypy3.10", "3.13", "3.13t")
    cells = [factories.result(factories.cell(name, {"python": name}), packages={}) for name in pythons]
    found = explain(cells, lambda cell: cell.id != "3.9")
    assert describe(found)[0] == "fails in 4 of 4 cells with Python ≥ 3.10, in 0 of 1 without"
    with_path = [*cells, factories.result(factories.cell("p", {"python": "/opt/bin/python"}), packages={})]
    found = explain(with_path, lambda cell: cell.id == "p")
    assert describe(found)[0] == "fails in 1 of 1 cell with Python /opt/bin/python, in 0 of 5 without"
    found = explain(with_path, lambda cell: cell.id in {"p", "3.13", "3.13t"})
    assert describe(found)[0] == "fails in 3 of 3 cells with Python ≥ 3.12, in 0 of 3 without"


values = st.one_of(
    st.sampled_from(
        ["absent", "latest", "<1.16", ">=1,<2", "1.16", "2.0", "1.0.post1", "lowest", "main", "!=3", "2004d"]
    ),
    st.from_regex(r"\d{1,2}\.\d{1,2}", fullmatch=True),
)
versions = st.sampled_from(["", "1.15.0", "1.16", "2.0", "1!3", "2004d", "1.0+cpu"])
ORDERED = re.compile(r"(\S+) [≥≤] (.+)")


@given(st.lists(st.tuples(values, versions, st.booleans()), min_size=2, max_size=7))
def test_no_operator_is_printed_on_a_value_without_an_order(drawn: list[tuple[str, str, bool]]) -> None:
    """Law: what stands behind ≥ or ≤ is a version, and a cell meets the bound if and only if its version does."""
    cells = six_grid([value for value, _, _ in drawn], [version for _, version, _ in drawn])
    found = explain(cells, lambda cell: drawn[int(cell.id[1:])][2])
    for condition in itertools.chain(found.rule, *found.alternatives):
        match = ORDERED.fullmatch(condition.text)
        assert bool(match) == any(sign in condition.text for sign in "≥≤")
        if match:
            bound = Version(match[2])
            for number, (value, version, _) in enumerate(drawn):
                own = [Version(item) for item in {value, version} if item and is_version(item)]
                meets = bool(condition.cells >> number & 1)
                assert not meets or any(item >= bound if "≥" in condition.text else item <= bound for item in own)


def is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


# the guilty


def flask_grid() -> list[CellResult]:
    """Make three cells in which pytest, plugins and much else change with the Python."""
    old = {"pytest": "8.4.2", "pytest-xdist": "3.6", "click": "8.1", "asgiref": "3.8", "pluggy": "1.5", "tomli": "2.0"}
    new = {"pytest": "9.0", "pytest-xdist": "3.8", "click": "8.3", "asgiref": "3.9", "pluggy": "1.6", "zipp": "3.1"}
    return [
        factories.result(factories.cell(f"py{python}", {"python": python}), packages=dict(packages))
        for python, packages in (("3.8", old), ("3.9", old), ("3.12", new))
    ]


def test_the_exception_names_the_guilty() -> None:
    """Of rules that fit alike, the one about the distribution that the exception names."""
    cells = flask_grid()
    found = Evidence(cells).explain(["py3.12"], ["py3.8", "py3.9"], ["pytest"])
    others = "pytest-xdist ≥ 3.8; Python ≥ 3.12; asgiref ≥ 3.9; click ≥ 8.3"
    assert describe(found) == (
        "fails in 1 of 1 cell with pytest ≥ 9.0, in 0 of 2 without",
        "the error or its traceback names pytest",
        "next tried: pytest 8.4.2",
        f"fits as well: pluggy ≥ 1.6; {others} and 2 more in results.json",
    )


def test_pytest_and_its_plugins_are_never_hidden() -> None:
    """Even where nothing is blamed, and many others fit: they come first, and every alternative is kept."""
    cells = flask_grid()
    found = Evidence(cells).explain(["py3.12"], ["py3.8", "py3.9"])
    assert found.rule[0].text == "Python ≥ 3.12"
    assert describe(found)[-1].startswith("fits as well: pluggy ≥ 1.6; pytest ≥ 9.0; pytest-xdist ≥ 3.8; ")
    assert (len(found.alternatives), found.more) == (7, 0)


@given(st.permutations(["pytest", "click", "asgiref"]), bits)
def test_blame_changes_the_order_and_nothing_else(through: list[str], numbers: set[int]) -> None:
    """Law: with and without blame, the rule has the same size and support, and the same rules fit."""
    cells = flask_grid()
    bad = [cell.id for number, cell in enumerate(cells) if number in numbers] or ["py3.12"]
    good = [cell.id for cell in cells if cell.id not in bad]
    one, other = Evidence(cells).explain(bad, good), Evidence(cells).explain(bad, good, through)
    assert (len(one.rule), one.failed, one.meeting, one.others) == (
        len(other.rule),
        other.failed,
        other.meeting,
        other.others,
    )
    if len(one.rule) == 1 and one.is_exact:
        assert {item.subject for item in (*one.rule, *itertools.chain(*one.alternatives))} == {
            item.subject for item in (*other.rule, *itertools.chain(*other.alternatives))
        }
