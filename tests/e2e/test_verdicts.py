"""A green cell is true, and a red one says why: real environments, one small project for each way to go wrong."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import coverage
import pytest
from conftest import DEMO, Command, Write, cell
from rig import HERE, Ended, outcomes, results

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.e2e

MATRIX = f'[axes]\npython = ["{HERE}"]\n'
COMMAND = MATRIX + "[test]\ncommand = "


def test_a_passing_cell_is_attested(venvgrid: Command, project: Write) -> None:
    """The result holds what ran: interpreter, versions, where the project came from, how many tests."""
    root = project(
        f'[axes]\npython = ["{HERE}"]\npackaging = ["24"]\n',
        {"tests/test_demo.py": "import demo, packaging\n\n\ndef test_it():\n    assert demo.ANSWER\n"},
    )
    ended = venvgrid("run", cwd=root)
    assert ended.status == 0, ended.err
    found = cell(root)
    assert found["outcome"] == "passed"
    assert found["tests"]["passed"] == 1
    attested = found["attested"]
    assert attested["packages"]["packaging"].startswith("24.")
    assert attested["packages"]["packaging"] == found["packages"]["packaging"]
    assert attested["collected"] == 1
    assert str((root / ".venvgrid").resolve()) in attested["project_origin"]
    assert "1 passed" in ended.out


@pytest.mark.parametrize(
    ("test", "outcome", "reason"),
    [
        ("def test_a():\n    assert 1 == 2\n", "failed", "test"),
        ("import os\n\n\ndef test_ok():\n    pass\n\n\ndef test_dies():\n    os.abort()\n", "crashed", "test_dies"),
        (
            "import ctypes\n\n\ndef test_segfault():\n    ctypes.string_at(0)\n",
            "crashed",
            "SIGSEGV",
        ),
        ("import os\n\n\ndef test_leaves():\n    os._exit(0)\n", "failed", "test_leaves"),
        (
            "import pytest\n\n\ndef test_exits():\n    pytest.exit('.', returncode=0)\n\n\ndef test_b():\n    pass\n",
            "failed",
            "",
        ),
        ("def no_test():\n    pass\n", "no-tests", ""),
        ("import nothing_of_this_name\n", "failed", ""),
        ("import pytest\n\n\n@pytest.mark.skip\ndef test_a():\n    pass\n", "no-tests", "skipped"),
    ],
    ids=["assert", "abort", "segfault", "os._exit(0)", "pytest.exit(0)", "no tests", "collection error", "all skipped"],
)
def test_what_goes_wrong_in_a_test_is_never_green(
    venvgrid: Command,
    project: Write,
    test: str,
    outcome: str,
    reason: str,
) -> None:
    """Each way of not passing has its outcome and a reason that names the test, whatever the exit status says."""
    if sys.platform == "win32" and outcome == "crashed":
        pytest.skip("needs POSIX signals")
    root = project(MATRIX, {"tests/test_demo.py": test})
    ended = venvgrid("run", cwd=root)
    found = cell(root)
    assert (ended.status, found["outcome"]) == (1, outcome), found
    assert reason in found["reason"]


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        ('["sh", "-c", "pytest; true"]', "failed"),
        ('["true"]', "no-tests"),
        ('["no-such-command-anywhere"]', "failed"),
        ('["sh", "-c", "exit 7"]', "failed"),
    ],
    ids=["swallowed status", "nothing run", "no such command", "exit status"],
)
def test_what_goes_wrong_around_the_tests_is_never_green(
    venvgrid: Command, project: Write, command: str, outcome: str
) -> None:
    """A swallowed exit status, a command that runs no test, and one that does not exist are red."""
    root = project(COMMAND + command, {"tests/test_demo.py": "def test_a():\n    assert 0\n"})
    ended = venvgrid("run", cwd=root)
    assert (ended.status, cell(root)["outcome"]) == (1, outcome), cell(root)


def run_into_limit(venvgrid: Command, root: Path, *arguments: str) -> Ended:
    """Run with longer time limits until a test begins within one; it makes the file ".venvgrid/began"."""
    matrix, began = (root / "matrix.toml").read_text(encoding="utf-8"), root / ".venvgrid" / "began"
    began.unlink(missing_ok=True)
    for limit in (3, 15, 75):
        text = f'{matrix}\n[test]\ntimeout = "{limit}s"\ngrace-period = "1s"\n'
        (root / "matrix.toml").write_text(text, encoding="utf-8")
        ended = venvgrid("run", *arguments, cwd=root)
        if began.exists():
            break
    (root / "matrix.toml").write_text(matrix, encoding="utf-8")
    return ended


def test_a_test_that_hangs_is_timed_out_with_its_name(venvgrid: Command, project: Write) -> None:
    """After the limit the cell is ended, its children too, and the test that was running is named."""
    test = """
        import pathlib, threading

        def test_hangs():
            pathlib.Path(".venvgrid/began").touch()
            threading.Event().wait()
    """
    root = project(MATRIX, {"tests/test_demo.py": test})
    ended = run_into_limit(venvgrid, root)
    found = cell(root)
    assert (ended.status, found["outcome"]) == (1, "timed-out")
    assert "test_hangs" in found["reason"]
    (failure,) = found["failures"]
    assert "in test_hangs" in failure["longrepr"], "where its thread stood"
    log = max((root / ".venvgrid" / "runs").iterdir()) / found["log"]
    assert "in test_hangs" in log.read_text(encoding="utf-8")


def test_where_each_thread_stood_is_known_after_failures_and_in_workers(venvgrid: Command, project: Write) -> None:
    """Pytest cancels the dump when a test fails; xdist's workers are processes of their own."""
    test = """
        import pathlib, threading

        def test_fails():
            assert 0

        def wait_elsewhere():
            threading.Event().wait()

        def test_hangs():
            threading.Thread(target=wait_elsewhere, daemon=True).start()
            pathlib.Path(".venvgrid/began").touch()
            threading.Event().wait()
    """
    matrix = f'[axes]\npython = ["{HERE}"]\n[install]\nrequires = ["pytest", "pytest-xdist"]\n'
    root = project(matrix, {"tests/test_demo.py": test})
    for options in ((), ("-n", "1")):
        assert run_into_limit(venvgrid, root, "--", *options).status == 1
        stacks = " ".join(failure["longrepr"] for failure in cell(root)["failures"])
        assert "in test_hangs" in stacks, options
        assert "in wait_elsewhere" in stacks, options


def test_exit_status_is_enough_where_that_was_asked_for(venvgrid: Command, project: Write) -> None:
    """With `reports = "exit-status"` a command without pytest passes by its status; the axis package is attested."""
    root = project(
        f'[axes]\npython = ["{HERE}"]\nsix = ["1.16"]\n[install]\nrequires = []\n'
        '[test]\nreports = "exit-status"\ncommand = ["python", "-c", "import demo, six"]\n',
    )
    ended = venvgrid("run", cwd=root)
    assert ended.status == 0, ended.err
    assert cell(root)["attested"]["packages"] == {"six": "1.16.0"}


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")
def test_a_command_that_upgrades_an_axis_package_is_a_mismatch(venvgrid: Command, project: Write) -> None:
    """The tests pass, but not with the version that the cell says."""
    root = project(
        f'[axes]\npython = ["{HERE}"]\nsix = ["1.15"]\n[install]\nrequires = ["pytest", "pip"]\n'
        '[test]\ncommand = ["sh", "-c", "python -m pip install -q six==1.16.0 && pytest"]\npass-env = ["PIP_*"]\n',
    )
    ended = venvgrid("run", cwd=root)
    found = cell(root)
    assert (ended.status, found["outcome"]) == (1, "mismatch"), found
    assert "six" in found["reason"]
    assert "1.16.0" in found["reason"]


def test_a_command_that_runs_another_interpreter_is_a_mismatch(venvgrid: Command, project: Write) -> None:
    """Pytest of the interpreter that runs these tests is not the cell's."""
    root = project(
        COMMAND + f"[{sys.executable!r}, '-m', 'pytest', '-p', 'no:cacheprovider']",
        {"tests/test_demo.py": "def test_a():\n    pass\n"},
    )
    ended = venvgrid("run", cwd=root)
    found = cell(root)
    assert (ended.status, found["outcome"]) == (1, "mismatch"), found


def test_importing_the_checkout_instead_of_the_wheel_is_a_mismatch(venvgrid: Command, project: Write) -> None:
    """A test that loads the checkout's file; installed as editable that is what is said."""
    test = "import sys\nsys.path.insert(0, '.')\nimport runpy\n\n\ndef test_it():\n"
    test += "    assert runpy.run_path('demo/__init__.py')['ANSWER']\n    import demo\n"
    files = {
        "demo/__init__.py": "ANSWER = 42\n",
        "tests/__init__.py": "",
        "src/demo/__init__.py": None,
        "tests/test_demo.py": test,
    }
    root = project(MATRIX, files)
    ended = venvgrid("run", cwd=root)
    found = cell(root)
    assert (ended.status, found["outcome"]) == (1, "mismatch"), found
    assert "editable" in found["reason"]
    (root / "matrix.toml").write_text(MATRIX + '[project]\ninstall = "editable"\n', encoding="utf-8")
    ended = venvgrid("run", cwd=root)
    assert (ended.status, cell(root)["outcome"]) == (0, "passed"), cell(root)


def test_variables_of_the_users_shell_change_no_cell(venvgrid: Command, project: Write, tmp_path: Path) -> None:
    """PYTEST_ADDOPTS, PYTHONPATH and PYTHONDONTWRITEBYTECODE stay outside; what [test] env sets gets in."""
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "demo.py").write_text("ANSWER = 13\n", encoding="utf-8")
    test = """
        import os
        import sys

        import demo


        def test_variables():
            assert demo.ANSWER == 42
            assert not sys.dont_write_bytecode
            assert "PYTEST_ADDOPTS" not in os.environ
            assert "PYTHONPATH" not in os.environ
            assert "VENVGRID_PROBE" not in os.environ
            assert os.environ["GIVEN"] == "yes"
            assert int(os.environ["PYTEST_XDIST_AUTO_NUM_WORKERS"]) >= 1
            assert "SECRET_TOKEN" not in os.environ
    """
    root = project(MATRIX + '[test]\nenv = { GIVEN = "yes" }\n', {"tests/test_demo.py": test})
    shell = {
        "PYTEST_ADDOPTS": "--collect-only",
        "PYTHONPATH": str(tmp_path / "shadow"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SECRET_TOKEN": "hunter2hunter2",
    }
    ended = venvgrid("run", cwd=root, env=shell)
    assert ended.status == 0, ended.err + str(cell(root))


def test_nested_pytest_runs_are_counted_once(venvgrid: Command, project: Write) -> None:
    """A project that tests a plugin with `pytester`: its inner runs, in process and not, count for nothing."""
    test = """
        import demo

        pytest_plugins = ["pytester"]


        def test_inside(pytester):
            pytester.makepyfile("def test_a(): pass\\ndef test_b(): assert 0")
            pytester.runpytest_inprocess().assert_outcomes(passed=1, failed=1)
            pytester.runpytest_subprocess().assert_outcomes(passed=1, failed=1)
    """
    root = project(MATRIX, {"tests/test_demo.py": test})
    ended = venvgrid("run", cwd=root)
    assert ended.status == 0, ended.err + str(cell(root))
    assert cell(root)["tests"]["passed"] == 1
    assert cell(root)["attested"]["collected"] == 1


def test_tests_under_xdist_are_counted_once(venvgrid: Command, project: Write) -> None:
    """Six tests on two workers: six results, a failing one among them."""
    test = "import pytest\n\n\n@pytest.mark.parametrize('n', range(6))\ndef test_n(n):\n    assert n != 3\n"
    root = project(
        MATRIX + '[install]\nrequires = ["pytest", "pytest-xdist"]\n[test]\ncommand = ["pytest", "-n", "2"]\n',
        {"tests/test_demo.py": test},
    )
    ended = venvgrid("run", cwd=root)
    assert ended.status == 1, ended.err
    assert {name: count for name, count in cell(root)["tests"].items() if count} == {"passed": 5, "failed": 1}


def test_a_test_that_passes_on_a_retry_is_flaky(venvgrid: Command, project: Write) -> None:
    """The first attempt fails, the second passes: flaky, green, two attempts."""
    test = """
        import demo
        import pathlib

        MARK = pathlib.Path(__file__).with_name("second-time")


        def test_once():
            first = not MARK.exists()
            MARK.touch()
            assert not first
    """
    root = project(MATRIX + "[test]\nretries = 2\n", {"tests/test_demo.py": test})
    ended = venvgrid("run", cwd=root)
    found = cell(root)
    assert (ended.status, found["outcome"], found["attempts"]) == (0, "flaky", 2)


def test_a_smoke_import_that_fails_is_a_broken_environment(venvgrid: Command, project: Write) -> None:
    """The tests are not run, and the reason is the exception."""
    root = project(
        MATRIX + '[test]\nsmoke = ["demo.broken"]\n', {"src/demo/broken.py": "raise ImportError('no such thing')\n"}
    )
    ended = venvgrid("run", cwd=root)
    found = cell(root)
    assert (ended.status, found["outcome"]) == (1, "broken-env")
    assert "ImportError: no such thing" in found["reason"]


def test_failures_are_grouped_below_the_grid(venvgrid: Command, project: Write, pythons: dict[str, str]) -> None:
    """The same failure in every cell is told once, with the cells that have it."""
    two = sorted(pythons, key=lambda text: tuple(map(int, text.split("."))))[-2:]
    if len(two) < 2:
        pytest.skip("needs two Pythons")
    versions = ", ".join(f'"{version}"' for version in two)
    root = project(
        f"[axes]\npython = [{versions}]\n", {"tests/test_demo.py": "def test_a():\n    raise ValueError('boom')\n"}
    )
    ended = venvgrid("run", cwd=root)
    assert set(outcomes(root).values()) == {"failed"}
    assert len({failure["signature"] for item in results(root)["cells"] for failure in item["failures"]}) == 1
    assert ended.out.count("ValueError: boom") == 1
    assert f"py{two[0]}, py{two[1]}" in ended.out


def test_a_result_has_the_seconds_of_each_stage(venvgrid: Command, project: Write) -> None:
    """resolve, build and test of a cell that ran are in results.json."""
    root = project(MATRIX)
    assert venvgrid("run", cwd=root).status == 0
    durations = cell(root)["durations"]
    assert set(durations) == {"resolve", "build", "test"}
    assert all(seconds >= 0 for seconds in durations.values())


def test_coverage_of_all_cells_together(venvgrid: Command, project: Write, needs: Callable[..., None]) -> None:
    """Lines that only one Python runs are covered in the combined report, with the cell as their context."""
    needs("3.10", "3.12")
    matrix = """
        [axes]
        python = ["3.10", "3.12"]
        [install]
        requires = ["pytest", "pytest-cov"]
        [test]
        command = ["pytest", "--cov=demo", "--cov-branch", "--cov-report="]
        coverage = true
    """
    files = {
        "src/demo/__init__.py": """
            import sys

            def which():
                if sys.version_info < (3, 11):
                    return "old"
                return "new"
        """,
        "tests/test_demo.py": "import demo\n\ndef test_it():\n    assert demo.which()\n",
    }
    root = project(matrix, {**DEMO, **files})
    ended = venvgrid("run", cwd=root)
    assert ended.status == 0, ended.err
    assert "Coverage of 2 cells together: 100.0 % (.venvgrid/coverage/html/index.html)" in ended.out
    data = coverage.CoverageData(str(root / ".venvgrid/coverage/data"))
    data.read()
    assert data.measured_files() == {str(root / "src/demo/__init__.py")}
    assert data.measured_contexts() == {"py3.10", "py3.12"}
    assert "src/demo/__init__.py" in (root / ".venvgrid/coverage/coverage.xml").read_text()


def test_coverage_that_nobody_measures(venvgrid: Command, project: Write) -> None:
    """Asked for coverage of a command that measures none, venvgrid says what is missing."""
    root = project(f'[axes]\npython = ["{HERE}"]\n[test]\ncoverage = true\n', DEMO)
    ended = venvgrid("run", cwd=root)
    assert ended.status == 0, ended.err
    assert "the test command has to measure" in ended.err


@pytest.mark.skipif(sys.platform != "linux", reason="nobody knows elsewhere")
def test_a_cell_that_eats_memory_is_ended_and_says_so(venvgrid: Command, project: Write) -> None:
    """With all of its processes; the cell beside it goes on."""
    test = """
        import demo, os, subprocess, sys

        def test_eats():
            if os.environ["MODE"] == "eat":
                code = "x = bytearray(400_000_000); import time; time.sleep(600)"
                subprocess.run([sys.executable, "-c", code])
    """
    root = project(MATRIX + 'env.MODE = ["eat", "fast"]\n[test]\nmemory = "200 MB"\n', {"tests/test_demo.py": test})
    assert venvgrid("run", cwd=root).status == 1
    eats, fasts = results(root)["cells"]
    assert (eats["outcome"], fasts["outcome"]) == ("crashed", "passed")
    assert eats["reason"].startswith("held more than 200 MB of memory in ")
    assert "test_eats" in eats["reason"]
