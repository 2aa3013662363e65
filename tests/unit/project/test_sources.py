"""Which files are the sources of a project, and what a snapshot of them holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.project import sources

if TYPE_CHECKING:
    from pathlib import Path


def test_sources_leave_out_what_tools_leave_behind(tmp_path: Path) -> None:
    """Caches, environments and build output are no sources; a package called build is."""
    for name in (
        "src/demo/__init__.py", "src/build/__init__.py", "src/demo/__pycache__/x.pyc", "build/lib/demo.py",
        ".venvgrid/x", "env2/pyvenv.cfg", "env2/bin/python", "src/demo.egg-info/x", "tests/test_demo.py",
    ):  # fmt: skip
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    found = [str(file.relative_to(tmp_path)) for file in sources.source_files(tmp_path)]
    assert found == ["src/build/__init__.py", "src/demo/__init__.py", "tests/test_demo.py"]


def test_a_snapshot_follows_contents_and_names_only(tmp_path: Path) -> None:
    """Touching a file changes nothing; editing, adding or renaming one does."""
    file = tmp_path / "demo.py"
    file.write_text("a = 1\n", encoding="utf-8")
    snapshots = [sources.snapshot(tmp_path)]
    file.touch()
    assert sources.snapshot(tmp_path) == snapshots[0]
    file.write_text("a = 2\n", encoding="utf-8")
    snapshots.append(sources.snapshot(tmp_path))
    file.rename(tmp_path / "other.py")
    snapshots.append(sources.snapshot(tmp_path))
    first, second, third = snapshots
    assert first != second != third != first
