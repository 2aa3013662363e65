"""The witness sees where modules come from when they are imported, in every process of a cell."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest
from conftest import SETUPTOOLS, cell, declaring
from rig import HERE
from worlds import FLAT, MATRIX, run, wheel

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e
SIX = f'[axes]\npython = ["{HERE}"]\nsix = ["1.16"]\n'
CHECKOUT = {
    "from src.demo import": """
        import sys
        sys.path.insert(0, ".")
        from src.demo import ANSWER
    """,
    "patch.dict(sys.modules)": """
        import sys
        from unittest import mock
        with mock.patch.dict(sys.modules):
            sys.path.insert(0, "src")
            import importlib.util
            spec = importlib.util.spec_from_file_location("demo", "src/demo/__init__.py")
            sys.modules["demo"] = demo = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(demo)
    """,
    "a submodule by __path__": """
        import demo
        demo.__path__.insert(0, "extra")
        import demo.more
    """,
    "run by its path in a child": """
        import subprocess, sys
        subprocess.check_call([sys.executable, "src/demo/__init__.py"])
    """,
    "runpy": """
        import runpy
        runpy.run_path("src/demo/__init__.py")
    """,
    "a copy of the file": """
        import importlib.util, pathlib, shutil, tempfile
        folder = pathlib.Path(tempfile.mkdtemp(), "demo")
        shutil.copytree("src/demo", folder)
        spec = importlib.util.spec_from_file_location("other", folder / "__init__.py")
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    """,
    "in a child that is killed": """
        import os, subprocess, sys
        code = "import sys, os; sys.path.insert(0, '.'); import src.demo; os._exit(0)"
        subprocess.check_call([sys.executable, "-c", code])
    """,
    "in a fork": """
        import os, sys
        pid = os.fork()
        if not pid:
            sys.path.insert(0, ".")
            import src.demo
            os._exit(0)
        os.waitpid(pid, 0)
    """,
}


def test_code_of_the_checkout_is_never_taken_for_what_is_installed(venvgrid: Command, project: Write) -> None:
    """Under another name, by path, by runpy, in children and forks, and although sys.modules is restored."""
    root = project(MATRIX, {"extra/more.py": "", "src/__init__.py": ""})
    for name, code in CHECKOUT.items():
        lines = "\n".join(f"    {line.removeprefix('        ')}" for line in code.strip("\n").splitlines())
        test = f"import demo\n\n\ndef test_it():\n{lines}\n"
        (root / "tests/test_demo.py").write_text(test, encoding="utf-8")
        outcome, reason, _ = run(venvgrid, root)
        assert outcome == "mismatch", (name, reason)
        assert "demo" in reason, (name, reason)


REPLACED = {
    "vendored copy": """
        import sys
        import vendored
        sys.modules["six"] = vendored
        import six
    """,
    "for one test": """
        import sys
        from unittest import mock
        import vendored
        sys.modules.pop("six", None)
        with mock.patch.dict(sys.modules, six=vendored):
            import six, demo.again
    """,
    "shadowed in a child": """
        import subprocess, sys
        subprocess.check_call([sys.executable, "-c", "import six"], cwd="shadow")
    """,
}


def test_a_replaced_axis_package_is_a_mismatch(venvgrid: Command, project: Write) -> None:
    """Another module is in sys.modules under its name, for a moment or in a child."""
    root = project(
        SIX,
        {
            "tests/vendored.py": "",
            "shadow/six.py": "",
            "src/demo/again.py": "import six\nimport demo.last\n",
            "src/demo/last.py": "",
        },
    )
    for name, code in REPLACED.items():
        lines = "\n".join(f"    {line.removeprefix('        ')}" for line in code.strip("\n").splitlines())
        (root / "tests/test_demo.py").write_text(f"import demo\n\n\ndef test_it():\n{lines}\n", encoding="utf-8")
        outcome, reason, _ = run(venvgrid, root)
        assert outcome == "mismatch", (name, reason)
        assert reason.startswith("six was imported from "), (name, reason)


def test_mocks_and_absent_modules_are_no_mismatch(venvgrid: Command, project: Write) -> None:
    """A test may put None or a made module in place of a package: no file was imported."""
    test = """
        import sys, types
        from importlib.util import find_spec
        from unittest import mock

        import demo, six
        import pytest


        @pytest.mark.parametrize("fake", [None, mock.MagicMock(), types.ModuleType("six")])
        def test_it(fake):
            assert find_spec("demo") and find_spec("six")
            with mock.patch.dict(sys.modules, six=fake):
                pass
    """
    outcome, reason, found = run(venvgrid, project(SIX, {"tests/test_demo.py": test}))
    assert (outcome, found["notes"]) == ("passed", []), reason


def test_modules_of_common_names_are_watched_too(venvgrid: Command, project: Write) -> None:
    """The project ships utils.py; a utils.py beside the tests would hide it, but the installed one is what runs."""
    files = {
        "pyproject.toml": f'{SETUPTOOLS}    [tool.setuptools]\n    py-modules = ["utils", "helpers"]\n',
        "src/demo/__init__.py": None,
        "utils.py": "WHO = 'project'\n",
        "helpers.py": "import utils\nWHO = utils.WHO\n",
        "tests/utils.py": "WHO = 'tests'\n",
        "tests/test_demo.py": "import helpers\n\n\ndef test_it():\n    assert helpers.WHO == 'project'\n",
    }
    root = project(MATRIX, files)
    outcome, reason, _ = run(venvgrid, root)
    assert outcome == "passed", reason
    test = "import sys\nimport importlib.util as u\nspec = u.spec_from_file_location('utils', 'tests/utils.py')\n"
    test += "sys.modules['utils'] = m = u.module_from_spec(spec)\nspec.loader.exec_module(m)\nimport helpers\n"
    (root / "tests/test_demo.py").write_text(test + "\n\ndef test_it():\n    pass\n", encoding="utf-8")
    outcome, reason, _ = run(venvgrid, root)
    assert (outcome, "utils was imported from" in reason) == ("mismatch", True), reason


def test_a_file_of_two_distributions_is_named(
    venvgrid: Command, project: Write, own_cache: dict[str, str], tmp_path: Path
) -> None:
    """A wheel ships six.py too: a mismatch where six is an axis, a note where it is not."""
    wheel(tmp_path / "wheels", "evil", "1.0", {"six.py": "__version__ = '1.16.0'\n", "tests/__init__.py": "1\n"})
    wheel(tmp_path / "wheels", "other", "1.0", {"tests/__init__.py": "2\n"})
    links = '[install]\nrequires = ["pytest", "evil", "other"{}]\n'
    places = {f"{name}_FIND_LINKS": str(tmp_path / "wheels") for name in ("UV", "PIP")}
    env = {**own_cache, **places}  # other tests share six through the cache
    for matrix, more in ((SIX, ""), (MATRIX, ', "six"')):
        root = project(matrix + links.format(more))
        ended = venvgrid("run", cwd=root, env=env)
        assert ended.status in {0, 1}, ended.err
        found = cell(root)
        if matrix is SIX:
            assert found["outcome"] == "mismatch", found["reason"]
            assert "six.py" in found["reason"]
            assert "evil" in found["reason"]
        else:
            assert found["outcome"] == "passed", found["reason"]
            assert any("six.py belongs to evil and to six" in note for note in found["notes"]), found["notes"]


def test_what_was_never_imported_is_said(venvgrid: Command, project: Write) -> None:
    """The project: red, unless it is only to be noted. An axis package: noted, unless it is required."""
    root = project(SIX, {"tests/test_demo.py": "def test_it():\n    pass\n"})
    outcome, reason, _ = run(venvgrid, root)
    assert outcome == "mismatch"
    assert reason.startswith("demo was never imported")
    (root / "matrix.toml").write_text(SIX + '[test]\nimports = "noted"\n', encoding="utf-8")
    outcome, _, found = run(venvgrid, root)
    assert (outcome, found["notes"]) == ("passed", ["demo was never imported", "six was never imported"])
    (root / "tests/test_demo.py").write_text("import demo\n\n\ndef test_it():\n    pass\n", encoding="utf-8")
    (root / "matrix.toml").write_text(SIX + '[test]\nimports = "required"\n', encoding="utf-8")
    outcome, reason, _ = run(venvgrid, root)
    assert outcome == "mismatch"
    assert reason.startswith("six was never imported")
    child = """
        import subprocess, sys

        def test_it():
            subprocess.check_call([sys.executable, '-c', 'import demo, six'])
    """
    (root / "tests/test_demo.py").write_text(textwrap.dedent(child), encoding="utf-8")
    outcome, reason, _ = run(venvgrid, root)
    assert outcome == "passed", reason


def test_an_installed_file_that_the_tests_edit_is_a_mismatch(venvgrid: Command, project: Write) -> None:
    """What ran after the edit is not what was installed."""
    test = """
        import importlib
        import demo

        def test_it():
            with open(demo.__file__, "w") as file:
                file.write("ANSWER = 43  # another size: Python compares it, and times by the second\\n")
            assert importlib.reload(demo).ANSWER == 43
    """
    outcome, reason, _ = run(venvgrid, project(MATRIX, {"tests/test_demo.py": test}))
    assert (outcome, "demo/__init__.py" in reason) == ("mismatch", True), reason


def test_other_reports_have_the_same_witness(venvgrid: Command, project: Write) -> None:
    """junit: a command that never starts the cell's Python is red; exit-status: noted. Both attest the interpreter."""
    command = '["sh", "write.sh", "CMD", "-c", "import demo"]'
    junit, status = '[test]\nreports = "junit:out.xml"\n', '[test]\nreports = "exit-status"\n'
    report = '<testsuite tests="1"><testcase classname="a" name="b"/></testsuite>'
    root = project(MATRIX, {"write.sh": f"echo '{report}' > out.xml\n\"$@\"\n"})
    for reports, program, outcome in (
        (junit, "true", "mismatch"),
        (junit, "python", "passed"),
        (status, "true", "passed"),
        (status, "python", "passed"),
    ):
        text = f"{MATRIX}{reports}command = {command.replace('CMD', program)}\n"
        (root / "matrix.toml").write_text(text, encoding="utf-8")
        seen, reason, found = run(venvgrid, root)
        assert seen == outcome, (program, reason)
        assert ("cpython" in found["attested"]["python"].lower()) == (program == "python"), found["attested"]
        told = " ".join((reason, *found["notes"]))
        assert ("Python of the environment was never started" in told) == (program == "true"), told
    text = f'{MATRIX}{status}command = ["python", "-c", "import src.demo"]\n'
    (root / "matrix.toml").write_text(text, encoding="utf-8")
    seen, reason, _ = run(venvgrid, root)
    assert (seen, "src/demo" in reason) == ("mismatch", True), reason


def test_a_project_without_modules_need_not_be_imported(venvgrid: Command, project: Write) -> None:
    """Its wheel holds only metadata, such as a list of dependencies."""
    files = {
        "pyproject.toml": declaring()
        .replace("flit_core>=3.4", "setuptools")
        .replace("flit_core.buildapi", "setuptools.build_meta")
        + "    [tool.setuptools]\n    packages = []\n",
        "src/demo/__init__.py": None,
        "tests/test_demo.py": "def test_it():\n    pass\n",
    }
    outcome, reason, _ = run(venvgrid, project(MATRIX, files))
    assert outcome == "passed", reason


def test_flat_layout_of_old_pythons(venvgrid: Command, project: Write, needs) -> None:  # type: ignore[no-untyped-def]
    """Python 2.7 and 3.6: the installed project first, children too; a replaced module is seen."""
    needs("2.7", "3.6")
    setup = "from setuptools import setup\nsetup(name='demo', version='1.0', packages=['demo'])\n"
    test = """
        import subprocess, sys
        import demo.core

        def test_it():
            assert "site-packages" in demo.core.__file__
            subprocess.check_call([sys.executable, "-c", "import demo; assert 'site-packages' in demo.__file__"])
    """
    files = {
        **FLAT,
        "pyproject.toml": None,
        "setup.py": setup,
        "setup.cfg": "[bdist_wheel]\nuniversal = 1\n",
        "tests/test_demo.py": test,
    }
    root = project('[axes]\npython = ["2.7", "3.6"]\n[test]\ncommand = ["python", "-m", "pytest"]\n', files)
    ended = venvgrid("run", cwd=root)
    assert ended.status == 0, ended.out + ended.err
