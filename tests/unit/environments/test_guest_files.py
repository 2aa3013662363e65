"""The probe and the witness reach an environment compiled, as venvgrid compiled them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from venvgrid import testing
from venvgrid.environments.guest_files import GuestFiles
from venvgrid.environments.package_cache.bytecode import compile_files
from venvgrid.processes import guests, runner
from venvgrid.processes.command import Completed

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.model import Interpreter
    from venvgrid.processes.command import Command, Runner


@pytest.fixture
def here() -> Interpreter:
    """Return the interpreter of the tests."""
    version = ".".join(map(str, sys.version_info[:3]))
    return replace(
        testing.interpreter(version), executable=sys.executable, cache_tag=sys.implementation.cache_tag or ""
    )


def made(folder: Path, run: Runner = runner.run) -> GuestFiles:
    return GuestFiles(sources=guests.COPIED, folder=folder, environ=dict(os.environ), run=run)


def test_each_module_is_compiled_once(tmp_path: Path, here: Interpreter) -> None:
    """All modules come without their source, Python imports them so, and the next run compiles none."""
    sources, found = guests.files_of(guests.COPIED), made(tmp_path / "guests").of(here)
    assert {name.removesuffix("c") for name in found} == set(sources)
    assert [name for name in found if not name.endswith(".pyc")] == ["_venvgrid_witness.pth"]
    for name, file in found.items():
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, tmp_path / "site" / name)
    names = "import sys, _venvgrid_witness, _venvgrid_opened, _venvgrid_probe.switch as it; print(it.__spec__.origin)"
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); {names}"
    told = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == str(tmp_path / "site" / "_venvgrid_probe" / "switch.pyc")

    def refuse(_command: Command) -> Completed:
        raise AssertionError

    assert made(tmp_path / "guests", refuse).of(here) == found


@pytest.mark.skipif(os.name == "nt", reason="this system limits no files")
def test_a_full_disk_leaves_no_part_of_a_compiled_file(tmp_path: Path, here: Interpreter) -> None:
    """What could not be written whole is not there: Python would read it and say that data are too short."""
    source, target = tmp_path / "large.py", tmp_path / "large.pyc"
    source.write_text(f"TEXT = {'x' * 100_000!r}\n", encoding="utf-8")

    def limited(command: Command) -> Completed:
        argv = ("sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *command.argv)
        return runner.run(replace(command, argv=argv))

    for run, is_there in ((limited, False), (runner.run, True)):
        compile_files([(str(source), str(target))], tmp_path, here, environ=dict(os.environ), run=run)
        assert target.exists() is is_there


def test_a_damaged_one_is_made_again(tmp_path: Path, here: Interpreter) -> None:
    """A module in the cache that is not as it was made reaches no environment."""
    file = made(tmp_path).of(here)["_venvgrid_witness.pyc"]
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"\0")
    assert made(tmp_path).of(here)["_venvgrid_witness.pyc"].read_bytes() == whole


def test_without_a_compiler_the_sources_do(tmp_path: Path, here: Interpreter) -> None:
    """Old Pythons, other implementations, and a compiler that fails: what is slower works too."""
    sources = guests.files_of(guests.COPIED)
    assert made(tmp_path).of(testing.interpreter("3.7.1")) == sources
    assert made(tmp_path).of(replace(here, implementation="pypy")) == sources
    assert made(tmp_path, lambda command: Completed(argv=command.argv, exit_code=1)).of(here) == sources


def test_a_cache_that_is_pruned_meanwhile_is_filled_again(
    tmp_path: Path, here: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What vanishes between the look and the copy is compiled anew; if it always does, the sources are copied alone."""
    copy, left = shutil.copyfile, [1]

    def pruned(source: Path, target: Path) -> None:
        if left[0] and source.suffix == ".pyc" and source.stem == "_venvgrid_witness":
            left[0] -= 1
            shutil.rmtree(tmp_path / "guests")
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", pruned)
    for times, suffix in ((1, "pyc"), (99, "py")):
        left[0], site = times, tmp_path / suffix
        site.mkdir()
        found = made(tmp_path / "guests").copied_into(site, here)
        assert {file.suffix for file in found} == {f".{suffix}", ".pth"}
        assert {file for file in site.rglob("*") if file.is_file()} == set(found)
