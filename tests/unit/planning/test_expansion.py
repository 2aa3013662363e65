"""The plan: which cells a configuration has, and what excludes and includes do."""
# ruff: noqa: SIM300 - expected == actual; helpers are named by what they give

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import jsonschema  # type: ignore[import-untyped] # it has no types
import pytest

from venvgrid.config import loading
from venvgrid.model import Cell, ConfigError, Conflict, Plan, Status
from venvgrid.planning import expansion
from venvgrid.reporters.documents import plan_json

if TYPE_CHECKING:
    from venvgrid.model import Config

FILE = Path(__file__).resolve().parent / "matrix.toml"


def read(text: str) -> Config:
    return loading.parse(text, file=FILE, running="3.11")


def expand(text: str) -> Plan:
    return expansion.expand(read(text))


def ids(text: str) -> list[str]:
    return [planned.cell.id for planned in expand(text).cells]


def runnable(text: str) -> list[str]:
    return [planned.cell.id for planned in expand(text).cells if planned.status is Status.RUNNABLE]


GRID = '[axes]\npython = ["3.8", "3.12"]\nnumpy = ["1", "2"]\n'


# Cells and their order


def test_the_product_in_the_order_of_the_axes() -> None:
    """The first axis varies slowest, values come as written."""
    got = expand('[axes]\npython = ["3.12", "3.8"]\nnumpy = ["2", "1"]')
    assert [("3.12", "2"), ("3.12", "1"), ("3.8", "2"), ("3.8", "1")] == [
        tuple(planned.cell.axes.values()) for planned in got.cells
    ]
    assert ["py3.12-numpy2", "py3.12-numpy1", "py3.8-numpy2", "py3.8-numpy1"] == [
        planned.cell.id for planned in got.cells
    ]


def test_no_axis_is_one_cell() -> None:
    """Without axes there is one cell, of the running Python."""
    assert ["py3.11"] == ids("")


def test_includes_count_towards_the_limit() -> None:
    """An include that would add too many cells is refused before it is expanded."""
    versions = json.dumps([str(number) for number in range(300)])
    text = f'[axes]\na = {versions}\nb = {versions}\n[[include]]\npython = "3.14"'
    with pytest.raises(ConfigError) as caught:
        expand(text)
    message = (
        "matrix.toml: axes: 180,000 cells (1 python x 300 a x 300 b and 1 includes); at most 100,000 are possible: "
        'give fewer values or axes, or let a strategy choose cells: [plan] strategy = "pairwise"'
    )
    assert (message,) == caught.value.mistakes


# Excludes


def test_excluded_cells_stay_with_the_reason() -> None:
    """A cell is excluded when all keys match; specifiers match versions."""
    got = expand(GRID + '[[exclude]]\npython = ">=3.12"\nnumpy = "1"')
    assert [
        ("py3.8-numpy1", Status.RUNNABLE, ""),
        ("py3.8-numpy2", Status.RUNNABLE, ""),
        ("py3.12-numpy1", Status.EXCLUDED, "excluded by exclude[0] (python >=3.12, numpy 1)"),
        ("py3.12-numpy2", Status.RUNNABLE, ""),
    ] == [(planned.cell.id, planned.status, planned.reason) for planned in got.cells]
    assert () == got.warnings


def test_a_value_that_no_cell_has_is_a_warning() -> None:
    """Excludes that together leave nothing of a value are told; one that names the value alone means it."""
    got = expand(GRID + '[[exclude]]\npython = "3.8"\nnumpy = "1"\n[[exclude]]\npython = ">=3.12"\nnumpy = "1"')
    reason = "excluded by exclude[0] (python 3.8, numpy 1) (and 1 more)"
    assert (f"matrix.toml: axes.numpy: no cell is left with '1': {reason}",) == got.warnings
    assert () == expand(GRID + '[[exclude]]\nnumpy = "<2"').warnings
    assert () == expand(GRID + '[[exclude]]\npython = ">=3"\nnumpy = "1"\n[[include]]\nnumpy = "1"').warnings


def test_a_value_that_a_strategy_dropped_is_a_warning() -> None:
    """A conflict that is the value alone, and a budget that is too small; not corners, which are chosen for that."""
    axes = '[axes]\npython = ["3.8", "3.9", "3.12"]\nnumpy = ["1", "2", "3", "4"]\n'
    config = read(f'{axes}[plan]\nstrategy = "pairwise"')
    learnt = Conflict(values={"numpy": "1"}, reason="numpy 1 has no wheel")
    assert ("matrix.toml: axes.numpy: no cell is left with '1': numpy 1 has no wheel",) == expansion.expand(
        config, (learnt,)
    ).warnings
    few = expand(f'{axes}[plan]\nstrategy = "budget=2"').warnings
    assert 3 == len(few)
    assert all("budget=2 is too few cells for all values; give more" in line for line in few)
    assert () == expand(f'{axes}[plan]\nstrategy = "corners"').warnings


def test_an_exclude_that_matches_nothing_is_a_warning() -> None:
    """The warning names the entry; one whose cells another one excluded already is none."""
    got = expand(
        GRID + '[[exclude]]\npython = "3.8"\n[[exclude]]\npython = ["3.8", "3.9"]\n[[exclude]]\npython = ">=3.20"'
    )
    assert ("matrix.toml: exclude[2] (python >=3.20) matches no cell",) == got.warnings


@pytest.mark.parametrize(
    ("axis", "values", "rule", "matched"),
    [
        ("python", ["3.12", "3.13t", "pypy3.10"], ">=3.13", ["3.13t"]),
        ("python", ["3.12", "3.13t", "pypy3.10"], "<3.12", ["pypy3.10"]),
        ("python", ["3.12", "3.13t"], ["3.12", "3.13t"], ["3.12", "3.13t"]),
        ("python", ["3.9", ">=3.9", "/x/python"], ">=3.9", ["3.9", ">=3.9"]),
        ("numpy", ["1.9", "1.10", "2.0rc1", "latest", "absent", ">=1"], ">=1.10", ["1.10", "2.0rc1"]),
        ("numpy", ["1.9", "latest", "absent"], "absent", ["absent"]),
        ("numpy", ["2.2", "2.2.5"], "2.2", ["2.2"]),
        ("numpy", ["2.2", "2.2.5"], "==2.2.*", ["2.2", "2.2.5"]),
        ("env.X", ["Agg", "Qt5Agg", "agg2"], "*Agg", ["Agg", "Qt5Agg"]),
        ("env.X", ["1", "2"], ">=1", []),
        ("numpy", ["1.0.dev1", "latest"], "<1", []),
        ("extras", ["", "a", "a,b"], "b,a", ["a,b"]),
        ("as-of", ["release", "2023-01-31"], "2023-01-31", ["2023-01-31"]),
        ("resolution", ["highest", "lowest"], "lowest", ["lowest"]),
    ],
)
def test_how_rules_match(axis: str, values: list[str], rule: str | list[str], matched: list[str]) -> None:
    """Equal strings match; specifiers match versions, of Pythons too; globs match variables only."""
    got = expand(f"[axes]\n{axis} = {json.dumps(values)}\n[[exclude]]\n{axis} = {json.dumps(rule)}")
    assert matched == [planned.cell.axes[axis] for planned in got.cells if planned.status is Status.EXCLUDED]


# Includes


def test_an_include_adds_cells() -> None:
    """What does not exist is added at the end, named, with its options."""
    got = expand(GRID + '[[include]]\npython = "3.14"\nnumpy = "2"\nallow-failure = true')
    assert 5 == len(got.cells)
    assert Cell(
        id="py3.14-numpy2", axes=MappingProxyType({"python": "3.14", "numpy": "2"}), allow_failure=True, named=True
    ) == (got.cells[-1].cell)


def test_an_include_takes_all_values_of_other_axes() -> None:
    """Axes that an include does not name take all their values."""
    assert ["py3.14-numpy1", "py3.14-numpy2"] == ids(GRID + '[[include]]\npython = "3.14"')[4:]


def test_an_include_sets_options_of_existing_cells() -> None:
    """A partial include marks what it matches, and names nothing."""
    got = expand(GRID + '[[include]]\npython = ">=3.12"\nallow-failure = true')
    assert [(False, False), (False, False), (True, False), (True, False)] == [
        (planned.cell.allow_failure, planned.cell.named) for planned in got.cells
    ]


def test_an_include_names_the_one_cell_it_spells_out() -> None:
    """All axes with their values name a cell; an axis with a single value need not be repeated."""
    got = expand(GRID + 'env.X = ["1"]\n[[include]]\npython = "3.8"\nnumpy = "2"')
    assert ["py3.8-numpy2-X.1"] == [planned.cell.id for planned in got.cells if planned.cell.named]


def test_each_combination_of_an_include_is_its_own() -> None:
    """Of a list of values, those that exist get the options and the others are added."""
    got = expand(GRID + '[[include]]\npython = ["3.12", "3.14"]\nnumpy = "2"\nallow-failure = true')
    assert ["py3.12-numpy2", "py3.14-numpy2"] == [
        planned.cell.id for planned in got.cells if planned.cell.allow_failure and planned.cell.named
    ]


def test_an_include_brings_an_excluded_cell_back() -> None:
    """Includes come after excludes."""
    text = GRID + '[[include]]\npython = "3.12"\nnumpy = "1"\n[[exclude]]\npython = "3.12"'
    assert ["py3.8-numpy1", "py3.8-numpy2", "py3.12-numpy1"] == runnable(text)


def test_a_partial_include_leaves_single_excluded_cells_out() -> None:
    """Setting an option for a Python does not bring back the one cell of it that is excluded; all of it, it does."""
    option = '[[include]]\npython = "3.12"\nallow-failure = true\n'
    assert ["py3.8-numpy1", "py3.8-numpy2", "py3.12-numpy2"] == runnable(
        GRID + option + '[[exclude]]\npython = "3.12"\nnumpy = "1"'
    )
    assert 4 == len(runnable(GRID + option + '[[exclude]]\npython = "3.12"'))


def test_a_second_include_sees_the_first() -> None:
    """Cells that an include added can be marked by the next, and are not added again."""
    got = expand(GRID + '[[include]]\npython = "3.14"\n[[include]]\npython = "3.14"\nallow-failure = true')
    assert [("py3.14-numpy1", True), ("py3.14-numpy2", True)] == [
        (planned.cell.id, planned.cell.allow_failure) for planned in got.cells[4:]
    ]


# Commands


# JSON


def test_plan_json_fits_its_schema() -> None:
    """`plan --json` says what the design promises, and its schema accepts it."""
    data = plan_json.plan_json(expand(GRID + '[[exclude]]\npython = ">=3.12"\nnumpy = "1"\n[[exclude]]\nnumpy = "9"'))
    schema = json.loads(
        resources.files("venvgrid").joinpath("model/schemas/plan.schema.json").read_text(encoding="utf-8")
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(data)
    assert ("venvgrid-plan-1", {"name": "full"}) == (data["format"], data["strategy"])
    assert {
        "id": "py3.12-numpy1",
        "axes": {"python": "3.12", "numpy": "1"},
        "status": "excluded",
        "reason": "excluded by exclude[0] (python >=3.12, numpy 1)",
        "allow_failure": False,
    } == data["cells"][2]
    assert ["matrix.toml: exclude[1] (numpy 9) matches no cell"] == data["warnings"]
    assert {status.value for status in Status} == set(
        schema["properties"]["cells"]["items"]["properties"]["status"]["enum"]
    )
