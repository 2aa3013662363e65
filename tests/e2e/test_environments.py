"""Environments: reused when right, rebuilt when not, ordinary to the user, and made again from what is written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import SETUPTOOLS, Command, Write, cell
from rig import HERE, Ended, outcomes, results, wait_for

from venvgrid.resolving import lockfile

pytestmark = pytest.mark.e2e

MATRIX = f'[axes]\npython = ["{HERE}"]\nsix = ["1.16"]\n'
CELL = f"py{HERE}-six1.16"


def built(ended: Ended) -> list[str]:
    """Read off `run -v` what was done about each environment."""
    lines = [line.strip() for line in ended.err.splitlines() if ": environment " in line and " in " in line]
    return [line.split(": environment ")[1].rsplit(" in ", 1)[0] for line in lines if line.startswith("py")]


def python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def test_nothing_changed_does_nothing_and_a_changed_source_only_reinstalls(venvgrid: Command, project: Write) -> None:
    """First built, then reused, after an edit only the project is installed again, with another lock all anew."""
    root = project(MATRIX)
    assert built(venvgrid("run", "-v", cwd=root)) == ["built"]
    assert built(venvgrid("run", "-v", "--no-cache", cwd=root)) == ["reused"]
    (root / "src/demo/__init__.py").write_text("ANSWER = 41\n", encoding="utf-8")
    ended = venvgrid("run", "-v", cwd=root)
    assert (ended.status, built(ended)) == (1, ["project reinstalled"])
    (root / "src/demo/__init__.py").write_text("ANSWER = 42\n", encoding="utf-8")
    ended = venvgrid("run", "-v", "--no-cache", cwd=root)
    assert (ended.status, built(ended)) == (0, ["project reinstalled"])
    (root / "matrix.toml").write_text(MATRIX.replace("1.16", "1.15"), encoding="utf-8")
    assert built(venvgrid("run", "-v", "--no-cache", cwd=root)) == ["built"]
    assert built(venvgrid("run", "-v", "--fresh", cwd=root)) == ["built"]


@pytest.mark.parametrize("damage", ["delete", "append", "no marker", "half", "guests"])
def test_a_damaged_environment_is_built_anew(
    venvgrid: Command, project: Write, own_cache: dict[str, str], damage: str
) -> None:
    """One that is half built, changed, or has the witness of another venvgrid is not used: a whole one is."""
    root = project(
        MATRIX, {"tests/test_demo.py": "import demo, six\n\n\ndef test_it():\n    assert six.__version__ == '1.16.0'\n"}
    )
    assert venvgrid("run", cwd=root, env=own_cache).status == 0
    environment = (root / ".venvgrid/envs" / CELL).resolve()
    (six,) = environment.rglob("six.py")
    if damage == "delete":
        six.unlink()
    elif damage == "append":
        with six.open("a", encoding="utf-8") as stream:
            stream.write("\n__version__ = '9'\n")
    elif damage == "guests":
        marker = json.loads((environment / "venvgrid.json").read_text(encoding="utf-8"))
        text = json.dumps({**marker, "guests": "of another version"})
        (environment / "venvgrid.json").write_text(text, encoding="utf-8")
    else:
        (environment / "venvgrid.json").unlink()
        if damage == "half":
            six.unlink()
    ended = venvgrid("run", "-v", "--no-cache", cwd=root, env=own_cache)
    assert (ended.status, built(ended)) == (0, ["built"])


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_a_killed_build_is_done_again(venvgrid: Command, project: Write, cache_dir: Path) -> None:
    """Kill -9 during a build: no marker, nothing goes on writing, and the next run builds the environment whole."""
    test = """
        import demo
        import importlib.metadata
        import pathlib


        def test_whole():
            for name in ("pygments", "demo"):
                for file in importlib.metadata.files(name):
                    assert pathlib.Path(file.locate()).exists()
    """
    root = project(MATRIX + '[install]\nrequires = ["pytest", "pygments"]\n', {"tests/test_demo.py": test})
    environment = {**os.environ, "VENVGRID_CACHE_DIR": str(cache_dir)}
    for _ in range(5):  # until the kill falls into the build
        shutil.rmtree(root / ".venvgrid", ignore_errors=True)
        with subprocess.Popen([sys.executable, "-m", "venvgrid", "run", "-q"], cwd=root, env=environment) as running:
            wait_for(lambda: list((root / ".venvgrid/store").glob("*/bin")), running)
            running.kill()
        if not list((root / ".venvgrid/store").glob("*/venvgrid.json")):
            break
    assert not list((root / ".venvgrid/store").glob("*/venvgrid.json"))
    ended = venvgrid("run", "-v", "--no-cache", cwd=root)
    assert (ended.status, built(ended)) == (0, ["built"]), ended.err


def test_a_test_that_changes_its_environment_poisons_no_other_run(
    venvgrid: Command, project: Write, own_cache: dict[str, str]
) -> None:
    """What it wrote is noted, and the environment is built anew; no other environment, made before or later, has it."""
    test = """
        import demo, six


        def test_poison():
            assert six.__version__ == "1.16.0"
            with open(six.__file__, "a") as stream:
                stream.write("\\n__version__ = 'poisoned'\\n")
    """
    root = project(MATRIX + '[[include]]\npython = "' + HERE + '"\nsix = ["==1.16.0"]\n', {"tests/test_demo.py": test})
    for _ in range(2):
        ended = venvgrid("run", cwd=root, env=own_cache)
        assert ended.status == 0, ended.err
        assert "the tests changed the environment" in " ".join(cell(root, CELL)["notes"])


def test_cells_that_differ_in_variables_share_an_environment(venvgrid: Command, project: Write) -> None:
    """Two values of a variable: one environment, two links to it, two runs of the tests with different values."""
    test = "import demo, os\n\n\ndef test_colour():\n    assert os.environ['COLOUR'] == 'red'\n"
    root = project(MATRIX + 'env.COLOUR = ["red", "blue"]\n', {"tests/test_demo.py": test})
    venvgrid("run", cwd=root)
    assert sorted(outcomes(root).values()) == ["failed", "passed"]
    assert len({link.resolve() for link in (root / ".venvgrid/envs").iterdir()}) == 1
    assert len(list((root / ".venvgrid/envs").iterdir())) == 2


@pytest.mark.skipif(os.name == "nt", reason="activates with a POSIX shell")
def test_an_environment_can_be_activated(venvgrid: Command, project: Write) -> None:
    """`source .venvgrid/envs/CELL/bin/activate` works, and scripts for the usual shells are there."""
    root = project(MATRIX)
    assert venvgrid("run", cwd=root).status == 0
    place = root / ".venvgrid/envs" / CELL / "bin"
    check = "import six, demo, sys; print(sys.prefix)"
    script = f'. "{place}/activate" && python -c "{check}" && pytest --version && deactivate'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert Path(done.stdout.splitlines()[0]).resolve() == place.parent.resolve()
    assert {"activate", "activate.fish", "activate.csh", "activate.ps1"} <= {path.name for path in place.iterdir()}


def test_freeze_recreates_the_environment(venvgrid: Command, project: Write, tmp_path: Path) -> None:
    """A fresh environment made by pip from what `env freeze` says has exactly the same distributions."""
    root = project(MATRIX)
    assert venvgrid("run", cwd=root).status == 0
    frozen = venvgrid("env", "freeze", CELL, cwd=root)
    (root / "matrix.toml").rename(root / "other.toml")
    for words in (("env", "-c", "other.toml", "freeze", CELL), ("env", "freeze", "-c", "other.toml", CELL)):
        assert venvgrid(*words, cwd=root).out == frozen.out
    (tmp_path / "requirements.txt").write_text(frozen.out, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "virtualenv", "-q", tmp_path / "again"], check=True)
    pip = [str(python_of(tmp_path / "again")), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "--require-hashes", "-r", tmp_path / "requirements.txt"], check=True)
    listed = subprocess.run([*pip, "list", "--format", "json"], capture_output=True, text=True, check=True)
    again = {item["name"].lower(): item["version"] for item in json.loads(listed.stdout)}
    expected = {**cell(root)["packages"], "demo": "1.0"}
    assert {name: again.get(name) for name in expected} == expected
    assert set(again) - set(expected) <= {"pip", "setuptools", "wheel"}


def test_a_lock_is_installed_exactly(venvgrid: Command, project: Write) -> None:
    """What matrix.lock says is installed, even where a resolve gives something newer; one that does not fit fails."""
    root = project(MATRIX + '[install]\nrequires = ["pytest", "iniconfig"]\n')
    locked = venvgrid("lock", cwd=root)
    assert locked.status == 0, locked.err
    text = (root / "matrix.lock").read_text(encoding="utf-8")
    assert "https://" not in text
    assert text.count("sha256:") >= 4
    assert "unchanged" in venvgrid("lock", cwd=root).err
    old = venvgrid("lock", cwd=project(MATRIX + '[install]\nrequires = ["pytest", "iniconfig<2.0.0"]\n'))
    assert old.status == 0, old.err
    lines = (root / "matrix.lock").read_text(encoding="utf-8").splitlines()
    (root / "matrix.toml").write_text(MATRIX + '[install]\nrequires = ["pytest", "iniconfig"]\n', encoding="utf-8")
    fits = next(line for line in text.splitlines() if line.startswith("fits"))
    kept = [line for line in lines if not line.startswith("checksum")]
    older = "\n".join(fits if line.startswith("fits") else line for line in kept)
    (root / "matrix.lock").write_text(older + "\n", encoding="utf-8")
    ended = venvgrid("run", "--locked", cwd=root)
    assert ended.status == 0, ended.err
    assert cell(root)["packages"]["iniconfig"].startswith("1.")
    (root / "matrix.toml").write_text(MATRIX.replace("1.16", "1.15"), encoding="utf-8")
    ended = venvgrid("run", "--locked", cwd=root)
    assert ended.status == 2
    assert "venvgrid lock" in ended.err


def test_a_file_that_is_not_the_locked_one_is_refused(venvgrid: Command, project: Write) -> None:
    """A hash that differs from the lock's is no installation, also where an editor made the lock whole again."""
    root = project(MATRIX)
    assert venvgrid("lock", cwd=root).status == 0
    path = root / "matrix.lock"
    lock = lockfile.parse(path.read_text(encoding="utf-8"), path)
    (locked,) = lock.environments.values()
    others = [item for item in locked.distributions if item.name != "six"]
    (six,) = [item for item in locked.distributions if item.name == "six"]
    wrong = replace(locked, distributions=(*others, replace(six, hashes=(f"sha256:{'0' * 64}",))))
    name = lockfile.name_of(wrong)
    forged = replace(lock, environments={name: wrong}, cells=dict.fromkeys(lock.cells, name))
    path.write_text(lockfile.render(forged), encoding="utf-8")
    ended = venvgrid("run", "--locked", cwd=root)
    assert (ended.status, cell(root)["outcome"]) == (3, "build-failed")
    assert "six" in cell(root)["reason"] + ended.err


def test_pip_does_what_uv_does(venvgrid: Command, project: Write) -> None:
    """Without uv the same cells resolve, build and pass, and impossible ones are impossible."""
    root = project(MATRIX.replace('"1.16"', '"1.16", "1.17"') + '[install]\nconstraints = ["six<1.17"]\n')
    ended = venvgrid("run", cwd=root, env={"VENVGRID_INSTALLER": "pip"})
    assert ended.status == 0, ended.err
    assert outcomes(root) == {CELL: "passed", f"py{HERE}-six1.17": "impossible"}
    assert cell(root, CELL)["packages"]["six"] == "1.16.0"


def test_exec_runs_in_a_cells_environment(venvgrid: Command, project: Write) -> None:
    """The environment is built if need be; the exit status is the command's."""
    root = project(MATRIX)
    code = "import six, demo, sys; print(six.__version__); sys.exit(5)"
    ended = venvgrid("exec", CELL, "--", "python", "-c", code, cwd=root)
    assert (ended.status, ended.out.strip()) == (5, "1.16.0")
    wrong = venvgrid("exec", CELL[:-1], "--", "python", cwd=root)
    assert wrong.status == 2
    assert f"did you mean {CELL}?" in wrong.err


def test_prune_removes_what_no_cell_uses(venvgrid: Command, project: Write) -> None:
    """After a change of the lock the old environment is unused; prune deletes it and leaves the other."""
    root = project(MATRIX)
    venvgrid("run", cwd=root)
    (root / "matrix.toml").write_text(MATRIX.replace("1.16", "1.15"), encoding="utf-8")
    venvgrid("run", "--no-cache", cwd=root)
    (root / ".venvgrid/envs" / CELL).unlink()
    assert len(list((root / ".venvgrid/store").iterdir())) == 2
    assert venvgrid("env", "prune", cwd=root).status == 0
    (left,) = (root / ".venvgrid/store").iterdir()
    assert (root / ".venvgrid/envs" / f"py{HERE}-six1.15").resolve() == left.resolve()


EXTENSION = {
    "pyproject.toml": SETUPTOOLS,
    "setup.py": """
        from setuptools import Extension, setup
        setup(ext_modules=[Extension("demo._fast", ["src/demo/fast.c"])])
    """,
    "src/demo/__init__.py": "from demo._fast import answer\n\nANSWER = answer()\n",
    "src/demo/fast.c": """
        #include <Python.h>
        static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(42); }
        static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
        static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_fast", "", -1, methods};
        PyMODINIT_FUNC PyInit__fast(void) { return PyModule_Create(&module); }
    """,
}


def test_a_c_extension_is_built_once_an_interpreter(venvgrid: Command, project: Write, needs: object) -> None:
    """Each Python gets the extension that was built for it; a second run builds none."""
    assert callable(needs)
    needs("3.9", "3.12")
    matrix = '[axes]\npython = ["3.9", "3.12"]\nsix = ["1.15", "1.16"]\n'
    root = project(matrix, EXTENSION)
    ended = venvgrid("run", cwd=root)
    assert ended.status == 0, ended.err + str(results(root))
    assert set(outcomes(root).values()) == {"passed"}
    assert built(venvgrid("run", "-v", "--no-cache", cwd=root)) == ["reused"] * 4


def test_editable_on_pythons_without_pep_660(venvgrid: Command, project: Write, needs: Any) -> None:
    """The checkout is imported, the script of the project runs, and an edit is seen without another installation."""
    needs("2.7", "3.6")
    files = {
        "pyproject.toml": None,
        "setup.py": "from setuptools import setup\nsetup(name='demo', version='1.0', packages=['demo'], "
        "package_dir={'': 'src'}, entry_points={'console_scripts': ['demo=demo:main']})\n",
        "src/demo/__init__.py": "ANSWER = 42\n\n\ndef main():\n    print(ANSWER)\n",
        "tests/test_demo.py": "import os\nimport subprocess\n\nimport demo\n\n\ndef test_it():\n"
        "    assert os.path.basename(os.path.dirname(os.path.dirname(demo.__file__))) == 'src'\n"
        "    assert int(subprocess.check_output(['demo'])) == demo.ANSWER\n",
    }
    root = project('[project]\ninstall = "editable"\n[axes]\npython = ["2.7", "3.6"]\n', files)
    ended = venvgrid("run", cwd=root)
    assert (ended.status, outcomes(root)) == (0, {"py2.7": "passed", "py3.6": "passed"}), ended.out
    (root / "src/demo/__init__.py").write_text("ANSWER = 43\n\n\ndef main():\n    print(42)\n", encoding="utf-8")
    ended = venvgrid("run", cwd=root)
    assert (ended.status, set(outcomes(root).values())) == (1, {"failed"}), ended.out
