"""A flat layout is tested as it is installed, however pytest is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
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


def test_tests_inside_the_package_run_as_they_are_installed(venvgrid: Command, project: Write) -> None:
    """The wheel ships demo/tests: they and demo/conftest.py are the installed ones, with the ids of plain pytest."""
    files = {
        **FLAT,
        "tests/__init__.py": None,
        "tests/test_demo.py": None,
        "pytest.ini": "[pytest]\n",
        "demo/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef two():\n    return 2\n",
        "demo/tests/__init__.py": "",
        "demo/tests/test_core.py": """
            from ..core import double

            def test_double(two):
                assert double(two) == 4
                assert "site-packages" in __file__
        """,
    }
    root = project(MATRIX, files)
    for mode in ("prepend", "importlib"):
        outcome, reason, found = run(venvgrid, root, "--", f"--import-mode={mode}")
        assert (outcome, found["tests"], found["notes"]) == ("passed", {"passed": 1}, []), (mode, reason)


SETUPTOOLS = """
    [build-system]
    requires = ["setuptools"]
    build-backend = "setuptools.build_meta"
    [project]
    name = "demo"
    version = "1.0"
    [tool.setuptools]
    packages = ["demo"]
"""


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
        "pyproject.toml": SETUPTOOLS,
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
