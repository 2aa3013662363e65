"""A flat layout is tested as it is installed, however pytest is started."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from conftest import SETUPTOOLS
from worlds import FLAT, MATRIX, run

if TYPE_CHECKING:
    from conftest import Command, Write

pytestmark = pytest.mark.e2e


def test_the_installed_project_runs_however_pytest_is_started(venvgrid: Command, project: Write) -> None:
    """`pytest`, `python -m pytest` and importlib mode, from the project: the checkout is never imported."""
    test = """
        import importlib.metadata, subprocess, sys

        import demo.core


        def test_installed():
            assert "site-packages" in demo.__file__ and "site-packages" in demo.core.__file__
            assert importlib.metadata.version("demo") == "1.0"


        def test_installed_in_a_child():
            out = subprocess.check_output([sys.executable, "-m", "demo"], text=True)
            assert "site-packages" in out
    """
    stale = {"demo.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: demo\nVersion: 0.1\n"}
    files = {**FLAT, **stale, "tests/test_demo.py": test, "demo/__main__.py": "print(__file__)\n"}
    root = project(MATRIX, files)
    for command in (
        '["pytest"]',
        '["python", "-m", "pytest", "--import-mode=importlib"]',
        '["python", "-m", "pytest"]',
    ):
        (root / "matrix.toml").write_text(MATRIX + f"[test]\ncommand = {command}\n", encoding="utf-8")
        outcome, reason, found = run(venvgrid, root)
        assert (outcome, found["tests"]) == ("passed", {"passed": 2}), reason


def test_entry_points_are_those_that_are_installed(venvgrid: Command, project: Write) -> None:
    """An egg-info of the checkout is in front: neither what it lists nor what it lacks counts, by name or among all."""
    test = """
        from importlib.metadata import distribution, entry_points

        import demo


        def test_all():
            assert [item.value for item in entry_points(group="own")] == ["demo:core"]
            assert [item.value for item in distribution("demo").entry_points] == ["demo:core"]
    """
    pyproject = f'{SETUPTOOLS}    [project.entry-points.own]\n    one = "demo:core"\n'
    stale = {"demo.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: demo\nVersion: 0.1\n"}
    for listed in ("[own]\none = demo:gone\n", ""):
        stale["demo.egg-info/entry_points.txt"] = listed
        more = {"pyproject.toml": pyproject + '    [tool.setuptools]\n    packages = ["demo"]\n'}
        root = project(MATRIX, {**FLAT, **stale, **more, "tests/test_demo.py": test})
        outcome, reason, _ = run(venvgrid, root)
        assert outcome == "passed", (listed, reason)


def test_tests_inside_the_package_run_as_they_are_installed(venvgrid: Command, project: Write) -> None:
    """The wheel ships demo/tests: they and demo/conftest.py are the installed ones, with the ids of plain pytest."""
    files = {
        **FLAT,
        "tests/__init__.py": None,
        "tests/test_demo.py": None,
        "pytest.ini": "[pytest]\n",
        "demo/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef two():\n    return 2\n",
        "demo/tests/conftest.py": "",
        "demo/tests/__init__.py": "",
        "demo/tests/test_core.py": """
            from ..core import double

            def test_double(two):
                assert double(two) == 4
                assert "site-packages" in __file__
        """,
    }
    root = project(MATRIX, files)
    for more in (
        ["--import-mode=prepend"],
        ["--import-mode=importlib"],
        ["--pyargs", "demo"],
        ["--pyargs", "demo.tests"],
    ):
        outcome, reason, found = run(venvgrid, root, "--", *more)
        assert (outcome, found["tests"], found["notes"]) == ("passed", {"passed": 1}, []), (more, reason)


def test_tests_that_the_wheel_does_not_ship_come_from_the_checkout_and_nothing_else(
    venvgrid: Command, project: Write
) -> None:
    """Said once, as a note; a package that the wheel forgot stays missing."""
    test = """
        import pytest

        from demo import core
        from demo.tests import helpers


        def test_double():
            assert core.double(2) == helpers.FOUR
            assert "site-packages" in core.__file__ and "site-packages" not in __file__
    """
    files = {
        **FLAT,
        "pyproject.toml": f'{SETUPTOOLS}    [tool.setuptools]\n    packages = ["demo"]\n',
        "tests/__init__.py": None,
        "tests/test_demo.py": None,
        "pytest.ini": "[pytest]\n",
        "demo/tests/__init__.py": "",
        "demo/tests/helpers.py": "FOUR = 4\n",
        "demo/tests/test_core.py": test,
        "demo/forgotten/__init__.py": "",
    }
    root = project(MATRIX, files)
    for mode in ("prepend", "importlib"):
        outcome, reason, found = run(venvgrid, root, "--", f"--import-mode={mode}")
        assert (outcome, reason) == ("passed", ""), (mode, reason)
        (note,) = found["notes"]
        assert "does not ship" in note
        assert "demo.tests" in note
    forgotten = "from demo import forgotten\n\n\ndef test_it():\n    pass\n"
    (root / "demo/tests/test_forgotten.py").write_text(forgotten, encoding="utf-8")
    outcome, reason, _ = run(venvgrid, root)
    assert outcome == "failed"
    assert "forgotten" in reason


@pytest.mark.parametrize("folder", ["source", "pkgs/core"])
def test_sources_may_be_in_any_folder_that_the_build_names(venvgrid: Command, project: Write, folder: str) -> None:
    """Tests and conftest files in the package, shipped or not, and doctests: as in a flat layout."""
    files = {
        "src/demo/__init__.py": None,
        "tests/test_demo.py": None,
        "pytest.ini": f"[pytest]\naddopts = --doctest-modules\ntestpaths = {folder}\n",
        f"{folder}/demo/__init__.py": '"""\n>>> from demo import core\n"""\n',
        f"{folder}/demo/core.py": "def double(x):\n    return 2 * x\n",
        f"{folder}/demo/tests/__init__.py": "",
        f"{folder}/demo/tests/conftest.py": "import pytest\n\n@pytest.fixture\ndef two():\n    return 2\n",
        f"{folder}/demo/tests/helper.py": "FOUR = 4\n",
        f"{folder}/demo/tests/test_core.py": """
            from demo import core
            from demo.tests.helper import FOUR

            def test_double(two):
                assert core.double(two) == FOUR
                assert "site-packages" in core.__file__
        """,
    }
    for packages in ('["demo"]', '["demo", "demo.tests"]'):
        table = f'[tool.setuptools]\n    package-dir = {{"" = "{folder}"}}\n    packages = {packages}\n'
        root = project(MATRIX, {**files, "pyproject.toml": f"{SETUPTOOLS}    {table}"})
        outcome, reason, _ = run(venvgrid, root)
        assert outcome == "passed", (packages, reason)


def test_a_package_that_has_another_name_in_the_checkout(venvgrid: Command, project: Write) -> None:
    """`package-dir = {demo = "lib"}`: what is imported from "lib" is code of the checkout."""
    table = '[tool.setuptools]\n    package-dir = {demo = "lib"}\n    packages = ["demo"]\n'
    files = {
        "src/demo/__init__.py": None,
        "pyproject.toml": f"{SETUPTOOLS}    {table}",
        "lib/__init__.py": "",
        "lib/core.py": "ONE = 1\n",
        "tests/test_demo.py": "import demo.core\n\n\ndef test_it():\n    assert demo.core.ONE == 1\n",
    }
    root = project(MATRIX, files)
    assert run(venvgrid, root)[0] == "passed"
    test = "import sys\nimport demo\nsys.path.insert(0, '.')\nimport lib.core\n\n\ndef test_it():\n    pass\n"
    (root / "tests/test_demo.py").write_text(test, encoding="utf-8")
    outcome, reason, _ = run(venvgrid, root)
    assert (outcome, "lib/core.py" in reason) == ("mismatch", True), reason


def test_tests_that_python_itself_does_not_find_stay_missing(venvgrid: Command, project: Write) -> None:
    """Tests beside the package, whose folder is not on the path: the package needs a module that the wheel lacks."""
    files = {
        **FLAT,
        "pyproject.toml": f'{SETUPTOOLS}    [tool.setuptools]\n    packages = ["demo"]\n',
        "tests/__init__.py": None,
        "demo/core.py": "from demo.tests.helpers import double\n",
        "demo/tests/__init__.py": "",
        "demo/tests/helpers.py": "def double(x):\n    return 2 * x\n",
    }
    root = project(MATRIX, files)
    outcome, reason, _ = run(venvgrid, root)
    assert (outcome, "No module named 'demo.tests'" in reason) == ("failed", True), reason
    outcome, reason, found = run(venvgrid, root, "--", "-o", "pythonpath=.")
    assert (outcome, "does not ship" in found["notes"][0]) == ("passed", True), reason


def test_folders_of_tests_have_many_names(venvgrid: Command, project: Write) -> None:
    """Such as demo/testsuite and demo/tests_unit, with what their modules import from each other."""
    files = {
        **FLAT,
        "pyproject.toml": SETUPTOOLS,
        "tests/__init__.py": None,
        "tests/test_demo.py": None,
        "pytest.ini": "[pytest]\n",
    }
    for folder in ("testsuite", "tests_unit"):
        files[f"demo/{folder}/__init__.py"] = ""
        files[f"demo/{folder}/helper.py"] = "FOUR = 4\n"
        test = (
            "from demo.core import double\nfrom .helper import FOUR\n\n\ndef test_it():\n    assert double(2) == FOUR\n"
        )
        files[f"demo/{folder}/test_a.py"] = test
    outcome, reason, found = run(venvgrid, project(MATRIX, files))
    assert (outcome, found["tests"]) == ("passed", {"passed": 2}), reason


def test_a_first_grid_of_a_flat_project_is_green(venvgrid: Command, project: Write) -> None:
    """`venvgrid init` and `venvgrid run`, nothing else."""
    root = project("", FLAT)
    (root / "matrix.toml").unlink()
    assert venvgrid("init", cwd=root).status == 0
    outcome, reason, _ = run(venvgrid, root)
    assert outcome == "passed", reason


def test_an_editable_project_is_the_checkout(venvgrid: Command, project: Write) -> None:
    """Nothing is put in front of it."""
    test = "import demo\n\n\ndef test_it():\n    assert 'site-packages' not in demo.__file__\n"
    root = project(MATRIX + '[project]\ninstall = "editable"\n', {**FLAT, "tests/test_demo.py": test})
    outcome, reason, _ = run(venvgrid, root)
    assert outcome == "passed", reason


def test_two_test_files_of_one_name_are_still_an_error(venvgrid: Command, project: Write) -> None:
    """The check of pytest that it imported the file that it collected holds for all files but those of the package."""
    test = "import demo\n\n\ndef test_it():\n    pass\n"
    files = {**FLAT, "tests/__init__.py": None, "tests/a/test_x.py": test, "tests/b/test_x.py": test}
    outcome, reason, _ = run(venvgrid, project(MATRIX, files))
    assert outcome == "failed"
    assert "test_x" in reason


def test_coverage_of_a_flat_layout_is_that_of_the_installed_project(venvgrid: Command, project: Write) -> None:
    """`--cov=demo` and `source = .` name folders of the checkout. A limit holds, with workers too, or is missed."""
    files = {**FLAT, "demo/old.py": "OLD = 1\n", ".coveragerc": "[run]\nomit = demo/old.py\n"}
    root = project("", files)
    for options, expected in (
        ("--cov=demo --cov-fail-under=100", "passed"),
        ("--cov=demo --cov-fail-under=100 -n 1", "passed"),
        ("--cov=. --cov-fail-under=100", "passed"),
        ("--cov=demo --cov-fail-under=100 --cov-config=/dev/null", "failed"),
    ):
        command = ["python", "-m", "pytest", *options.split()]
        requires = '[install]\nrequires = ["pytest", "pytest-cov", "pytest-xdist"]\n'
        matrix = f"{MATRIX}{requires}[test]\ncommand = {json.dumps(command)}\n"
        (root / "matrix.toml").write_text(matrix, encoding="utf-8")
        outcome, reason, _ = run(venvgrid, root)
        assert outcome == expected, (options, reason)
