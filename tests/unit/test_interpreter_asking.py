"""Starting candidates, passing over what is no Python, and remembering the answers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fake_pythons import FakeRun, add

from venvgrid.interpreters import Found, Machine, PassedOver, find_one, look
from venvgrid.interpreters.memory import FAILURE_LASTS, FILE


def find(tmp_path: Path, run: FakeRun, *, cache: Path | None = None, at: float = 0.0, **environ: Any) -> Found:
    """Look at a machine with nothing but PATH."""
    environ = {"PATH": str(tmp_path / "bin"), **environ}
    machine = Machine(environ=environ, home=tmp_path / "home", root=tmp_path, platform="linux")
    return look(machine, run=run, cache=cache, clock=lambda: at)


def reasons(found: Found) -> dict[str, str]:
    """Give what was passed over, by its name."""
    return {Path(item.path).name: item.reason for place in found.places for item in place.passed_over}


def test_what_is_no_python_is_passed_over_with_the_reason(tmp_path: Path) -> None:
    """Nothing stops the search, and every reason is told."""
    bin_folder = tmp_path / "bin"
    add(bin_folder / "python3.1", exit_code=127, stderr="\npython3.1: command not found\nmore\n", script=True)
    add(bin_folder / "python3.2", timed_out=True)
    add(bin_folder / "python3.3", signal="SIGSEGV")
    add(bin_folder / "python3.4", stdout="hello\n")
    add(bin_folder / "python3.5", stdout="<<venvgrid-python:{:venvgrid-python>>")
    add(bin_folder / "python3.6", stdout='<<venvgrid-python:{"executable": "x"}:venvgrid-python>>')
    add(bin_folder / "python3.7").chmod(0o644)
    (bin_folder / "python3.8").symlink_to("gone")
    (bin_folder / "python3.9").mkdir()
    (bin_folder / "python3.10").symlink_to(add(tmp_path / "tools" / "mise"))
    add(bin_folder / "python3.12", banner="Welcome to the shim!")
    found = find(tmp_path, FakeRun())
    expected = {
        "python3.1": "exit status 127: python3.1: command not found",
        "python3.2": "no answer in 10 s",
        "python3.3": "ended by SIGSEGV",
        "python3.4": "it does not answer as a Python does: hello",
        "python3.7": "not executable",
        "python3.8": "a broken link",
        "python3.9": "a folder",
        "python3.10": "a shim of mise, whose Pythons are read from their own folder",
    }
    told = reasons(found)
    assert expected == {name: reason for name, reason in told.items() if name not in {"python3.5", "python3.6"}}
    assert told["python3.5"].startswith("its answer cannot be read")
    assert told["python3.6"].startswith("its answer cannot be read")
    assert [item.version for item in found.interpreters] == ["3.12.1"]


def test_shims_of_a_manager_that_is_read_are_not_started(tmp_path: Path) -> None:
    """Their answers depend on what is active; the Pythons behind them are found anyway."""
    add(tmp_path / "pyenv" / "shims" / "python3.9", script=True, exit_code=127)
    add(tmp_path / "pyenv" / "versions" / "3.9.18" / "bin" / "python3.9", "3.9.18")
    run = FakeRun()
    found = find(tmp_path, run, PATH=str(tmp_path / "pyenv" / "shims"))
    assert [str(tmp_path / "pyenv" / "versions" / "3.9.18" / "bin" / "python3.9")] == run.names
    assert reasons(found) == {"shims": "shims of pyenv, whose Pythons are read from their own folders"}
    assert [item.source for item in found.interpreters] == ["pyenv"]


def test_a_shim_of_an_unknown_manager_gives_the_python_that_it_starts(tmp_path: Path) -> None:
    """An environment made from a shim would change with what is active."""
    real = add(tmp_path / "far" / "bin" / "python3.12")
    add(tmp_path / "bin" / "python", script=True, starts=str(real))
    found = find(tmp_path, FakeRun())
    assert [str(real)] == [item.executable for item in found.interpreters]


def test_a_shim_into_a_virtual_environment_gives_its_base(tmp_path: Path) -> None:
    """Two steps: the shim starts the environment's Python, and that was made from another."""
    base = add(tmp_path / "base" / "python3.12", "3.12.4")
    inner = environment(tmp_path / "env", home=base.parent, version="3.12.4")
    add(tmp_path / "bin" / "python", script=True, starts=str(inner))
    found = find(tmp_path, FakeRun())
    assert [("3.12.4", str(base))] == [(item.version, item.executable) for item in found.interpreters]


def environment(folder: Path, **settings: object) -> Path:
    """Make what looks like a virtual environment."""
    executable = add(folder / "bin" / "python")
    lines = [f"{key} = {value}" for key, value in settings.items()]
    (folder / "pyvenv.cfg").write_text("\n".join(lines), encoding="utf-8")
    return executable


def test_virtual_environments_are_replaced_by_what_they_were_made_from(tmp_path: Path) -> None:
    """An active environment on PATH is no source for others, and it is said that it was passed over."""
    base = add(tmp_path / "base" / "python3.12")
    executable = environment(tmp_path / "env", home=base.parent, version_info="3.12.1.final.0")
    run = FakeRun()
    found = find(tmp_path, run, PATH=str(executable.parent))
    assert [str(base)] == run.names
    assert {"python": f"a virtual environment of {base}"} == reasons(found)
    assert [("PATH", str(base))] == [(item.source, item.executable) for item in found.interpreters]


def test_an_environment_whose_python_is_gone_is_passed_over(tmp_path: Path) -> None:
    """That is what an upgrade by the system leaves behind."""
    executable = environment(tmp_path / "env", home=tmp_path / "gone")
    found = find(tmp_path, FakeRun(), PATH=str(executable.parent))
    assert {"python": f"a virtual environment of {tmp_path}/gone/python, which is gone"} == reasons(found)
    expected = PassedOver(
        path=str(executable), reason=f"a virtual environment of {tmp_path}/gone/python, which is gone"
    )
    assert expected == find_one(executable, run=FakeRun(), cache=None, environ={})


@pytest.mark.parametrize("key", ["executable", "base-executable"])
def test_an_environment_may_name_its_base_itself(tmp_path: Path, key: str) -> None:
    """Both venv and virtualenv write the executable, which may have any name."""
    base = add(tmp_path / "base" / "python3.12")
    executable = environment(tmp_path / "env", **{"home": tmp_path, key: base})
    answer = find_one(executable, run=FakeRun(), cache=None, environ={})
    assert not isinstance(answer, PassedOver)
    assert str(base) == answer.executable


def test_candidates_are_started_without_what_changes_their_answer(tmp_path: Path) -> None:
    """PYTHON* and PYENV_VERSION stay outside; PATH and libraries come along; the user's site is not imported."""
    add(tmp_path / "bin" / "python3.12")
    run = FakeRun()
    hidden: dict[str, Any] = {
        "PYTHONPATH": "x",
        "PYTHONHOME": "x",
        "PYENV_VERSION": "3.9",
        "VIRTUAL_ENV": "x",
        "SECRET": "x",
    }
    passed: dict[str, Any] = {"LD_LIBRARY_PATH": "/lib", "SystemRoot": "C:\\Windows", "HOME": "/home/x"}
    find(tmp_path, run, **hidden, **passed)
    [command] = run.started
    assert {"PATH": str(tmp_path / "bin"), **passed} == command.env
    assert command.argv[1:5] == ("-B", "-E", "-s", "-S")
    assert command.timeout == 10.0


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
    file.write_text(damaged(kind, json.loads(whole)), encoding="utf-8")
    run = FakeRun()
    assert [item.version for item in find(tmp_path, run, cache=cache).interpreters] == ["3.12.1"]
    assert len(run.started) == 1
    assert whole == file.read_text(encoding="utf-8")
    assert [path.name for path in cache.iterdir()] == [FILE]


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


def test_a_parallel_map_is_used_and_keeps_the_order_of_sources(tmp_path: Path) -> None:
    """The map may call in any order, as long as it gives the results in the order of the items."""
    for number in range(5):
        add(tmp_path / "bin" / f"python3.{number}", f"3.{number}.0", traits={"prefix": str(number)})

    def backwards(function: Any, items: Any) -> list[Any]:
        return [function(item) for item in reversed(list(items))][::-1]

    machine = Machine(environ={"PATH": str(tmp_path / "bin")}, home=tmp_path, root=tmp_path, platform="linux")
    run = FakeRun()
    found = look(machine, run=run, cache=None, map_parallel=backwards)
    assert [f"3.{number}.0" for number in range(5)] == [item.version for item in found.interpreters]
    assert Path(run.names[0]).name == "python3.4"
