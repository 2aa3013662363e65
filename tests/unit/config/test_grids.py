"""Several grids in one file: what each inherits, and what is told of mistakes."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

from pathlib import Path

import pytest

from venvgrid.config import config_file, loading
from venvgrid.model import Config, ConfigError, FrozenPolicy
from venvgrid.planning import expansion
from venvgrid.resolving import lockfile

FILE = Path.cwd() / "matrix.toml"
TOP = """
[project]
install = "none"
extras = ["plot"]
[axes]
python = ["3.11", "3.12"]
NumPy = ["1.26", "2.0"]
env.X = ["1", "2"]
[plan]
strategy = "pairwise"
[[plan.must]]
python = "3.11"
[[exclude]]
numpy = "1.26"
python = "3.12"
[[include]]
python = "3.13"
[install]
requires = ["pytest"]
[test]
timeout = "10m"
env = { A = "1", B = "2" }
"""


def read(text: str, grid: str = "") -> Config:
    return loading.parse(text, file=FILE, running="3.11", grid=grid)


def axes(made: Config) -> dict[str, tuple[str, ...]]:
    return {axis.name: axis.values for axis in made.axes}


def test_a_grid_inherits_key_by_key() -> None:
    """Tables are merged, whatever else a grid has replaces; the top stays as it is."""
    text = TOP + '[grid.lowest]\naxes.numpy = ["1.22"]\ninstall.resolution = "lowest-direct"\ntest.env.B = "3"\n'
    top, lowest = read(text), read(text, "lowest")
    assert {"python": ("3.11", "3.12"), "NumPy": ("1.22",), "env.X": ("1", "2")} == axes(lowest)
    assert (("pytest",), "lowest-direct") == (lowest.install.requires, lowest.install.resolution)
    assert ({"A": "1", "B": "3"}, 600.0) == (dict(lowest.test.env), lowest.test.timeout)
    assert ("pairwise", ("plot",), "lowest") == (lowest.strategy, lowest.project.extras, lowest.grid)
    assert (read(TOP).axes, read(TOP).excludes, read(TOP).test) == (top.axes, top.excludes, top.test)


def test_false_takes_an_axis_away() -> None:
    """Inherited excludes that name it go with it; inherited excludes that match nothing are no mistake."""
    text = TOP + "[grid.a]\naxes.NUMPY = false\naxes.env.X = false\n[grid.b]\naxes.python = ['3.11']\n"
    assert {"python": ("3.11", "3.12")} == axes(read(text, "a"))
    assert () == read(text, "a").excludes
    other = read(text.replace("pairwise", "full"), "b")
    assert ["exclude[0]"] == [rule.path for rule in other.excludes]
    assert () == expansion.expand(other).warnings


def test_rules_of_one_grid_stay_there() -> None:
    """Includes, must and the baseline are not inherited; own excludes replace inherited ones."""
    text = TOP + '[grid.a]\n[[grid.a.exclude]]\npython = "3.11"\n'
    made = read(text, "a")
    assert ((), ()) == (made.includes, made.planning.must)
    assert ["grid.a.exclude[0]"] == [rule.path for rule in made.excludes]


def test_ids_and_locks_of_grids_differ() -> None:
    """Nothing of one grid is mistaken for something of another."""
    text = TOP + "[grid.low]\n"
    top, low = read(text), read(text, "low")
    of_top, of_low = ({item.cell.id for item in expansion.expand(grid).cells} for grid in (top, low))
    assert not of_top & of_low
    assert all(name.startswith("low-py3.") for name in of_low)
    assert ("matrix.lock", "matrix.low.lock") == (lockfile.path_for(top).name, lockfile.path_for(low).name)
    assert top.digest != low.digest


@pytest.mark.parametrize(
    ("text", "grid", "mistakes"),
    [
        ("[test]\ntimeout = 'x'\n[grid.a]", "", ["test.timeout: "]),
        ("[grid.a.test]\ntimeout = 'x'", "", ["grid.a.test.timeout: "]),
        ("[grid.a]\ngrid = 1", "", ["grid.a.grid: unknown section (allowed: project, axes"]),
        ("[grid.'a b']", "", ["grid: a grid needs a name of at most 30 letters, digits, '-' and '_', got 'a b'"]),
        ("[grid]\na = 1", "", ["grid.a: expected a table, [grid.a], got the number 1"]),
        ("[grid.lowest]", "lowset", ["no grid is named 'lowset'; did you mean 'lowest'? (there are: lowest)"]),
        ("[axes]", "lowset", ["no grid is named 'lowset'; there is no [grid.NAME]"]),
        (
            "[axes]\nnumpy = ['1']\n[test]\ncommand = ['{axis:numpy}']\n[grid.a.axes]\nnumpy = false",
            "",
            ["grid.a.test.command[0]: "],
        ),
    ],
)
def test_mistakes_of_all_grids_are_told_once_where_they_stand(text: str, grid: str, mistakes: list[str]) -> None:
    """Whichever grid is asked for; what is inherited is told where it was written."""
    with pytest.raises(ConfigError) as caught:
        read(text, grid)
    assert [True] * len(mistakes) == [
        line.startswith(f"matrix.toml: {start}") for line, start in zip(caught.value.mistakes, mistakes, strict=True)
    ]


def test_policies_are_settled_in_the_grid_that_has_them() -> None:
    """A pre-release may fail; `must` is checked against what the policy gave."""
    text = (
        '[axes]\nnumpy = "latest-minors:2+pre"\n[plan]\nstrategy = "pairwise"\n[[plan.must]]\nnumpy = "1.0"\n[grid.a]\n'
    )
    source = config_file.parse(text, FILE)
    unsettled = loading.build(source, running="3.11")
    assert ((), "latest-minors:2+pre") == (unsettled.axes[1].values, unsettled.axes[1].policy)
    frozen = {"numpy": FrozenPolicy(policy="latest-minors:2+pre", values=("1.0", "1.1"), pre="2.0rc1")}
    settled = loading.build(source, running="3.11", grid="a", settled=frozen)
    cells = {item.cell.axes["numpy"]: item.cell.allow_failure for item in expansion.expand(settled).cells}
    assert {"1.0": False, "1.1": False, "2.0rc1": True} == cells
    with pytest.raises(ConfigError, match=r"plan\.must\[0\]\.numpy: '1.0' is no value of the axis"):
        loading.build(source, running="3.11", settled={"numpy": FrozenPolicy(policy="x", values=("1.1",))})
