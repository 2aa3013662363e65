"""Manifest and marker of an environment: its files as installed, cheap enough to compare before each use."""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from venvgrid.model import serialization
from venvgrid.model.values import dataclass
from venvgrid.storage import atomic

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from pathlib import Path

FORMAT = "venvgrid-environment-8"
MARKER = "venvgrid.json"
COMPILED = (".pyc", ".pyo")
EMPTY_FOLDER: list[object] = ["empty folder"]
Manifest = dict[str, list[object]]  # by path relative to the environment, with "/": see `entry_of`
Links = dict[str, list[str]]  # by key of a cached package: those of its files that the environment does not share


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """Content of the file that marks an environment as whole. Fields without a value are ""."""

    key: str  # of the lock entry
    path: str  # of the environment: its scripts name it
    project: str  # digest of the wheel's content
    name: str  # of the project
    wheel: str  # its path
    editable: str  # folder of the project
    python: str  # version
    interpreter: list[str | int] | None  # identity of the interpreter's file
    distributions: list[list[Any]]  # name, version, hashes and direct reference of each
    guests: str  # digest of the probe and the witness in it, see `processes.guests`
    site: str  # site-packages, relative to the environment
    manifest: Manifest
    links: Links
    overlaps: list[list[str]]  # files that several distributions own with different contents, and their names


def read_marker(path: Path) -> Marker | None:
    """Return the marker of the environment at `path`, or None if it is missing, damaged or of another format."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        data = json.loads((path / MARKER).read_text(encoding="utf-8"))
        if data["format"] == FORMAT:
            marker: Marker = serialization.from_plain(Marker, data)
            return marker
    return None


def write_marker(path: Path, marker: Marker) -> None:
    """Mark the environment at `path` as whole, durably.

    Raises:
        InfrastructureError: the marker cannot be written.
    """
    data = {item.name: getattr(marker, item.name) for item in fields(marker)}  # JSON-able: a manifest may be large
    atomic.write_atomic(path / MARKER, json.dumps({"format": FORMAT, **data}))


def take(path: Path, without: Path | None = None, left_over: set[str] | None = None) -> Manifest:
    """Return the manifest of all files below `path`: of a file see `entry_of`, of a link its target.

    The marker and the folder `without` are left out, and so are compiled files and all in `__pycache__`: their names
    are added to `left_over`. Of folders only empty ones have an entry.
    """
    found: Manifest = {}
    pending = [""]
    excluded = os.path.relpath(without, path).replace(os.sep, "/") if without is not None else None
    while pending:
        prefix = pending.pop()
        with os.scandir(path / prefix) as entries:
            items = list(entries)
            sources = {item.name for item in items if item.name.endswith(".py")}
            for item in items:
                name = f"{prefix}{item.name}"
                if is_left_over(name, item.name, sources):
                    if left_over is not None:
                        left_over.add(f"{name}/" if item.is_dir(follow_symlinks=False) else name)
                elif item.is_symlink():
                    found[name] = [os.readlink(item.path)]  # noqa: PTH115  (thousands of files: no Path for each)
                elif item.is_dir():
                    if name != excluded:
                        pending.append(f"{name}/")
                elif name != MARKER:
                    found[name] = entry_of(item.stat(follow_symlinks=False))
            if is_empty(prefix, items):
                found[prefix] = EMPTY_FOLDER
    return found


def is_left_over(path: str, name: str, sources: Container[str]) -> bool:
    """Return whether a file is compiled from one beside it, or in `__pycache__`; `sources` are the modules beside it.

    A compiled file without a source is a module of its own.
    """
    return f"/{path}".endswith(f"/__pycache__/{name}") or (name.endswith(COMPILED) and f"{name[:-4]}.py" in sources)


def is_empty(prefix: str, items: Iterable[os.DirEntry[str]]) -> bool:
    """Return whether a folder holds nothing but compiled files: Python can import it nevertheless."""
    return not prefix.endswith("__pycache__/") and all(item.name == "__pycache__" for item in items)


def entry_of(status: os.stat_result) -> list[object]:
    """Return the manifest's entry of a plain file: bytes, mtime in ns, permission bits, and ctime in ns."""
    ctime = 0 if os.name == "nt" else status.st_ctime_ns  # on Windows it is the time of birth
    return [status.st_size, status.st_mtime_ns, stat.S_IMODE(status.st_mode), ctime]


def entry_at(path: str) -> list[object]:
    """Return the manifest's entry of the plain file at a path."""
    return entry_of(os.lstat(path))


def differences(recorded: Manifest, now: Manifest) -> tuple[str, ...]:
    """Return the names of the files that are not as recorded, sorted."""
    return tuple(sorted(name for name in recorded.keys() | now.keys() if recorded.get(name) != now.get(name)))
