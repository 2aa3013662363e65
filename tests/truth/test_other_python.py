"""What is not for a Python is never green there: uv looks at lower bounds alone, pip at all that is required."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import PYPROJECT, cell, declaring
from rig import HERE
from worlds import MATRIX, wheel

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e
INSTALLERS = ("uv", "pip")
OTHER = f">=3.6,!={HERE}.*"


@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_project_that_is_for_other_pythons_is_impossible(venvgrid: Command, project: Write, installer: str) -> None:
    """An upper bound or an exclusion counts as a lower bound does."""
    root = project(MATRIX, {"pyproject.toml": f'{PYPROJECT}    requires-python = "{OTHER}"\n'})
    ended = venvgrid("plan", cwd=root, env={"VENVGRID_INSTALLER": installer})
    assert "impossible" in ended.out, ended.out
    assert "demo needs Python" in ended.out


@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_dependency_that_is_for_other_pythons_is_not_installed(
    venvgrid: Command, project: Write, tmp_path: Path, installer: str
) -> None:
    """With pip the cell is impossible. With uv it is not built, also a second time, until another version is chosen."""
    wheel(tmp_path / "wheels", "forother", "2.0", {"forother.py": ""}, f"Requires-Python: {OTHER}\n")
    links = {f"{name}_FIND_LINKS": str(tmp_path / "wheels") for name in ("UV", "PIP")}
    env = {**links, "VENVGRID_INSTALLER": installer}
    root = project(MATRIX, {"pyproject.toml": declaring("forother")})
    for _ in range(2):
        venvgrid("run", cwd=root, env=env)
        found = cell(root)
        if installer == "pip":
            assert found["outcome"] == "impossible", found["reason"]
        else:
            assert found["outcome"] == "build-failed", found["reason"]
            assert f"forother 2.0 needs Python {OTHER}, and this is {HERE}." in found["reason"]
            assert 'install.constraints = ["forother!=2.0"]' in found["reason"]
    wheel(tmp_path / "wheels", "forother", "1.0", {"forother.py": ""})
    (root / "matrix.toml").write_text(f'{MATRIX}[install]\nconstraints = ["forother!=2.0"]\n', encoding="utf-8")
    assert venvgrid("run", cwd=root, env=env).status == 0, cell(root)["reason"]
