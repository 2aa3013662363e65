"""Only tests whose bodies ran count, and what was left out is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from worlds import MATRIX, run

if TYPE_CHECKING:
    from conftest import Command, Write

pytestmark = pytest.mark.e2e

NOT_RUN = {
    "xfail(run=False)": """
        import demo, pytest

        @pytest.mark.xfail(run=False)
        def test_a(): assert 0

        @pytest.mark.xfail(run=False, reason="crashes")
        def test_b(): assert 0
    """,
    "empty parametrisation": """
        import demo, pytest

        @pytest.mark.xfail
        @pytest.mark.parametrize("x", [])
        def test_a(x): assert 0
    """,
    "xfail in a fixture": """
        import demo, pytest

        @pytest.fixture
        def broken(): pytest.xfail("no database")

        def test_a(broken): assert 0
    """,
    "an xfail whose fixture fails": """
        import demo, pytest

        @pytest.fixture
        def broken(): raise OSError

        @pytest.mark.xfail
        def test_a(broken): assert 0
    """,
    "skipped and not run": """
        import demo, pytest

        @pytest.mark.xfail(run=False)
        def test_a(): assert 0

        def test_b(): pytest.skip()
    """,
}


def test_no_body_is_no_test(venvgrid: Command, project: Write) -> None:
    """Tests that pytest expects to fail without running them prove nothing."""
    root = project(MATRIX, {"pytest.ini": "[pytest]\ntestpaths = tests\nempty_parameter_set_mark = xfail\n"})
    for name, test in NOT_RUN.items():
        (root / "tests/test_demo.py").write_text("\n".join(line[8:] for line in test.splitlines()), encoding="utf-8")
        outcome, reason, _ = run(venvgrid, root)
        assert (outcome, reason.startswith("no test was executed")) == ("no-tests", True), (name, reason)
    one = "import demo, pytest\n\n\n@pytest.mark.xfail(run=False)\ndef test_a(): pass\n\n\ndef test_b(): pass\n"
    (root / "tests/test_demo.py").write_text(one, encoding="utf-8")
    outcome, _, found = run(venvgrid, root)
    assert (outcome, found["tests"]) == ("passed", {"passed": 1, "xfailed": 1})
    assert "1 test expected to fail without being run" in found["notes"]
    ran = "import demo, pytest\n\n\n@pytest.mark.xfail\ndef test_a(): assert 0\n"
    (root / "tests/test_demo.py").write_text(ran, encoding="utf-8")
    assert run(venvgrid, root)[0] == "passed"


def test_what_a_session_leaves_out_is_told(venvgrid: Command, project: Write) -> None:
    """-k, -m and --deselect, in workers too; --lf, which leaves out whole files; and a session without the probe."""
    requires = '[install]\nrequires = ["pytest", "pytest-xdist"]\n'
    tests = {
        "tests/test_demo.py": "import demo\n\n\ndef test_a(): pass\n\n\ndef test_b(): pass\n",
        "tests/test_other.py": "def test_c():\n    import os\n    assert 'FIXED' in os.environ\n",
        "write.sh": "pytest tests/test_demo.py && env -u PYTEST_ADDOPTS pytest tests/test_other.py\n:\n",
    }
    root = project(MATRIX + requires, tests)
    for arguments in (("-k", "test_a"), ("-n", "2", "-k", "test_a")):
        outcome, _, found = run(venvgrid, root, "--", *arguments)
        assert (outcome, found["notes"]) == ("passed", ["2 tests were deselected"]), arguments
    assert run(venvgrid, root)[0] == "failed"
    (root / "matrix.toml").write_text(MATRIX + requires + '[test]\nenv = { FIXED = "1" }\n', encoding="utf-8")
    outcome, _, found = run(venvgrid, root, "--", "--lf", "tests/test_other.py", "tests/test_demo.py")
    assert (outcome, found["tests"]) == ("mismatch", {"passed": 1}), "the test that failed imports no demo"
    (root / "matrix.toml").write_text(MATRIX + requires + '[test]\ncommand = ["sh", "write.sh"]\n', encoding="utf-8")
    outcome, _, found = run(venvgrid, root)
    assert (outcome, found["tests"]) == ("passed", {"passed": 2})
    assert any("without venvgrid's probe" in note for note in found["notes"]), found["notes"]


def test_only_the_last_failed_is_told(venvgrid: Command, project: Write) -> None:
    """--lf runs one file of two: a note says so."""
    test = "import demo, os\n\n\ndef test_a(): assert 'FIXED' in os.environ\n"
    root = project(MATRIX, {"tests/test_demo.py": test, "tests/test_other.py": "def test_c(): pass\n"})
    assert run(venvgrid, root)[0] == "failed"
    (root / "matrix.toml").write_text(MATRIX + '[test]\nenv = { FIXED = "1" }\n', encoding="utf-8")
    outcome, reason, found = run(venvgrid, root, "--", "--lf")
    assert (outcome, found["tests"]) == ("passed", {"passed": 1}), reason
    assert any("--lf" in note for note in found["notes"]), found["notes"]


def test_a_test_that_a_plugin_runs_again_is_flaky(venvgrid: Command, project: Write) -> None:
    """pytest-rerunfailures hides the first failure; with workers too."""
    test = """
        import pathlib, demo

        def test_once():
            mark = pathlib.Path(__file__).with_name("mark")
            first = not mark.exists()
            mark.touch()
            assert not first
    """
    matrix = MATRIX + '[install]\nrequires = ["pytest", "pytest-rerunfailures", "pytest-xdist"]\n'
    root = project(matrix, {"tests/test_demo.py": test})
    for arguments in ((), ("-n", "1")):
        (root / "tests/mark").unlink(missing_ok=True)
        outcome, reason, found = run(venvgrid, root, "--", "--reruns", "2", *arguments)
        assert (outcome, found["tests"]) == ("flaky", {"passed": 1}), reason
        assert "test_once" in reason
