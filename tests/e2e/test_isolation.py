"""Environments share files, and yet no cell's tests reach another cell, another environment or a later run."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from conftest import DEMO, SABOTEUR, cell
from rig import HERE, build_details, outcomes

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

MATRIX = f'[axes]\npython = ["{HERE}"]\nsix = ["1.15", "1.16"]\n'
# The cell with six 1.15 writes into a module that both cells have, in place and with its times set back, and goes on
# until the other one has read it. The other one waits for the write, and needs the module as it was installed.
SABOTAGE = f"""{SABOTEUR}\
    if six.__version__.startswith("1.15"):
        before = file.stat()
        with file.open("r+") as stream:
            stream.write("#")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        DONE.touch()
        wait_for(READ)
    else:
        wait_for(DONE)
        text = file.read_text()
        READ.touch()
        assert not text.startswith("#"), "the other cell's edit is here"
"""


def module(root: Path, name: str) -> Path:
    (found,) = (root / ".venvgrid" / "envs" / name).resolve().glob("[Ll]ib*/**/site-packages/iniconfig/__init__.py")
    return found


def test_a_write_into_a_shared_file_changes_no_other_verdict(
    venvgrid: Command, project: Write, own_cache: dict[str, str]
) -> None:
    """Also at once and with forged times: the neighbour is green, the culprit is named, and the next run is clean."""
    root = project(MATRIX, {**DEMO, "tests/test_demo.py": "import demo\n\n\ndef test_nothing():\n    pass\n"})
    assert venvgrid("run", "-q", cwd=root, env=own_cache).status == 0
    first, second = f"py{HERE}-six1.15", f"py{HERE}-six1.16"
    shared = module(root, first).samefile(module(root, second))
    (root / "tests/test_demo.py").write_text(SABOTAGE, encoding="utf-8")
    ended = venvgrid("run", "-q", "-j", "2", cwd=root, env=own_cache)
    assert outcomes(root) == {first: "passed", second: "passed"}, ended.out
    assert any("iniconfig/__init__.py" in note for note in cell(root, first)["notes"])
    again = "tested again in an environment of its own"
    assert any(again in note for note in cell(root, second)["notes"]) is shared
    (root / "tests/test_demo.py").write_text("import demo\n\n\ndef test_nothing():\n    pass\n", encoding="utf-8")
    assert venvgrid("run", "-q", "--no-cache", "-j", "2", cwd=root, env=own_cache).status == 0
    for name in (first, second):
        assert not module(root, name).read_text(encoding="utf-8").startswith("#")


@pytest.mark.parametrize("forged", [True, False])
def test_an_edit_by_hand_reaches_no_later_run(
    venvgrid: Command,
    project: Write,
    own_cache: dict[str, str],
    tmp_path: Path,
    forged: bool,  # noqa: FBT001
) -> None:
    """A file of one environment is edited: this one, its neighbour and a new project get what was installed."""
    check = (
        "import demo, iniconfig\n\n\ndef test_it():\n    assert not open(iniconfig.__file__).read().startswith('#')\n"
    )
    root = project(MATRIX, {**DEMO, "tests/test_demo.py": check})
    assert venvgrid("run", "-q", cwd=root, env=own_cache).status == 0
    first = f"py{HERE}-six1.15"
    file = module(root, first)
    before = file.stat()
    with file.open("r+", encoding="utf-8") as stream:
        stream.write("#")
    if forged:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert venvgrid("run", "-q", "--no-cache", cwd=root, env=own_cache).status == 0
    assert set(outcomes(root).values()) == {"passed"}
    assert not module(root, first).read_text(encoding="utf-8").startswith("#")
    other = tmp_path / "other"
    root.rename(other)
    assert venvgrid("run", "-q", "--fresh", cwd=other, env=own_cache).status == 0


def test_an_environment_is_filled_without_the_installer(
    venvgrid: Command, project: Write, own_cache: dict[str, str], tmp_path: Path
) -> None:
    """What was installed once comes from the cache: the second environment of equal content needs no package index."""
    root = project(f'[axes]\npython = ["{HERE}"]\nsix = ["1.16"]\n')
    assert venvgrid("run", "-q", cwd=root, env=own_cache).status == 0
    nowhere = {**own_cache, "UV_CACHE_DIR": str(tmp_path / "empty"), "PIP_NO_INDEX": "1"}
    ended = venvgrid("run", "--fresh", "--offline", "--locked", cwd=root, env=nowhere)
    assert ended.status == 2, "no lock yet"
    assert venvgrid("lock", "-q", cwd=root, env=own_cache).status == 0
    assert venvgrid("run", "-q", cwd=root, env=own_cache).status == 0
    shutil.rmtree(root / ".venvgrid")  # --fresh would build the project again, which needs its backend
    ended = venvgrid("run", "--no-cache", "--offline", "--locked", cwd=root, env=nowhere)
    assert ended.status == 0, ended.out + ended.err
    assert build_details(root) == ["built"]
    python = module(root, f"py{HERE}-six1.16").parents[2]
    assert python.is_dir()


def test_scripts_work_in_an_environment_that_was_filled_from_the_cache(
    venvgrid: Command, project: Write, own_cache: dict[str, str]
) -> None:
    """`pytest` of the second environment starts the second environment's interpreter."""
    root = project(MATRIX)
    assert venvgrid("run", "-q", "-j", "1", cwd=root, env=own_cache).status == 0
    for name in outcomes(root):
        place = (root / ".venvgrid" / "envs" / name).resolve()
        script = next(file for file in (*place.glob("bin/pytest"), *place.glob("Scripts/pytest.exe")))
        assert os.fsencode(place) in script.read_bytes()


def test_a_damaged_cache_is_noticed_and_healed(
    venvgrid: Command, project: Write, own_cache: dict[str, str], tmp_path: Path
) -> None:
    """Files of the cache cut off, altered and deleted: the run is right, and so is the cache after it."""
    root = project(f'[axes]\npython = ["{HERE}"]\n')
    assert venvgrid("run", "-q", cwd=root, env=own_cache).status == 0
    kept = {path.name: path for path in (tmp_path / "cache" / "trees").glob("*/*") if path.is_dir()}
    names = sorted(kept)
    assert len(names) > 3
    for number, name in enumerate(names):
        victim = max((kept[name] / "site").rglob("*.py*"), key=lambda path: path.stat().st_size)
        content = victim.read_bytes()
        victim.unlink()
        if number % 3:
            victim.write_bytes(content[:-1] if number % 3 == 1 else b"raise SystemExit('damaged')")
    ended = venvgrid("run", "--fresh", cwd=root, env=own_cache)
    assert ended.status == 0, ended.out
    assert "damaged" not in "".join(
        path.read_text(encoding="utf-8") for path in root.rglob("site-packages/pluggy/*.py")
    )
