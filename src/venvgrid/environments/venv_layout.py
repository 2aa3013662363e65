"""Paths inside a virtual environment, and links between folders, by platform."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from venvgrid.model import Interpreter


def python_of(path: Path, platform: str = os.name) -> Path:
    """Return the interpreter of an environment."""
    return path / "Scripts" / "python.exe" if platform == "nt" else path / "bin" / "python"


def site_of(path: Path, interpreter: Interpreter, platform: str = os.name) -> Path:
    """Return the site-packages folder of an environment."""
    if platform == "nt":
        return path / "Lib" / "site-packages"
    major, minor = interpreter.release
    thread = "t" if interpreter.free_threaded else ""
    name = {"pypy": f"pypy{major}.{minor}"}.get(interpreter.implementation, f"python{major}.{minor}{thread}")
    return path / "lib" / name / "site-packages"


def prefix_of(path: Path, site: Path) -> str:
    """Return site-packages relative to the environment, with "/" at the end."""
    return site.relative_to(path).as_posix() + "/"


def is_junction(path: Path) -> bool:
    """Return whether a path is a directory junction of Windows."""
    with suppress(OSError):
        return bool(getattr(path.lstat(), "st_reparse_tag", 0) == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1))
    return False


def make_junction(target: Path, place: Path) -> None:
    """Make or replace a directory junction, which needs no privilege on Windows."""
    import _winapi  # noqa: PLC0415  (only there on Windows)

    if is_junction(place):
        place.rmdir()
    _winapi.CreateJunction(str(target), str(place))  # type: ignore[attr-defined, unused-ignore]


def link(target: Path, place: Path, platform: str = os.name) -> bool:
    """Link `place` to the folder `target`; return False and do nothing if something other than a link is there."""
    if os.path.lexists(place) and not (place.is_symlink() or is_junction(place)):
        return False
    if platform == "nt":
        make_junction(target, place)
        return True
    relative = os.path.relpath(target, place.parent)
    if place.is_symlink() and place.readlink() == Path(relative):
        return True
    partial = place.parent / f".{place.name}.{os.getpid()}"
    partial.unlink(missing_ok=True)
    partial.symlink_to(relative)
    partial.replace(place)
    return True
