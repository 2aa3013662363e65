"""`venvgrid init --from`, with the files that ten real projects publish in their source distributions."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Command

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("name", "version", "file", "cells", "grids", "said"),
    [
        ("attrs", "25.3.0", "tox.ini", 3, "py38-tests pyright", "pypy3-tests: name a version"),
        (
            "structlog",
            "25.5.0",
            "tox.ini",
            5,
            "py38-tests py313-tests be rich colorama be-2 rich-2 colorama-2",
            "left out, because they run no tests: pre-commit",
        ),
        (
            "django-filter",
            "25.2",
            "tox.ini",
            6,
            "",
            "not written: py312-latest, py313-latest: https://github.com/django",
        ),
        ("pytest-django", "4.11.1", "tox", 16, "", "left out, because they run no tests: linting"),
        ("tox", "4.32.0", "tox.toml", 8, "", "--junitxml …/junit.{cell}.xml is left out"),
        ("jsonschema", "4.25.1", "noxfile.py", 18, "", "left out, because they run no tests: style"),
        ("nox", "2025.10.16", "nox", 7, "minimums", "not written: conda_tests: venv_backend='conda'"),
        ("hatch-vcs", "0.5.0", "hatch", 5, "", "default, lint"),
        ("anyio", "4.11.0", ".github/workflows/test.yml", 7, "", "job test: os (venvgrid tests where it runs"),
    ],
)
def test_ten_projects(
    source: Callable[[str, str], Path],
    venvgrid: Command,
    name: str,
    version: str,
    file: str,
    cells: int,
    grids: str,
    said: str,
) -> None:
    """The cells are those that the project's own runner would make, and what is lost is said."""
    root = source(name, version)
    made = venvgrid("init", "--from", file, cwd=root)
    assert made.status == 0, made.err
    assert said in made.err
    text = (root / "matrix.toml").read_text(encoding="utf-8")
    assert grids.split() == list(tomllib.loads(text).get("grid", {}))
    # Without network most cells cannot be resolved, but all of them are there.
    listed = venvgrid("plan", "--json", "--offline", "-q", cwd=root, env={"VENVGRID_PYTHON_DOWNLOADS": "never"})
    planned = json.loads(listed.out)["cells"]
    assert cells == len([item for item in planned if item["status"] != "excluded"])
    assert venvgrid("init", "--from", file, cwd=root).status == 2, "nothing is overwritten"


def test_a_file_whose_main_environments_cannot_be_expressed(
    source: Callable[[str, str], Path], venvgrid: Command
) -> None:
    """The sessions of nox install what another program tells them: no other session becomes the main grid."""
    root = source("nox", "2026.10.20")
    refused = venvgrid("init", "--from", "noxfile.py", cwd=root)
    assert (refused.status, (root / "matrix.toml").exists()) == (2, False)
    assert "its main environments need what a configuration cannot express" in refused.err


def test_temporary_folders_and_lowest_versions_are_carried_over(
    source: Callable[[str, str], Path], venvgrid: Command
) -> None:
    """pypa/build gives its tests the temporary folder of tox, and constraints of its lowest versions to a template."""
    root = source("build", "1.6.1")
    made = venvgrid("init", "--from", "tox.toml", cwd=root)
    text = tomllib.loads((root / "matrix.toml").read_text(encoding="utf-8"))
    assert text["test"]["env"]["TEST_STATUS_DIR"] == "{tmp}"
    assert text["grid"]["min"]["install"]["constraints"] == ["-c ./tests/constraints.txt"]
    assert "constraints" not in text["install"]
    assert "not written: path: `python -E -m pip uninstall" in made.err


def test_init_on_stdout_and_by_force(venvgrid: Command, tmp_path: Path) -> None:
    """`-o -` writes no file; a file that is there stays, but for --force; what is missing is said beside it."""
    tox = "[tox]\nenvlist = py311, py311-dev\n[testenv]\ndeps = dev: https://h/x.zip\ncommands = pytest -q\n"
    (tmp_path / "tox.ini").write_text(tox, encoding="utf-8")
    shown = venvgrid("init", "--from", "tox", "-o", "-", cwd=tmp_path)
    assert (shown.status, tomllib.loads(shown.out)["test"]["command"]) == (0, ["pytest", "-q"])
    assert "not written: py311-dev: https://h/x.zip" in shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["tox.ini"]
    (tmp_path / "matrix.toml").write_text("mine", encoding="utf-8")
    refused = venvgrid("init", cwd=tmp_path)
    assert (refused.status, (tmp_path / "matrix.toml").read_text(encoding="utf-8")) == (2, "mine")
    assert "venvgrid init --force" in refused.err
    assert venvgrid("init", "--force", cwd=tmp_path).status == 0
    assert (tmp_path / "matrix.toml").read_text(encoding="utf-8").startswith("# Made from tox.ini")
