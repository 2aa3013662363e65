"""What the cells that ran cover, in the report, for people and for programs."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from venvgrid.analysis import coverage, document
from venvgrid.config import loading
from venvgrid.model import CellResult, Certificate, Outcome
from venvgrid.planning import expansion
from venvgrid.planning.coverage import of_a_part
from venvgrid.reporters import registry, text
from venvgrid.results.report import Report

GRID = """
[axes]
python = ["3.10", "3.11", "3.12"]
numpy = ["1.26", "2.0", "2.2"]
env.MODE = ["a", "b"]
env.SPEED = ["x", "y"]
[plan]
strategy = "pairwise"
"""


def ran(**outcomes: Outcome) -> Report:
    """Return the report of a run of the pairwise plan; `outcomes` by the value of the python axis, without its dot."""
    plan = expansion.expand(loading.parse(GRID, file=Path("matrix.toml").absolute()))
    cells = tuple(
        CellResult(id=item.cell.id, axes=item.cell.axes, outcome=outcome, reason="" if outcome.is_green else "so it is")
        for item in plan.cells
        for outcome in [outcomes.get("py" + item.cell.axes["python"].replace(".", ""), Outcome.PASSED)]
    )
    return Report(cells=cells, certificate=plan.certificate, finished=True)


def of(report: Report) -> Certificate:
    """Return the coverage of a run."""
    found = coverage.of(report)
    assert found is not None
    return found


def test_all_that_ran_covers_all() -> None:
    """A red cell covers as a green one does; the summary and the Markdown say so."""
    report = ran(py312=Outcome.FAILED)
    assert (of(report).covered, of(report).feasible, of(report).missing) == (37, 37, ())
    assert list(text.coverage(report)) == ["Cells that ran cover all 37 possible pairs"]
    assert "Cells that ran cover all 37 possible pairs\n" in registry.text("table", report)
    assert "Cells that ran cover all 37 possible pairs\n" in registry.text("markdown", report)


@pytest.mark.parametrize(
    "outcome",
    [
        *(Outcome.MISSING_INTERPRETER, Outcome.CANCELLED, Outcome.ELSEWHERE, Outcome.BUILD_FAILED),
        *(Outcome.NO_TESTS, Outcome.MISMATCH, Outcome.BROKEN_ENV, Outcome.IMPOSSIBLE),
    ],
)
def test_a_cell_without_tests_that_ran_covers_nothing(outcome: Outcome) -> None:
    """What only it has is missing, and its reason is told."""
    found = of(ran(py312=outcome))
    assert found.covered + sum(found.lost.values()) == found.feasible == 37
    assert found.lost == {"so it is": 37 - found.covered}
    assert found.covered < 37
    shown = list(text.coverage(ran(py312=outcome)))
    assert shown[0] == f"Cells that ran cover {found.covered} of 37 possible pairs"
    assert shown[1].startswith("  not covered: python 3.12 + numpy ")
    assert shown[2] == f"  {37 - found.covered} not covered, because their cells did not run: so it is"


def test_the_report_for_programs_has_it_and_gives_it_back() -> None:
    """Written, read and written again it is the same."""
    data = document.to_results(ran(py312=Outcome.CANCELLED))
    assert data["coverage"]["strength"] == 2
    assert {"python": "3.12", "numpy": "1.26"} in data["coverage"]["missing"]
    assert document.to_results(document.from_results(data))["coverage"] == data["coverage"]


def test_of_a_full_grid_the_pairs_of_the_cells_that_can_be_count() -> None:
    """In results.json; the screen shows the grid itself."""
    cells = tuple(
        CellResult(id=f"{python}-{numpy}", axes=MappingProxyType({"python": python, "numpy": numpy}), outcome=outcome)
        for (python, numpy), outcome in zip(
            itertools.product(("3.9", "3.10"), ("1", "2")),
            (Outcome.PASSED, Outcome.IMPOSSIBLE, Outcome.PASSED, Outcome.MISSING_INTERPRETER),
            strict=True,
        )
    )
    report = Report(cells=cells, finished=True)
    assert (of(report).covered, of(report).feasible) == (2, 3)
    assert of(report).lost == {"missing-interpreter": 1}
    assert list(text.coverage(report)) == []
    again = document.to_results(document.from_results(document.to_results(report)))
    assert again["coverage"] == document.to_results(report)["coverage"]


def test_of_a_part_of_a_grid_the_whole_counts() -> None:
    """One cell of six is one pair of six."""
    config = loading.parse(GRID.replace("pairwise", "full"), file=Path("matrix.toml").absolute())
    whole = expansion.expand(config)
    part = of_a_part(whole, replace(whole, cells=whole.cells[:1]))
    assert part.certificate is not None
    assert (part.certificate.covered, part.certificate.feasible) == (6, 37)
    assert coverage.of(Report()) is None


def test_an_impossible_cell_that_was_asked_for_by_name_lacks_nothing() -> None:
    """Its combinations are none of those that can be."""
    report = ran()
    asked = {"python": "3.10", "numpy": "2.2", "env.MODE": "a", "env.SPEED": "x"}
    cell = CellResult(id="asked", axes=MappingProxyType(asked), outcome=Outcome.IMPOSSIBLE, named=True)
    found = of(replace(report, cells=(*report.cells, cell)))
    assert (found.covered, found.feasible, found.missing, found.lost) == (37, 37, (), {})
    green = [item for item in report.cells if not {"3.10", "2.2"} <= {*item.axes.values()}]
    found = of(replace(report, cells=(*green, cell)))
    assert found.lost == {}
