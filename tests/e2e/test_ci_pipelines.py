"""The pipelines of `venvgrid ci`, rehearsed: their steps are executed as the vendor documents, on a real project."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from conftest import DEMO
from rehearsal import azure, buildkite, github, gitlab
from rig import HERE, has

from venvgrid.model.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Command, Write

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not has("git"), reason="needs git")]

RED = "py3.13-freezegun1.2"  # freezegun 1.2 reads a name of uuid that Python 3.13 does not have any more
MATRIX = f"""
[axes]
python = ["3.12", "3.13"]
freezegun = ["1.2", "1.5"]
[ci]
push = "not {RED}"
pull-request = "budget=4"
"""


def commit(root: Path) -> None:
    """Commit a project with its grid."""
    if not (root / ".git").exists():
        (root / ".gitignore").write_text(".venvgrid\n", encoding="utf-8")
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    git = ["git", "-c", "user.name=n", "-c", "user.email=n@example.org"]
    for words in (["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], cwd=root, check=True)


@pytest.fixture
def itsdangerous(source: Callable[[str, str], Path], needs: Callable[..., None]) -> Path:
    """Return itsdangerous in a repository, with a grid of four cells."""
    needs("3.12", "3.13")
    root = source("itsdangerous", "2.2.0")
    (root / "matrix.toml").write_text(MATRIX, encoding="utf-8")
    commit(root)
    return root


def result_of(run: github.Run, job: str) -> dict[str, str]:
    return {leg.name: leg.result for leg in run.jobs[job]}


def test_the_workflow_of_github_from_plan_to_gate(
    venvgrid: Command, itsdangerous: Path, cache_dir: Path, tmp_path: Path
) -> None:
    """Red for the red cell, by name; green for the tier without it, but red until each lost shard has run again."""
    assert venvgrid("ci", "github", cwd=itsdangerous).status == 0
    commit(itsdangerous)
    text = (itsdangerous / ".github/workflows/venvgrid.yml").read_text(encoding="utf-8")
    red = github.Run(text, itsdangerous, cache_dir, tmp_path / "red" / "run", event="pull_request")
    red.start()
    assert sorted(result_of(red, "test").values()) == ["failure", "success", "success", "success"]
    (gate,) = red.jobs["gate"]
    assert (gate.result, f"red: {RED}: failed" in gate.log, "4 of 4 cells" in gate.log) == ("failure", True, True)
    assert f"red: {RED}: failed" in gate.summary
    assert "_load_system_functions" in gate.summary
    assert red.installed == {f"venvgrid[uv]=={__version__}"}
    assert len("".join(red.jobs["plan"][0].outputs.values())) < 100  # bytes that pass through the service, for any grid
    assert not (tmp_path / "red" / "caches").exists()  # pull requests only read

    (shard,) = [name.removeprefix("test-") for name, result in result_of(red, "test").items() if result == "failure"]
    red.start()  # "re-run failed jobs": the artifacts of both attempts are there
    assert {f"venvgrid-1-shard-{shard}-1", f"venvgrid-1-shard-{shard}-2"} <= set(red.artifacts)
    assert sum("-shard-" in name for name in red.artifacts) == 5, "a shard that had passed ran again"
    assert "red: 4 of 4 cells reported" in red.jobs["gate"][0].log

    again = github.Run(text, itsdangerous, cache_dir, tmp_path / "green" / "run")
    again.lost = {"test-1": "dies", "test-2": "cancelled", "test-3": "skipped"}
    again.start()
    (gate,) = again.jobs["gate"]
    lost = [line for line in gate.log.splitlines() if re.fullmatch("red: .*: no result was reported", line)]
    assert (gate.result, len(lost), "red: 0 of 3 cells reported" in gate.log) == ("failure", 3, True), gate.log
    again.lost = {}
    again.start()
    (gate,) = again.jobs["gate"]
    assert (gate.result, "green: 3 of 3 cells reported" in gate.log) == ("success", True), gate.log
    assert "leaves out 1 of 4 cells" in gate.summary
    assert "venvgrid-1-shard-1-2" in again.artifacts  # of plan 1, shard 1, attempt 2

    nobody = {f"test-{number}": "cancelled" for number in range(1, 5)}
    later = github.Run(text, itsdangerous, cache_dir, tmp_path / "green" / "later", lost=nobody)
    later.start()
    (gate,) = later.jobs["gate"]
    assert (gate.result, "red: 0 of 3 cells reported" in gate.log) == ("failure", True), gate.log
    plan = json.loads((later.folder / "artifacts/venvgrid-plan-1/venvgrid-plan.json").read_text(encoding="utf-8"))
    assert len({cell["seconds"] for cell in plan["cells"]}) > 1, "the times of the run before are not known"

    never = github.Run(text, itsdangerous, cache_dir, tmp_path / "never" / "run", lost={"plan": "cancelled"})
    never.start()
    assert set(result_of(never, "test").values()) == {"skipped"}
    (gate,) = never.jobs["gate"]
    assert (gate.result, "the plan" in gate.log) == ("failure", True), gate.log


HERE_RED = f"py{HERE}-six1.15-MODE.b"
FAILS_IN_RED = """
    import os

    import demo
    import six

    def test_it():
        assert os.environ["MODE"] == "a" or six.__version__ == "1.16.0"
"""
SIX = f"""
[axes]
python = ["{HERE}"]
six = ["1.15", "1.16"]
env.MODE = ["a", "b"]
[ci]
push = "not {HERE_RED}"
"""
VENDORS = {
    "gitlab": (gitlab.Run, ".gitlab-ci.yml", "venvgrid shard 2/2", {"CI_COMMIT_BRANCH": "m", "CI_DEFAULT_BRANCH": "m"}),
    "azure": (azure.Run, "azure-pipelines.yml", "test 2", {"Build.Reason": "IndividualCI"}),
    "buildkite": (
        buildkite.Run,
        ".buildkite/pipeline.yml",
        "venvgrid-test 2",
        {"BUILDKITE_PULL_REQUEST": "false", "BUILDKITE_SOURCE": "webhook"},
    ),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_pipelines_of_other_vendors(
    venvgrid: Command, project: Write, cache_dir: Path, tmp_path: Path, vendor: str
) -> None:
    """The gate is red for the cells of a shard that never ran, and green after it did; no other cell is planned."""
    root = project(SIX, {**DEMO, "tests/test_demo.py": FAILS_IN_RED})
    kind, file, shard, facts = VENDORS[vendor]
    assert venvgrid("ci", vendor, "--shards", "2", cwd=root).status == 0
    commit(root)
    run = kind((root / file).read_text(encoding="utf-8"), root, cache_dir, tmp_path / "run", facts, {shard})
    run.start()
    gate = next(job for name, job in run.jobs.items() if "gate" in name)
    lost = [line for line in gate.log.splitlines() if re.fullmatch("red: .*: no result was reported", line)]
    assert (gate.result, bool(lost), f"red: {HERE_RED}" in gate.log) == ("failure", True, False), gate.log
    run.lost.clear()
    run.start()
    gate = next(job for name, job in run.jobs.items() if "gate" in name)
    assert (gate.result, "green: 3 of 3 cells reported" in gate.log) == ("success", True), gate.log
    assert "leaves out 1 of 4 cells" in gate.log
    assert {job.result for job in run.jobs.values()} == {"success"}
