"""The variables of a cell are part of what it says: its tests must be started with them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import rig

if TYPE_CHECKING:
    from conftest import Command, Write

pytestmark = pytest.mark.e2e

GRID = '[project]\ninstall = "none"\n[axes]\npython = ["{python}"]\n{axes}\n[install]\nrequires = ["pytest"{more}]\n'
TEST = "def test_it():\n    pass\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs sh")
@pytest.mark.parametrize("python", [rig.HERE, "2.7"])
def test_a_command_that_sets_a_variable_of_the_cell(
    venvgrid: Command, project: Write, needs: object, python: str
) -> None:
    """Each cell would test the same: the one that says otherwise is a mismatch, and so is one that lacks it."""
    needs(python)  # type: ignore[operator]
    grid = GRID.format(python=python, axes='env.MODE = ["a", "b"]', more="")
    for start, told in (("MODE=a", "with MODE=a"), ("unset MODE;", "without MODE")):
        command = f'[test]\ncommand = ["sh", "-c", "{start} exec python -m pytest"]\n'
        root = project(grid + command, {"tests/test_demo.py": TEST})
        ended = venvgrid("run", "--fresh", cwd=root)
        assert ended.status == 1, ended.out
        assert f"the tests were started {told}, but the cell says MODE=b" in " ".join(ended.out.split())
        assert rig.outcomes(root)[f"py{python}-MODE.a"] == ("passed" if "=" in start else "mismatch")


def test_what_tests_and_shells_do_with_variables_is_their_own(venvgrid: Command, project: Write) -> None:
    """No false alarm: a conftest that takes or changes it, workers, values with placeholders, empty ones, PATH."""
    axes = """
        env.MODE = ["a"]
        env.NOTHING = [""]
        env.PLACE = ["{tmp}/x y"]
        env.NAME = ["zoë"]
        env.PATH = ["/usr/bin:/bin"]
        env.PYTHONPATH = ["/nothing"]
        env.PYTEST_ADDOPTS = ["-q -rA"]
        env.LC_CTYPE = ["C"]
        env.SHLVL = ["7"]
    """.replace("        ", "")
    grid = GRID.format(python=rig.HERE, axes=axes, more=', "pytest-xdist"')
    files = {
        "tests/test_demo.py": TEST,
        "conftest.py": "import os\nos.environ.pop('MODE', 0)\nos.environ['PLACE'] = '/'\n",
    }
    shell = '["sh", "-c", "python -m pytest -n1 && python -m pytest -n0"]'
    commands = ['["{python}", "-m", "pytest", "-n1"]', *([] if sys.platform == "win32" else [shell])]
    for command in commands:
        root = project(f"{grid}[test]\ncommand = {command}\n", files)
        ended = venvgrid("run", "--fresh", cwd=root)
        assert ended.status == 0, ended.out
