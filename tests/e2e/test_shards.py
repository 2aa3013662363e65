"""A plan that travels: made here, run in parts elsewhere, merged and judged."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from conftest import DEMO
from rig import HERE, has

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

MATRIX = f'[axes]\npython = ["{HERE}"]\nsix = ["1.15", "1.16"]\nenv.MODE = ["a", "b"]\n'
TESTS = "import os\n\nimport demo\n\n\ndef test_mode():\n    assert os.environ['MODE'] != 'b' or demo.ANSWER == 42\n"


@pytest.fixture
def checkout(project: Write) -> Path:
    """Return a project under version control."""
    root = project(MATRIX, {**DEMO, "tests/test_demo.py": TESTS, ".gitignore": ".venvgrid\n"})
    git = ["git", "-c", "user.name=n", "-c", "user.email=n@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], cwd=root, check=True)
    return root


@pytest.mark.skipif(not has("git"), reason="needs git")
def test_a_plan_is_run_in_parts_merged_and_judged(venvgrid: Command, checkout: Path, tmp_path: Path) -> None:
    """Two checkouts run a shard each; the gate is red until both have reported; merging twice gives the same bytes."""
    plan = tmp_path / "plan.json"
    assert venvgrid("plan", "-q", "-o", str(plan), cwd=checkout).status == 0
    records = []
    for index in (1, 2):
        elsewhere = tmp_path / f"machine{index}" / "demo"
        shutil.copytree(checkout, elsewhere, symlinks=True)
        record = tmp_path / f"shard-{index}.record"
        options = ("--plan", str(plan), "--shard", f"{index}/2", "--record", str(record))
        ended = venvgrid("run", "-q", *options, cwd=elsewhere)
        assert ended.status == 0, ended.out + ended.err
        records.append(str(record))
    alone = venvgrid("gate", str(plan), records[0], cwd=tmp_path)
    assert (alone.status, "2 of 4 cells reported" in alone.out) == (1, True), alone.out
    whole = venvgrid("gate", str(plan), *records, cwd=tmp_path)
    assert (whole.status, "green: 4 of 4" in whole.out) == (0, True), whole.out
    for name in ("one", "two"):
        assert venvgrid("merge", *reversed(records), "-o", name, cwd=tmp_path).status == 0
    first, second = ((tmp_path / name / "results.json").read_bytes() for name in ("one", "two"))
    assert first == second
    assert {cell["outcome"] for cell in json.loads(first)["cells"]} == {"passed"}
    assert "4 passed" in venvgrid("report", "one", cwd=tmp_path).out
    assert "4 cells: 4 passed" in venvgrid("report", "one", "--format", "markdown", cwd=tmp_path).out


@pytest.mark.skipif(not has("git"), reason="needs git")
def test_a_plan_of_other_sources_is_refused(venvgrid: Command, checkout: Path, tmp_path: Path) -> None:
    """Changed sources or another configuration: status 2, and nothing runs."""
    plan = tmp_path / "plan.json"
    assert venvgrid("plan", "-q", "-o", str(plan), cwd=checkout).status == 0
    module, matrix = checkout / "src/demo/__init__.py", checkout / "matrix.toml"
    source, configuration = module.read_text(encoding="utf-8"), matrix.read_text(encoding="utf-8")
    module.write_text("ANSWER = 41\n", encoding="utf-8")
    ended = venvgrid("run", "--plan", str(plan), cwd=checkout)
    assert (ended.status, "the sources have changed" in ended.err) == (2, True), ended.err
    module.write_text(source, encoding="utf-8")
    matrix.write_text(f'{configuration}[test]\ncommand = ["pytest", "-x"]\n', encoding="utf-8")
    ended = venvgrid("run", "--plan", str(plan), cwd=checkout)
    assert (ended.status, "the plan is of another matrix.toml" in ended.err) == (2, True), ended.err
    assert not (checkout / ".venvgrid" / "runs").exists()


def test_a_shard_without_a_plan_says_what_to_type(venvgrid: Command, project: Write) -> None:
    """The mistake that everyone makes first."""
    ended = venvgrid("run", "--shard", "1/2", cwd=project(MATRIX))
    assert (ended.status, "venvgrid plan -o plan.json" in ended.err) == (2, True), ended.err
