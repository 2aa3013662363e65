"""Compiled files in the checkout that may not fit their sources.

Python takes a compiled file for right if it names the source's size and its time in seconds. After an edit within that
second, or with the time set back, it would run what the source was before. The ctime tells: no program can set it back.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.project.inputs import COMPILED

if TYPE_CHECKING:
    from venvgrid.project.inputs import Inputs

FOLDER = "__pycache__"


def drop_stale(inputs: Inputs) -> None:
    """Delete the compiled files in the project that are not newer than the last change of their source."""
    sources: dict[str, set[str]] = {}
    for name in inputs.stamps:
        if name.endswith(".py") and not os.path.isabs(name):  # noqa: PTH117  (thousands of files, here and below)
            folder, _, file = name.rpartition("/")
            sources.setdefault(folder, set()).add(file[:-3])
    for folder, names in sources.items():
        place = os.path.join(inputs.path, folder)  # noqa: PTH118
        with suppress(OSError), os.scandir(os.path.join(place, FOLDER)) as entries:  # noqa: PTH118
            for item in entries:
                source = item.name.split(".")[0]
                is_input = f"{folder}/{FOLDER}/{item.name}".lstrip("/") in inputs.stamps
                if source in names and item.name.endswith(COMPILED) and not is_input:
                    changed = os.lstat(os.path.join(place, f"{source}.py")).st_ctime_ns  # noqa: PTH118
                    if item.stat(follow_symlinks=False).st_mtime_ns <= changed:
                        os.unlink(item.path)  # noqa: PTH108


def source_of(name: str) -> str:
    """Return the source that a compiled file in `__pycache__` stands for; of any other file its own name."""
    folder, _, file = f"/{name}".rpartition("/__pycache__/")
    is_compiled = file.endswith(COMPILED) and f"/{name}" != file
    return f"{folder}/{file.partition('.')[0]}.py".lstrip("/") if is_compiled else name
