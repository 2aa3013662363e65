"""Folders for temporary files."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from venvgrid.storage import directories

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_short_folders_are_new_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder has a name of few characters, never that of an earlier one, and is the user's alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first = directories.short_folder()
    first.rmdir()
    second = directories.short_folder()
    (tmp_path / format(int(second.name, 16) + 1, "x")).mkdir()  # of somebody else
    third = directories.short_folder()
    assert len({first, second, third}) == len([first, second, third])
    assert all(len(folder.name) <= 4 and folder.parent == tmp_path for folder in (first, second, third))
    assert third.stat().st_mode & 0o077 == 0
