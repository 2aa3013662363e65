"""A file that a variable names is read by a program or a library, and no Python opens it: it counts by its content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import cell
from rig import HERE, committed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e
MATRIX = f"""
[project]
install = "none"
[axes]
python = ["{HERE}"]
[test]
pass-env = ["BASH_ENV", "DEMO_*"]
"""
HEAD = "import os, subprocess\n\n\ndef test_it():\n"
START = "    subprocess.check_call({}, env={{**os.environ, '{}': '{}'}})\n"
STARTS = {
    "../bash": (["bash", "-c", "true"], "BASH_ENV", "../bash"),
    "local-git": (["git", "status"], "GIT_CONFIG_GLOBAL", "local-git"),
    "private/.gitconfig": (["git", "status"], "HOME", "private"),
}
UNKNOWN = (
    (["git", "status"], "GIT_DIR", "../of-another/.git"),
    (["bash", "-c", "true"], "BASH_ENV", "$HOME/nothing"),
)


@pytest.fixture
def again(venvgrid: Command) -> Callable[..., object]:
    """Return a function that runs the project; it returns whether the cell was not run, and its notes."""

    def run(root: Path, **more: str) -> object:
        ended = venvgrid("run", "-q", cwd=root, env=more)
        assert ended.status == 0, ended.out + ended.err
        found = cell(root)
        return found["cached"], found["notes"]

    return run


def test_files_of_variables_that_the_cell_gets(project: Write, tmp_path: Path, again: Callable[..., object]) -> None:
    """Whole values, a time zone with a colon, options of a program; a folder and a missing file change nothing."""
    root = project(MATRIX, {"tests/test_demo.py": f"{HEAD}    subprocess.check_call(['bash', '-c', 'true'])\n"})
    files = {name: tmp_path / name for name in ("bash", "zone", "option")}
    for file in files.values():
        file.write_text("", encoding="utf-8")
    env = {
        "BASH_ENV": str(files["bash"]),
        "TZ": f":{files['zone']}",
        "DEMO_OPTIONS": f"--fast -r{files['option']} {tmp_path}",
        "DEMO_MISSING": str(tmp_path / "missing"),
    }
    assert again(root, **env) == (False, [])
    assert again(root, **env) == (True, [])
    for file in files.values():
        file.write_text("#", encoding="utf-8")
        assert (file.name, again(root, **env)) == (file.name, (False, []))
    assert again(root, **env) == (True, [])


def test_files_of_variables_that_tests_set(project: Write, again: Callable[..., object]) -> None:
    """For a shell and for git, also where the file is outside of the project or not there yet; the rest is told."""
    code = HEAD + "".join(START.format(*start) for start in STARTS.values())
    ignored = "local*\nprivate/\n.venvgrid\n__pycache__\n"
    scm = {"setup.cfg": "# the version comes from setuptools_scm\n"}  # so the history is an input
    root = project(MATRIX, {"tests/test_demo.py": code, ".gitignore": ignored, **scm})
    committed(root)
    (root / "private").mkdir()
    for name in ("../bash", "local-git"):
        (root / name).write_text("", encoding="utf-8")
    assert again(root) == (False, [])
    assert again(root) == (True, [])
    for name in STARTS:
        (root / name).write_text("#", encoding="utf-8")
        assert (name, again(root)) == (name, (False, []))
    assert again(root) == (True, [])
    for start in UNKNOWN:
        code = f"{HEAD}    subprocess.call({start[0]}, env={{**os.environ, '{start[1]}': '{start[2]}'}})\n"
        (root / "tests/test_demo.py").write_text(code, encoding="utf-8")
        assert again(root) == (False, [f"ran {start[0][0]} with the variable {start[1]}: not kept"])
