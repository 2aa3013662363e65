"""`venvgrid why`: from a red cell to the release that did it, with an index of hand-made wheels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import wheels
from rig import HERE

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

MATRIX = f"""\
[project]
install = "none"
[axes]
python = ["{HERE}"]
[install]
requires = ["pytest", "alpha", "beta"]
"""
TESTS = """
import alpha, beta


def test_both():
    assert alpha.VALUE + beta.VALUE == 2


def test_alpha():
    assert alpha.VALUE == 1, "alpha is wrong"


def test_beta():
    assert not hasattr(beta, "REMOVED"), "beta has lost it"
"""


def add(folder: Path, name: str, version: str, code: str = "VALUE = 1\n") -> None:
    folder.mkdir(exist_ok=True)
    data = wheels.wheel(name, version, {f"{name}.py": code.encode()})
    (folder / f"{name}-{version}-py3-none-any.whl").write_bytes(data)


def test_each_culprit_is_named_though_it_hides_the_next(venvgrid: Command, project: Write, tmp_path: Path) -> None:
    """Two releases break different tests; the last green run is the good end, and no run is added to the history.

    The second time all answers are known. The text for a tracker has the failure and the versions.
    """
    root, folder = project(MATRIX, {"tests/test_demo.py": TESTS}), tmp_path / "wheels"
    env = {"UV_FIND_LINKS": str(folder)}
    add(folder, "alpha", "1.0")
    add(folder, "beta", "1.0")
    assert venvgrid("run", "-q", cwd=root, env=env).status == 0
    for version in ("1.1", "1.2", "2.1"):
        add(folder, "alpha", version)
        add(folder, "beta", version)
    add(folder, "alpha", "2.0.1", "VALUE = 1\n")
    add(folder, "alpha", "2.0.2", "VALUE = 3\n")
    add(folder, "alpha", "2.1", "VALUE = 3\n")
    add(folder, "beta", "2.2", "VALUE = 1\nREMOVED = True\n")
    assert venvgrid("run", "-q", cwd=root, env=env).status == 1
    runs = sorted((root / ".venvgrid" / "runs").iterdir())

    ended = venvgrid("why", "--json", "-q", cwd=root, env=env)
    assert ended.status == 0, ended.out + ended.err
    found = json.loads(ended.out)
    assert found["format"] == "venvgrid-why-1"
    told = {(item["name"], item["good"], item["bad"]) for item in found["culprits"]}
    assert told == {("alpha", "2.0.1", "2.0.2"), ("beta", "2.1", "2.2")}
    assert found["proven"]
    assert sorted((root / ".venvgrid" / "runs").iterdir()) == runs
    assert len(list((root / ".venvgrid" / "envs").iterdir())) == 1

    again = json.loads(venvgrid("why", "--json", "-q", cwd=root, env=env).out)
    assert again["culprits"] == found["culprits"]
    assert (again["probes"]["builds"], again["probes"]["tests"]) == (0, 0)

    text = venvgrid("why", "test_beta", "--upstream", "-q", cwd=root, env=env).out
    assert "beta 2.2: AssertionError: beta has lost it" in text
    assert "passes with beta 2.1 and fails with beta 2.2" in text
