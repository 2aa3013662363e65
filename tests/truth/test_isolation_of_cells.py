"""No cell's tests reach another cell or a later run, not by a write that was undone, and not through `__pycache__`."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from conftest import DEMO, SABOTEUR, cell
from rig import HERE, outcomes, results

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

SIX = f'[axes]\npython = ["{HERE}"]\nsix = ["1.15", "1.16"]\n'
ONE = f'[axes]\npython = ["{HERE}"]\n'
MODES = f'{ONE}env.MODE = ["a", "b"]\n'
NOTHING = "import demo\n\n\ndef test_nothing():\n    pass\n"
# The cell with six 1.15 writes into a shared module, waits until the other one has read it, and restores it.
UNDONE = f"""{SABOTEUR}\
    text = file.read_text()
    if six.__version__.startswith("1.15"):
        before = file.stat()
        with file.open("r+") as stream:
            stream.write("#")
        DONE.touch()
        wait_for(READ)
        with file.open("r+") as stream:
            stream.write(text[0])
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        Path(READ.with_name("restored")).touch()
    else:
        wait_for(DONE)
        seen = file.read_text()
        READ.touch()
        wait_for(READ.with_name("restored"))
        assert seen
"""


def test_a_write_that_was_undone_is_a_write(
    venvgrid: Command, project: Write, own_cache: dict[str, str], tmp_path: Path
) -> None:
    """The neighbour, which saw the file as it was meanwhile, is tested again alone; the culprit says what it did."""
    root = project(SIX, {**DEMO, "tests/test_demo.py": NOTHING})
    assert venvgrid("run", "-q", cwd=root, env=own_cache).status == 0
    first, second = f"py{HERE}-six1.15", f"py{HERE}-six1.16"
    (root / "tests/test_demo.py").write_text(UNDONE, encoding="utf-8")
    ended = venvgrid("run", "-q", "-j", "2", cwd=root, env=own_cache)
    assert outcomes(root) == {first: "passed", second: "passed"}, ended.out
    assert any("iniconfig/__init__.py" in note for note in cell(root, first)["notes"])
    shared = next((tmp_path / "cache" / "trees").glob("*/iniconfig-*.copied"), None)
    again = "tested again in an environment of its own"
    assert any(again in note for note in cell(root, second)["notes"]) is (shared is not None)
    assert venvgrid("run", "-q", cwd=root, env=own_cache).status == 0
    assert not any(item["cached"] for item in results(root)["cells"])


WRITER = "import iniconfig\n\n\ndef test_it():\n    open(iniconfig.__file__, 'w').write('#')\n"
READER = """
import subprocess

import demo
import iniconfig


def test_it():
    for _ in range(2):
        subprocess.run({command}, env={env}, cwd={other!r})
    assert not open(iniconfig.__file__).read().startswith("#")
"""


def test_a_write_of_another_run_changes_no_verdict(
    venvgrid: Command, project: Write, own_cache: dict[str, str], tmp_path: Path
) -> None:
    """While tests run, those of another project write into a file of both, and its next run caches the package anew."""
    root = project(ONE, {"tests/test_demo.py": NOTHING})
    assert venvgrid("run", "-q", cwd=root, env=own_cache).status == 0
    other = shutil.copytree(root, tmp_path / "other", ignore=shutil.ignore_patterns(".venvgrid"))
    (other / "tests/test_demo.py").write_text(WRITER, encoding="utf-8")
    command = [sys.executable, "-m", "venvgrid", "run", "-q", "--no-cache"]
    env = {**os.environ, **own_cache}
    reader = READER.format(command=command, env=env, other=str(other))
    (root / "tests/test_demo.py").write_text(reader, encoding="utf-8")
    ended = venvgrid("run", "-q", cwd=root, env=own_cache)
    assert outcomes(root) == {f"py{HERE}": "passed"}, ended.out
    assert "iniconfig" in " ".join(note for item in results(other)["cells"] for note in item["notes"])


SWAP = """
import os
from pathlib import Path

import demo
import iniconfig


def test_swap():
    file = Path(iniconfig.__file__)
    file.rename(file.with_name("aside"))
    file.write_text("BROKEN = True")
    file.with_name("aside").replace(file)
"""


def test_a_file_that_was_replaced_and_restored_is_a_change(
    venvgrid: Command, project: Write, own_cache: dict[str, str]
) -> None:
    """The same file is back under its name: the cell says so, is not kept, and its environment is built anew."""
    root = project(ONE, {"tests/test_demo.py": SWAP})
    for _ in range(2):
        assert venvgrid("run", "-q", cwd=root, env=own_cache).status == 0
        told = cell(root)
        assert not told["cached"]
        assert any("site-packages/iniconfig/__init__.py" in note for note in told["notes"])


# Each writes what a later test must not find. SITE is site-packages, PACKAGE the folder of iniconfig in it.
LEFT = {
    "data in __pycache__": ("(PACKAGE / '__pycache__' / 'state.json')", "write_text('1')"),
    "a folder in __pycache__": ("(PACKAGE / '__pycache__' / 'state')", "mkdir()"),
    "__pycache__ of the environment": ("(Path(sys.prefix) / '__pycache__' / 'state')", "write_text('1')"),
    "a compiled module": ("(SITE / 'left_behind.pyc')", "write_bytes(b'')"),
    "a namespace package": ("(SITE / 'left_behind')", "mkdir()"),
    "a link": ("(SITE / '__pycache__' / 'link')", "symlink_to('/')"),
}
CHECK = """
import sys
from pathlib import Path

import demo
import iniconfig

PACKAGE = Path(iniconfig.__file__).parent
SITE = PACKAGE.parent
(SITE / "__pycache__").mkdir(exist_ok=True)
(Path(sys.prefix) / "__pycache__").mkdir(exist_ok=True)


def test_it():
"""


def test_nothing_is_left_for_a_later_cell_or_run(venvgrid: Command, project: Write, own_cache: dict[str, str]) -> None:
    """Data, folders, links, modules: the second cell of the environment does not find them, nor does the next run."""
    lines = [f"    assert not {place}.exists()\n    {place}.{write}\n" for place, write in LEFT.values()]
    root = project(MODES, {"tests/test_demo.py": CHECK + "".join(lines)})
    for _ in range(2):
        ended = venvgrid("run", "-q", "-j", "1", "--no-cache", cwd=root, env=own_cache)
        assert set(outcomes(root).values()) == {"passed"}, ended.out


FORGED = """
import importlib.util, os, sys
from pathlib import Path

import demo
import {module} as module


def test_it():
    assert getattr(module, "FORGED", None) is None
    source = Path(module.__file__)
    target = Path(importlib.util.cache_from_source(str(source)))
    code = compile(source.read_text() + "\\nFORGED = 1\\n", str(source), "exec")
    from importlib._bootstrap_external import _code_to_timestamp_pyc

    status = source.stat()
    data = _code_to_timestamp_pyc(code, int(status.st_mtime), status.st_size)
    {write}
"""
IN_PLACE = "target.write_bytes(data)"
REPLACED = "target.with_name('new').write_bytes(data); os.replace(target.with_name('new'), target)"


@pytest.mark.parametrize(
    ("module", "write"), [("iniconfig", IN_PLACE), ("iniconfig", REPLACED), ("demo", REPLACED), ("pluggy", REPLACED)]
)
def test_a_forged_compiled_file_reaches_nothing(
    venvgrid: Command, project: Write, own_cache: dict[str, str], module: str, write: str
) -> None:
    """A compiled file with the time and size of its source and other code: neither a cell nor a run imports it."""
    root = project(MODES, {"tests/test_demo.py": FORGED.format(module=module, write=write)})
    for _ in range(2):
        ended = venvgrid("run", "-q", "-j", "1", "--no-cache", cwd=root, env=own_cache)
        assert set(outcomes(root).values()) == {"passed"}, ended.out


def test_a_deleted_environment_is_no_write(
    venvgrid: Command, project: Write, own_cache: dict[str, str], tmp_path: Path
) -> None:
    """Another project's environment goes while this one's tests run: fewer links are no reason to test again."""
    root = project(ONE, {"tests/test_demo.py": NOTHING})
    assert venvgrid("run", "-q", cwd=root, env=own_cache).status == 0
    other = root.rename(tmp_path / "other")
    wipe = "import demo, os, shutil\n\n\ndef test_it():\n    shutil.rmtree(os.environ['OTHER'])\n"
    root = project(f'{ONE}[test]\npass-env = ["OTHER"]\n', {"tests/test_demo.py": wipe})
    env = {**own_cache, "OTHER": str(other / ".venvgrid")}
    assert venvgrid("run", "-q", cwd=root, env=env).status == 0
    assert cell(root)["notes"] == []
    assert not (other / ".venvgrid").exists()


@pytest.mark.parametrize("deleted", ["by hand", "by venvgrid"])
def test_a_deleted_environment_hides_no_write(
    venvgrid: Command, project: Write, own_cache: dict[str, str], tmp_path: Path, deleted: str
) -> None:
    """A shared file is edited with its times set back, then another project's environment is deleted: no run has it."""
    check = (
        "import demo, iniconfig\n\n\ndef test_it():\n    assert not open(iniconfig.__file__).read().startswith('#')\n"
    )
    root = project(ONE, {"tests/test_demo.py": check})
    other = shutil.copytree(root, tmp_path / "other")
    for place in (root, other):
        assert venvgrid("run", "-q", cwd=place, env=own_cache).status == 0
    (file,) = (root / ".venvgrid" / "envs" / f"py{HERE}").resolve().glob("[Ll]ib*/**/iniconfig/__init__.py")
    before = file.stat()
    with file.open("r+", encoding="utf-8") as stream:
        stream.write("#")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    if deleted == "by hand":
        shutil.rmtree(other / ".venvgrid")
    options = [] if deleted == "by hand" else ["--fresh"]
    assert venvgrid("run", "-q", *options, cwd=other, env=own_cache).status == 0
    assert venvgrid("run", "-q", "--no-cache", cwd=root, env=own_cache).status == 0
