"""The Pythons of this machine are found, described truly, and installed by uv where one is missing."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.markers import default_environment

from venvgrid.interpreters.cache import FILE
from venvgrid.interpreters.candidates import Rejected
from venvgrid.interpreters.discovery import Found, discover, find_one, search
from venvgrid.interpreters.locations import Machine
from venvgrid.interpreters.selection import Missing, resolve_specs
from venvgrid.processes.runner import run

if TYPE_CHECKING:
    from venvgrid.processes.command import Command, Completed

pytestmark = pytest.mark.e2e

PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
VERSIONS = sorted(folder for folder in PYENV.glob("versions/*") if (folder / "bin" / "python").exists())
needs_pyenv = pytest.mark.skipif(len(VERSIONS) < 2, reason=f"needs two Pythons below {PYENV}/versions")
posix = pytest.mark.skipif(os.name != "posix", reason="the candidates are shell scripts")
BASE = Path(getattr(sys, "_base_executable", sys.executable))


class Counting:
    """The real runner, and how often it was used."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    def __call__(self, command: Command) -> Completed:
        self.commands.append(command)
        return run(command)


def on_path(home: Path, *folders: Path, environ: dict[str, str] | None = None) -> Machine:
    """Return this machine with only these folders on PATH, an empty home folder and no system folders."""
    variables = {**os.environ, "PATH": os.pathsep.join(map(str, folders)), **(environ or {})}
    for name in ("PYENV_ROOT", "CONDA_PREFIX", "CONDA_EXE", "RUNNER_TOOL_CACHE", "AGENT_TOOLSDIRECTORY"):
        variables.pop(name, None)
    return Machine(environ=variables, home=home, root=home)


def script(path: Path, text: str) -> Path:
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@needs_pyenv
def test_every_pyenv_version_is_found_though_one_is_active_at_most(tmp_path: Path) -> None:
    """With nothing but pyenv's shims on PATH, every installed version is found, once, and no shim is started."""
    counting = Counting()
    machine = on_path(tmp_path, PYENV / "shims")
    with ThreadPoolExecutor(2) as pool:
        found = search(machine, run=counting, cache=tmp_path / "cache", map_parallel=pool.map)
    real = {Path(os.path.realpath(folder)) for folder in VERSIONS if not (folder / "pyvenv.cfg").exists()}
    assert sorted(real) == sorted(Path(os.path.realpath(item.executable)).parent.parent for item in found.interpreters)
    assert {"pyenv"} == {item.source for item in found.interpreters}
    for item in found.interpreters:
        assert Path(item.executable).parent.parent.name.endswith(item.version)
    assert not [command for command in counting.commands if "shims" in command.argv[0]]


@needs_pyenv
def test_the_second_search_starts_nothing(tmp_path: Path) -> None:
    """All answers come from the cache."""
    machine = on_path(tmp_path, PYENV / "shims")
    first = search(machine, run=run, cache=tmp_path / "cache")
    counting = Counting()
    second = search(machine, run=counting, cache=tmp_path / "cache")
    assert first == second
    assert counting.commands == []


@needs_pyenv
def test_each_describes_itself_as_it_is(tmp_path: Path) -> None:
    """Version, implementation, bits and markers agree with what the interpreter says when asked in another way."""
    question = (
        "import json, platform, struct, sys, sysconfig; u = platform.uname(); print(json.dumps(["
        "platform.python_version(), platform.python_implementation(), struct.calcsize('P') * 8, "
        "sysconfig.get_platform(), u[0], u[2], u[3], u[4], sys.platform]))"
    )
    found = search(on_path(tmp_path, PYENV / "shims"), run=run, cache=None)
    assert found.interpreters
    for item in found.interpreters:
        told = json.loads(subprocess.run([item.executable, "-c", question], check=True, capture_output=True).stdout)
        markers = item.markers
        expected = [
            item.version,
            markers["platform_python_implementation"],
            item.bits,
            item.platform,
            markers["platform_system"],
            markers["platform_release"],
            markers["platform_version"],
            markers["platform_machine"],
            markers["sys_platform"],
        ]
        assert expected == told
        assert ".".join(map(str, item.release)) == markers["python_version"]


def test_the_markers_are_those_of_packaging(tmp_path: Path) -> None:
    """For the Python that runs the tests, every marker is what packaging computes inside it."""
    answer = find_one(BASE, run=run, cache=None, environ=os.environ)
    assert not isinstance(answer, Rejected)
    assert dict(default_environment()) == dict(answer.markers)
    assert sys.implementation.cache_tag == answer.cache_tag
    assert bool(sysconfig.get_config_var("Py_GIL_DISABLED")) == answer.free_threaded
    assert hasattr(sys, "gettotalrefcount") == answer.debug
    assert list(tmp_path.iterdir()) == []


def test_this_machine_can_be_looked_at_as_it_is(tmp_path: Path) -> None:
    """Whatever is installed here: the Python that runs the tests is among it, no file is asked for twice."""
    found = discover(run=run, cache=tmp_path)
    files = [os.path.realpath(item.executable) for item in found.interpreters]
    assert os.path.realpath(BASE) in files
    assert len(set(files)) == len(files)
    assert (tmp_path / FILE).exists()


@posix
def test_what_hangs_floods_or_fails_is_passed_over(tmp_path: Path) -> None:
    """Shims that answer with an error, endless programs, floods of output and refusals to end stop nothing."""
    folder = tmp_path / "bin"
    script(folder / "python3.1", "echo 'shim: version 3.1 is not active' >&2; exit 127")
    script(folder / "python3.2", "exec sleep 600")
    script(folder / "python3.3", "trap '' TERM; while :; do sleep 1; done")
    script(folder / "python3.4", "exec yes")
    script(folder / "python3.5", "kill -SEGV $$")
    script(folder / "python3.6", "echo 'Welcome'; echo 'a banner' >&2; printf 'no end of line'; exec " + f'{BASE} "$@"')
    for limit in (4.0, 30.0):  # longer only where a Python takes seconds to start
        with ThreadPoolExecutor(6) as pool:
            found = search(on_path(tmp_path, folder), run=run, cache=None, timeout=limit, map_parallel=pool.map)
        if found.interpreters:
            break
    reasons = {Path(item.path).name: item.reason for place in found.places for item in place.rejected}
    expected = {
        "python3.1": "exit status 127: shim: version 3.1 is not active",
        "python3.2": f"no answer in {limit:g} s",
        "python3.3": f"no answer in {limit:g} s",
        "python3.4": f"no answer in {limit:g} s",
        "python3.5": "ended by SIGSEGV",
    }
    assert expected == reasons
    assert [os.path.realpath(BASE)] == [os.path.realpath(item.executable) for item in found.interpreters]


@posix
def test_the_users_python_variables_reach_no_candidate(tmp_path: Path) -> None:
    """A json.py on PYTHONPATH and a PYTHONHOME that is wrong break a normal start, not this one."""
    (tmp_path / "json.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(BASE)
    environ = {"PYTHONPATH": str(tmp_path), "PYTHONHOME": str(tmp_path), "PYTHONSTARTUP": "x"}
    found = search(on_path(tmp_path, folder, environ=environ), run=run, cache=None)
    assert [platform.python_version()] == [item.version for item in found.interpreters]


@pytest.mark.parametrize("maker", ["venv", "virtualenv", "uv"])
def test_a_virtual_environment_gives_the_python_that_it_was_made_from(tmp_path: Path, maker: str) -> None:
    """Each maker notes the base in its own way; the folder of the environment may be given as well as its Python."""
    env = tmp_path / "env"
    commands = {
        "venv": [sys.executable, "-m", "venv", "--without-pip", str(env)],
        "virtualenv": [sys.executable, "-m", "virtualenv", "--no-seed", "-q", str(env)],
        "uv": [find_uv(), "venv", "-q", "--no-config", "-p", str(BASE), str(env)],
    }
    subprocess.run(commands[maker], check=True, capture_output=True)
    executable = env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    specs = [str(executable), str(env)]

    ask = partial(find_one, run=run, cache=None, environ=os.environ)
    answers = resolve_specs(specs, Found(), ask=ask)
    for answer in answers.values():
        assert not isinstance(answer, Missing)
        assert os.path.realpath(BASE) == os.path.realpath(answer.executable)
        assert not Path(answer.executable).is_relative_to(env)


@needs_pyenv
def test_looking_from_several_processes_at_once_leaves_a_whole_memory(tmp_path: Path) -> None:
    """Each finds everything, and the file that they share is readable afterwards and complete."""
    code = (
        "import sys; from pathlib import Path; from venvgrid.interpreters.discovery import discover; "
        "from venvgrid.processes.runner import run; print(len(discover(run=run, cache=Path(sys.argv[1])).interpreters))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    counts = [process.communicate()[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(set(counts)) == 1
    counting = Counting()
    found = discover(run=counting, cache=tmp_path)
    assert counts[0] == str(len(found.interpreters))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def find_uv() -> str:
    """Return uv's executable, or skip."""
    beside = Path(sys.executable).with_name("uv.exe" if os.name == "nt" else "uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        pytest.skip("needs uv")
    return found
