"""Reports of parts of a grid, merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import factories as make
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.model import CaseOutcome, Outcome
from venvgrid.results import merging
from venvgrid.results.report import Report, build_report

if TYPE_CHECKING:
    from venvgrid.model import CellResult


def run(name: str, *cells: CellResult, duration: float = 1.0) -> Report:
    """Return the report of a run with a test for each cell."""
    events = [make.started([make.cell(cell.id) for cell in cells], run=name)]
    events += [event for cell in cells for event in make.tested(cell, {f"t::{name}": CaseOutcome.PASSED})]  # type: ignore[misc]
    return build_report([*events, make.ended(duration=duration)])


FULL = run("R1", make.result("py3.9"), make.result("py3.10", Outcome.FAILED), make.result("py3.11"), duration=60.0)


def test_the_newest_result_of_each_cell_counts() -> None:
    """In the order of the whole run; run and duration are those of the last one; logs and tests follow their cells."""
    part = run("R2", make.result("py3.10"), duration=2.0)
    merged = merging.merge([part, FULL])
    assert [(cell.id, cell.outcome.value, cell.log) for cell in merged.cells] == [
        ("py3.9", "passed", "../R1/logs/py3.9.log"),
        ("py3.10", "passed", "logs/py3.10.log"),
        ("py3.11", "passed", "../R1/logs/py3.11.log"),
    ]
    assert (merged.run, merged.duration, merged.exit_status) == ("R2", 2.0, 0)
    assert {name: list(cases) for name, cases in merged.tests.items()} == {
        "py3.9": ["t::R1"],
        "py3.10": ["t::R2"],
        "py3.11": ["t::R1"],
    }
    assert merged.warnings == ("2 of 3 cells were not in this run: their results are of R1",)


def test_a_red_cell_of_an_earlier_run_stays_red() -> None:
    """A part that is green does not make the grid green."""
    merged = merging.merge([run("R2", make.result("py3.9")), FULL])
    assert merged.exit_status == 1


def test_a_whole_run_is_itself() -> None:
    """Nothing is added to a run that has all cells."""
    assert merging.merge([FULL]) is FULL
    again = run("R2", *(make.result(cell.id) for cell in FULL.cells))
    assert merging.merge([again, FULL]) is again


@given(st.lists(st.sets(st.integers(8, 14), min_size=1), min_size=1, max_size=5))
def test_each_cell_is_of_the_newest_run_that_had_it(parts: list[set[int]]) -> None:
    """For all runs, newest first: every cell of any of them is there once, as its newest run told it."""
    reports = [
        run(f"R{9 - number}", *(make.result(f"py3.{cell}", reason=f"R{9 - number}") for cell in sorted(part)))
        for number, part in enumerate(parts)
    ]
    merged = merging.merge(reports)
    expected = {f"py3.{n}": f"R{9 - min(i for i, part in enumerate(parts) if n in part)}" for n in set().union(*parts)}
    assert {cell.id: cell.reason for cell in merged.cells} == expected
    assert len(merged.cells) == len(expected)
