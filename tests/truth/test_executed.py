"""Only tests whose bodies ran count, and what was left out is told."""

from __future__ import annotations

import textwrap
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


HIDDEN = {
    "run again without a report": """
        import demo
        from flaky import flaky

        RUNS = []

        @flaky
        def test_it():
            RUNS.append(1)
            assert len(RUNS) > 1
    """,
    "turned into a pass": """
        import demo

        def test_it():
            assert 0
    """,
}
TURNING = """
    import pytest

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(item):
        report = (yield).get_result()
        report.outcome = "passed"
"""


def test_a_failure_that_a_plugin_hides_makes_the_cell_flaky(venvgrid: Command, project: Write) -> None:
    """The plugin flaky tells pytest nothing of the first run, a hook changes the result; with workers too."""
    root = project(MATRIX + '[install]\nrequires = ["pytest", "flaky", "pytest-xdist"]\n')
    for name, test in HIDDEN.items():
        (root / "tests/test_demo.py").write_text(textwrap.dedent(test), encoding="utf-8")
        (root / "conftest.py").write_text(textwrap.dedent(TURNING) if "turned" in name else "", encoding="utf-8")
        for arguments in ((), ("-n", "1")):
            outcome, reason, found = run(venvgrid, root, "--", *arguments)
            assert (outcome, found["tests"]) == ("flaky", {"passed": 1}), (name, reason)
            assert "test_it" in reason


AGAIN = """
    import os, sys

    if os.environ.get("AGAIN") != "1":
        os.{call}(sys.executable, [sys.executable, "-m", "pytest", *sys.argv[1:]]{env})
"""


def test_a_conftest_may_start_pytest_again(venvgrid: Command, project: Write) -> None:
    """In its own place, to set a variable: the second session counts. What is not pytest proves nothing."""
    root = project(MATRIX)
    for call, env in (("execve", ', {**os.environ, "AGAIN": "1"}'), ("execv", "")):
        code = textwrap.dedent(AGAIN).format(call=call, env=env)
        code = code if env else code.replace("    os.execv", '    os.environ["AGAIN"] = "1"\n    os.execv')
        (root / "conftest.py").write_text(code, encoding="utf-8")
        outcome, reason, found = run(venvgrid, root)
        assert (outcome, found["tests"]) == ("passed", {"passed": 1}), (call, reason)
    (root / "conftest.py").write_text('import os\nos.execv("/bin/sh", ["sh", "-c", "exit 0"])\n', encoding="utf-8")
    assert run(venvgrid, root)[0] == "no-tests"
    failing = 'import os\ntry:\n    os.execv("/nowhere", ["nowhere"])\nexcept OSError:\n    pass\n'
    (root / "conftest.py").write_text(failing, encoding="utf-8")
    outcome, reason, found = run(venvgrid, root)
    assert (outcome, found["tests"]) == ("passed", {"passed": 1}), reason
    late = 'import os\n\n\ndef test_it():\n    os.execv("/bin/sh", ["sh", "-c", "exit 0"])\n'
    (root / "conftest.py").unlink()
    (root / "tests/test_demo.py").write_text(f"import demo\n{late}", encoding="utf-8")
    assert run(venvgrid, root)[0] == "failed"
