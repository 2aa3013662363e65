"""Projects whose metadata only a build tells, and requirements that are folders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from rig import HERE, outcomes
from trees import FLIT, PROJECT, commit, tree

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command

pytestmark = pytest.mark.e2e

OLD = (
    "import sys\nfrom setuptools import setup\n"
    "{extra}"
    "setup(name='demo', version='1.0', py_modules=['demo'],\n"
    "      install_requires=['six'] if sys.version_info < (3, 9) else ['toml'])\n"
)
TEST = "import sys, demo; __import__('six' if sys.version_info < (3, 9) else 'toml')"
REFUSING = "if sys.version_info > (3, 10): raise SystemExit('too new')\n"


def matrix(code: str, *pythons: str, more: str = "") -> str:
    """Return a matrix whose test is a line of Python, run outside of the project."""
    line = f"import os; os.chdir('/'); {code}"
    command = f'command = ["{{python}}", "-c", "{line}"]'
    return f'{more}[axes]\npython = {json.dumps(pythons)}\n[test]\nreports = "exit-status"\n{command}\n'


def test_each_python_is_asked_what_it_requires(venvgrid: Command, tmp_path: Path, needs: Any) -> None:
    """install_requires of setup.py depends on the Python: each gets its own, in run, plan and lock."""
    needs("3.8", "3.12")
    root = tree(
        tmp_path / "old", {"setup.py": OLD.format(extra=""), "demo.py": "", "matrix.toml": matrix(TEST, "3.8", "3.12")}
    )
    ended = venvgrid("run", cwd=root)
    assert ended.status == 0, ended.out + ended.err
    plan = venvgrid("plan", cwd=root)
    assert (plan.status, "--no-build" in plan.err) == (0, False), "its wheels were there"
    assert venvgrid("lock", cwd=root).status == 0
    assert venvgrid("run", "--locked", "--no-cache", cwd=root).status == 0


def test_a_python_that_cannot_build_ends_its_own_cells_alone(venvgrid: Command, tmp_path: Path, needs: Any) -> None:
    """What the newest Python cannot build, an older one may: only the cells of the first have failed."""
    needs("3.8", "3.12")
    files = {"setup.py": OLD.format(extra=REFUSING), "demo.py": "", "matrix.toml": matrix(TEST, "3.8", "3.12")}
    root = tree(tmp_path / "refusing", files)
    assert venvgrid("run", cwd=root).status == 3
    assert outcomes(root) == {"py3.8": "passed", "py3.12": "build-failed"}


def test_a_pin_that_conflicts_is_impossible_on_python_2_too(venvgrid: Command, tmp_path: Path, needs: Any) -> None:
    """The last pip of Python 2.7 installs what conflicts and says so, unless it is told to resolve."""
    needs("2.7")
    setup = "name='demo', version='1.0', py_modules=['demo'], install_requires=['six>=1.14']"
    grid = matrix("import demo", "2.7", more="[install]\nrequires = []\n")
    grid = grid.replace("[test]", 'six = ["1.10", "1.16"]\n[test]')
    files = {"setup.py": f"from setuptools import setup\nsetup({setup})", "demo.py": "", "matrix.toml": grid}
    root = tree(tmp_path / "two", files)
    assert venvgrid("run", cwd=root).status == 0
    assert outcomes(root) == {"py2.7-six1.10": "impossible", "py2.7-six1.16": "passed"}


def test_no_build_runs_no_code_of_the_project(venvgrid: Command, tmp_path: Path) -> None:
    """Without a build, cells are unknown and say why; with one, a note says that it was run; -q hides it."""
    told = tmp_path / "told"
    setup = OLD.format(extra=f"open({str(told)!r}, 'a').close()\n")
    root = tree(tmp_path / "asked", {"setup.py": setup, "demo.py": "", "matrix.toml": matrix(TEST, HERE)})
    plan = venvgrid("plan", "--no-build", "--json", cwd=root)
    (item,) = json.loads(plan.out)["cells"]
    assert (plan.status, item["status"], told.exists()) == (3, "failed", False)
    assert "only a build of the project tells" in item["reason"]
    lock = venvgrid("lock", "--no-build", cwd=root)
    assert (lock.status, told.exists(), (root / "matrix.lock").exists()) == (3, False, False)
    plan = venvgrid("plan", cwd=root)
    assert (plan.status, told.exists(), "its build was run" in plan.err) == (0, True, True)


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_required_folder_is_installed_and_its_changes_count(
    venvgrid: Command, tmp_path: Path, installer: str
) -> None:
    """`x @ file:` of the project, and a relative one of the matrix: built aside and installed, again after a change."""
    for name in ("x", "y"):
        pyproject = FLIT + PROJECT.replace("demo", name)
        tree(tmp_path / "libs" / name, {"pyproject.toml": pyproject, f"{name}.py": "A = 1\n"})
    requires = f'dependencies = ["x @ {(tmp_path / "libs/x").as_uri()}"]\n'
    more = '[install]\nrequires = ["y @ file:../libs/y"]\n'
    root = tree(tmp_path / "p", {"pyproject.toml": FLIT + PROJECT + requires, "demo/__init__.py": ""})
    tree(root, {"matrix.toml": matrix("import x, y, sys; sys.exit(x.A + y.A != 2)", HERE, more=more)})
    env = {"VENVGRID_INSTALLER": installer}
    ended = venvgrid("run", cwd=root, env=env)
    assert ended.status == 0, ended.out + ended.err
    assert sorted(path.name for path in (tmp_path / "libs/x").iterdir()) == ["pyproject.toml", "x.py"]
    if installer == "pip":
        return  # what follows is the same, and pip takes its time
    assert venvgrid("lock", cwd=root, env=env).status == 0
    tree(tmp_path / "libs/x", {"x.py": "A = 2\n"})
    ended = venvgrid("run", "--locked", cwd=root, env=env)
    assert (ended.status, "has changed since" in ended.err) == (2, True), ended.err
    assert venvgrid("run", cwd=root, env=env).status == 1


@pytest.mark.parametrize("mode", ["wheel", "editable"])
def test_a_lock_that_setup_py_contradicts_is_refused(venvgrid: Command, tmp_path: Path, mode: str) -> None:
    """What setup.py requires is known after a build: a lock of before is no green, and the new one is."""
    setup = (
        "from setuptools import setup\nsetup(name='demo', version='1.0', py_modules=['demo'], install_requires={})\n"
    )
    more = f'[project]\ninstall = "{mode}"\n'
    matrix_toml = matrix("import demo", HERE, more=more)
    root = tree(tmp_path / "old", {"setup.py": setup.format(["six"]), "demo.py": "", "matrix.toml": matrix_toml})
    assert venvgrid("lock", cwd=root).status == 0
    assert venvgrid("run", "--locked", cwd=root).status == 0
    for requires, why in (
        (["six<1"], "but demo requires six<1"),
        (["six", "toml"], "it holds no toml, but demo requires"),
    ):
        tree(root, {"setup.py": setup.format(requires)})
        ended = venvgrid("run", "--locked", cwd=root)
        assert (ended.status, why in ended.out, "venvgrid lock" in ended.out) == (3, True, True), ended.out
        assert outcomes(root) == {f"py{HERE}": "build-failed"}
    assert venvgrid("lock", cwd=root).status == 0
    assert venvgrid("run", "--locked", cwd=root).status == 0


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_commit_is_installed_and_locked(venvgrid: Command, tmp_path: Path, installer: str) -> None:
    """`x @ git+file://…#subdirectory=…` of setup.py: the commit, and not the files of the checkout."""
    lib = tree(
        tmp_path / "lib", {"in/setup.py": "import setuptools as s\ns.setup(name='x', version='1', py_modules=['x'])\n"}
    )
    tree(lib, {"in/x.py": "A = 1\n"})
    commit(lib)
    tree(lib, {"in/x.py": "A = 2\n"})
    setup = (
        "from setuptools import setup\nsetup(name='demo', version='1', py_modules=['demo'],"
        f" install_requires=['six', 'x @ git+{lib.as_uri()}#subdirectory=in'])\n"
    )
    code, env = "import x, sys; sys.exit(x.A != 1)", {"VENVGRID_INSTALLER": installer}
    allowed = '[install]\nrequires = []\nsource-builds = ["x"]\n'
    root = tree(tmp_path / "p", {"setup.py": setup, "demo.py": "", "matrix.toml": matrix(code, HERE, more=allowed)})
    ended = venvgrid("lock", cwd=root, env=env)
    assert (ended.status, "@" in (root / "matrix.lock").read_text()) == (0, True), ended.err
    ended = venvgrid("run", "--locked", cwd=root, env=env)
    assert ended.status == 0, ended.out + ended.err
