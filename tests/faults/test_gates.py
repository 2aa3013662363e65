"""The gates in a short form; their modules state the claims, and run the long form by hand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import canaries
import crash
import flood
import left
import lost
import machines
import names
import powercut
import pytest
import rig
import soak
import together

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]


def test_a_killed_run_leaves_nothing_that_is_mistaken_for_good() -> None:
    """The next run has the verdicts of a clean one, without any option."""
    killed, broken = crash.sweep(6, first=1000)
    assert broken == []
    assert killed >= 3


@pytest.mark.parametrize("end", ["INT", "TERM", "HUP", "KILL", "tty ^C^C"])
def test_nothing_outlives_venvgrid(end: str, toy_caches: Path) -> None:
    """Whatever ended it and whatever was started, while building and while testing; the status is 128 + n."""
    assert left.matrix((end,), ("ignore", "double"), toy_caches, timed=False) == []


def test_a_killed_run_loses_no_finished_cell() -> None:
    """What was printed is in the journal, and every report can be made of it."""
    cells, wrong = lost.sweep(5)
    assert wrong == []
    assert cells > 0


def test_killed_workers_change_no_verdict() -> None:
    """No cell is lost, counted twice or another colour, and few run again."""
    pytest.importorskip("distributed", reason="needs the extra dask: pip install 'venvgrid[dask]'")
    found = machines.sweep(24, 2, workers=2, slots=2)
    assert found.problems == []
    assert found.kills == 2


def test_no_secret_is_in_anything_that_is_written(tmp_path: Path) -> None:
    """Variables, index passwords, output, names of tests, encodings, split writes."""
    assert canaries.hits(tmp_path) == []


def test_memory_does_not_grow_with_output(tmp_path: Path) -> None:
    """Lines, one line without an end, and bytes that are no text."""
    most, status, logs = flood.peak(tmp_path, 150)
    assert status == 0
    assert most < 100
    assert logs < 60_000_000


def test_runs_at_once_do_not_disturb_each_other() -> None:
    """In one project the others wait and say so; in several projects they share a cold cache."""
    assert together.sweep(2, runs=4) == []


@pytest.mark.skipif(not rig.may_loop(), reason="needs to mount a file system")
def test_a_power_cut_leaves_no_damage_unnoticed() -> None:
    """What a disk holds in the middle of a run is enough for the next one to be right."""
    assert powercut.sweep(2) == []


def test_no_name_leads_out_of_its_place() -> None:
    """Members of wheels, values of axes, projects, runs, logs."""
    assert names.sweep(1500) == []


def test_random_faults_leave_every_cell_with_its_one_outcome(tmp_path: Path) -> None:
    """One cell in ten hangs, crashes, floods, or worse; nothing is left, and nothing grows."""
    wrong, told = soak.soak(tmp_path, 40, 0)
    assert wrong == [], told
