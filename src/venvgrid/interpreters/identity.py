"""Identity of an interpreter's file, which changes when another build takes its place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def identity(*files: str | Path) -> list[str | int] | None:
    """Return real path, size in bytes and mtime in ns of each file, or None if one does not exist."""
    found: list[str | int] = []
    for file in files:
        real = os.path.realpath(file)
        try:
            status = os.stat(real)  # noqa: PTH116  beside realpath
        except OSError:
            return None
        found += [real, status.st_size, status.st_mtime_ns]
    return found
