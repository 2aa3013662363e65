"""Unchanged cells: which inputs a result is good for, and that any other makes the cell run again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from venvgrid import testing
from venvgrid.config import loading
from venvgrid.model import CaseOutcome, CellResult, LockEntry, Outcome
from venvgrid.planning import expansion
from venvgrid.results.report import Case, Report
from venvgrid.results.result_cache import MAX_RESULTS_PER_CELL, ResultCache, with_tests

if TYPE_CHECKING:
    from venvgrid.model import Cell, Config


def parse(text: str) -> Config:
    return loading.parse(text, file=Path("/project/matrix.toml"))


TEXT = '[axes]\npython = ["3.12"]\nsix = ["1.16"]\nenv.MODE = ["a"]\n'
CONFIG = parse(TEXT)
CELL: Cell = expansion.expand(CONFIG).cells[0].cell
ENTRY = LockEntry(
    key="0" * 16, interpreter=testing.interpreter("3.12.1"), distributions=(testing.distribution("six", "1.16"),)
)
FILES = {"src/demo.py": "aa", "tests/test_demo.py": "bb"}
ENVIRON = {"PATH": "/bin", "HOME": "/home/me", "SECRET": "x", "TMPDIR": "/tmp/1"}


def verdicts(folder: Path, **changes: object) -> ResultCache:
    known: dict[str, object] = {"config": CONFIG, "arguments": (), "environ": ENVIRON, "snapshot": lambda: FILES}
    return ResultCache(folder=folder, **{**known, **changes})  # type: ignore[arg-type]


def report(outcome: Outcome = Outcome.PASSED, started: str = "2026-11-21T10:00:00+00:00") -> Report:
    result = CellResult(id=CELL.id, axes=CELL.axes, outcome=outcome, attempts=1, tests={"passed": 1}, log="logs/x.log")
    cases = {CELL.id: {"tests/test_demo.py::test_a": Case(verdict=CaseOutcome.PASSED, duration=0.5)}}
    return Report(started=started, cells=(result,), tests=cases)


def kept(folder: Path, finished: Report | None = None) -> None:
    store = verdicts(folder)
    assert store.find(CELL, ENTRY) is None
    store.complete(finished or report(), FILES)


def test_a_cell_that_passed_and_has_not_changed_keeps_its_result(tmp_path: Path) -> None:
    """It is the earlier outcome, is marked as cached, and says since when; its log is not in this run."""
    kept(tmp_path)
    found = verdicts(tmp_path).find(CELL, ENTRY)
    assert found is not None
    assert (found.outcome, found.cached, found.since, found.log) == (
        Outcome.PASSED,
        True,
        "2026-11-21T10:00:00+00:00",
        "",
    )
    assert "2026-11-21 10:00 UTC" in found.reason
    assert found.tests == {"passed": 1}


@pytest.mark.parametrize("outcome", [item for item in Outcome if item is not Outcome.PASSED])
def test_what_is_not_green_runs_again(tmp_path: Path, outcome: Outcome) -> None:
    """Red, flaky, not built: only a plain pass is kept."""
    kept(tmp_path, report(outcome))
    assert verdicts(tmp_path).find(CELL, ENTRY) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"snapshot": lambda: {**FILES, "tests/test_demo.py": "cc"}},
        {"snapshot": lambda: {**FILES, "conftest.py": "cc"}},
        {"snapshot": lambda: {"src/demo.py": "aa"}},
        {"config": parse(TEXT + "[test]\ntimeout = 5\n")},
        {"config": parse(TEXT + '[install]\nrequires = ["pytest", "mock"]\n')},
        {"arguments": ("-x",)},
        {"environ": {**ENVIRON, "HOME": "/home/other"}},
        {"environ": {**ENVIRON, "LANG": "C"}},
        {"may_use": False},
    ],
)
def test_every_known_input_counts(tmp_path: Path, changes: dict[str, object]) -> None:
    """A file changed, added or removed, configuration, arguments, a variable that tests get; or it is not wanted."""
    kept(tmp_path)
    assert verdicts(tmp_path, **changes).find(CELL, ENTRY) is None
    assert verdicts(tmp_path).find(CELL, ENTRY) is not None


@pytest.mark.parametrize(
    "entry",
    [
        replace(ENTRY, key="1" * 16),
        replace(ENTRY, interpreter=testing.interpreter("3.12.2")),
        replace(ENTRY, interpreter=replace(ENTRY.interpreter, executable="/other/python")),
    ],
)
def test_lock_entry_and_interpreter_count(tmp_path: Path, entry: LockEntry) -> None:
    """Other distributions, another Python."""
    kept(tmp_path)
    assert verdicts(tmp_path).find(CELL, entry) is None


def test_what_the_tests_do_not_get_does_not_count(tmp_path: Path) -> None:
    """Another token in the shell, another folder for temporary files: the result stands."""
    kept(tmp_path)
    other = verdicts(tmp_path, environ={**ENVIRON, "SECRET": "y", "TMPDIR": "/tmp/2"})
    assert other.find(CELL, ENTRY) is not None


def test_nothing_is_kept_if_files_changed_while_the_run_went_on(tmp_path: Path) -> None:
    """Nobody knows which content the cell saw; new files, which tests write, do no harm."""
    store = verdicts(tmp_path)
    store.find(CELL, ENTRY)
    store.complete(report(), {**FILES, "src/demo.py": "edited"})
    assert verdicts(tmp_path).find(CELL, ENTRY) is None
    store.complete(report(), {**FILES, "output.txt": "new"})
    assert verdicts(tmp_path).find(CELL, ENTRY) is not None


def test_going_back_finds_the_earlier_result(tmp_path: Path) -> None:
    """Another branch and back: both results are there, the last few of each cell."""
    for number in range(MAX_RESULTS_PER_CELL + 2):
        store = verdicts(tmp_path, arguments=(str(number),))
        store.find(CELL, ENTRY)
        store.complete(report(), FILES)
    found = [
        verdicts(tmp_path, arguments=(str(number),)).find(CELL, ENTRY) for number in range(MAX_RESULTS_PER_CELL + 2)
    ]
    assert [item is not None for item in found[2:]] == [True] * MAX_RESULTS_PER_CELL
    assert found[0] is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "venvgrid-verdict-9"}', '{"format": "venvgrid-verdict-1"}']
)
def test_a_damaged_verdict_is_none(tmp_path: Path, text: str) -> None:
    """Cut off or of another format: the cell runs."""
    kept(tmp_path)
    (place,) = tmp_path.rglob("*.json")
    place.write_text(text, encoding="utf-8")
    assert verdicts(tmp_path).find(CELL, ENTRY) is None


def test_reports_have_the_tests_of_unchanged_cells(tmp_path: Path) -> None:
    """JUnit and others list them; they are taken from the run that the result is of."""
    kept(tmp_path)
    found = verdicts(tmp_path).find(CELL, ENTRY)
    assert found is not None
    again = Report(started="2026-11-22T10:00:00+00:00", cells=(found,))
    assert list(with_tests(again, tmp_path).tests[CELL.id]) == ["tests/test_demo.py::test_a"]
    stranger = replace(again, cells=(replace(found, since="2020-01-01T00:00:00+00:00"),))
    assert with_tests(stranger, tmp_path).tests == {}
