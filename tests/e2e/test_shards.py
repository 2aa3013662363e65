"""A plan that travels: made here, run in parts elsewhere, merged and judged."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import DEMO
from rig import HERE, committed, has

from venvgrid.config import platforms

if TYPE_CHECKING:
    from conftest import Command, Write

pytestmark = pytest.mark.e2e

MATRIX = f'[axes]\npython = ["{HERE}"]\nsix = ["1.15", "1.16"]\nenv.MODE = ["a", "b"]\n'
TESTS = "import os\n\nimport demo\n\n\ndef test_mode():\n    assert os.environ['MODE'] != 'b' or demo.ANSWER == 42\n"


@pytest.fixture
def checkout(project: Write) -> Path:
    """Return a project under version control."""
    return committed(project(MATRIX, {**DEMO, "tests/test_demo.py": TESTS, ".gitignore": ".venvgrid\n"}))


@pytest.mark.skipif(not has("git"), reason="needs git")
def test_a_plan_is_run_in_parts_merged_and_judged(venvgrid: Command, checkout: Path, tmp_path: Path) -> None:
    """Two clones run a shard each; the gate is red until both have reported; merging twice gives the same bytes."""
    plan = tmp_path / "plan.json"
    assert venvgrid("plan", "-q", "-o", str(plan), cwd=checkout).status == 0
    records = []
    for index in (1, 2):
        elsewhere = tmp_path / f"machine{index}" / "demo"
        # The second as on Windows, where git writes other line ends.
        ends = ("-c", f"core.autocrlf={'true' if index > 1 else 'false'}")
        subprocess.run(["git", "clone", "-q", *ends, str(checkout), str(elsewhere)], check=True)
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
@pytest.mark.skipif(platforms.here() not in platforms.PLATFORMS, reason="needs a platform of the axis")
def test_cells_of_other_platforms_are_planned_here_and_run_elsewhere(
    venvgrid: Command, checkout: Path, tmp_path: Path
) -> None:
    """They are resolved with their markers, only those of this machine run, and the gate wants the others."""
    here = platforms.here()
    *others, never = [name for name in ("windows", "macos", "linux-aarch64") if name != here]
    axes = f'[axes]\npython = ["{HERE}"]\nplatform = {json.dumps([here, *others, never])}\n'
    matrix = f'{axes}[test]\nenv = {{ MODE = "a" }}\n'
    machine, system = (platforms.PLATFORMS[never].markers[name] for name in ("platform_machine", "sys_platform"))
    asks = f"""["colorama==0.4.6; sys_platform == 'win32'", "nothing-of-this-name; sys_platform == 'aix'",
        "colorama>=99; platform_machine == '{machine}' and sys_platform == '{system}'"]"""
    pyproject, version = checkout / "pyproject.toml", 'version = "1.0"\n'
    text = pyproject.read_text("utf-8").replace(version, f"{version}dependencies = {asks}\n")
    pyproject.write_text(text, encoding="utf-8")
    (checkout / "matrix.toml").write_text(matrix, encoding="utf-8")
    subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=n@e.org", "commit", "-qam", "y"], cwd=checkout, check=True
    )
    plan, record = tmp_path / "plan.json", tmp_path / "one.record"
    planned = venvgrid("plan", "-q", "-o", str(plan), "--cost", "macos=10", cwd=checkout)
    assert planned.status == 0, planned.out + planned.err
    assert f"it runs on {others[0]}; this machine is {here}" in planned.out
    data = json.loads(plan.read_text(encoding="utf-8"))
    cells = {cell["axes"]["platform"]: cell for cell in data["cells"]}
    assert {name: cell["status"] for name, cell in cells.items()} == {
        **dict.fromkeys(others, "elsewhere"),
        here: "runnable",
        never: "impossible",
    }
    assert {job["platform"]: job["shards"] for job in data["jobs"]} == dict.fromkeys(cells.keys() - {never}, 1)
    locked = tomllib.loads(data["lock"])["environments"]
    names = {
        name: {item["name"] for item in locked[cell["environment"]]["distributions"]}
        for name, cell in cells.items()
        if name != never
    }
    assert {name for name, found in names.items() if "colorama" in found} == {"windows"}
    assert cells[here]["id"] == venvgrid("list", "-q", cwd=checkout).out.strip()
    why = cells[never]["reason"]
    ended = venvgrid("run", "-q", "--plan", str(plan), "--record", str(record), cwd=checkout)
    assert (ended.status, "1 cell: 1 passed" in ended.out) == (0, True), ended.out + ended.err
    judged = venvgrid("gate", str(plan), str(record), cwd=tmp_path)
    assert f"{cells[others[0]]['id']}: no result was reported" in judged.out
    assert f"{cells[here]['id']}:" not in judged.out
    assert venvgrid("lock", "-q", cwd=checkout).status == 0
    for options in ((), ("--locked",)):  # as the plan says it
        whole = venvgrid("run", "-q", *options, cwd=checkout)
        assert (whole.status, "1 impossible, 2 elsewhere in" in whole.out) == (0, True), whole.out + whole.err
        assert why in whole.out
    assert venvgrid("run", "-q", "--strict", cwd=checkout).status == venvgrid("plan", "--strict", cwd=checkout).status


@pytest.mark.skipif(platforms.here() not in platforms.PLATFORMS, reason="needs a platform of the axis")
def test_cells_of_other_platforms_are_resolved_once(
    venvgrid: Command, project: Write, own_cache: dict[str, str]
) -> None:
    """Where nothing changed, neither a run nor a plan asks again, wherever a cell runs; `--fresh` asks for all."""
    here = platforms.here()
    other = "windows" if here != "windows" else "linux"
    root = project(f'[axes]\npython = ["{HERE}"]\nsix = ["1.16"]\nplatform = ["{here}", "{other}"]\n', DEMO)
    folder = Path(own_cache["VENVGRID_CACHE_DIR"]) / "resolutions"

    def answers() -> dict[str, bytes]:  # each holds the time at which it was made
        return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix == ".json"}

    def made(*words: str) -> int:
        before, ended = answers(), venvgrid(*words, "-q", cwd=root, env=own_cache)
        assert ended.status == 0, ended.out + ended.err
        return len([name for name, content in answers().items() if before.get(name) != content])

    assert made("run") == 2
    assert (made("run"), made("plan")) == (0, 0)
    assert made("run", "--fresh") == 2


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


@pytest.mark.skipif(not has("git"), reason="needs git")
@pytest.mark.skipif(os.name != "posix", reason="the stand-in for git is a shell script")
def test_a_plan_of_a_checkout_that_git_refuses_says_so(venvgrid: Command, checkout: Path, tmp_path: Path) -> None:
    """As in a container of a CI job: no commit is in such a plan, and a plan with one does not fit there."""
    good, plan, program = tmp_path / "good.json", tmp_path / "plan.json", tmp_path / "bin/git"
    assert venvgrid("plan", "-q", "-o", str(good), cwd=checkout).status == 0
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf 'fatal: dubious\\n\\n\\tgit config x\\n' >&2; exit 128\n", encoding="utf-8")
    program.chmod(0o755)
    env = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    why = f"git does not read {checkout}: dubious; if you trust it, type: git config x"
    ended = venvgrid("plan", "-o", str(plan), cwd=checkout, env=env)
    assert (ended.status, f"warning: the plan names no commit: {why}" in ended.err) == (0, True), ended.err
    ended = venvgrid("run", "--plan", str(good), cwd=checkout, env=env)
    assert (ended.status, f"this is none: {why}" in ended.err) == (2, True), ended.err


def test_a_shard_without_a_plan_says_what_to_type(venvgrid: Command, project: Write) -> None:
    """The mistake that everyone makes first; and a shard that would leave out tests."""
    root = project(MATRIX)
    ended = venvgrid("run", "--shard", "1/2", cwd=root)
    assert (ended.status, "venvgrid plan -o plan.json" in ended.err) == (2, True), ended.err
    ended = venvgrid("run", "--plan", "plan.json", "--record", "one.record", "--", "-k", "one", cwd=root)
    assert (ended.status, "all shards run the same tests" in ended.err) == (2, True), ended.err


@pytest.mark.skipif(not has("git"), reason="needs git")
def test_a_lone_failure_of_a_shard_is_run_again_and_recorded(venvgrid: Command, project: Write, tmp_path: Path) -> None:
    """The cell of the second run is in no lock: with --plan, and with --locked."""
    matrix = f'[axes]\npython = ["{HERE}"]\nenv.MODE = ["a", "b", "c"]\n'
    tests = "import os\n\nimport demo\n\n\ndef test_mode():\n    assert os.environ['MODE'] != 'b'\n"
    root = committed(project(matrix, {**DEMO, "tests/test_demo.py": tests, ".gitignore": ".venvgrid\n*.lock\n"}))
    plan, record = str(tmp_path / "plan.json"), str(tmp_path / "shard.record")
    assert venvgrid("plan", "-q", "-o", plan, cwd=root).status == 0
    assert venvgrid("lock", "-q", cwd=root).status == 0
    for options in (("--plan", plan, "--shard", "1/1", "--record", record), ("--locked", "--no-cache")):
        ended = venvgrid("run", *options, cwd=root)
        assert (ended.status, "1 failing test again" in ended.out + ended.err) == (1, True), ended.err
        again = [failure["again"] for item in json.loads(venvgrid("report", "--format", "json", cwd=root).out)["cells"]
                 for failure in item["failures"]]  # fmt: skip
        assert again == ["failed"]
    judged = venvgrid("gate", plan, record, cwd=tmp_path)
    assert (judged.status, "-MODE-b: failed" in judged.out.replace(".", "-")) == (1, True), judged.out
