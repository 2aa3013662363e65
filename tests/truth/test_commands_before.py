"""Smoke imports and the commands of `test.before` are a part of the cell: what they read, import and change counts."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from conftest import cell
from worlds import FLAT, MATRIX, run

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

COPY = '["{python}", "-c", "import os, shutil; shutil.copy(\'local.txt\', os.environ[\'OUT\'])"]'
TEST = "import os\nimport demo\n\n\ndef test_it():\n    assert open(os.environ['OUT']).read() == '1'\n"
PASSES = "import demo\n\n\ndef test_it():\n    pass\n"
READS = {
    "a Python": (f'before = [{COPY}]\nenv = {{ OUT = "{{tmp}}/out" }}\n', TEST),
    "a plain tool": ('before = [["cp", "local.txt", "{tmp}/out"]]\nenv = { OUT = "{tmp}/out" }\n', TEST),
    "a smoke import": ('smoke = ["demo.checked"]\n', PASSES),
}


@pytest.mark.parametrize("name", READS)
def test_what_they_read_is_an_input(venvgrid: Command, project: Write, name: str) -> None:
    """An ignored file that a command before the tests reads: the cell is kept until it changes."""
    more, test = READS[name]
    checked = "assert open('local.txt').read() == '1'\n"
    files = {"tests/test_demo.py": test, "src/demo/checked.py": checked, ".gitignore": ".venvgrid\nlocal.txt\n"}
    root = project(f"{MATRIX}[test]\n{more}", {**files, "local.txt": "1"})
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    outcome, reason, _ = run(venvgrid, root)
    assert outcome == "passed", reason
    assert run(venvgrid, root)[2]["cached"] is True
    (root / "local.txt").write_text("2", encoding="utf-8")
    assert venvgrid("run", cwd=root).status != 0
    assert cell(root)["cached"] is False


def test_a_shell_before_the_tests_may_read_anything(venvgrid: Command, project: Write) -> None:
    """As it may when the tests run it."""
    root = project(f'{MATRIX}[test]\nbefore = [["sh", "prepare.sh"]]\n', {"prepare.sh": "true\n"})
    outcome, _, found = run(venvgrid, root)
    assert (outcome, found["notes"][-1]) == ("passed", "ran sh, which does not say what it reads: not kept")


def test_smoke_imports_are_those_of_the_installed_project(venvgrid: Command, project: Write) -> None:
    """A flat layout whose wheel lacks a module: it is in the working directory, and not in the environment."""
    pyproject = (
        '[build-system]\nrequires = ["setuptools>=61"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "demo"\nversion = "1.0"\n[tool.setuptools]\npackages = ["demo"]\n'
    )
    files = {**FLAT, "pyproject.toml": pyproject, "demo/inner/__init__.py": ""}
    root = project(f'{MATRIX}[test]\nsmoke = ["demo.inner"]\n', files)
    assert venvgrid("run", cwd=root).status != 0
    assert cell(root)["outcome"] == "broken-env"


EDIT = "import demo; open(demo.__file__, 'a').write('CHANGED = 1\\\\n')"
RETRIED = """
    import demo

    def test_it():
        if not hasattr(demo, "CHANGED"):
            open(demo.__file__, "a").write("CHANGED = 1\\n")
            assert False
"""


def changed_by(root: Path, venvgrid: Command) -> tuple[str, bool]:
    outcome, reason, _ = run(venvgrid, root)
    return outcome, reason.startswith("the tests changed") and "demo/__init__.py" in reason


def test_code_that_they_edit_is_not_what_is_installed(venvgrid: Command, project: Write) -> None:
    """A command before the tests, and a first attempt, edit the installed project; what runs then is no proof."""
    before = f'[test]\nbefore = [["{{python}}", "-c", "{EDIT}"]]\n'
    root = project(
        MATRIX + before, {"tests/test_demo.py": "import demo\n\n\ndef test_it():\n    assert demo.CHANGED\n"}
    )
    assert changed_by(root, venvgrid) == ("mismatch", True)
    root = project(f"{MATRIX}[test]\nretries = 1\n", {"tests/test_demo.py": RETRIED})
    assert changed_by(root, venvgrid) == ("mismatch", True)
