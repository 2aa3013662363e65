"""Watch, for real: on a terminal, with edits and keys."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import rig
from rig import HERE
from terminals import OnTerminal

if TYPE_CHECKING:
    from conftest import Command, Write

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")]

MATRIX = f'[axes]\npython = ["{HERE}"]\nenv.MODE = ["a", "b"]\n[test]\npass-env = ["PLACE"]\n'
TEST = "import demo\n\n\ndef test_it():\n    assert demo.ANSWER == 42\n"
WAITING = "waiting for a change"
# Leaves a process of another session behind, and says that both are there; waits until it is killed.
SLOW = """
    import os, subprocess, sys, time
    from pathlib import Path

    def test_waits():
        place = Path(os.environ["PLACE"], "pids")
        if not Path(os.environ["PLACE"], "slow").exists():
            return
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], start_new_session=True)
        with open(place, "a") as stream:
            stream.write("%d %d\\n" % (os.getpid(), child.pid))
        time.sleep(600)
"""


@pytest.fixture
def root(project: Write) -> Path:
    """Return a project of two cells under version control."""
    pytest.importorskip("watchfiles")
    files = {"tests/test_demo.py": TEST, "tests/test_slow.py": SLOW, ".gitignore": "ignored\n.venvgrid\n"}
    return rig.committed(project(MATRIX, files))


@pytest.fixture
def watch(root: Path, cache_dir: Path) -> OnTerminal:
    """Return a session in the project."""
    return OnTerminal(rig.argv("watch"), root, rig.environment(cache_dir, PLACE=str(root.parent)))


def edit(root: Path, answer: int) -> None:
    """Edit the package."""
    (root / "src/demo/__init__.py").write_text(f"ANSWER = {answer}\n", encoding="utf-8")


def test_the_grid_follows_the_edits(root: Path, watch: OnTerminal, venvgrid: Command) -> None:
    """An edit turns the grid red, first in a preview; its correction makes it green; what is ignored wakes nothing."""
    with watch:
        assert "green in 2 of 2" in watch.wait(WAITING)
        watch.wait("2 cells are warm")
        edit(root, 43)
        watch.wait("watch: src/demo/__init__.py")
        warm = watch.wait("warm: a preview of 2 cells; the full run follows")
        assert "assert 43 == 42" in warm
        assert "green in 0 of 2, red in 2" in watch.wait(WAITING)
        (root / "ignored").write_text("x", encoding="utf-8")
        edit(root, 43)
        (root / "matrix.toml").write_text(MATRIX.replace('"a", ', ""), encoding="utf-8")
        assert watch.wait("watch: matrix.toml").count("watch: ") == 1
        assert "green in 0 of 1, red in 1" in watch.wait(WAITING)
        edit(root, 42)
        assert "green in 1 of 1" in watch.wait(WAITING)
        watch.press("q")
        assert watch.ended() == 0
    assert "1 from an earlier run" in venvgrid("run", cwd=root, env={"PLACE": str(root.parent)}).out


def test_an_edit_that_is_undone_has_its_results_at_once(root: Path, watch: OnTerminal) -> None:
    """Cells that passed with the same files need no preview: their results are kept."""
    with watch:
        watch.wait("2 cells are warm")
        edit(root, 43)
        assert "warm: a preview of 2 cells" in watch.wait(WAITING)
        edit(root, 42)
        undone = watch.wait(WAITING)
        assert ("warm: a preview" in undone, "(2 from an earlier run)" in undone) == (False, True)


def test_an_edit_ends_the_round_with_nothing_left(root: Path, watch: OnTerminal) -> None:
    """When the next round begins, the processes of the one before are gone, also those that left their session."""
    slow = root.parent / "slow"
    with watch:
        watch.wait(WAITING)
        slow.touch()
        watch.press("a")
        pids = _pids(root.parent / "pids")
        slow.unlink()
        edit(root, 43)
        watch.wait("watch: src/demo/__init__.py")
        assert [pid for pid in pids if _lives(pid)] == []
        assert "red in 2" in watch.wait(WAITING)


def test_ctrl_c_leaves_nothing(root: Path, watch: OnTerminal) -> None:
    """Ctrl-C in a round ends watch with 130, and all that it started."""
    slow = root.parent / "slow"
    slow.touch()
    with watch:
        watch.wait("watch: start")
        pids = _pids(root.parent / "pids")
        os.kill(watch.pid, signal.SIGINT)
        assert watch.ended() == rig.INTERRUPTED
    assert [pid for pid in pids if _lives(pid)] == []


def test_keys_work_after_a_suspension(watch: OnTerminal) -> None:
    """After Ctrl-Z and fg, for which a shell sets the terminal to lines, keys need no Enter."""
    with watch:
        watch.wait(WAITING)
        os.kill(watch.pid, signal.SIGSTOP)
        rig.wait_for(lambda: _state(watch.pid) == "T")
        watch.let_lines_come()
        os.kill(watch.pid, signal.SIGCONT)
        watch.press("f")
        watch.wait("watch: failed")


def test_mistakes_are_told_and_waited_for(root: Path, watch: OnTerminal) -> None:
    """A broken configuration, or a release that is none, does not end the session; when it is mended, the grid runs."""
    with watch:
        watch.wait(WAITING)
        (root / "matrix.toml").write_text("[axes\n", encoding="utf-8")
        watch.wait("matrix.toml", WAITING)
        (root / "matrix.toml").write_text(MATRIX.replace("[test]", 'six = ["0.99"]\n[test]'), encoding="utf-8")
        watch.wait("venvgrid: matrix.toml: axes.six: six has no release 0.99", WAITING)
        (root / "matrix.toml").write_text(MATRIX, encoding="utf-8")
        assert "green in 2 of 2" in watch.wait(WAITING)


def _pids(place: Path) -> list[int]:
    """Wait until a cell has begun; return the ids of its processes."""
    rig.wait_for(lambda: place.exists() and place.read_text(encoding="utf-8").endswith("\n"))
    return [int(word) for word in place.read_text(encoding="utf-8").split()]


def _lives(pid: int) -> bool:
    try:
        return _state(pid) != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
