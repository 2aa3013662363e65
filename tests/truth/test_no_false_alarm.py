"""What plain pytest accepts, and what tested the installed project, is green."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from worlds import FLAT, MATRIX, run

if TYPE_CHECKING:
    from conftest import Command, Write

pytestmark = pytest.mark.e2e
EVERYTHING = """
    [build-system]
    requires = ["setuptools"]
    build-backend = "setuptools.build_meta"
    [project]
    name = "demo"
    version = "1.0"
    [tool.setuptools.packages.find]
    where = ["."]
"""


def test_tests_and_examples_that_a_wheel_ships_run_from_the_checkout(venvgrid: Command, project: Write) -> None:
    """`find_packages()` takes them all: helpers of tests and scripts of examples are no code of the project."""
    test = """
        import subprocess, sys
        import demo
        from tests.helpers import FOUR

        def test_it():
            assert FOUR == 4
            subprocess.check_call([sys.executable, "examples/show.py"])
    """
    files = {
        **FLAT,
        "pyproject.toml": EVERYTHING,
        "tests/helpers.py": "FOUR = 4\n",
        "tests/test_demo.py": test,
        "examples/__init__.py": "",
        "examples/show.py": "import demo\nprint(demo.ANSWER)\n",
    }
    outcome, reason, _ = run(venvgrid, project(MATRIX, files))
    assert outcome == "passed", reason


def test_a_module_that_is_only_run_was_imported(venvgrid: Command, project: Write) -> None:
    """`python -m demo` of a single module; and an import in a process whose working directory is gone."""
    test = """
        import subprocess, sys

        def test_it():
            assert subprocess.check_output([sys.executable, "-m", "demo"]) == b"run"
    """
    module = "import sys\nif __name__ == '__main__':\n    sys.stdout.write('run')\n"
    removed = """
        import subprocess, sys

        def test_it(tmp_path):
            code = "import os, sys; os.rmdir(os.getcwd()); import demo"
            subprocess.check_call([sys.executable, "-c", code], cwd=str(tmp_path))
    """
    root = project(MATRIX, {"src/demo/__init__.py": None, "demo.py": f'"""."""\n{module}', "tests/test_demo.py": test})
    outcome, reason, _ = run(venvgrid, root)
    assert outcome == "passed", reason
    (root / "tests/test_demo.py").write_text("\n".join(line[8:] for line in removed.splitlines()), encoding="utf-8")
    outcome, reason, _ = run(venvgrid, root)
    assert outcome == "passed", reason


MADE = """
    import importlib, os
    with open(os.path.join(os.path.dirname(__file__), "parsetab.py"), "w") as file:
        file.write("TABLE = 1\\n")
    importlib.invalidate_caches()
    from demo import parsetab
    ANSWER = 42
"""


def test_a_module_that_the_project_makes_is_noted(venvgrid: Command, project: Write) -> None:
    """Tables of a parser are written beside it and imported; a module in place of an installed one is a mismatch."""
    root = project(MATRIX, {"src/demo/__init__.py": MADE})
    outcome, reason, found = run(venvgrid, root)
    assert outcome == "passed", reason
    assert any("demo.parsetab was made while the tests ran" in note for note in found["notes"]), found["notes"]
    (root / "src/demo/parsetab.py").write_text("TABLE = 0\n", encoding="utf-8")
    outcome, reason, _ = run(venvgrid, root)
    assert (outcome, "parsetab" in reason) == ("mismatch", True), reason


FORKING = """
    import faulthandler, os, signal
    import demo

    def test_it():
        child = os.fork()
        if not child:
            signal.alarm(20)
            faulthandler.cancel_dump_traceback_later()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
"""


def test_a_process_that_forks_has_no_thread_of_venvgrids(venvgrid: Command, project: Write, needs: Any) -> None:
    """A child would wait for ever for the thread that dumps stacks, and Python 3.12 warns of a fork with threads."""
    needs("3.12")
    files = {"pytest.ini": "[pytest]\nfilterwarnings = error\n", "tests/test_demo.py": FORKING}
    outcome, reason, _ = run(venvgrid, project('[axes]\npython = ["3.12"]\n', files))
    assert (outcome, reason) == ("passed", "")
