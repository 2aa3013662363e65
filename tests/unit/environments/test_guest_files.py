"""The probe and the witness reach an environment compiled, as venvgrid compiled them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from venvgrid import testing
from venvgrid.environments.guest_files import GuestFiles
from venvgrid.environments.package_cache.bytecode import compile_files
from venvgrid.environments.package_cache.cache import PackageCache
from venvgrid.environments.package_cache.links import CacheFolder
from venvgrid.processes import guests, runner
from venvgrid.processes.command import Completed

if TYPE_CHECKING:
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
    return GuestFiles(sources=guests.COPIED, packages=PackageCache(folder=folder), environ=dict(os.environ), run=run)


def environment(folder: Path) -> tuple[Path, Path]:
    """Make the folders of an environment; return it and its site-packages."""
    site = folder / "lib" / "site-packages"
    site.mkdir(parents=True)
    return folder, site


def files(site: Path) -> set[str]:
    return {file.relative_to(site).as_posix() for file in site.rglob("*") if file.is_file()}


def test_each_module_is_compiled_once(tmp_path: Path, here: Interpreter) -> None:
    """All modules come without their source, Python imports them so, and the next environment compiles none."""
    place, site = environment(tmp_path / "env")
    made(tmp_path / "trees").add(place, site, here, may_link=True)
    assert {name.removesuffix("c") for name in files(site)} == set(guests.files_of(guests.COPIED))
    assert [name for name in files(site) if not name.endswith(".pyc")] == ["_venvgrid_witness.pth"]
    names = "import sys, _venvgrid_witness, _venvgrid_opened, _venvgrid_probe.switch as it; print(it.__spec__.origin)"
    code = f"import sys; sys.path.insert(0, {str(site)!r}); {names}"
    told = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == str(site / "_venvgrid_probe" / "switch.pyc")

    def refuse(_command: Command) -> Completed:
        raise AssertionError

    place, other = environment(tmp_path / "other")
    made(tmp_path / "trees", refuse).add(place, other, here, may_link=True)
    assert files(other) == files(site)


@pytest.mark.skipif(os.name == "nt", reason="this system may refuse links")
def test_environments_share_them(tmp_path: Path, here: Interpreter) -> None:
    """A file of two environments is one file, which both name as shared; who may not link gets its own."""
    found, inodes = made(tmp_path / "trees"), []
    package = found.package(here)
    assert package is not None
    if not found.packages.should_link(package.path, tmp_path):
        pytest.skip("needs a file system that shares no blocks")
    for name, may_link in (("a", True), ("b", True), ("c", False)):
        place, site = environment(tmp_path / name)
        added = found.add(place, site, here, may_link=may_link)
        inodes.append({(site / file).stat().st_ino for file in files(site)})
        assert bool(added.links) is may_link
        assert len(added.manifest) == (0 if may_link else len(files(site)))
    assert inodes[0] == inodes[1]
    assert inodes[0].isdisjoint(inodes[2])


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
    package, name = made(tmp_path / "trees").package(here), "_venvgrid_witness.pyc"
    assert package is not None
    file = package.path / "site" / name
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"\0")
    place, site = environment(tmp_path / "env")
    made(tmp_path / "trees").add(place, site, here, may_link=True)
    assert (site / name).read_bytes() == whole


def test_without_a_compiler_the_sources_do(tmp_path: Path, here: Interpreter) -> None:
    """Old Pythons, other implementations, and a compiler that fails: what is slower works too."""
    sources = set(guests.files_of(guests.COPIED))
    tries = (
        (testing.interpreter("3.7.1"), runner.run),
        (replace(here, implementation="pypy"), runner.run),
        (replace(here, version="3.11.99"), lambda command: Completed(argv=command.argv, exit_code=1)),
    )
    for number, (interpreter, run) in enumerate(tries):
        place, site = environment(tmp_path / str(number))
        made(tmp_path / "trees", run).add(place, site, interpreter, may_link=True)
        assert files(site) == sources


@pytest.mark.parametrize("times", [1, 99])
def test_a_cache_that_is_pruned_meanwhile_is_filled_again(
    tmp_path: Path, here: Interpreter, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """What vanishes while it is shared is compiled anew; if it always does, the sources are copied alone."""
    left, whole = [times], CacheFolder.copy_or_link

    def pruned(folder: CacheFolder, *arguments: Any, **options: Any) -> list[str]:
        if left[0]:
            left[0] -= 1
            Path(folder.base, "_venvgrid_witness.pyc").unlink()
        return whole(folder, *arguments, **options)

    monkeypatch.setattr(CacheFolder, "copy_or_link", pruned)
    place, site = environment(tmp_path / "env")
    made(tmp_path / "trees").add(place, site, here, may_link=True)
    assert {Path(name).suffix for name in files(site)} == {".pyc" if times == 1 else ".py", ".pth"}
    assert len(files(site)) == len(guests.files_of(guests.COPIED))


def test_what_has_their_names_gives_way(tmp_path: Path, here: Interpreter) -> None:
    """A source that a package brought would be imported in place of the compiled guest."""
    place, site = environment(tmp_path / "env")
    (site / "_venvgrid_witness.py").touch()
    (site / "_venvgrid_opened.pyc").touch()
    made(tmp_path / "trees").add(place, site, here, may_link=True)
    assert "_venvgrid_witness.py" not in files(site)
    assert (site / "_venvgrid_opened.pyc").stat().st_size > 0
