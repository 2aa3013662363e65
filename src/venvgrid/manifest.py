"""Whether an environment is as it was installed: a manifest of every file, cheap enough to check before every use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MARKER = "venvgrid.json"
Manifest = dict[str, list[object]]


def take(path: Path) -> Manifest:
    """Map every file below `path` to [size, mtime in ns] or its link's target; compiled Python files are left out."""
    found: Manifest = {}
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(path / prefix) as entries:
            for item in entries:
                name = f"{prefix}{item.name}"
                if item.is_symlink():
                    found[name] = [os.readlink(item.path)]  # noqa: PTH115  (thousands of files: no Path for each)
                elif item.is_dir():
                    if item.name != "__pycache__":
                        pending.append(f"{name}/")
                elif name != MARKER and not name.endswith((".pyc", ".pyo")):
                    status = item.stat(follow_symlinks=False)
                    found[name] = [status.st_size, status.st_mtime_ns]
    return found


def identity(executable: str) -> list[object]:
    """Give what tells one build of an interpreter from another at the same place: real path, size, mtime in ns."""
    try:
        real = os.path.realpath(executable)
        status = os.stat(real)  # noqa: PTH116
    except OSError:
        return [executable]
    return [real, status.st_size, status.st_mtime_ns]


def differences(recorded: object, now: Mapping[str, object]) -> tuple[str, ...]:
    """Name the files that are not as recorded."""
    before: Mapping[str, object] = recorded if isinstance(recorded, dict) else {}
    names: Iterable[str] = before.keys() | now.keys()
    return tuple(sorted(name for name in names if before.get(name) != now.get(name)))
