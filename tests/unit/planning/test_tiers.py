"""Tiers of [ci]: which cells, which are left out, and when those ran last."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

from venvgrid.config import loading
from venvgrid.model import Config, ConfigError, LeftOut, Plan, Status
from venvgrid.planning import expansion, tiers

MATRIX = """
[axes]
python = ["3.11", "3.12"]
six = ["1.15", "1.16"]
[ci]
push = "python==3.12"
pull-request = "budget=2"
"""


def config(text: str = MATRIX) -> Config:
    return loading.parse(text, file=Path("matrix.toml"))


def chosen(*ids: str) -> Plan:
    plan = expansion.expand(config())
    return Plan(cells=tuple(item for item in plan.cells if item.cell.id in ids), warnings=("first",))


def test_a_tier_is_an_expression_or_a_strategy() -> None:
    """A value that is a strategy is one; any other is an expression; a tier that is not there is everything."""
    assert tiers.meaning(config(), "push") == ("", "python==3.12")
    assert tiers.meaning(config(), "pull-request") == ("budget=2", "")
    assert tiers.meaning(config(), "nightly") == ("", "")


def test_a_wrong_expression_is_a_mistake_of_the_configuration() -> None:
    """All wrong tiers are named by their keys, whichever is asked for."""
    wrong = config(MATRIX.replace('3.12"\npull-request = "budget=2', '3.12 and"\npull-request = "budgt=2'))
    with pytest.raises(ConfigError) as caught:
        tiers.meaning(wrong, "nightly")
    assert "matrix.toml: ci.push:" in str(caught.value)
    assert "matrix.toml: ci.pull-request:" in str(caught.value)


def test_what_is_left_out_is_in_the_plan() -> None:
    """Each left-out cell has its last result; one line counts them and names red ones, without impossible cells."""
    earlier = {
        "py3.11-six1.15": LeftOut(id="py3.11-six1.15", last="2026-11-20T01:00:00+00:00", outcome="failed", seconds=3.0),
        "py3.11-six1.16": LeftOut(id="py3.11-six1.16", last="2026-11-21T01:00:00+00:00", outcome="impossible"),
    }
    plan = tiers.leave_out(chosen("py3.12-six1.16"), config(), "push", earlier)
    assert plan.tier == "push"
    assert plan.left_out == (earlier["py3.11-six1.15"], LeftOut(id="py3.12-six1.15"))
    first, told = plan.warnings
    assert first == "first"
    assert told.startswith("ci.push = 'python==3.12' leaves out 2 of 3 cells: ")
    assert told.endswith("1 last ran on 2026-11-20 (red: py3.11-six1.15); no earlier result is known of 1")


def test_a_tier_of_everything_leaves_nothing_out() -> None:
    """Then there is no line about it."""
    every = [item.cell.id for item in expansion.expand(config()).cells if item.status is Status.RUNNABLE]
    plan = tiers.leave_out(chosen(*every), config(), "nightly", {})
    assert (plan.left_out, plan.warnings, plan.tier) == ((), ("first",), "nightly")


def test_tiers_change_no_cell() -> None:
    """The digest of a configuration, by which results are kept, is the same with and without [ci]."""
    assert config().digest == config(MATRIX.partition("[ci]")[0]).digest


def test_a_grid_inherits_the_tiers() -> None:
    """[grid.NAME.ci] replaces single tiers."""
    text = f'{MATRIX}[grid.docs.ci]\npush = "full"\n'
    found = loading.parse(text, file=Path("matrix.toml"), grid="docs")
    assert found.tiers == MappingProxyType({"push": "full", "pull-request": "budget=2"})


@pytest.mark.parametrize("line", ['weekly = "full"', 'push = ""', "push = 3", 'push = ["full"]'])
def test_a_wrong_tier_is_a_mistake(line: str) -> None:
    """Unknown names and empty or other values are refused with the key path."""
    with pytest.raises(ConfigError, match=r"matrix\.toml: ci\."):
        config(f"{MATRIX.partition('[ci]')[0]}[ci]\n{line}\n")
