"""Which cells and tests an edit can reach, from the maps that runs left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import factories

from venvgrid.analysis.affected import reach
from venvgrid.app.watching.nearest import nearest

if TYPE_CHECKING:
    from pathlib import Path


def write_map(root: Path, cell: str, used: str, other: str) -> None:
    """Write the map of a cell: its only test module uses one file; another file is used by something else."""
    data = {"v": 1, "files": ["t.py", used, "else.py", other], "edges": [[0, 1], [2, 3]], "tests": {"t.py": 0}}
    folder = root / "cells" / cell
    folder.mkdir(parents=True)
    (folder / reach.FILE).write_text(json.dumps({**data, "opened": {}}), encoding="utf-8")


def test_cells_that_the_edit_reaches(tmp_path: Path) -> None:
    """Cells whose tests use the file are named, with those that never ran; the tests are those of all maps."""
    cells = [factories.cell(name) for name in ("py3.9", "py3.10", "py3.11", "py3.12")]
    write_map(tmp_path, "py3.9", "old.py", "new.py")
    write_map(tmp_path, "py3.10", "new.py", "old.py")
    write_map(tmp_path, "py3.12", "new.py", "old.py")
    found = nearest(tmp_path, cells, ["new.py"])
    assert [cell.id for cell in found.cells] == ["py3.10", "py3.11", "py3.12"]
    assert found.tests == ("t.py",)
    assert nearest(tmp_path, cells, ["strange.py"]).cells == tuple(cells)
    assert nearest(tmp_path, cells, ["strange.py"]).unknown == ("strange.py",)


def test_without_an_edit_nothing_is_read(tmp_path: Path) -> None:
    """All cells and no tests, where nothing was edited."""
    cells = [factories.cell("py3.9")]
    assert nearest(tmp_path / "missing", cells, ()).cells == tuple(cells)
