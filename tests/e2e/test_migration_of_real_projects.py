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
        ("attrs", "25.3.0", "tox.ini", 6, "pyright", "pypy3-tests: name a version"),
        ("structlog", "25.5.0", "tox.ini", 7, "be rich colorama", "py38-tests: requires, command of its own"),
        ("django-filter", "25.2", "tox.ini", 6, "", "py312-latest, py313-latest: what they install has no name to pin"),
        ("pytest-django", "4.11.1", "tox", 16, "", "left out, because they run no tests over versions: linting"),
        ("build", "1.3.0", "tox", 10, "min path", "path: commands_pre"),
        ("tox", "4.32.0", "tox.toml", 8, "", "tox: --junitxml"),
        ("jsonschema", "4.25.1", "noxfile.py", 18, "", "left out, because they run no tests over versions: style"),
        ("nox", "2025.10.16", "nox", 7, "minimums", "what it does `if sys.platform"),
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
