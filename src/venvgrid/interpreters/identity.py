"""Identity of an interpreter's file: what changes when another build takes its place."""

from __future__ import annotations

import os


def identity(executable: str) -> list[object]:
    """Give what tells one build of an interpreter from another at the same place: real path, size, mtime in ns."""
    try:
        real = os.path.realpath(executable)
        status = os.stat(real)  # noqa: PTH116
    except OSError:
        return [executable]
    return [real, status.st_size, status.st_mtime_ns]
