"""A run that is killed, again and again, and resumed: no finished cell is lost, none runs twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import rig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(sys.platform == "win32", reason="process groups of POSIX")]
CELLS = 7
MATRIX = f"""
    [project]
    install = "none"
    [axes]
    python = ["{rig.HERE}"]
    env.N = {[str(number) for number in range(CELLS)]}
    [install]
    requires = ["pytest==8.4.2"]
    [test]
    command = ["pytest", "-q", "-p", "no:cacheprovider"]
    env = {{ EXPECTED = "iniconfig packaging pluggy pygments pytest" }}
"""
TEST = 'import os\n\n\ndef test_number():\n    assert os.environ["N"] != "5"\n'
RUN = ("run", "-q", "-j1", "--no-cache")


def journals(root: Path) -> list[list[dict[str, Any]]]:
    """Return the events of each run, the oldest first; a torn line is left out."""
    files = sorted((root / ".venvgrid" / "runs").glob("*/events.jsonl"))
    return [[json.loads(line) for line in file.read_bytes().splitlines() if line.endswith(b"}")] for file in files]


def finished(events: list[dict[str, Any]]) -> set[str]:
    return {event["result"]["id"] for event in events if event["event"] == "CellFinished"}


def cells_tested(events: list[dict[str, Any]]) -> list[str]:
    return [event["cell"] for event in events if event["event"] == "StageStarted" and event["stage"] == "test"]


def killed(root: Path, cache: Path, cells: int, *arguments: str) -> None:
    """Start a run; kill it and all that it started as soon as its journal has results of so many cells."""
    before = len(journals(root)) if (root / ".venvgrid" / "runs").exists() else 0
    started = subprocess.Popen(
        rig.argv(*RUN, *arguments),
        cwd=root,
        env=rig.environment(cache),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    rig.wait_for(lambda: len(found := journals(root)) > before and len(finished(found[-1])) >= cells, started)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def test_a_run_that_is_killed_twice_tests_no_finished_cell_again(tmp_path: Path, filled: Callable[..., Path]) -> None:
    """Killed after one result and after four, its last line torn: each cell with a record ran once, red ones too."""
    root, cache = rig.project(tmp_path / "project", MATRIX, {"test_whole.py": TEST}), filled("made", rig.MATRIX, {})
    killed(root, cache, 1)
    killed(root, cache, 4, "--resume")
    with max((root / ".venvgrid" / "runs").glob("*/events.jsonl")).open("ab") as file:
        file.write(b'{"event":"CellFinished","result":{"id":"py')
    ended = rig.venvgrid(root, cache, *RUN, "--resume")
    assert ended.status == 1, ended.out + ended.err
    assert "note: resumes run " in ended.err
    first, second, third = journals(root)
    assert not finished(first) & {*cells_tested(second), *cells_tested(third)}
    assert not finished(second) & set(cells_tested(third))
    assert len(finished(first) | finished(second)) < CELLS  # the kills came while there was something left
    assert sorted(finished(third)) == sorted(item["id"] for item in rig.results(root)["cells"])
    outcomes = [outcome for _, outcome, _ in sorted(rig.verdicts(root))]
    assert outcomes == ["failed" if number == 5 else "passed" for number in range(CELLS)]
    assert "note: resumed from run" in rig.venvgrid(root, cache, "report").out
    again = rig.venvgrid(root, cache, *RUN, "--resume")
    assert "nothing to resume" in again.err
    assert len(cells_tested(journals(root)[-1])) == CELLS
