"""Files are whole, the old or the new."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.model import InfrastructureError
from venvgrid.storage.atomic import write_atomic

posix = pytest.mark.skipif(os.name != "posix", reason="permissions, links and pipes of POSIX")


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text())
@settings(deadline=None)
def test_atomic_write_replaces(before: str, after: str) -> None:
    """The new text is there in full, as UTF-8 without changed line breaks, and nothing beside it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write_atomic(path, before)
        assert before.encode() == path.read_bytes()
        write_atomic(path, after)
        assert (after.encode("utf-8", "replace"), [path]) == (path.read_bytes(), list(Path(folder).iterdir()))


@posix
def test_atomic_write_keeps_permissions_and_links(tmp_path: Path) -> None:
    """A file keeps its permissions; a symbolic link stays one and what it leads to is written."""
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o600)
    link.symlink_to(file)
    write_atomic(link, "new")
    assert (True, "new", 0o600) == (link.is_symlink(), file.read_text(), stat.S_IMODE(file.stat().st_mode))


@posix
def test_devices_are_not_replaced(tmp_path: Path) -> None:
    """What is no plain file, such as /dev/null or a pipe, is written to and stays what it is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomic(pipe, "through")
    assert (b"through", True) == (os.read(reader, 100), stat.S_ISFIFO(pipe.stat().st_mode))
    os.close(reader)


def test_atomic_write_that_fails(tmp_path: Path) -> None:
    """An error names the path once, and leaves what was there."""
    place = tmp_path / "gone" / "file"
    with pytest.raises(InfrastructureError) as caught:
        write_atomic(place, "x")
    hint = f"there is no folder {place.parent}, make it first"
    assert f"cannot write {place}: {os.strerror(errno.ENOENT)}; {hint}" == str(caught.value)
    assert [] == list(tmp_path.iterdir())
