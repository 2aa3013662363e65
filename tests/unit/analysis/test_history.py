"""Outcomes of earlier runs, from results.json or the journal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import factories as make
import pytest

from venvgrid.analysis import document, history
from venvgrid.model import CellResult, Outcome
from venvgrid.results import journal, run_folders
from venvgrid.results.report import build_report

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.model import Event


def store(root: Path, *cells: CellResult, results: str | None = "") -> str:
    """Store a run: its journal, and results.json unless `results` is None. Return its id."""
    folder = run_folders.create(root, now=datetime(2026, 1, 1, tzinfo=UTC))
    events: list[Event] = [
        make.started([make.cell(cell.id) for cell in cells]),
        *map(make.finished, cells),
        make.ended(),
    ]
    with journal.Journal(folder.events) as write:
        for event in events:
            write(event)
    if results is not None:
        text = results or json.dumps(document.to_results(build_report(events)))
        (folder.path / "results.json").write_text(text, encoding="utf-8")
    return folder.id


@pytest.mark.parametrize("results", ["", None, "{", "[]", '{"format": "venvgrid-results-0"}'])
def test_the_last_result_of_a_cell_is_known_whichever_file_can_be_read(tmp_path: Path, results: str | None) -> None:
    """The journal stands in for results.json that is missing, damaged or of another version."""
    store(tmp_path, make.result("py3.9", Outcome.FAILED), make.result("py3.8"), results=results)
    newest = store(tmp_path, make.result("py3.9"), results=results)
    found = history.last(tmp_path)
    assert {name: earlier.outcome for name, earlier in found.items()} == {
        "py3.9": Outcome.PASSED,
        "py3.8": Outcome.PASSED,
    }
    assert (found["py3.9"].run, found["py3.9"].seconds, found["py3.9"].packages) == (newest, 1.2, {"numpy": "1.23.2"})
    assert history.last(tmp_path, "other") == {}


def test_a_run_is_compared_with_the_last_result_that_depends_on_the_project(tmp_path: Path) -> None:
    """A cell that could not be built says nothing of the project: the run before it counts."""
    first = store(tmp_path, make.result("py3.9"))
    store(tmp_path, make.result("py3.9", Outcome.BUILD_FAILED))
    newest = store(tmp_path, make.result("py3.9", Outcome.FAILED))
    finished = build_report([make.started([make.cell("py3.9")], run=newest), make.finished(make.result("py3.9"))])
    assert {name: earlier.run for name, earlier in history.before(tmp_path, finished).items()} == {"py3.9": first}


def test_a_run_of_other_tests_is_not_compared(tmp_path: Path) -> None:
    """A choice of tests (`-- -k name`) that passes has not fixed what the whole suite showed."""
    red = store(tmp_path, make.result("py3.9", Outcome.FAILED))
    cells = [make.cell("py3.9")]
    some = build_report(
        [make.started(cells, run="9", command=("pytest", "-k", "a")), make.finished(make.result("py3.9"))]
    )
    whole = build_report([make.started(cells, run="9"), make.finished(make.result("py3.9"))])
    assert history.before(tmp_path, some) == {}
    assert history.before(tmp_path, whole)["py3.9"].run == red
