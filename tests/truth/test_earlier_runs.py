"""What earlier runs of a cell left behind: it neither makes a cell green nor keeps it so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conftest import cell
from rig import HERE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e
MATRIX = f'[project]\ninstall = "none"\n[axes]\npython = ["{HERE}"]\n'


@pytest.fixture
def again(venvgrid: Command) -> Callable[..., dict[str, Any]]:
    """Return a function that runs the project; it returns the cell's result."""

    def run(root: Path) -> dict[str, Any]:
        ended = venvgrid("run", "-q", cwd=root)
        assert ended.status in {0, 1}, ended.out + ended.err
        return cell(root)

    return run


def test_values_in_pytests_cache_are_gone(project: Write, again: Callable[..., dict[str, Any]]) -> None:
    """A test that counts its runs in pytest's cache is the first one each time, as in a fresh copy."""
    test = """
        def test_it(cache, pytestconfig):
            number = cache.get("mine/number", 0)
            cache.set("mine/number", number + 1)
            folder = pytestconfig.cache.mkdir("mine")
            assert number or list(folder.iterdir())
            (folder / "file").touch()
    """
    root = project(MATRIX, {"tests/test_demo.py": test})
    assert [again(root)["outcome"] for _ in range(3)] == ["failed", "failed", "failed"]


@pytest.mark.parametrize("option", ["--lf", "--sw", "--lf -n1"])
def test_tests_that_an_earlier_run_left_out_are_not_kept(
    project: Write, again: Callable[..., dict[str, Any]], option: str
) -> None:
    """--lf and --sw leave out what passed before: that is said, and the next run is of all tests again."""
    requires = '[install]\nrequires = ["pytest", "pytest-xdist"]\n' if "-n" in option else ""
    files = {
        "pytest.ini": f"[pytest]\naddopts = {option}\n",
        "tests/test_demo.py": "def test_a():\n    pass\n",
        "tests/test_two.py": "def test_b():\n    assert 0\n",
    }
    root = project(MATRIX + requires, files)
    assert again(root)["outcome"] == "failed"
    (root / "tests/test_demo.py").write_text("def test_a():\n    assert 0\n", encoding="utf-8")
    (root / "tests/test_two.py").write_text("def test_b():\n    pass\n", encoding="utf-8")
    found = again(root)
    assert found["outcome"] == "passed", found["reason"]
    assert "left out tests because of an earlier run: not kept" in found["notes"]
    assert again(root)["outcome"] == "failed"
