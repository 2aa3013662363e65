"""Products: the cells of a grid that are made when they are looked at are those that are listed."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.app.plan import by_platform
from venvgrid.app.resolution import resolve
from venvgrid.config import loading
from venvgrid.model import ConfigError, Plan, Product, ProductAxis, Status, UsageError, serialization
from venvgrid.planning import expansion

if TYPE_CHECKING:
    from venvgrid.app.context import RunContext
    from venvgrid.model import Config

VALUES = {
    "python": ("3.8", "3.12", "3.13", "3.13t", "pypy3.10"),
    "platform": ("linux-x86_64", "windows-amd64"),
    "numpy": ("1", "1.2", "2", "latest"),
    "urllib3": ("1", "2"),
    "env.A": ("1", "x", "y z"),
    "extras": ("cli", "cli,docs"),
}


def config_of(text: str) -> Config:
    return loading.parse(text, file=Path("matrix.toml").absolute(), running="3.12")


def toml(axes: dict[str, list[str]], excludes: list[dict[str, list[str]]], grid: str = "") -> str:
    table = f"grid.{grid}." if grid else ""
    lines = [f"[{table}axes]", *(f"{name} = {json.dumps(values)}" for name, values in axes.items())]
    for rule in excludes:
        lines += [f"[[{table}exclude]]", *(f"{name} = {json.dumps(values)}" for name, values in rule.items())]
    return "\n".join(lines).replace("env.A =", '"env.A" =')


@st.composite
def configs(draw: st.DrawFn) -> Config:
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True, min_size=1))
    axes = {
        name: draw(st.lists(st.sampled_from(VALUES[name]), unique=True, min_size=1, max_size=3))
        for name in draw(st.permutations(names))
    }
    rule = st.lists(st.sampled_from(names), unique=True, min_size=1, max_size=2)
    excludes = [
        {name: draw(st.lists(st.sampled_from(VALUES[name]), unique=True, min_size=1, max_size=2)) for name in some}
        for some in draw(st.lists(rule, max_size=3))
    ]
    excludes = [rule for rule in excludes if all({*values} <= {*axes[name]} for name, values in rule.items())]
    return config_of(toml(axes, excludes))


@given(configs())
def test_a_product_has_the_cells_of_the_list(config: Config) -> None:
    """Law: cells, statuses, reasons, warnings and counts are those of the list, and each cell is found by its id."""
    listed, made = expansion.expand(config), expansion.expand(config, keep=0)
    here = "linux-x86_64"
    for one, other in ((listed, made), (by_platform(listed, here), by_platform(made, here))):
        assert isinstance(other.cells, Product)
        assert one.cells == tuple(other.cells) == other.cells[:]
        assert len(one.cells) == len(other.cells)
        assert one.warnings == other.warnings
        assert list(range(len(one.cells))) == [other.cells.find(item.cell.id) for item in one.cells]
        for axis, status in itertools.product([axis.name for axis in config.axes], Status):
            assert one.values(axis, status=status) == other.values(axis, status=status)
        plain = json.loads(json.dumps(serialization.to_plain(other)))
        assert serialization.from_plain(Plan, plain) == other


@pytest.mark.parametrize("name", ["", "py3.8", "py3.8-numpy", "py3.8-numpy1-x", "py3.9-numpy1", "numpy1-py3.8", "x"])
def test_an_id_of_no_cell_is_not_found(name: str) -> None:
    """An id of an earlier configuration belongs to no cell."""
    made = expansion.expand(config_of('[axes]\npython = ["3.8", "3.12"]\nnumpy = ["1", "2"]'), keep=0)
    assert isinstance(made.cells, Product)
    assert made.cells.find(name) is None


@pytest.mark.parametrize(
    "axes",
    [
        {"python": ["3.12"], "env.A": ["1", "1-2"], "env.B": ["1", "2"]},  # A.1-2-B.1: one value, or two
        {"python": ["3.12"], "env.A": ["x" * 40, "y" * 40], "env.B": ["z" * 40, "1"]},  # an id that is shortened
    ],
)
def test_ids_that_cannot_be_told_by_their_parts_are_listed(axes: dict[str, list[str]]) -> None:
    """Where one id could belong to two cells by its parts, or is shortened, all cells are listed and compared."""
    lines = "\n".join(f'"{name}" = {json.dumps(values)}' for name, values in axes.items())
    made = expansion.expand(config_of(f"[axes]\n{lines}"), keep=0)
    assert isinstance(made.cells, tuple)


def test_names_that_are_one_file_are_refused() -> None:
    """Two values that differ only in capital letters are refused, however the cells are made."""
    config = config_of('[axes]\n"env.A" = ["x", "X"]')
    with pytest.raises(ConfigError, match="two cells would have the same id"):
        expansion.expand(config, keep=0)


def test_a_grid_of_a_name_has_it_in_its_ids() -> None:
    """The ids of a named grid begin with its name."""
    source = config_of('[grid.big.axes]\npython = ["3.8", "3.12"]')
    assert source.grid == ""
    config = loading.parse(
        '[grid.big.axes]\npython = ["3.8", "3.12"]', file=Path("matrix.toml").absolute(), running="3.12", grid="big"
    )
    made = expansion.expand(config, keep=0)
    assert isinstance(made.cells, Product)
    assert expansion.expand(config).cells == made.cells[:]
    assert made.cells.find("big-py3.12") == 1


def test_a_million_cells_are_a_product() -> None:
    """A product of a million cells is not listed; the first and the last one are made when they are asked for."""
    versions = json.dumps([str(number) for number in range(500)])
    made = expansion.expand(config_of(f'[axes]\npython = "3.9..3.12"\na = {versions}\nb = {versions}'))
    assert isinstance(made.cells, Product)
    assert (len(made.cells), made.cells[-1].cell.id) == (1_000_000, "py3.12-a499-b499")
    assert made.values("python") == dict.fromkeys(("3.9", "3.10", "3.11", "3.12"), 250_000)


def test_too_many_cells_to_be_resolved_together_are_refused() -> None:
    """A plan of a million cells runs; commands that hold all of its locks in memory refuse it at once."""
    versions = json.dumps([str(number) for number in range(500)])
    made = expansion.expand(config_of(f'[axes]\npython = "3.9..3.12"\na = {versions}\nb = {versions}'))
    with pytest.raises(UsageError, match=r"1,000,000 cells; at most 100,000 can be resolved together"):
        resolve(cast("RunContext", None), made)


@pytest.mark.parametrize(
    "change",
    [
        {"order": (0,)},
        {"order": (0, 0)},
        {"order": (0, 2)},
        {"axes": (ProductAxis(name="a", values=("1", "2"), parts=("1",)),), "order": (0,)},
        {
            "axes": tuple(
                ProductAxis(name=name, values=("1",) * 2000, parts=("1",) * 2000) for name in ("python", "numpy")
            )
        },
    ],
)
def test_a_damaged_product_is_refused(change: dict[str, object]) -> None:
    """What a journal tells is checked before a cell is made: a product that does not fit together is a ValueError."""
    axes = (
        ProductAxis(name="python", values=("3.8", "3.9"), parts=("py3.8", "py3.9")),
        ProductAxis(name="numpy", values=("1", "2"), parts=("numpy1", "numpy2")),
    )
    fine = serialization.to_plain(Product(axes=axes, order=(0, 1)))
    damaged = {**fine, **{key: serialization.to_plain(item) for key, item in change.items()}}
    with pytest.raises(ValueError, match="product"):
        serialization.from_plain(Product, damaged)
