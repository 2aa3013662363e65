"""Editable wheels that venvgrid makes for old Pythons."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from venvgrid.environments import legacy_editable
from venvgrid.environments.legacy_editable import NotEditableError

if TYPE_CHECKING:
    from pathlib import Path

INFO = "demo-1.0.dist-info"


def wheel(folder: Path, *modules: str) -> Path:
    """Write a wheel with these files, metadata and a script."""
    path = folder / "demo-1.0-py2-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in (*modules, f"{INFO}/METADATA", f"{INFO}/entry_points.txt", f"{INFO}/RECORD"):
            archive.writestr(name, f"# {name}")
        archive.writestr("demo-1.0.data/scripts/run.py", "#!python")
    return path


def checkout(folder: Path, *files: str) -> Path:
    """Write a checkout with these files."""
    for name in files:
        (folder / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "checkout" / name).touch()
    return folder / "checkout"


def test_modules_become_a_path_and_all_else_stays(tmp_path: Path) -> None:
    """Metadata and scripts are those of the wheel; a .pth names the folder; the RECORD lists every file."""
    project = checkout(tmp_path, "src/demo/__init__.py", "setup.py")
    (tmp_path / "out").mkdir()
    made = legacy_editable.make(wheel(tmp_path, "demo/__init__.py"), project, tmp_path / "out")
    with zipfile.ZipFile(made) as archive:
        names = set(archive.namelist())
        assert archive.read("__editable__.demo-1.0.pth").decode() == f"{project / 'src'}\n"
        listed = {row[0] for row in csv.reader(io.StringIO(archive.read(f"{INFO}/RECORD").decode()))}
    assert names == listed
    assert names == {
        "__editable__.demo-1.0.pth",
        "demo-1.0.data/scripts/run.py",
        *(f"{INFO}/{name}" for name in ("METADATA", "entry_points.txt", "RECORD")),
    }


@pytest.mark.parametrize(
    ("files", "modules", "folders"),
    [
        (("src/a/__init__.py", "a.txt"), ("a/__init__.py",), ["src"]),
        (("a/__init__.py", "tests/x.py"), ("a/__init__.py",), ["."]),
        (("one.py", "lib/two.py"), ("one.py", "two.py"), [".", "lib"]),
        (("python3/a/b.py",), ("a/b.py",), ["python3"]),
        (("src/ns/a/__init__.py", "src/ns/b.py"), ("ns/a/__init__.py", "ns/b.py"), ["src"]),
    ],
)
def test_where_modules_are(
    tmp_path: Path, files: tuple[str, ...], modules: tuple[str, ...], folders: list[str]
) -> None:
    """In src, in the checkout itself, in lib, or in another folder of it."""
    project = checkout(tmp_path, *files)
    assert legacy_editable.folders_of(modules, project) == [project / name for name in folders]


@pytest.mark.parametrize(
    ("module", "why"),
    [
        ("demo/_fast.cpython-36m-x86_64-linux-gnu.so", "is compiled by the build"),
        ("demo-1.0.data/platlib/demo/_fast.pyd", "is compiled by the build"),
        ("demo/_version.py", "is not in a folder of"),
    ],
)
def test_what_only_the_build_has_is_no_silent_loss(tmp_path: Path, module: str, why: str) -> None:
    """A module that the checkout lacks cannot be editable: the cell says which, instead of testing without it."""
    project = checkout(tmp_path, "demo/__init__.py")
    with pytest.raises(NotEditableError, match=why):
        legacy_editable.make(wheel(tmp_path, "demo/__init__.py", module), project, tmp_path)
