"""Remembering what interpreters answered, and forgetting it in time."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from fake_pythons import FakeRun, add

from venvgrid.interpreters.cache import FAILURE_LASTS, FILE
from venvgrid.interpreters.candidates import Rejected
from venvgrid.interpreters.discovery import Found, find_one, search
from venvgrid.interpreters.locations import Machine
from venvgrid.processes.command import Command, Completed, Runner
from venvgrid.storage import atomic

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="makes POSIX modes and links; all layouts are tried on POSIX")


def find(tmp_path: Path, run: Runner, *, cache: Path | None = None, at: float = 0.0, **environ: Any) -> Found:
    """Look at a machine with nothing but PATH."""
    environ = {"PATH": str(tmp_path / "bin"), **environ}
    machine = Machine(environ=environ, home=tmp_path / "home", root=tmp_path, platform="linux")
    return search(machine, run=run, cache=cache, clock=lambda: at)


def test_what_is_remembered_is_not_started_again(tmp_path: Path) -> None:
    """The second look gives the same and starts nothing, failures of real executables included."""
    add(tmp_path / "bin" / "python3.12")
    add(tmp_path / "bin" / "python3.13", exit_code=1, stderr="no such library")
    first, second = FakeRun(), FakeRun()
    cache = tmp_path / "cache"
    one = find(tmp_path, first, cache=cache)
    other = find(tmp_path, second, cache=cache)
    assert one == other
    assert (len(first.started), len(second.started)) == (2, 0)


def test_a_failure_is_forgotten_after_a_while(tmp_path: Path) -> None:
    """What was missing may have been installed, and a busy machine may have rest."""
    add(tmp_path / "bin" / "python3.13", timed_out=True)
    cache = tmp_path / "cache"
    counts = []
    for at in (0.0, FAILURE_LASTS - 1, FAILURE_LASTS + 1):
        run = FakeRun()
        find(tmp_path, run, cache=cache, at=at)
        counts.append(len(run.started))
    assert counts == [1, 0, 1]


def test_what_a_script_answers_is_not_remembered(tmp_path: Path) -> None:
    """A shim's answer changes while its file stays the same."""
    real = add(tmp_path / "far" / "bin" / "python3.12")
    add(tmp_path / "bin" / "python", script=True, starts=str(real))
    add(tmp_path / "bin" / "python2", script=True, exit_code=1)
    cache = tmp_path / "cache"
    find(tmp_path, FakeRun(), cache=cache)
    run = FakeRun()
    find(tmp_path, run, cache=cache)
    assert len(run.started) == 2


def test_a_launcher_is_asked_again_when_what_it_starts_changed(tmp_path: Path) -> None:
    """A binary launcher keeps its file while the Python behind it is upgraded in place."""
    real = add(tmp_path / "far" / "python3.12", "3.12.1")
    add(tmp_path / "bin" / "python", "3.12.1", starts=str(real))
    cache = tmp_path / "cache"
    find(tmp_path, FakeRun(), cache=cache)
    add(real, "3.12.10")
    run = FakeRun()
    find(tmp_path, run, cache=cache)
    assert len(run.started) == 1


@pytest.mark.parametrize("change", ["size", "mtime", "link"])
def test_a_changed_file_is_asked_again(tmp_path: Path, change: str) -> None:
    """An upgrade replaces the file, keeps its size perhaps, or leads its link elsewhere."""
    one = add(tmp_path / "cellar" / "1" / "python3.12", "3.12.1")
    two = add(tmp_path / "cellar" / "2" / "python3.12", "3.12.2")
    for path in (one, two):
        os.utime(path, ns=(5, 5))
    link = tmp_path / "bin" / "python3.12"
    link.parent.mkdir()
    link.symlink_to(one)
    cache = tmp_path / "cache"
    find(tmp_path, FakeRun(), cache=cache)
    if change == "size":
        add(one, "3.12.10")
        os.utime(one, ns=(5, 5))
    elif change == "mtime":
        add(one, "3.12.3")
    else:
        link.unlink()
        link.symlink_to(two)
    expected = {"size": "3.12.10", "mtime": "3.12.3", "link": "3.12.2"}[change]
    assert [expected] == [item.version for item in find(tmp_path, FakeRun(), cache=cache).interpreters]


def damaged(kind: str, data: dict[str, Any]) -> str:
    """Give the memory's text as something may have left it."""
    answers = data["answers"]
    changed = {
        "empty": "",
        "half": json.dumps(data)[: len(json.dumps(data)) // 2],
        "list": "[]",
        "format": json.dumps({**data, "format": "venvgrid-pythons-0"}),
        "kernel": json.dumps({**data, "host": "another"}),
        "question": json.dumps({**data, "question": "another"}),
        "answers": json.dumps({**data, "answers": [1]}),
        "entries": json.dumps({**data, "answers": dict.fromkeys(answers, 7)}),
        "values": json.dumps({**data, "answers": {key: {**value, "answer": [1]} for key, value in answers.items()}}),
    }
    return changed[kind]


@pytest.mark.parametrize(
    "kind", ["empty", "half", "list", "format", "kernel", "question", "answers", "entries", "values"]
)
def test_a_damaged_or_foreign_memory_is_as_none(tmp_path: Path, kind: str) -> None:
    """Whatever the file holds, the interpreters are found, and the file is whole again afterwards."""
    add(tmp_path / "bin" / "python3.12")
    cache = tmp_path / "cache"
    find(tmp_path, FakeRun(), cache=cache)
    file = cache / FILE
    whole = file.read_text(encoding="utf-8")
    data = json.loads(atomic.read_sealed(file))
    atomic.write_sealed(file, damaged(kind, data))
    run = FakeRun()
    assert [item.version for item in find(tmp_path, run, cache=cache).interpreters] == ["3.12.1"]
    assert len(run.started) == 1
    assert whole == file.read_text(encoding="utf-8")
    assert [path.name for path in cache.iterdir()] == [FILE]
    file.write_text(whole.replace("3.12.1", "3.12.7"), encoding="utf-8")
    assert [item.version for item in find(tmp_path, FakeRun(), cache=cache).interpreters] == ["3.12.1"]


def test_a_folder_that_takes_no_file_is_no_error(tmp_path: Path) -> None:
    """The cache is a help, not a need."""
    add(tmp_path / "bin" / "python3.12")
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    assert len(find(tmp_path, FakeRun(), cache=tmp_path / "cache").interpreters) == 1


def test_what_other_processes_learned_is_kept(tmp_path: Path) -> None:
    """Two processes that look at once do not lose each other's answers."""
    cache = tmp_path / "cache"
    add(tmp_path / "bin" / "python3.12")
    add(tmp_path / "other" / "python3.13", "3.13.0")
    find(tmp_path, FakeRun(), cache=cache)
    find(tmp_path, FakeRun(), cache=cache, PATH=str(tmp_path / "other"))
    run = FakeRun()
    find(tmp_path, run, cache=cache, PATH=f"{tmp_path}/bin:{tmp_path}/other")
    assert run.names == []


def test_an_interrupted_question_is_not_remembered(tmp_path: Path) -> None:
    """Ctrl-C while candidates are asked says nothing of them."""
    path = add(tmp_path / "bin" / "python3.12")

    def cancelled(command: Command) -> Completed:
        return Completed(argv=command.argv, exit_code=None, cancelled=True)

    cache = tmp_path / "cache"
    expected = Rejected(path=str(path), reason="interrupted")
    assert expected == find_one(path, run=cancelled, cache=cache, environ={})
    assert not isinstance(find_one(path, run=FakeRun(), cache=cache, environ={}), Rejected)


def test_a_python_that_vanishes_meanwhile_is_not_remembered(tmp_path: Path) -> None:
    """An uninstaller may run at the same time."""
    path = add(tmp_path / "bin" / "python3.12")
    fake = FakeRun()

    def vanishing(command: Command) -> Completed:
        completed = fake(command)
        path.unlink()
        return completed

    find(tmp_path, vanishing, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
