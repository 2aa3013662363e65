"""What the witness could not note makes a result doubtful, and what tests raise meanwhile reaches them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from venvgrid.outcomes import witness
from venvgrid.processes import guests

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEEP = """
import os, sys
def down(left):
    if left:
        return down(left - 1)
    return os.open("data.txt", os.O_RDONLY)
for depth in range(sys.getrecursionlimit(), 0, -1):
    try:
        number = down(depth)
        break
    except RecursionError:
        pass
assert os.read(number, 9) == b"data"
"""
SIGNAL = """
import _venvgrid_opened as own, sys
notes = sys._venvgrid_opened
class Late(Exception): pass
def handler(*_):
    raise Late
def normpath(path, kept=notes.normpath):
    handler()  # as if the signal came now
notes.normpath = normpath
try:
    open("data.txt").close()
except Late:
    sys.stdout.write("late")
"""
ABSENT = """
import os, subprocess, sys
for call in (lambda: os.stat(None), lambda: os.stat("a\\0b"), lambda: open("absent/x"), lambda: os.remove("absent"),
             lambda: subprocess.Popen([1]), lambda: os.listdir("absent"), lambda: os.rmdir("data.txt/x")):
    try:
        call()
    except (OSError, TypeError, ValueError):
        pass
os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
try:
    open("x")
except FileNotFoundError:
    pass
"""


def run(folder: Path, code: str, *more: tuple[str, str]) -> tuple[str, Mapping[str, str]]:
    """Return what a process prints in a folder with a file data.txt, and what its witness noted."""
    (folder / "data.txt").write_text("data", encoding="utf-8")
    variables = witness.switch_on(folder / "run", (("unnoted", "/proc/"), ("unnoted", str(guests.FOLDER)), *more))
    start = f"import sys; sys.path.insert(0, {str(guests.FOLDER)!r}); sys.dont_write_bytecode = True\n"
    command = [sys.executable, "-c", f"{start}import _venvgrid_witness\n{code}"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
    return done.stdout, witness.read(folder / "run").opened


def doubts(opened: Mapping[str, str]) -> list[str]:
    """Return the reasons not to keep a result."""
    return [reason for reason, how in opened.items() if how == "d"]


def test_what_could_not_be_noted_is_a_doubt(tmp_path: Path) -> None:
    """A file that is opened at the limit of recursion is noted, or the result is not kept."""
    _, opened = run(tmp_path, DEEP)
    assert str(tmp_path / "data.txt") in opened or doubts(opened)


def test_an_event_that_fails_is_named(tmp_path: Path) -> None:
    """An error of the witness's own work is a reason that names the event."""
    _, opened = run(tmp_path, "import sys\nsys._venvgrid_opened.normpath = {}.__getitem__\nopen('data.txt')")
    assert "did something that could not be noted (open)" in doubts(opened)


def test_what_a_handler_of_a_signal_raises_reaches_the_test(tmp_path: Path) -> None:
    """A time limit that a test sets may end while the witness notes something: the test gets its exception."""
    printed, _ = run(tmp_path, SIGNAL)
    assert printed == "late"


def test_calls_that_must_fail_are_no_doubts(tmp_path: Path) -> None:
    """Wrong arguments, files that are not there, and a working directory that was deleted miss nothing."""
    _, opened = run(tmp_path, ABSENT)
    assert doubts(opened) == []


@pytest.mark.skipif(not hasattr(os, "chroot"), reason="this system changes no roots")
def test_a_process_that_leaves_is_a_doubt(tmp_path: Path) -> None:
    """Who changes its root or its user may write no records afterwards: it is noted before."""
    _, opened = run(tmp_path, "import os\ntry:\n    os.chroot('absent')\nexcept OSError:\n    pass")
    assert doubts(opened) == ["called os.chroot, after which not all is noted"]


def test_folders_of_the_environment_are_resolved_once(tmp_path: Path) -> None:
    """Of hundreds of modules of a package, the place of their folder is asked for once, those of others each time."""
    for place in ("site/demo", "other/more"):
        (tmp_path / place).mkdir(parents=True)
        for name in ("__init__", "a", "b", "c"):
            (tmp_path / place / f"{name}.py").touch()
    code = (
        "import os, sys; sys.path[:0] = map(os.path.abspath, ('site', 'other'))\n"
        "asked, own = [], _venvgrid_witness.active; old = own.realpath\n"
        "own.realpath = lambda path: asked.append(path) or old(path)\n"
        "import demo.a, demo.b, demo.c, more.a, more.b, more.c\n"
        "print(sum(path.endswith('demo') for path in asked), sum(path.endswith('more') for path in asked) > 1)"
    )
    printed, _ = run(tmp_path, code, ("root", "demo"), ("root", "more"), ("site", str(tmp_path / "site")))
    assert printed.split() == ["1", "True"]
