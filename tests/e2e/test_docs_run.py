"""The tutorial and the blocks of the how-to pages that matter are run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import DEMO, Command, Write, declaring
from rig import outcomes

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.e2e

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a page in one language."""
    return [text for found, text in FENCE.findall((DOCS / page).read_text(encoding="utf-8")) if found == language]


def test_the_tutorial(venvgrid: Command, project: Write, needs: Callable[..., None]) -> None:
    """Its configuration gives the grid that it describes: the row of packaging 24 is impossible, one row red."""
    needs("3.10", "3.11", "3.12")
    (matrix,) = blocks("tutorial.md", "toml")
    files = {
        **DEMO,
        "pyproject.toml": declaring("packaging<24"),
        "tests/test_demo.py": """
            import demo, packaging

            def test_not_22():
                assert not packaging.__version__.startswith("22.")
        """,
    }
    root = project(matrix, files)
    planned = venvgrid("plan", cwd=root)
    assert planned.status == 0, planned.err
    assert "demo 1.0 needs packaging<24, but the cell has packaging 24" in planned.out
    ended = venvgrid("run", cwd=root)
    assert ended.status == 1, ended.err
    found = outcomes(root)
    assert {name for name, outcome in found.items() if outcome == "failed"} == {
        f"py3.{minor}-packaging22" for minor in (10, 11, 12)
    }
    assert {name for name, outcome in found.items() if outcome == "impossible"} == {
        f"py3.{minor}-packaging24" for minor in (10, 11, 12)
    }
    assert "fails in 3 of 3 cells with packaging ≤ 22, in 0 of 3 without" in ended.out
    assert "next tried: packaging 23" in ended.out
    again = venvgrid("run", "-k", "packaging==22", cwd=root)
    assert again.status == 1
    assert "3 cells: 3 failed" in again.out
    inside = "import packaging; print(packaging.__version__)"
    shown = venvgrid("exec", "py3.10-packaging22", "--", "python", "-c", inside, cwd=root)
    assert shown.out == "22.0\n"
    assert venvgrid("lock", cwd=root).status == 0
    locked = venvgrid("run", "--locked", cwd=root)
    assert locked.status == 1, locked.err


def test_coverage_as_the_docs_have_it(venvgrid: Command, project: Write, needs: Callable[..., None]) -> None:
    """The block about coverage works when the name of the package is filled in."""
    needs("3.10", "3.13")
    (matrix,) = blocks("how-to/reports.md", "toml")
    root = project(matrix.replace("your_package", "demo"), DEMO)
    ended = venvgrid("run", cwd=root)
    assert ended.status == 0, ended.err
    assert "Coverage of 2 cells together: 100.0 %" in ended.out
