"""Unchanged cells keep their result: for real, through the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from conftest import cell
from rig import HERE, outcomes, results

if TYPE_CHECKING:
    from conftest import Command, Write

pytestmark = pytest.mark.e2e

MATRIX = f'[axes]\npython = ["{HERE}"]\nenv.MODE = ["a", "b"]\n[test]\npass-env = ["EXTRA"]\n'
COUNTING = (
    "import os, demo\nfrom pathlib import Path\n\n\ndef test_it():\n"
    "    with open(os.environ['EXTRA'], 'a') as stream:\n        stream.write('x')\n"
)


def test_nothing_runs_when_nothing_has_changed(venvgrid: Command, project: Write) -> None:
    """The second run starts no test and says so; an edit, an argument, a variable, --no-cache and CI make it run."""
    root = project(MATRIX, {"tests/test_demo.py": COUNTING})
    count = root.parent / "count"
    env = {"EXTRA": str(count)}

    def ran(*options: str, **more: str) -> int:
        before = len(count.read_bytes()) if count.exists() else 0
        assert venvgrid("run", *options, cwd=root, env={**env, **more}).status == 0
        return len(count.read_bytes()) - before

    assert ran() == 2
    assert ran() == 0
    again = results(root)
    assert [item["cached"] for item in again["cells"]] == [True, True]
    assert {item["since"] for item in again["cells"]} != {""}
    assert "from an earlier run" in venvgrid("run", cwd=root, env=env).out
    assert ran("--no-cache") == 2
    assert ran(CI="true") == 2
    assert ran("--cache", CI="true") == 0
    assert ran("--", "-v") == 2
    assert ran("--fresh") == 2
    (root / "tests/conftest.py").write_text("", encoding="utf-8")
    assert ran() == 2
    (root / "src/demo/__init__.py").write_text("ANSWER = 43\n", encoding="utf-8")
    assert ran() == 2
    (root / "src/demo/__init__.py").write_text("ANSWER = 42\n", encoding="utf-8")
    assert ran() == 0, "as before the edit"
    assert ran(TZ="Asia/Tokyo") == 2


def test_red_runs_again_and_reports_are_whole(venvgrid: Command, project: Write) -> None:
    """A red cell has no result to keep; the green one beside it keeps its own, with its tests in JUnit."""
    test = "import os, demo\n\n\ndef test_mode():\n    assert os.environ['MODE'] == 'a'\n"
    root = project(MATRIX, {"tests/test_demo.py": test})
    green, red = f"py{HERE}-MODEa", f"py{HERE}-MODEb"
    assert venvgrid("run", "-q", cwd=root).status == 1
    green, red = sorted(outcomes(root))
    ended = venvgrid("run", "-q", "--report", "junit=junit.xml", "--report", "json=out.json", cwd=root)
    assert ended.status == 1
    assert (cell(root, green)["cached"], cell(root, red)["cached"]) == (True, False)
    assert (root / "junit.xml").read_text(encoding="utf-8").count("test_mode") >= 2
    assert json.loads((root / "out.json").read_text(encoding="utf-8"))["exit_status"] == 1
    later = venvgrid("report", "--format", "junit", cwd=root)
    assert later.out.count("test_mode") >= 2
