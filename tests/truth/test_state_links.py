"""Nothing of the user is deleted or written through a link below `.venvgrid`."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
import rig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")]
CELL = f"py{rig.HERE}"
MATRIX = f"""
    [project]
    install = "none"
    [axes]
    python = ["{rig.HERE}"]
"""
LEVELS = ("", "runs", "store", "store/KEY", "envs", "cells", f"cells/{CELL}", "results-cache", f"results-cache/{CELL}")
FILES = ("lock.owner", "scratch", ".gitignore", "CACHEDIR.TAG")


@pytest.fixture(scope="module")
def ran(once: Callable[[str, Callable[[Path], None]], Path], cache_dir: Path) -> Path:
    """Return a project that has run; tests put its folders elsewhere and back."""

    def make(root: Path) -> None:
        rig.project(root, MATRIX, rig.TOY_TEST)
        ended = rig.venvgrid(root, cache_dir, "run", "-q")
        assert ended.status == 0, ended.err

    return once("links", make)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Return a folder of the user: as many files as the cache of results deletes, and others."""
    folder = tmp_path / "mine"
    for number in range(9):
        file = folder / ("logs" if number > 6 else "") / f"{number}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_a_run_refuses_a_link_at_any_level_and_touches_nothing(
    ran: Path, mine: Path, cache_dir: Path, tmp_path: Path
) -> None:
    """A link in place of a folder: status 3, the link is named, and the folder behind it is as it was."""
    before, root = contents(mine), tmp_path / "project"
    shutil.copytree(ran, root, symlinks=True)
    (key,) = [place.name for place in (root / ".venvgrid" / "store").iterdir()]
    for level in (*LEVELS, "coverage"):
        name = level.replace("KEY", key)
        place, aside = root / ".venvgrid" / name, tmp_path / "aside"
        moved = place.exists()
        if moved:
            place.rename(aside)
        place.symlink_to(mine)
        for command in (("run", "-q"), *((("env", "prune"),) if level in {"", "envs"} else ())):
            ended = rig.venvgrid(root, cache_dir, *command)
            assert (ended.status, f"{place} is a link: remove it" in ended.err) == (3, True), (level, ended.err)
            assert contents(mine) == before, (level, command)
        place.unlink()
        if moved:
            aside.rename(place)
    ended = rig.venvgrid(root, cache_dir, "run", "-q", "--no-cache")
    assert ended.status == 0, ended.err


def test_files_of_venvgrid_that_are_links_are_replaced(ran: Path, mine: Path, cache_dir: Path, tmp_path: Path) -> None:
    """What a link in place of a small file leads to keeps its content, and a dangling link makes no file."""
    root = tmp_path / "project"
    shutil.copytree(ran, root, symlinks=True)
    for number, name in enumerate(FILES):
        (root / ".venvgrid" / name).unlink(missing_ok=True)
        (root / ".venvgrid" / name).symlink_to(mine / f"{number}.json" if number < 2 else tmp_path / f"new-{number}")
    before = contents(mine)
    ended = rig.venvgrid(root, cache_dir, "run", "-q", "--no-cache")
    assert (ended.status, contents(mine)) == (0, before), ended.err
    assert not list(tmp_path.glob("new-*"))


def test_a_link_that_the_tests_make_is_not_followed(mine: Path, cache_dir: Path, tmp_path: Path) -> None:
    """Tests that replace the folders of their results while they run: green, and no file is deleted through them."""
    code = f"""
        import os, pathlib, shutil

        def test_it():
            state = pathlib.Path(".venvgrid")
            for name in ("results-cache", "coverage"):
                shutil.rmtree(state / name, ignore_errors=True)
                os.symlink({str(mine)!r}, state / name)
    """
    root, before = rig.project(tmp_path / "project", MATRIX, {"test_whole.py": code}), contents(mine)
    ended = rig.venvgrid(root, cache_dir, "run", "-q")
    assert (ended.status, contents(mine)) == (0, before), ended.err


def test_what_pytest_keeps_for_a_cell_is_no_way_out(ran: Path, mine: Path, cache_dir: Path, tmp_path: Path) -> None:
    """Links deep in pytest's cache of a cell, to a folder and to files, and another name of a file: none is written."""
    before, root = contents(mine), tmp_path / "project"
    shutil.copytree(ran, root, symlinks=True)
    kept = root / ".venvgrid" / "cells" / CELL / "pytest"
    assert (kept / "v" / "cache" / "nodeids").is_file()
    for name, link, target in (
        ("v", os.symlink, mine),
        ("v", os.symlink, tmp_path / "nowhere"),
        ("v/cache/nodeids", os.symlink, mine / "0.json"),
        ("v/cache/nodeids", os.link, mine / "1.json"),
    ):
        shutil.rmtree(kept)
        (kept / name).parent.mkdir(parents=True)
        link(target, kept / name)
        ended = rig.venvgrid(root, cache_dir, "run", "-q", "--no-cache")
        assert (ended.status, contents(mine), (tmp_path / "nowhere").exists()) == (0, before, False), ended.err


def test_an_environment_without_its_folders_is_built_again(
    ran: Path, mine: Path, cache_dir: Path, tmp_path: Path
) -> None:
    """Folders of it are deleted, made files, or links to a copy with a file of the user: green, and it is there."""
    root = tmp_path / "project"
    shutil.copytree(ran, root, symlinks=True)
    assert rig.venvgrid(root, cache_dir, "run", "-q", "--no-cache").status == 0
    (place,) = (root / ".venvgrid" / "store").iterdir()
    for name in ("lib", f"lib/python{rig.HERE}/site-packages", "bin"):
        shutil.rmtree(place / name)
        assert rig.venvgrid(root, cache_dir, "run", "-q", "--no-cache").status == 0, name
        shutil.rmtree(place / name)
        (place / name).write_text("")
        assert rig.venvgrid(root, cache_dir, "run", "-q", "--no-cache").status == 0, name
    for name in ("lib", f"lib/python{rig.HERE}"):
        (place / name).rename(mine / "copy")
        (place / name).symlink_to(mine / "copy")
        cached = next((mine / "copy").rglob("site-packages")) / "__pycache__" / "mine.pyc"
        cached.parent.mkdir(exist_ok=True)
        cached.write_text("mine")
        assert rig.venvgrid(root, cache_dir, "run", "-q", "--no-cache").status == 0, name
        assert cached.read_text() == "mine"
        shutil.rmtree(mine / "copy")
