"""Locked distributions that contradict their cell are found, whatever the lock says of itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from venvgrid import testing
from venvgrid.config import loading
from venvgrid.installers.base import Resolved
from venvgrid.model import Cell, LockEntry, LockError, PlannedCell, Status
from venvgrid.project.metadata import Metadata
from venvgrid.resolving import lock_check, lockfile
from venvgrid.resolving.lock_check import expected_version, first_problem
from venvgrid.resolving.resolver import lock_entry

TOML = """
[axes]
python = ["3.12"]
six = ["1.17", "absent"]
[project]
extras = ["tty"]
[install]
requires = ["pytest>=8", "tomli; python_version < '3.11'"]
constraints = ["pluggy<2", "unused<1"]
"""
CONFIG = loading.parse(TOML, file=Path.cwd() / "matrix.toml")
CELL = Cell(id="py3.12-six1.17", axes={"python": "3.12", "six": "1.17"})
DEMO = Metadata(
    name="Demo",
    version="1.0",
    requires_python=">=3.9",
    requires=(
        "packaging>=23",
        'demo[more]; extra == "tty"',
        'rich>=10; extra == "more"',
        'x @ file:///x ; extra=="tty"',
    ),
    extras=("tty", "more"),
)
WHOLE = {"six": "1.17.0", "pytest": "8.4.2", "pluggy": "1.6", "packaging": "26.0rc1", "rich": "13.0"}
MARKERS = {"python_version": "3.12", "python_full_version": "3.12.1"}


def problem(
    versions: dict[str, str], cell: Cell = CELL, as_of: str | None = "", markers: dict[str, str] | None = None
) -> str:
    found = [testing.distribution(name, version) for name, version in {**WHOLE, **versions}.items() if version]
    return first_problem(CONFIG, cell, found, markers or MARKERS, metadata=DEMO, as_of=as_of)


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({}, ""),
        ({"six": "1.16.0"}, "it holds six 1.16.0, but the cell says six==1.17.*"),
        ({"six": ""}, "it holds no six, but the cell says six==1.17.*"),
        ({"pytest": "7.4"}, "it holds pytest 7.4, but the tests require pytest>=8"),
        ({"pluggy": "2.0"}, "it holds pluggy 2.0, but the constraints say pluggy<2"),
        ({"packaging": "22.0"}, "it holds packaging 22.0, but Demo requires packaging>=23"),
        ({"rich": ""}, "it holds no rich, but Demo requires rich>=10"),
        ({"other": "1"}, ""),
        ({"six": "1.17.0+local"}, ""),
        ({"pytest": "no version"}, ""),
    ],
)
def test_each_locked_distribution_must_fit_its_cell(versions: dict[str, str], expected: str) -> None:
    """Pins, tests, constraints and the project, with markers and extras that name others of its extras."""
    assert expected == problem(versions)


def test_absent_is_checked() -> None:
    """A distribution that the cell forbids."""
    cell = Cell(id="a", axes={"python": "3.12", "six": "absent"})
    assert problem({}, cell) == "it holds six 1.17.0, but the cell says that six is absent"
    assert problem({"six": ""}, cell) == ""


def test_the_era_is_checked() -> None:
    """Distributions of another time than the cell's; an era that could not be applied is not compared."""
    assert "as of 2022-01-01, but the cell says today" in problem({}, as_of="2022-01-01")
    assert problem({}, as_of=None) == ""


def test_the_project_must_allow_the_python() -> None:
    """A cell that cannot exist is not made possible by a lock."""
    markers = {"python_version": "3.8", "python_full_version": "3.8.1"}
    assert problem({"tomli": "2"}, markers=markers) == "it is for Python 3.8.1, but Demo requires Python >=3.9"
    assert problem({}, markers=markers) == "it holds no tomli, but the tests require tomli"


@pytest.mark.parametrize(
    ("value", "locked", "expected"),
    [
        ("1.17", "1.17.0", "1.17.0"),
        ("1.17", "1.16.0", "==1.17.*"),
        ("1.17", "", "==1.17.*"),
        ("absent", "1.17.0", ""),
        ("latest", "1.16.0", "1.16.0"),
        ("latest", "", "of any version"),
        (">=2,<3", "2.1rc1", "2.1rc1"),
    ],
)
def test_the_cell_says_what_is_expected(value: str, locked: str, expected: str) -> None:
    """A locked version counts only if the pin allows it; else nothing that is installed is right."""
    assert expected == expected_version("Six", value, {"six": locked} if locked else {})


def lock_of(version: str) -> lockfile.Lock:
    entry = lock_entry(
        CONFIG,
        CELL,
        testing.interpreter(),
        Resolved(distributions=tuple(testing.distribution(*item) for item in {**WHOLE, "six": version}.items())),
    )
    return lockfile.make("d", {CELL.id: PlannedCell(cell=CELL, status=Status.RUNNABLE)}, {CELL.id: entry})


def test_a_wrong_version_names_the_cell_and_both_versions(tmp_path: Path) -> None:
    """Whether or not the lock has a checksum, and also if the checksum is right."""
    path = tmp_path / "matrix.lock"
    for has_checksum in (True, False):
        path.write_text(lockfile.render(replace(lock_of("1.16.0"), has_checksum=has_checksum)), encoding="utf-8")
        lock = lockfile.read(path)
        assert lock.has_checksum is has_checksum
        with pytest.raises(LockError, match=r"py3.12-six1.17: it holds six 1.16.0, but the cell says six==1.17"):
            lock_check.answers(lock, path, CONFIG, [(CELL, testing.interpreter())])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"1.6"', '"1.5"'),
        ("[cells]", '[impossible]\n"py3.12-sixabsent" = "no"\n\n[cells]'),
        ("sha256:", "sha256:0"),
        ('fits = "d"', 'fits = "e"'),
        ("linux-x86_64", "linux-aarch64"),
    ],
)
def test_any_edit_is_noticed(tmp_path: Path, before: str, after: str) -> None:
    """Also one that no cell contradicts, and one line less; comments and line endings are no edit."""
    text, path = lockfile.render(lock_of("1.17.0")), tmp_path / "matrix.lock"
    path.write_text(f"# merged\n{text}".replace("\n", "\r\n"), encoding="utf-8", newline="")
    lockfile.read(path)
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(LockError, match="was edited or badly merged: make it again with venvgrid lock"):
        lockfile.read(path)
    lock = lockfile.read(path, accept_edited=True)
    if "aarch64" not in after:
        with pytest.raises(LockError, match="was edited or badly merged"):
            lock_check.answers(lock, path, CONFIG, [(CELL, testing.interpreter())])


def test_without_a_checksum_nothing_is_impossible(tmp_path: Path) -> None:
    """An old lock is read, but it cannot take cells away."""
    lock = replace(lock_of("1.17.0"), has_checksum=False, impossible={"gone": "why"})
    assert "checksum" not in lockfile.render(lock)
    assert lock_check.answers(lock, tmp_path, CONFIG, [(CELL, testing.interpreter())])
    with pytest.raises(LockError, match="calls gone impossible and has no checksum"):
        lock_check.answers(lock, tmp_path, CONFIG, [(replace(CELL, id="gone"), testing.interpreter())])


def test_what_was_locked_without_an_interpreter_is_checked_with_the_one_that_is_there() -> None:
    """A plan is made where 3.12 is missing: it locks "3.12", which is no release that the project could refuse."""
    answer = Resolved(distributions=tuple(testing.distribution(*item) for item in WHOLE.items()))
    surrogate = replace(testing.interpreter("3.12"), executable="")
    entry = lock_entry(CONFIG, CELL, surrogate, answer)
    planned = PlannedCell(cell=CELL, status=Status.MISSING_INTERPRETER, reason="no CPython 3.12 on this machine")
    lock = lockfile.make("d", {CELL.id: planned}, {CELL.id: entry})
    assert lock.cells.keys() == {CELL.id}
    assert not lock.open
    picky = replace(DEMO, requires_python=">=3.12.1")
    wanted = [(CELL, testing.interpreter("3.12.4"))]
    found = lock_check.answers(lock, Path("matrix.lock"), CONFIG, wanted, metadata=picky)
    assert isinstance(found[CELL.id], LockEntry)
    old = [(CELL, testing.interpreter("3.12.0"))]
    with pytest.raises(LockError, match=r"requires Python >=3\.12\.1"):
        lock_check.answers(lock, Path("matrix.lock"), CONFIG, old, metadata=picky)


def test_a_cell_that_a_plan_left_open_is_resolved_where_it_can_be() -> None:
    """`run --locked` refuses it; of a plan that travels it has no answer here, and is resolved."""
    planned = PlannedCell(cell=CELL, status=Status.ELSEWHERE, reason="it runs on macos; could not be resolved here")
    lock = lockfile.make("d", {CELL.id: planned}, {})
    assert lock.open == {CELL.id: "it runs on macos; could not be resolved here"}
    wanted = [(CELL, testing.interpreter())]
    with pytest.raises(LockError, match=r"does not lock py3\.12-six1\.17: it runs on macos"):
        lock_check.answers(lock, Path("matrix.lock"), CONFIG, wanted)
    assert lock_check.answers(lock, Path("matrix.lock"), CONFIG, wanted, accept_open=True) == {}


def test_each_other_pin_is_checked_for_itself(tmp_path: Path) -> None:
    """Cells that differ in a variable have one check and one entry; another pin on the same lock entry is found."""
    lock = lock_of("1.17.0")
    name = lock.cells[CELL.id]
    more = [Cell(id=id_, axes={**CELL.axes, **axes}) for id_, axes in (("a", {"env.A": "1"}), ("b", {"env.A": "2"}))]
    other = Cell(id="c", axes={**CELL.axes, "six": "absent", "env.A": "2"})
    whole = replace(lock, cells={CELL.id: name, "a": name, "b": name, "c": name})
    found = lock_check.answers(whole, tmp_path, CONFIG, [(cell, testing.interpreter()) for cell in (CELL, *more)])
    assert found["a"] is found["b"] is found[CELL.id]
    with pytest.raises(LockError, match=r"c: it holds six 1\.17\.0, but the cell says that six is absent"):
        lock_check.answers(whole, tmp_path, CONFIG, [(cell, testing.interpreter()) for cell in (*more, other)])
