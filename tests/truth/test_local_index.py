"""A change of the index is a change of the cell, within the hour in which a resolution is cached."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import wheels
from conftest import cell
from rig import HERE

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

MATRIX = f'[project]\ninstall = "none"\n[axes]\npython = ["{HERE}"]\n[install]\nrequires = ["pytest", "toy"]\n'
TEST = "import toy\n\n\ndef test_it():\n    assert toy.VALUE == 1\n"


def add(folder: Path, version: str, value: int) -> None:
    folder.mkdir(exist_ok=True)
    data = wheels.wheel("toy", version, {"toy.py": f"VALUE = {value}\n".encode()})
    (folder / f"toy-{version}-py3-none-any.whl").write_bytes(data)


def test_a_folder_of_distributions_is_an_input(venvgrid: Command, project: Write, tmp_path: Path) -> None:
    """A new version in it, another folder, and another wheel of the same version: the cell gets it, and runs."""
    root = project(MATRIX, {"tests/test_demo.py": TEST})
    one, two = tmp_path / "one", tmp_path / "two"
    add(one, "1.0", 1)
    add(two, "1.0", 2)

    def run(folder: Path) -> tuple[int, bool]:
        links = {f"{name}_FIND_LINKS": str(folder) for name in ("UV", "PIP")}
        status = venvgrid("run", "-q", cwd=root, env=links).status
        return status, cell(root)["cached"]

    assert run(one) == (0, False)
    assert run(one) == (0, True)
    assert run(two) == (1, False)
    assert run(one) == (0, True)
    add(one, "1.1", 2)
    assert run(one) == (1, False)
    add(one, "1.1", 1)
    assert run(one)[0] == 0
    place = one / "toy-1.1-py3-none-any.whl"
    before = place.stat()
    for value in range(2, 100):  # packed, not all are of the same size
        add(one, "1.1", value)
        if place.stat().st_size == before.st_size:
            break
    assert place.stat().st_size == before.st_size
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(one) == (1, False)


def test_a_distribution_that_a_requirement_names_is_an_input(venvgrid: Command, project: Write, tmp_path: Path) -> None:
    """Another wheel in the place of the first one, with its version: the cell gets it, with uv and with pip."""
    folder = tmp_path / "named"
    place = f"toy @ {(folder / 'toy-1.0-py3-none-any.whl').as_uri()}"
    root = project(MATRIX.replace('"toy"', f'"{place}"'), {"tests/test_demo.py": TEST})
    for installer in ("uv", "pip"):

        def run(name: str) -> tuple[int, bool]:
            status = venvgrid("run", "-q", cwd=root, env={"VENVGRID_INSTALLER": name}).status
            return status, cell(root)["cached"]

        add(folder, "1.0", 1)
        assert run(installer)[0] == 0
        assert run(installer) == (0, True)
        add(folder, "1.0", 2)
        assert run(installer) == (1, False), installer
