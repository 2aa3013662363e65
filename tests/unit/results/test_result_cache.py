"""Unchanged cells: which inputs a result is good for, and that any other makes the cell run again."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from venvgrid import testing
from venvgrid.config import loading
from venvgrid.model import CaseOutcome, CellResult, LockEntry, Outcome
from venvgrid.model.result import Footprint
from venvgrid.planning import expansion
from venvgrid.processes import guests
from venvgrid.results.report import Case, Report
from venvgrid.results.result_cache import MAX_RESULTS_PER_CELL, ResultCache, with_tests
from venvgrid.storage.atomic import read_sealed

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
NOW = datetime(2026, 11, 21, 11, tzinfo=UTC)
ENVIRON = {"PATH": "/bin", "HOME": "/home/me", "SECRET": "x", "TMPDIR": "/tmp/1"}


def verdicts(folder: Path, **changes: object) -> ResultCache:
    known: dict[str, object] = {
        "config": CONFIG,
        "arguments": (),
        "environ": ENVIRON,
        "inputs": lambda: "aa",
        "clock": lambda: NOW,
    }
    return ResultCache(folder=folder, **{**known, **changes})  # type: ignore[arg-type]


def report(outcome: Outcome = Outcome.PASSED, started: str = "2026-11-21T10:00:00+00:00") -> Report:
    result = CellResult(id=CELL.id, axes=CELL.axes, outcome=outcome, attempts=1, tests={"passed": 1}, log="logs/x.log")
    cases = {CELL.id: {"tests/test_demo.py::test_a": Case(verdict=CaseOutcome.PASSED, duration=0.5)}}
    return Report(started=started, cells=(result,), tests=cases)


def kept(folder: Path, finished: Report | None = None) -> None:
    store = verdicts(folder)
    assert store.find(CELL, ENTRY) is None
    store.complete(finished or report())


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
        {"inputs": lambda: "bb"},
        {"environ": {**ENVIRON, "SETUPTOOLS_SCM_PRETEND_VERSION": "2.0"}},
        {"clock": lambda: datetime(2026, 11, 21, 9, 59, tzinfo=UTC)},
        {"config": parse(TEXT + "[test]\ntimeout = 5\n")},
        {"config": parse(TEXT + '[install]\nrequires = ["pytest", "mock"]\n')},
        {"arguments": ("-x",)},
        {"environ": {**ENVIRON, "HOME": "/home/other"}},
        {"environ": {**ENVIRON, "LANG": "C"}},
        {"may_use": False},
    ],
)
def test_every_known_input_counts(tmp_path: Path, changes: dict[str, object]) -> None:
    """An input, configuration, arguments, a variable of tests or builds, a wrong clock; or it is not wanted."""
    kept(tmp_path)
    assert verdicts(tmp_path, **changes).find(CELL, ENTRY) is None
    assert verdicts(tmp_path).find(CELL, ENTRY) is not None


def test_a_result_of_another_week_is_not_used(tmp_path: Path) -> None:
    """Tests may depend on the date, and nothing tells that they read the clock; the user is told why it runs again."""
    kept(tmp_path)
    young = verdicts(tmp_path, clock=lambda: datetime(2026, 11, 28, 9, 59, tzinfo=UTC))
    assert young.find(CELL, ENTRY) is not None
    old = verdicts(tmp_path, clock=lambda: datetime(2026, 11, 28, 10, 1, tzinfo=UTC))
    assert old.find(CELL, ENTRY) is None
    assert old.why[CELL.id] == "it passed more than 7 days ago: its tests may depend on the date"
    old.complete(replace(report(), started="2026-11-28T10:01:00+00:00"))
    assert verdicts(tmp_path, clock=lambda: datetime(2026, 12, 1, tzinfo=UTC)).find(CELL, ENTRY) is not None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"environ": {**ENVIRON, "HOME": "/home/other"}}, True),  # `find` has the last word
        ({"inputs": lambda: "bb"}, False),
        ({"config": parse(TEXT + "[test]\ntimeout = 5\n")}, False),
        ({"arguments": ("-x",)}, False),
        ({"may_use": False}, False),
    ],
)
def test_what_the_user_wrote_tells_whether_there_may_be_a_result(
    tmp_path: Path, changes: dict[str, object], *, expected: bool
) -> None:
    """Files, configuration and arguments that a cell passed with promise a result before anything is resolved."""
    kept(tmp_path)
    assert verdicts(tmp_path, **changes).may_find(CELL) is expected


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


def test_a_result_that_another_witness_attested_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have seen less: venvgrid was updated, or edited."""
    kept(tmp_path)
    monkeypatch.setattr(guests, "digest_of", lambda: "another")
    assert verdicts(tmp_path).find(CELL, ENTRY) is None


def test_what_the_tests_do_not_get_does_not_count(tmp_path: Path) -> None:
    """Another token in the shell, another folder for temporary files: the result stands."""
    kept(tmp_path)
    other = verdicts(tmp_path, environ={**ENVIRON, "SECRET": "y", "TMPDIR": "/tmp/2"})
    assert other.find(CELL, ENTRY) is not None


def with_footprint(**changes: object) -> Report:
    given = Footprint(**changes)  # type: ignore[arg-type]
    return replace(report(), cells=tuple(replace(cell, footprint=given) for cell in report().cells))


def test_what_another_machine_tested_is_not_kept(tmp_path: Path) -> None:
    """Its files, its libraries and its interpreter are other ones: here, the cell runs."""
    finished = report()
    kept(tmp_path, replace(finished, cells=tuple(replace(cell, machine="laptop-1") for cell in finished.cells)))
    assert verdicts(tmp_path).find(CELL, ENTRY) is None


def test_a_doubtful_result_is_not_kept(tmp_path: Path) -> None:
    """A file changed while the tests ran, or they read one from outside; new files of one cell do no harm."""
    kept(tmp_path, with_footprint(doubt="a.py was changed in this run"))
    assert verdicts(tmp_path).find(CELL, ENTRY) is None
    kept(tmp_path, with_footprint(made=("output.txt",)))
    assert verdicts(tmp_path).find(CELL, ENTRY) is not None


def test_a_file_that_two_cells_may_have_made_is_a_doubt(tmp_path: Path) -> None:
    """One of them may have read what the other one wrote: neither is kept, and both say so."""
    store = verdicts(tmp_path)
    store.find(CELL, ENTRY)
    (one,) = with_footprint(made=("output.txt",)).cells
    told = store.complete(replace(report(), cells=(one, replace(one, id="other"))))
    assert [cell.notes for cell in told.cells] == [("output.txt appeared while several cells ran: not kept",)] * 2
    assert verdicts(tmp_path).find(CELL, ENTRY) is None


def test_files_that_the_tests_opened_count(tmp_path: Path) -> None:
    """A result is good while these files, ignored ones for example, have the content that the tests saw."""
    kept(tmp_path, with_footprint(read={"/project/local.cfg": "1", "/override": ""}))
    same = {"/project/local.cfg": "1"}
    assert verdicts(tmp_path, content_of=lambda path: same.get(path, "")).find(CELL, ENTRY) is not None
    for other in ({"/project/local.cfg": "2"}, {}, {**same, "/override": "3"}):
        changed = verdicts(tmp_path, content_of=lambda path, now=other: now.get(path, ""))
        assert (changed.may_find(CELL), changed.find(CELL, ENTRY)) == (False, None)


def test_results_of_a_wrong_clock_displace_no_others(tmp_path: Path) -> None:
    """Files with times in the future are forgotten first."""
    for number in range(MAX_RESULTS_PER_CELL):
        store = verdicts(tmp_path, arguments=(str(number),))
        store.find(CELL, ENTRY)
        store.complete(report())
    for place in tmp_path.rglob("*.json"):
        os.utime(place, (4e9, 4e9))
    kept(tmp_path)
    assert verdicts(tmp_path).find(CELL, ENTRY) is not None


def test_going_back_finds_the_earlier_result(tmp_path: Path) -> None:
    """Another branch and back: both results are there, the last few of each cell."""
    for number in range(MAX_RESULTS_PER_CELL + 2):
        store = verdicts(tmp_path, arguments=(str(number),))
        store.find(CELL, ENTRY)
        store.complete(report())
    found = [
        verdicts(tmp_path, arguments=(str(number),)).find(CELL, ENTRY) for number in range(MAX_RESULTS_PER_CELL + 2)
    ]
    assert [item is not None for item in found[2:]] == [True] * MAX_RESULTS_PER_CELL
    assert found[0] is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "venvgrid-verdict-9"}', '{"format": "venvgrid-verdict-5"}']
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


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"inputs": lambda: "bb"}, "changed since it passed: files of the project"),
        ({"arguments": ("-x",)}, "changed since it passed: the arguments of the tests"),
        ({"environ": {**ENVIRON, "TZ": "UTC"}}, "changed since it passed: variables (TZ)"),
        ({"environ": {"PATH": "/bin", "SECRET": "x"}}, "changed since it passed: variables (HOME)"),
        (
            {"config": parse(TEXT + "[test]\ntimeout = 5\n"), "inputs": lambda: "bb"},
            "changed since it passed: the configuration, files of the project",
        ),
        ({"clock": lambda: datetime(2026, 11, 21, 9, 59, tzinfo=UTC)}, "of a later time: is the clock right?"),
    ],
)
def test_why_a_cell_runs_again_is_known(tmp_path: Path, changes: dict[str, object], why: str) -> None:
    """The parts that changed since the cell passed are named, variables by their names."""
    kept(tmp_path)
    store = verdicts(tmp_path, **changes)
    assert store.find(CELL, ENTRY) is None
    assert why in store.why[CELL.id]


def test_a_new_entry_is_told_as_versions_alone(tmp_path: Path) -> None:
    """The environment's path is in variables of the tests, and no news beside the versions."""
    kept(tmp_path)
    store = verdicts(tmp_path)
    assert store.find(CELL, replace(ENTRY, key="1" * 16)) is None
    assert store.why[CELL.id] == "changed since it passed: the versions of distributions"


def test_a_cell_that_never_passed_has_nothing_to_be_told(tmp_path: Path) -> None:
    """A new cell is no cell that runs again."""
    store = verdicts(tmp_path)
    assert store.find(CELL, ENTRY) is None
    assert store.why == {CELL.id: ""}


@pytest.mark.parametrize("name", ["TERM", "XDG_SESSION_ID", "XDG_VTNR"])
def test_another_terminal_makes_no_cell_new(tmp_path: Path, name: str) -> None:
    """Variables of the terminal and the session do not count; one that the configuration names does."""
    kept(tmp_path)
    assert verdicts(tmp_path, environ={**ENVIRON, name: "xterm-256color"}).find(CELL, ENTRY) is not None
    config = parse(TEXT + f'[test]\npass-env = ["{name}"]\n')
    store = verdicts(tmp_path / "named", config=config)
    assert store.find(CELL, ENTRY) is None
    store.complete(report())
    assert verdicts(tmp_path / "named", config=config).find(CELL, ENTRY) is not None
    assert verdicts(tmp_path / "named", config=config, environ={**ENVIRON, name: "x"}).find(CELL, ENTRY) is None


def test_no_value_of_a_variable_can_be_read_from_the_cache(tmp_path: Path) -> None:
    """Of each variable four digits of a digest are stored: enough to see a change, too few to guess a secret."""
    kept(tmp_path)
    (place,) = tmp_path.rglob("*.json")
    parts = json.loads(read_sealed(place))["parts"]
    digests = [value for name, value in parts.items() if name.startswith("the variable ")]
    assert digests
    assert {len(value) for value in digests} == {4}
