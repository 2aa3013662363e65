"""Whether an environment is as it was installed: a manifest of every file, cheap enough to check before every use."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MARKER = "venvgrid.json"
COMPILED = (".pyc", ".pyo")
Manifest = dict[str, list[object]]


def take(path: Path, without: Path | None = None) -> Manifest:
    """Map every file below `path` to its size, mtime, mode and ctime (see `entry_of`), or its link's target.

    Compiled Python files are left out, and so is what is below `without`.
    """
    found: Manifest = {}
    pending = [""]
    passed_over = os.path.relpath(without, path).replace(os.sep, "/") if without is not None else None
    while pending:
        prefix = pending.pop()
        with os.scandir(path / prefix) as entries:
            for item in entries:
                name = f"{prefix}{item.name}"
                if item.is_symlink():
                    found[name] = [os.readlink(item.path)]  # noqa: PTH115  (thousands of files: no Path for each)
                elif item.is_dir():
                    if item.name != "__pycache__" and name != passed_over:
                        pending.append(f"{name}/")
                elif name != MARKER and not name.endswith(COMPILED):
                    found[name] = entry_of(item.stat(follow_symlinks=False))
    return found


def entry_of(status: os.stat_result) -> list[object]:
    """Give what a manifest says of a plain file: bytes, mtime in ns, permission bits, and ctime in ns."""
    ctime = 0 if os.name == "nt" else status.st_ctime_ns  # on Windows it is the time of birth
    return [status.st_size, status.st_mtime_ns, stat.S_IMODE(status.st_mode), ctime]


def entry_at(path: str) -> list[object]:
    """Give what a manifest says of the plain file at a path."""
    return entry_of(os.lstat(path))


def differences(recorded: object, now: Mapping[str, object]) -> tuple[str, ...]:
    """Name the files that are not as recorded."""
    before: Mapping[str, object] = recorded if isinstance(recorded, dict) else {}
    names: Iterable[str] = before.keys() | now.keys()
    return tuple(sorted(name for name in names if before.get(name) != now.get(name)))
