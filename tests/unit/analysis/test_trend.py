"""The runs before this one, as the trend of a report shows them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import factories

from venvgrid.analysis import document, trend
from venvgrid.model import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.results.report import Report


def stored(root: Path, number: int, *outcomes: Outcome, **options: object) -> Report:
    """Store a run of cells with these outcomes."""
    results = [factories.result(f"py3.{8 + at}", outcome) for at, outcome in enumerate(outcomes)]
    report = replace(factories.report(*results), run=f"20260101-12000{number}-0000", **options)  # type: ignore[arg-type]
    folder = root / "runs" / report.run
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text("{}\n", encoding="utf-8")
    (folder / "results.json").write_text(json.dumps(document.to_results(report)), encoding="utf-8")
    return report


def test_runs_of_the_same_cells_oldest_first(tmp_path: Path) -> None:
    """Earlier runs are counted by outcome; this run and later ones are left out."""
    stored(tmp_path, 1, Outcome.PASSED, Outcome.PASSED)
    stored(tmp_path, 2, Outcome.FAILED, Outcome.PASSED)
    this = stored(tmp_path, 3, Outcome.FAILED, Outcome.FAILED)
    stored(tmp_path, 4, Outcome.PASSED, Outcome.PASSED)
    found = trend.past_runs(tmp_path, this)
    assert [dict(run.outcomes) for run in found] == [
        {Outcome.PASSED: 2},
        {Outcome.FAILED: 1, Outcome.PASSED: 1},
    ]
    assert dict(trend.tally(this).outcomes) == {Outcome.FAILED: 2}


def test_runs_that_cannot_be_compared_are_left_out(tmp_path: Path) -> None:
    """A run of few of the cells, of another grid, without an end, or that cannot be read is no part of the trend."""
    everything = [Outcome.PASSED] * 4
    stored(tmp_path, 1, Outcome.PASSED)
    stored(tmp_path, 2, *everything, grid="nightly")
    stored(tmp_path, 3, *everything, finished=False)
    damaged = stored(tmp_path, 4, *everything)
    (tmp_path / "runs" / damaged.run / "results.json").write_text('{"cells": [1', encoding="utf-8")
    assert trend.past_runs(tmp_path, stored(tmp_path, 5, *everything)) == ()
