"""Starting candidates, passing over what is no Python, and following shims to what they start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from fake_pythons import FakeRun, add

from venvgrid.interpreters.candidates import Rejected
from venvgrid.interpreters.discovery import Found, find_one, search
from venvgrid.interpreters.locations import Machine
from venvgrid.processes.command import Command, Completed, Runner

pytestmark = pytest.mark.skipif(os.name == "nt", reason="makes POSIX modes and links; all layouts are tried on POSIX")


def find(tmp_path: Path, run: Runner, **environ: Any) -> Found:
    """Look at a machine with nothing but PATH."""
    environ = {"PATH": str(tmp_path / "bin"), **environ}
    machine = Machine(environ=environ, home=tmp_path / "home", root=tmp_path, platform="linux")
    return search(machine, run=run, cache=None)


def reasons(found: Found) -> dict[str, str]:
    """Give what was passed over, by its name."""
    return {Path(item.path).name: item.reason for place in found.places for item in place.rejected}


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
    expected = Rejected(path=str(executable), reason=f"a virtual environment of {tmp_path}/gone/python, which is gone")
    assert expected == find_one(executable, run=FakeRun(), cache=None, environ={})


@pytest.mark.parametrize("key", ["executable", "base-executable"])
def test_an_environment_may_name_its_base_itself(tmp_path: Path, key: str) -> None:
    """Both venv and virtualenv write the executable, which may have any name."""
    base = add(tmp_path / "base" / "python3.12")
    executable = environment(tmp_path / "env", **{"home": tmp_path, key: base})
    answer = find_one(executable, run=FakeRun(), cache=None, environ={})
    assert not isinstance(answer, Rejected)
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


def test_a_parallel_map_is_used_and_keeps_the_order_of_sources(tmp_path: Path) -> None:
    """The map may call in any order, as long as it gives the results in the order of the items."""
    for number in range(5):
        add(tmp_path / "bin" / f"python3.{number}", f"3.{number}.0", traits={"prefix": str(number)})

    def backwards(function: Any, items: Any) -> list[Any]:
        return [function(item) for item in reversed(list(items))][::-1]

    machine = Machine(environ={"PATH": str(tmp_path / "bin")}, home=tmp_path, root=tmp_path, platform="linux")
    run = FakeRun()
    found = search(machine, run=run, cache=None, map_parallel=backwards)
    assert [f"3.{number}.0" for number in range(5)] == [item.version for item in found.interpreters]
    assert Path(run.names[0]).name == "python3.4"


def test_a_command_that_does_not_start_is_a_reason(tmp_path: Path) -> None:
    """Such as a file for another processor."""
    path = add(tmp_path / "bin" / "python3.12")

    def broken(command: Command) -> Completed:
        return Completed(argv=command.argv, exit_code=None, error="could not start it: Exec format error")

    expected = Rejected(path=str(path), reason="could not start it: Exec format error")
    assert expected == find_one(path, run=broken, cache=None, environ={})


def test_pythons_that_start_each_other_are_given_up(tmp_path: Path) -> None:
    """A chain of launchers and environments ends after a few steps."""
    folders = [tmp_path / str(number) for number in range(4)]
    for folder, following in zip(folders, [*folders[1:], folders[0]], strict=True):
        inner = environment(following / "env", home=following, version="3.12.1")
        add(folder / "python", script=True, starts=str(inner))
    answer = find_one(folders[0] / "python", run=FakeRun(), cache=None, environ={})
    assert isinstance(answer, Rejected)
    assert answer.reason == "it starts a Python that starts yet another one"
