"""matrix.lock: what is written is what is read, and a lock that does not fit is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid import testing
from venvgrid.config import loading
from venvgrid.installers.base import Unresolvable
from venvgrid.model import Cell, Distribution, Interpreter, LockEntry, LockError, PlannedCell, Status
from venvgrid.resolving import lock_check, lockfile
from venvgrid.resolving.lockfile import Lock, LockedEnvironment

CONFIG = loading.parse(
    '[axes]\npython = ["3.12"]\n[project]\ninstall = "none"\n[install]\nrequires = []\nas-of = "2022-08-19"\n',
    file=Path.cwd() / "matrix.toml",
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=30)


def entry(*distributions: Distribution, version: str = "3.12.1") -> LockEntry:
    return LockEntry(
        key="0" * 16, interpreter=testing.interpreter(version), distributions=distributions, as_of="2022-08-19"
    )


def cell(name: str) -> Cell:
    return Cell(id=name, axes={"python": "3.12"})


def lock_of(**entries: LockEntry) -> Lock:
    planned = {name: PlannedCell(cell=cell(name), status=Status.RUNNABLE) for name in entries}
    return lockfile.make("d1", planned, entries)


def wanted(**interpreters: Interpreter | str) -> list[tuple[Cell, Interpreter | str]]:
    """Return cells by their ids, each with its interpreter."""
    return [(Cell(id=name, axes={"python": "3.12"}), item) for name, item in interpreters.items()]


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Cells, reasons and every distribution with its hashes survive the file."""
    planned = {
        "a": PlannedCell(cell=cell("a"), status=Status.RUNNABLE),
        "b": PlannedCell(cell=cell("b"), status=Status.IMPOSSIBLE, reason='no "wheel"'),
        "c": PlannedCell(cell=cell("c"), status=Status.MISSING_INTERPRETER, reason="no CPython 3.99"),
    }
    direct = Distribution(name="x", version="", hashes=("sha256:1",), direct="https://example.org/x.tar.gz")
    lock = lockfile.make("d1", planned, {"a": entry(testing.distribution("numpy", "1.26"), direct)})
    (tmp_path / "matrix.lock").write_text(lockfile.render(lock), encoding="utf-8")
    assert lock == lockfile.read(tmp_path / "matrix.lock")
    assert lock.impossible == {"b": 'no "wheel"'}
    assert lock.open == {"c": "no CPython 3.99"}


@given(st.dictionaries(TEXT.filter(bool), TEXT, max_size=4), TEXT)
def test_any_reason_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory, impossible: dict[str, str], note: str
) -> None:
    """Whatever characters a resolver's reason holds, the file is TOML that says the same."""
    environment = LockedEnvironment(python="3.12.1", implementation="cpython", platform="linux", notes=(note,))
    lock = Lock(digest="d", cells={"a": "e1"}, impossible=impossible, environments={"e1": environment})
    path = tmp_path_factory.mktemp("lock") / "matrix.lock"
    path.write_text(lockfile.render(lock), encoding="utf-8", newline="")
    assert lock == lockfile.read(path)


def test_cells_with_equal_content_share_an_environment() -> None:
    """Two cells that resolved to the same distributions name the same environment."""
    lock = lock_of(a=entry(testing.distribution("numpy", "1.26")), b=entry(testing.distribution("numpy", "1.26")))
    assert lock.cells["a"] == lock.cells["b"]
    assert len(lock.environments) == 1


@pytest.mark.parametrize("text", ["", "format = 3", 'format = "venvgrid-lock-9"', "[", 'format = "venvgrid-lock-1"'])
def test_a_damaged_lock_is_refused_with_the_command_that_makes_it(tmp_path: Path, text: str) -> None:
    """Whatever is wrong with the file, the message says how to make it again."""
    path = tmp_path / "matrix.lock"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LockError, match="venvgrid lock"):
        lockfile.read(path)


def test_a_missing_lock_is_refused(tmp_path: Path) -> None:
    """No file: the message says so and how to make it."""
    with pytest.raises(LockError, match=r"does not exist; make it with: venvgrid lock"):
        lockfile.read(tmp_path / "matrix.lock")


def test_a_lock_gives_exactly_its_distributions() -> None:
    """`answers` turns the lock into entries for this machine's interpreters, and keeps what is impossible."""
    lock = dataclasses.replace(lock_of(a=entry(testing.distribution("numpy", "1.26"))), impossible={"b": "why"})
    here = testing.interpreter("3.12.4")
    answers = lock_check.answers(lock, Path("matrix.lock"), CONFIG, wanted(a=here, b="no interpreter", c="none"))
    assert answers["b"] == Unresolvable(reason="why")
    found = answers["a"]
    assert isinstance(found, LockEntry)
    assert found.distributions == (testing.distribution("numpy", "1.26"),)
    assert found.interpreter == here
    assert "c" not in answers


@pytest.mark.parametrize("interpreter", [testing.interpreter("3.11.1"), testing.interpreter("3.12.1", "pypy")])
def test_a_lock_for_another_interpreter_is_refused(interpreter: Interpreter) -> None:
    """Another minor version or implementation than the one it was made for is said, not installed."""
    lock = lock_of(a=entry(testing.distribution("numpy", "1.26")))
    with pytest.raises(LockError, match=r"locks a for cpython 3\.12\.1"):
        lock_check.answers(lock, Path("matrix.lock"), CONFIG, wanted(a=interpreter))


def test_a_cell_that_is_not_locked_is_refused() -> None:
    """A cell that the lock does not know cannot be run from it."""
    with pytest.raises(LockError, match="does not lock new"):
        lock_check.answers(lock_of(), Path("matrix.lock"), CONFIG, wanted(new=testing.interpreter()))


def test_the_digest_follows_what_decides_about_distributions() -> None:
    """A pin changes it; a timeout does not."""
    digest = lockfile.digest_of(CONFIG, None, ())
    later = dataclasses.replace(CONFIG, test=dataclasses.replace(CONFIG.test, timeout=1.0))
    pinned = dataclasses.replace(CONFIG, install=dataclasses.replace(CONFIG.install, constraints=("numpy<2",)))
    early = dataclasses.replace(CONFIG, install=dataclasses.replace(CONFIG.install, pre_releases=True))
    assert lockfile.digest_of(early, None, ()) != digest
    assert lockfile.digest_of(later, None, ()) == digest
    assert lockfile.digest_of(pinned, None, ()) != digest
