"""With pip as the installer: a small form of this folder, which runs whole with VENVGRID_INSTALLER=pip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conftest import cell, declaring
from worlds import FLAT, MATRIX, wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e
TEST = """
    import demo, pipdep

    def test_it():
        assert (demo.ANSWER, pipdep.VALUE) == (42, 1)
"""


@pytest.fixture
def again(venvgrid: Command, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a project with pip and the folder "wheels"; it returns the cell's result."""

    def run(root: Path, *options: str) -> dict[str, Any]:
        env = {"VENVGRID_INSTALLER": "pip", "PIP_FIND_LINKS": str(tmp_path / "wheels")}
        ended = venvgrid("run", "-q", *options, cwd=root, env=env)
        assert ended.status in {0, 1}, ended.out + ended.err
        return cell(root)

    return run


def test_what_pip_installed_is_what_is_there_now(
    project: Write, tmp_path: Path, again: Callable[..., dict[str, Any]]
) -> None:
    """The project's code and a wheel of a folder are inputs: kept while they are the same, run again after an edit."""
    wheel(tmp_path / "wheels", "pipdep", "1.0", {"pipdep.py": "VALUE = 1\n"})
    root = project(MATRIX, {"pyproject.toml": declaring("pipdep"), "tests/test_demo.py": TEST})
    assert again(root)["outcome"] == "passed"
    assert again(root)["cached"] is True
    (root / "src/demo/__init__.py").write_text("ANSWER = 43\n", encoding="utf-8")
    assert again(root)["outcome"] == "failed"
    (root / "src/demo/__init__.py").write_text("ANSWER = 42\n", encoding="utf-8")
    wheel(tmp_path / "wheels", "pipdep", "1.1", {"pipdep.py": "VALUE = 2\n"})
    found = again(root)
    assert (found["outcome"], found["packages"]["pipdep"]) == ("failed", "1.1")


def test_what_pip_installed_is_what_ran(project: Write, tmp_path: Path, again: Callable[..., dict[str, Any]]) -> None:
    """A flat layout runs as installed; what another distribution overwrote, and a copy of the checkout, do not."""
    root = project(MATRIX, FLAT)
    found = again(root)
    assert found["outcome"] == "passed", found["reason"]
    copy = "import runpy\n\n\ndef test_it():\n    runpy.run_path('demo/core.py')\n    import demo.core\n"
    (root / "tests/test_demo.py").write_text(copy, encoding="utf-8")
    assert again(root)["outcome"] == "mismatch"
    wheel(tmp_path / "wheels", "pipdep", "1.0", {"demo/core.py": "def double(x):\n    return 4\n"})
    (root / "tests/test_demo.py").write_text(str(FLAT["tests/test_demo.py"]), encoding="utf-8")
    (root / "matrix.toml").write_text(f'{MATRIX}[install]\nrequires = ["pytest", "pipdep"]\n', encoding="utf-8")
    found = again(root)
    assert found["outcome"] == "mismatch", found["reason"]
    assert "belongs to demo and to pipdep" in found["reason"]
