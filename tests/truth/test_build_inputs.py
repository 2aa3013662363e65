"""What a build reads by files other than the known ones, and by distributions that are folders: a change is seen."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from rig import HERE, results
from trees import FLIT, PROJECT, commit, git, tree

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command

pytestmark = pytest.mark.e2e

MATRIX = f"""
[axes]
python = ["{HERE}"]
[test]
reports = "exit-status"
"""
HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
IS_ONE = "from importlib.metadata import version; import demo; assert version('demo') == '1.0'"
HOOK = """
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

class Hook(BuildHookInterface):
    def initialize(self, version, data):
        data["force_include"]["local/made.txt"] = "demo/made.txt"
"""
IS_MADE = "import demo, pathlib; assert (pathlib.Path(demo.__file__).parent / 'made.txt').read_text() == '1.0'"
HELPED = "import os, sys\nsys.path.insert(0, os.getcwd())\nfrom helper import version\nfrom setuptools import setup\n"
HELPED += "setup(name='demo', version=version(), packages=['demo'])\n"


def matrix(code: str) -> str:
    return f'{MATRIX}command = ["{{python}}", "-c", "import os; os.chdir(\'/\'); {code}"]\n'


def ran(venvgrid: Command, root: Path, **env: str) -> tuple[str, bool]:
    """Run the only cell; return its outcome and whether it was kept."""
    ended = venvgrid("run", "-q", cwd=root, env=env)
    (cell,) = results(root)["cells"]
    assert cell["outcome"] in {"passed", "failed"}, ended.out + ended.err
    return cell["outcome"], cell["cached"]


# Files of the project, and what the test asserts. "local" is ignored by git and holds 1.0 at first.
STEERED = {
    "hatch.toml": (
        {"pyproject.toml": HATCHLING + '[project]\nname = "demo"\ndynamic = ["version"]\n'}
        | {"hatch.toml": '[version]\npath = "local/made.txt"\npattern = "(?P<version>.+)"\n'},
        IS_ONE,
    ),
    "a hook with a name of its own": (
        {"pyproject.toml": HATCHLING + PROJECT + '[tool.hatch.build.hooks.custom]\npath = "tools/hook.py"\n'}
        | {"tools/hook.py": HOOK},
        IS_MADE,
    ),
    "a module that setup.py imports": (
        {"setup.py": HELPED, "helper.py": "def version():\n    return open('local/made.txt').read()\n"},
        IS_ONE,
    ),
}


@pytest.mark.parametrize("name", STEERED)
def test_what_other_files_of_a_build_name_is_an_input(venvgrid: Command, tmp_path: Path, name: str) -> None:
    """A file that git ignores is there for the build if hatch.toml, a hook or a helper of setup.py names it."""
    files, asserted = STEERED[name]
    root = tree(tmp_path / "p", {**files, ".gitignore": ".venvgrid\nlocal/\n", "demo/__init__.py": ""})
    tree(root, {"matrix.toml": matrix(asserted)})
    commit(root)
    tree(root, {"local/made.txt": "1.0"})
    assert ran(venvgrid, root) == ("passed", False)
    assert ran(venvgrid, root) == ("passed", True)
    tree(root, {"local/made.txt": "2.0"})
    assert ran(venvgrid, root) == ("failed", False)


@pytest.mark.parametrize(
    "files",
    [
        {"setup.py": HELPED, "helper.py": "import os\ndef version():\n    return os.environ['OWN_VERSION']\n"},
        {"pyproject.toml": HATCHLING + '[project]\nname = "demo"\ndynamic = ["version"]\n'}
        | {"hatch.toml": '[version]\nsource = "env"\nvariable = "OWN_VERSION"\n'},
    ],
    ids=["a helper of setup.py", "hatch.toml"],
)
def test_a_variable_that_they_name_is_an_input(venvgrid: Command, tmp_path: Path, files: dict[str, str]) -> None:
    """The version comes from a variable: another value is another wheel."""
    root = tree(tmp_path / "p", {**files, "demo/__init__.py": "", "matrix.toml": matrix(IS_ONE)})
    assert ran(venvgrid, root, OWN_VERSION="1.0") == ("passed", False)
    assert ran(venvgrid, root, OWN_VERSION="1.0") == ("passed", True)
    assert ran(venvgrid, root, OWN_VERSION="2.0") == ("failed", False)


BACKEND = """
from flit_core import buildapi
from flit_core.buildapi import *

def build_wheel(*given, **more):
    with open("demo.py", "a") as file:
        file.write("MADE_BY = %d\\n")
    return buildapi.build_wheel(*given, **more)
"""


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_folder_that_a_build_requires_is_an_input(venvgrid: Command, tmp_path: Path, installer: str) -> None:
    """`backend @ file:` in build-system.requires: another content of the same version builds another wheel."""
    backend = tree(tmp_path / "backend", {"pyproject.toml": FLIT + PROJECT.replace("demo", "own_backend")})
    tree(backend, {"own_backend.py": BACKEND % 1})
    requires = f'requires = ["flit_core>=3.4", "own_backend @ {backend.as_uri()}"]'
    system = f'[build-system]\n{requires}\nbuild-backend = "own_backend"\n'
    root = tree(tmp_path / "p", {"pyproject.toml": system + PROJECT, "demo.py": ""})
    tree(root, {"matrix.toml": matrix("import demo; assert demo.MADE_BY == 1")})
    assert ran(venvgrid, root, VENVGRID_INSTALLER=installer) == ("passed", False)
    assert ran(venvgrid, root, VENVGRID_INSTALLER=installer) == ("passed", True)
    tree(backend, {"own_backend.py": BACKEND % 2})
    assert ran(venvgrid, root, VENVGRID_INSTALLER=installer) == ("failed", False)


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_what_a_required_folder_requires_of_this_machine_is_an_input(
    venvgrid: Command, tmp_path: Path, installer: str
) -> None:
    """The project requires folder x, with an extra that requires folder y: a change in y is a change of the cell."""
    for name in ("x", "y"):
        pyproject = FLIT + PROJECT.replace("demo", name)
        extra = f'[project.optional-dependencies]\nmore = ["y @ {(tmp_path / "y").as_uri()}"]\n'
        tree(tmp_path / name, {"pyproject.toml": pyproject + (extra if name == "x" else ""), f"{name}.py": "A = 1\n"})
    requires = f'dependencies = ["x[more] @ {(tmp_path / "x").as_uri()}"]\n'
    root = tree(tmp_path / "p", {"pyproject.toml": FLIT + PROJECT + requires, "demo/__init__.py": ""})
    tree(root, {"matrix.toml": matrix("import demo, x, y; assert y.A == 1")})
    assert ran(venvgrid, root, VENVGRID_INSTALLER=installer) == ("passed", False)
    assert ran(venvgrid, root, VENVGRID_INSTALLER=installer) == ("passed", True)
    tree(tmp_path / "y", {"y.py": "A = 2\n"})
    assert ran(venvgrid, root, VENVGRID_INSTALLER=installer) == ("failed", False)


ASKED = {
    "a submodule": ["git", "-C", "sub", "tag"],
    "a shallow history": ["git", "rev-list", "--count", "HEAD"],
}


@pytest.mark.parametrize("name", ASKED)
def test_git_is_asked_for_another_history(venvgrid: Command, tmp_path: Path, name: str) -> None:
    """The tags of a submodule, and how deep a clone is: in no file and in no reference of the project."""
    test = f"import subprocess\n\ndef test_it():\n    assert subprocess.check_output({ASKED[name]}).strip() == b'1'\n"
    files = {"setup.py": "# versioned by git\n", "tests/test_demo.py": test, ".gitignore": ".venvgrid\n__pycache__\n"}
    matrix_toml = f'[project]\ninstall = "none"\n[axes]\npython = ["{HERE}"]\n'
    above = tree(tmp_path / "above", {**files, "matrix.toml": matrix_toml})
    commit(above)
    git(above, "commit", "--allow-empty", "-m", "second")
    root = tmp_path / "p"
    subprocess.run(["git", "clone", "-q", "--depth", "1", above.as_uri(), root], check=True)
    commit(tree(root / "sub", {"file": ""}), "1")
    git(root, "add", "sub")
    first = ran(venvgrid, root)
    assert first == ("passed", False)
    if name == "a submodule":
        git(root / "sub", "tag", "2")
    else:
        assert ran(venvgrid, root) == ("passed", True)
        git(root, "fetch", "-q", "--unshallow")
    assert ran(venvgrid, root) == ("failed", False)
