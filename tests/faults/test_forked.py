"""A command of venvgrid that is a fork of a process of the tests is the command that a user types."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import forked
import pytest
import rig

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not forked.WORKS, reason="forks are of Linux")]


def both(root: Path, cache: Path, *arguments: str, **more: str) -> tuple[rig.Ended, rig.Ended]:
    """Run a command as a fork and as a new process."""
    return rig.venvgrid(root, cache, *arguments, **more), rig.venvgrid(root, cache, *arguments, before=("env",), **more)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("--version",), 0), (("run", "--help"), 0), (("plan", "-c", "ü.toml"), 2), ((), 2), (("exec",), 2)],
)
def test_status_and_output_are_those_of_a_new_process(tmp_path: Path, arguments: tuple[str, ...], status: int) -> None:
    """Byte for byte, in the folder of the project, right and wrong."""
    root = rig.project(tmp_path / "project", rig.TOY_MATRIX, rig.TOY_TEST)
    fork, process = both(root, tmp_path / "cache", *arguments, COLUMNS="72")
    assert fork == process
    assert fork.status == status


def test_what_python_reads_when_it_starts_is_not_lost(tmp_path: Path) -> None:
    """A variable of Python and a module of the folder in the place of a standard one act as in a new process."""
    root = rig.project(tmp_path / "project", rig.TOY_MATRIX, rig.TOY_TEST)
    fork, process = both(root, tmp_path / "cache", "--version", PYTHONVERBOSE="1")
    assert "import 'site'" in fork.err
    assert "import 'site'" in process.err
    (root / "argparse.py").write_text("raise SystemExit('the folder comes first')\n", encoding="utf-8")
    fork, process = both(root, tmp_path / "cache", "plan", "--help")
    assert fork == process
    assert "the folder comes first" in fork.err


def test_commands_at_once_are_not_mistaken_for_each_other(tmp_path: Path) -> None:
    """Each gets its own output and status."""
    root = rig.project(tmp_path / "project", rig.TOY_MATRIX, rig.TOY_TEST)
    wanted = ["--version", "--help", "nothing", "--version"]
    with ThreadPoolExecutor(len(wanted)) as pool:
        found = list(pool.map(lambda word: rig.venvgrid(root, tmp_path / "cache", word), wanted))
    assert [ended.status for ended in found] == [0, 0, 2, 0]
    assert [ended.out.partition(" ")[0] for ended in found] == ["venvgrid", "usage:", "", "venvgrid"]
    assert found[2].err.startswith("venvgrid: ")


def test_a_command_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    """It raises what `subprocess.run` raises, and the server goes on."""
    root = rig.project(tmp_path / "project", rig.TOY_MATRIX, rig.TOY_TEST)
    env = rig.environment(tmp_path / "cache")
    with pytest.raises(subprocess.TimeoutExpired):
        forked.run(["run"], root, env, 0.0)
    assert forked.run(["--version"], root, env, rig.LIMIT)[0] == 0
