"""The tests that an edit can reach, by the map that ordinary runs record: for real, through the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rig import HERE

from venvgrid.analysis.affected import reach
from venvgrid.analysis.affected.tests import affected

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

MATRIX = f'[axes]\npython = ["{HERE}"]\n'
FILES = {
    "tests/test_demo.py": None,
    "src/demo/__init__.py": "",
    "src/demo/near.py": "LIMIT = 3\n",
    "src/demo/far.py": "import importlib\n\n\ndef load(name):\n    return importlib.import_module(name)\n",
    "src/demo/plugin.py": "",
    "src/demo/table.txt": "of the package",
    "tests/test_a_far.py": "from demo import far\n\n\ndef test_plugin():\n    assert far.load('demo.plugin')\n",
    "tests/test_b_near.py": (
        "from demo.near import LIMIT\n\n\ndef test_limit():\n    assert LIMIT == 3\n\n\ndef test_other():\n    pass\n"
    ),
    "tests/test_c_data.py": (
        "import pathlib, demo\n\n\ndef test_it():\n"
        "    assert (pathlib.Path(__file__).parent / 'data.txt').read_text() == 'x'\n"
        "    assert (pathlib.Path(demo.__file__).parent / 'table.txt').read_text()\n"
    ),
    "tests/data.txt": "x",
    "tests/deep/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef one():\n    return 1\n",
    "tests/deep/test_d.py": "def test_one(one):\n    assert one\n",
    "tests/deep/test_e.py": "def test_nothing():\n    pass\n",
}


def first(root: Path, *edited: str) -> tuple[str, ...]:
    """Return the test modules that an edit reaches in the only cell, nearest first."""
    (private,) = (root / ".venvgrid" / "cells").iterdir()
    found = affected(reach.load(private), edited)
    assert found.unknown == ()
    return found.modules


def test_an_ordinary_run_records_what_each_test_reaches(venvgrid: Command, project: Write) -> None:
    """An edit leads to the tests that import or open the file, by whatever way, and a conftest.py to its folder."""
    root = project(MATRIX, FILES)
    assert venvgrid("run", "-q", cwd=root).status == 0
    assert first(root, "src/demo/near.py") == ("tests/test_b_near.py",), "a constant leaves no trace in the globals"
    assert first(root, "src/demo/far.py") == ("tests/test_a_far.py",)
    assert first(root, "src/demo/plugin.py") == ("tests/test_a_far.py",), "imported by its name while the test ran"
    assert first(root, "tests/data.txt") == first(root, "src/demo/table.txt") == ("tests/test_c_data.py",)
    assert sorted(first(root, "tests/deep/conftest.py")) == ["tests/deep/test_d.py", "tests/deep/test_e.py"]
    assert first(root, "tests/deep/test_e.py", "src/demo/near.py")[:2] == (
        "tests/deep/test_e.py",
        "tests/test_b_near.py",
    )
    assert venvgrid("run", "-q", "--no-cache", cwd=root, env={"PYTEST_ADDOPTS": ""}).status == 0
    assert venvgrid("run", "-q", "--no-cache", "--", "tests/test_a_far.py", cwd=root).status == 0
    assert first(root, "tests/data.txt") == ("tests/test_c_data.py",), (
        "a run of some tests keeps what is known of others"
    )
