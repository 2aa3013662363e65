"""The cause is on the screen: what happened, where, and what to type, of real runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import cell
from rig import HERE, results

if TYPE_CHECKING:
    from conftest import Command, Write

pytestmark = pytest.mark.e2e

MATRIX = f'[axes]\npython = ["{HERE}"]\n'
PLAIN = "import demo\n\n\ndef test_a():\n    assert demo.ANSWER\n"


@pytest.mark.parametrize(
    ("matrix", "files", "reason", "shown"),
    [
        (
            '[test]\ncommand = ["pytest", "--cov=demo"]\n',
            {},
            "pytest does not know --cov=demo (status 4)",
            '→ pytest-cov provides --cov: add "pytest-cov" to install.requires',
        ),
        (
            "",
            {"tests/conftest.py": "import nosuchthing\n"},
            "ModuleNotFoundError: No module named 'nosuchthing' (while importing tests/conftest.py) (status 4)",
            "tests/conftest.py:1  import nosuchthing\n",
        ),
        (
            '[test]\ncommand = ["pytest", "unit"]\n',
            {},
            "pytest found no file or directory unit (status 4)",
            "→ is it relative to [project] path?",
        ),
        (
            '[test]\ncommand = ["pytest", "unit"]\n',
            {"src/demo/tests/__init__.py": "", "src/demo/tests/test_inside.py": PLAIN},
            "pytest found no file or directory unit (status 4)",
            'command = ["pytest", "--pyargs", "demo"]',
        ),
        (
            '[test]\ncommand = ["nosuchrunner", "pytest"]\n',
            {},
            "could not start nosuchrunner: there is no such command on its PATH",
            "→ install nosuchrunner on this machine",
        ),
        (
            "",
            {"tests/a/test_x.py": PLAIN, "tests/b/test_x.py": PLAIN},
            "1 test file could not be collected: tests/b/test_x.py: Error: import file mismatch: ",
            "failed: 1 test file not collected",
        ),
        (
            '[test]\ncommand = ["python", "-m", "unittest"]\nreports = "exit-status"\n',
            {"test_u.py": "import demo, unittest\nclass T(unittest.TestCase):\n def test_a(self): self.fail('no')\n"},
            "unittest: failures 1; FAIL: test_a (test_u.T",
            "AssertionError: no",
        ),
    ],
    ids=["plugin", "conftest", "folder", "tests inside", "command", "mismatch", "unittest"],
)
def test_where_no_test_failed_the_tools_own_error_is_the_reason(
    venvgrid: Command, project: Write, matrix: str, files: dict[str, str], reason: str, shown: str
) -> None:
    """In results.json and on the screen; no test is said to have failed."""
    root = project(MATRIX + matrix, {"tests/test_demo.py": PLAIN, **files})
    ended = venvgrid("run", cwd=root)
    found = cell(root)
    assert (ended.status, found["outcome"]) == (1, "failed"), ended.err
    assert found["reason"].startswith(reason)
    assert shown in ended.out
    assert "tests failed" not in ended.out


def test_installed_tests_have_one_id_and_failures_name_what_they_pass(
    venvgrid: Command, project: Write, pythons: dict[str, str]
) -> None:
    """With --pyargs, in two environments: one failure, one test, without the path of the store."""
    two = sorted(pythons, key=lambda text: tuple(map(int, text.split("."))))[-2:]
    inside = "import packaging.version\n\n\ndef test_a():\n    packaging.version.Version('no version')\n"
    axes = ", ".join(f'"{name}"' for name in two)
    matrix = f'[axes]\npython = [{axes}]\n[install]\nrequires = ["pytest", "packaging"]\n'
    command = '[test]\ncommand = ["pytest", "--pyargs", "demo"]\n'
    files = {"src/demo/tests/__init__.py": "", "src/demo/tests/test_in.py": inside}
    root = project(matrix + command, files)
    ended = venvgrid("run", cwd=root)
    (group,) = results(root)["failure_groups"]
    assert (group["tests"], len(group["cells"])) == (["site-packages/demo/tests/test_in.py::test_a"], 2)
    assert group["through"] == ["packaging"]
    assert ended.out.count("demo/tests/test_in.py:5  packaging.version.Version('no version')") == 1
    assert "store" not in ended.out
