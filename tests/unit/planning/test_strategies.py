"""From a configuration with a strategy to its cells, and what is said of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from venvgrid.config import loading
from venvgrid.model import ConfigError, Conflict, Plan, Status
from venvgrid.planning import coverage, expansion
from venvgrid.reporters.documents import plan_json
from venvgrid.reporters.terminal import plan_table

if TYPE_CHECKING:
    from venvgrid.model import Config

GRID = """
[axes]
python = ["3.10", "3.11", "3.12"]
numpy = ["1.26", "2.0", "2.2"]
env.MODE = ["a", "b"]
env.SPEED = ["x", "y"]
"""


def load(text: str) -> Config:
    """Read a configuration."""
    return loading.parse(text, file=Path("matrix.toml").absolute())


def expand(text: str, *learnt: Conflict) -> Plan:
    """Plan a configuration."""
    return expansion.expand(load(text), learnt)


def pairs(planned: Plan) -> set[tuple[str, str, str, str]]:
    """Return all pairs of values that are in a cell."""
    return {
        (*one, *other)
        for item in planned.cells
        for one in item.cell.axes.items()
        for other in item.cell.axes.items()
        if one < other
    }


def test_pairwise_has_every_pair_in_fewer_cells() -> None:
    """A fraction of the 36 cells, all 37 pairs; and the plan says so."""
    planned = expand(GRID + '[plan]\nstrategy = "pairwise"\n')
    assert len(planned.cells) == 9
    assert len(pairs(planned)) == 9 + 6 * 4 + 4
    shown = plan_table.render(planned, width=100, colour=False, encoding="utf-8")
    assert "pairwise: cells that run cover all 37 possible pairs (checked)\n" in shown
    assert "not run: 27 of 36 combinations of all axes\n" in shown


def test_excludes_are_constraints() -> None:
    """An excluded pair is in no cell, is counted by its exclude, and everything else is covered."""
    planned = expand(GRID + '[plan]\nstrategy = "pairwise"\n[[exclude]]\npython = ">=3.12"\nnumpy = "1.26"\n')
    assert planned.certificate is not None
    assert planned.certificate.covered == planned.certificate.feasible == 36
    assert planned.certificate.infeasible == {"exclude[0]": 1}
    assert ("numpy", "1.26", "python", "3.12") not in pairs(planned)


def test_what_was_learnt_is_covered_otherwise() -> None:
    """A resolver's finding is a constraint like an exclude, and its reason is told."""
    learnt = Conflict(values={"python": "3.10", "numpy": "2.2"}, reason="numpy 2.2 needs Python >=3.11")
    planned = expand(GRID + '[plan]\nstrategy = "pairwise"\n', learnt)
    assert planned.certificate is not None
    assert planned.certificate.infeasible == {"numpy 2.2 needs Python >=3.11": 1}
    assert ("numpy", "2.2", "python", "3.10") not in pairs(planned)
    data = plan_json.plan_json(planned)["strategy"]
    assert data["learnt"] == [{"values": {"python": "3.10", "numpy": "2.2"}, "reason": learnt.reason}]
    json.dumps(data)


def test_triples() -> None:
    """t=3 covers every three values."""
    planned = expand(GRID + '[plan]\nstrategy = "t=3"\n')
    assert planned.certificate is not None
    assert planned.certificate.strength == 3
    assert planned.certificate.covered == planned.certificate.feasible == 3 * 3 * 2 * 2 + 3 * 2 * 2 * 2


def test_one_at_a_time() -> None:
    """The baseline and each other value in its place; by default the last values."""
    planned = expand(GRID + '[plan]\nstrategy = "one-at-a-time"\nbaseline = { numpy = "2.0" }\n')
    cells = [tuple(item.cell.axes.values()) for item in planned.cells]
    assert cells[0] == ("3.12", "2.0", "b", "y")
    assert len(cells) == 1 + 2 + 2 + 1 + 1
    assert all(sum(a != b for a, b in zip(cell, cells[0], strict=True)) == 1 for cell in cells[1:])


def test_corners() -> None:
    """Only first and last values, in all combinations."""
    planned = expand(GRID + '[plan]\nstrategy = "corners"\n')
    assert len(planned.cells) == 16
    assert {item.cell.axes["python"] for item in planned.cells} == {"3.10", "3.12"}


def test_a_budget_says_what_it_does_not_cover() -> None:
    """Five cells, the pairs that they have, and some that they do not."""
    planned = expand(GRID + '[plan]\nstrategy = "budget=5"\n')
    assert len(planned.cells) == 5
    assert planned.certificate is not None
    assert 0 < planned.certificate.covered < planned.certificate.feasible == 37
    shown = plan_table.render(planned, width=200, colour=False, encoding="utf-8")
    assert " of 37 possible pairs (checked)\n  not covered: " in shown


def test_must_is_always_in() -> None:
    """Whole or in part."""
    must = 'must = [{ python = "3.10", numpy = "2.2", "env.MODE" = "b", "env.SPEED" = "x" }, { numpy = "1.26" }]\n'
    planned = expand(GRID + '[plan]\nstrategy = "budget=3"\n' + must)
    assert tuple(planned.cells[0].cell.axes.values()) == ("3.10", "2.2", "b", "x")
    assert planned.cells[1].cell.axes["numpy"] == "1.26"
    assert len(planned.cells) == 3


def test_a_part_of_a_cell_that_must_be_costs_no_cell() -> None:
    """Pairs are covered anyway; three values share a cell with others."""
    without = expand(GRID + '[plan]\nstrategy = "pairwise"\n')
    wanted = [
        {"python": "3.10", "numpy": "2.2"},
        {"numpy": "1.26", "env.MODE": "a", "env.SPEED": "y"},
        {"env.MODE": "b"},
    ]
    must = ", ".join("{" + ", ".join(f'"{name}" = "{value}"' for name, value in item.items()) + "}" for item in wanted)
    planned = expand(GRID + f'[plan]\nstrategy = "pairwise"\nmust = [{must}]\n')
    assert len(planned.cells) == len(without.cells)
    for item in wanted:
        assert any(item.items() <= found.cell.axes.items() for found in planned.cells)


@pytest.mark.parametrize("strategy", ["one-at-a-time", "corners"])
def test_what_must_be_and_is_there_adds_no_cell(strategy: str) -> None:
    """Only what no cell of the strategy has needs one of its own, and what such a cell has needs no other."""
    without = expand(GRID + f'[plan]\nstrategy = "{strategy}"\n')
    must = 'must = [{ numpy = "2.2" }, { numpy = "2.0", "env.MODE" = "a", python = "3.11" }, { "env.MODE" = "a" }]\n'
    planned = expand(GRID + f'[plan]\nstrategy = "{strategy}"\n{must}')
    assert len(planned.cells) == len(without.cells) + 1


def test_what_must_be_shares_the_cells_of_a_budget() -> None:
    """Four parts of cells in two cells; what cannot share one exceeds the budget, and that is told."""
    must = 'must = [{ python = "3.10" }, { numpy = "2.2" }, { "env.MODE" = "a" }, { "env.MODE" = "b" }]\n'
    assert len(expand(GRID + f'[plan]\nstrategy = "budget=2"\n{must}').cells) == 2
    tight = expand(GRID + f'[plan]\nstrategy = "budget=1"\n{must}')
    assert (len(tight.cells), tight.warnings[0]) == (2, "budget=1: plan.must needs 2 cells")


def test_who_forbids_what_must_be_is_named() -> None:
    """The excludes that do, and no others."""
    text = GRID + '[plan]\nstrategy = "pairwise"\nmust = [{ python = "3.12", numpy = "2.2" }]\n'
    text += '[[exclude]]\nnumpy = "1.26"\n[[exclude]]\npython = ">=3.12"\nnumpy = "2.2"\n'
    with pytest.raises(ConfigError) as error:
        expand(text)
    assert "plan.must[0]: exclude[1] excludes python 3.12 + numpy 2.2; change one of them" in str(error.value)


def test_what_must_be_and_cannot_is_a_cell_that_says_so() -> None:
    """No exclude is blamed for what a resolver found: the cell stays in the plan, as one that is asked for by name."""
    learnt = Conflict(values={"python": "3.10", "numpy": "2.2"}, reason="numpy 2.2 needs Python >=3.11")
    planned = expand(GRID + '[plan]\nstrategy = "pairwise"\nmust = [{ python = "3.10", numpy = "2.2" }]\n', learnt)
    (asked,) = [item for item in planned.cells if item.cell.named]
    assert learnt.values.items() <= asked.cell.axes.items()


def test_conflicts_that_leave_nothing_leave_a_cell_that_says_so() -> None:
    """It is impossible, with the resolver's reason; the configuration is not called wrong."""
    learnt = [Conflict(values={"python": value}, reason=f"not on {value}") for value in ("3.10", "3.11", "3.12")]
    assert len(expand(GRID + '[plan]\nstrategy = "pairwise"\n', *learnt).cells) == 1


def test_only_cells_that_run_cover() -> None:
    """What is only in cells without their interpreter, or elsewhere, is counted apart, with the reason."""
    config = load(GRID + '[plan]\nstrategy = "pairwise"\n')
    planned = expansion.expand(config)
    cells = tuple(
        replace(item, status=Status.MISSING_INTERPRETER, reason="no interpreter for 3.12")
        if item.cell.axes["python"] == "3.12"
        else replace(item, status=Status.ELSEWHERE if item.cell.axes["python"] == "3.11" else item.status)
        for item in planned.cells
    )
    counted = coverage.with_certificate(config, replace(planned, cells=cells))
    assert counted.certificate is not None
    assert counted.certificate.covered < counted.certificate.feasible == 37
    assert counted.certificate.lost == {"no interpreter for 3.12": 37 - counted.certificate.covered}
    assert all("3.12" in item.values() for item in counted.certificate.missing if "python" in item)
    assert counted.certificate.elsewhere >= 3 + 2 + 2
    shown = plan_table.render(counted, width=200, colour=False, encoding="utf-8")
    assert f"cells that run cover {counted.certificate.covered} of 37 possible pairs (checked)\n" in shown
    assert "  not covered: python 3.12 + numpy 1.26; python 3.12 + numpy 2.0; " in shown
    assert "because their cells do not run: no interpreter for 3.12\n" in shown


def test_cells_of_an_include_are_no_combinations_of_the_axes() -> None:
    """The number of combinations that do not run is never negative."""
    text = '[axes]\npython = ["3.12"]\nnumpy = ["1.26", "2.0"]\nenv.MODE = ["a", "b"]\n[plan]\nstrategy = "pairwise"\n'
    planned = expand(text + '[[include]]\npython = "3.13"\nnumpy = "2.2"\n')
    shown = plan_table.render(planned, width=200, colour=False, encoding="utf-8")
    assert "not run: 0 of 4 combinations of all axes\n" in shown


def test_excludes_that_leave_nothing_are_named() -> None:
    """Those that conflict, not those that have no part in it."""
    text = GRID + '[plan]\nstrategy = "pairwise"\n'
    text += '[[exclude]]\npython = ">=3.11"\n[[exclude]]\n"env.MODE" = "a"\n[[exclude]]\npython = "3.10"\n'
    with pytest.raises(ConfigError) as error:
        expand(text)
    assert "nothing is left: exclude[0], exclude[2] together exclude every cell" in str(error.value)


def test_two_hundred_axes() -> None:
    """A product that is too large to expand is no problem."""
    axes = "\n".join(f'env.F{number} = ["0", "1"]' for number in range(200))
    planned = expand(f'[axes]\npython = ["3.12"]\n{axes}\n[plan]\nstrategy = "pairwise"\n')
    assert len(planned.cells) <= 16
    assert len({item.cell.id for item in planned.cells}) == len(planned.cells)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('strategy = "pairwse"', "did you mean 'pairwise'"),
        ('strategy = "t=7"', "is no strategy"),
        ('strategy = "budget=0"', "is no strategy"),
        ("seed = -1", "whole number"),
        ('must = [{ numpy = "3.0" }]', "is no value of the axis"),
        ('baseline = { scipy = "1.0" }', "scipy"),
        ('optimise = "soon"', "optimise"),
    ],
)
def test_mistakes(lines: str, message: str) -> None:
    """Each says what is allowed."""
    with pytest.raises(ConfigError) as error:
        load(GRID + f"[plan]\n{lines}\n")
    assert message in str(error.value)
