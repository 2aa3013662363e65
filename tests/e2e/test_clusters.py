"""The files for Slurm and Kubernetes, rehearsed: their jobs are started, lost and started again on this machine."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import DEMO
from rehearsal.clusters import Kubernetes, Slurm
from rig import HERE, committed, has

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Write

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not has("git") or not has("bash"), reason="needs git and bash"),
    pytest.mark.skipif(sys.platform == "win32", reason="a cluster of POSIX machines"),
]
EXAMPLES = Path(__file__).parents[2] / "examples"
MATRIX = f'[axes]\npython = ["{HERE}"]\nsix = ["1.15", "1.16"]\nenv.MODE = ["a", "b", "c"]\n'
TESTS = "import os\n\nimport demo\n\n\ndef test_mode():\n    assert os.environ['MODE'] in 'abc' and demo.ANSWER == 42\n"


@pytest.fixture
def checkout(project: Write) -> Path:
    """Return a project under version control: six cells, three for each of two environments."""
    return committed(project(MATRIX, {**DEMO, "tests/test_demo.py": TESTS, ".gitignore": ".venvgrid\n"}))


def finished(work: Path) -> list[set[str]]:
    """Return the cells with a result in each run of a shard, the oldest first."""
    found = []
    for journal in sorted(work.glob("checkout/.venvgrid/runs/*/events.jsonl")):
        events = [json.loads(line) for line in journal.read_bytes().splitlines() if line.endswith(b"}")]
        found.append({event["result"]["id"] for event in events if event["event"] == "CellFinished"})
    return found


def has_finished_one(work: Path) -> Callable[[], bool]:
    """Return a condition: the run of a shard has the result of a cell, and others to come."""
    return lambda: any(finished(work))


def test_a_grid_runs_as_an_array_of_slurm(checkout: Path, cache_dir: Path, tmp_path: Path) -> None:
    """One task is lost with its node, one reaches its time limit: both go on where they were; the gate wants all."""
    (files := tmp_path / "files").mkdir()
    for name in ("submit.sh", "shard.sbatch", "gate.sbatch"):
        text = (EXAMPLES / "slurm" / name).read_text(encoding="utf-8")
        (files / name).write_text(text.replace("--cpus-per-task=4", "--cpus-per-task=1"), encoding="utf-8")
    slurm = Slurm(checkout, cache_dir, tmp_path / "slurm")
    status, told = slurm.submit(files / "submit.sh", "2")
    assert status == 0, told
    assert slurm.job(0)[2]["array"] == "1-2%2"
    assert slurm.job(1)[2]["dependency"] == "afterany:1000"
    work = tmp_path / "slurm" / "grid" / "work"

    slurm.start(0, 1).send(signal.SIGKILL, has_finished_one(work / "1"))
    status, told = slurm.start(0, 1).end()
    assert status == 0, told
    before, after = finished(work / "1")
    assert before < after
    assert f"resumed from run {min((work / '1').glob('checkout/.venvgrid/runs/*')).name}" in told

    status, told = slurm.start(1).end()
    assert (status, "3 of 6 cells reported" in told) == (1, True), told

    status, told = slurm.start(0, 2).send(signal.SIGUSR1, has_finished_one(work / "2"))
    assert (status, slurm.requeued) == (130, ["requeue 1000_2"]), told
    status, told = slurm.start(0, 2).end()
    assert (status, "resumed from run" in told) == (0, True), told
    status, told = slurm.start(1).end()
    assert (status, "green: 6 of 6 cells reported" in told) == (0, True), told
    assert (tmp_path / "slurm" / "grid" / "report.html").exists()


def test_a_grid_runs_as_an_indexed_job_of_kubernetes(checkout: Path, cache_dir: Path, tmp_path: Path) -> None:
    """The pod of one index is lost, and another takes its place; the gate is red while an index is missing."""
    shutil.copytree(EXAMPLES / "kubernetes", files := tmp_path / "files")
    text = (files / "shards.yaml").read_text(encoding="utf-8")
    text = text.replace("completions: 16", "completions: 2").replace('"16"', '"2"').replace("-j 4", "-j 1")
    (files / "shards.yaml").write_text(text, encoding="utf-8")
    cluster = Kubernetes(checkout, cache_dir, tmp_path / "kubernetes")
    work = tmp_path / "kubernetes" / "grid" / "work"
    status, told = cluster.start(files / "plan.yaml").end()
    assert status == 0, told

    cluster.start(files / "shards.yaml", 0).send(signal.SIGKILL, has_finished_one(work / "1"))
    status, told = cluster.start(files / "shards.yaml", 0).end()
    assert (status, "resumed from run" in told) == (0, True), told
    status, told = cluster.start(files / "gate.yaml").end()
    assert (status, "3 of 6 cells reported" in told) == (1, True), told

    status, told = cluster.start(files / "shards.yaml", 1).send(signal.SIGTERM, has_finished_one(work / "2"))
    assert status == 130, told
    status, told = cluster.start(files / "shards.yaml", 1).end()
    assert (status, "resumed from run" in told) == (0, True), told
    status, told = cluster.start(files / "gate.yaml").end()
    assert (status, "green: 6 of 6 cells reported" in told) == (0, True), told
