"""Commands before the tests, requirements files, siblings and repositories, in real cells."""

from __future__ import annotations

import json
import subprocess
import textwrap
from typing import TYPE_CHECKING

import pytest
from conftest import DEMO, Command, Write, cell
from rig import HERE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

SIBLING = """
[build-system]
requires = ["flit_core>=3.4"]
build-backend = "flit_core.buildapi"
[project]
name = "{name}"
version = "{version}"
description = "for a test"
"""

INSTALLS = "import os, pytest; os.mkdir(os.path.dirname(os.path.dirname(pytest.__file__)) + '/x-1.dist-info')"


@pytest.mark.parametrize(
    ("before", "outcome", "reason"),
    [
        ([["python", "-c", "open('made.txt', 'w')"]], "passed", ""),
        ([["python", "-c", "raise OSError('no data')"]], "broken-env", "failed: OSError: no data"),
        ([["no-such-program"]], "broken-env", "`no-such-program` of test.before failed: "),
        (
            [["python", "-c", INSTALLS]],
            "mismatch",
            "changed what is installed: x absent → 1; write it into install.requires instead",
        ),
    ],
)
def test_commands_before_the_tests(
    project: Write, venvgrid: Command, before: list[list[str]], outcome: str, reason: str
) -> None:
    """Each has to succeed, and none may install; a failed one is the outcome of its cell, with its last error."""
    root = project(f'[axes]\npython = ["{HERE}"]\n[test]\nbefore = {json.dumps(before)}\n', DEMO)
    venvgrid("run", cwd=root)
    found = cell(root)
    assert outcome == found["outcome"], found["reason"]
    assert reason in found["reason"]


def test_a_cell_runs_where_the_configuration_says(project: Write, venvgrid: Command) -> None:
    """In its own folder: what `before` leaves there is found by the tests, by a relative path and by a variable."""
    test = """
        import os


        def test_where():
            assert open("made.txt").read() == "py" and os.listdir(os.environ["DATA"]) == ["made.txt"]
            assert os.getcwd() == os.path.realpath(os.environ["DATA"]) and "tests" not in os.listdir(".")
    """
    options = """
        [test]
        before = [["{python}", "-c", "open('made.txt', 'w').write('py')"]]
        command = ["pytest", "{project}/tests"]
        working-directory = "{tmp}"
        env = { DATA = "{tmp}" }
    """
    root = project(f'[axes]\npython = ["{HERE}"]\n{textwrap.dedent(options)}', {**DEMO, "tests/test_where.py": test})
    venvgrid("run", cwd=root)
    found = cell(root)
    assert found["outcome"] == "passed", found["reason"]


def test_what_is_named_is_installed_and_a_change_runs_the_cell_again(
    project: Write, venvgrid: Command, tmp_path: Path
) -> None:
    """Files, a folder beside, a repository and pip are in the environment; a changed one is a changed cell."""
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "pyproject.toml").write_text(SIBLING.format(name="rep", version="1.5"), encoding="utf-8")
    (repository / "rep.py").touch()
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], check=True)
    files = DEMO | {
        "packages/bee/pyproject.toml": SIBLING.format(name="bee", version="2.0"),
        "packages/bee/bee.py": "",
        "req/tests.txt": "pytest\n-c limits.txt\n",
        "req/limits.txt": "iniconfig<2.1\n",
    }
    requires = ["-r req/tests.txt", "./packages/bee", "pip", f"rep @ git+{repository.as_uri()}"]
    matrix = f'[axes]\npython = ["{HERE}"]\n[install]\nrequires = {requires}\n'.replace("'", '"')
    root = project(matrix, files)
    venvgrid("run", cwd=root)
    found = cell(root)
    assert (found["outcome"], found["cached"]) == ("passed", False), found["reason"]
    assert (
        *(found["packages"][name] for name in ("bee", "rep", "iniconfig")),
        "pip" in found["packages"],
    ) == ("2.0", "1.5", "2.0.0", True)
    venvgrid("run", "--cache", cwd=root)
    assert cell(root)["cached"], "nothing has changed"
    for name, text in (("req/limits.txt", "iniconfig<2\n"), ("packages/bee/bee.py", "B = 1\n")):
        (root / name).write_text(text, encoding="utf-8")
        venvgrid("run", "--cache", cwd=root)
        assert not cell(root)["cached"], name
    assert cell(root)["packages"]["iniconfig"].startswith("1."), "the constraint of the file holds"
