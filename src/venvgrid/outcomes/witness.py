"""The host side of the witness: switches it on, and reads which modules the processes of a cell imported.

The guest side is `processes/guest/_venvgrid_witness.py`. Its specification is not JSON: a process that starts
would need milliseconds to import a parser.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Both are copied into every environment under these names.
VARIABLE = "VENVGRID_WITNESS"
STREAM_NAME = "stream"
SPECIFICATION_NAME = "witness"
LIMIT = 1 << 24  # bytes of one process


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """Records of all processes of a command on the environment's Python. Files are real paths.

    `imports` and `checkout` are modules with their files; the latter are tests that the environment does not have.
    `runs` are files outside of the environment that were executed. `unregistered` is the number of processes that
    imported pytest without the probe, although it was handed to them.
    """

    processes: tuple[tuple[str, str], ...] = ()  # version and executable of each
    imports: tuple[tuple[str, str], ...] = ()
    changes: tuple[tuple[str, float], ...] = ()  # files of imports, and seconds of their last change before that
    checkout: tuple[tuple[str, str], ...] = ()
    runs: tuple[str, ...] = ()
    unregistered: int = 0


def switch_on(folder: Path, specification: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Prepare the witness for one run of a command; return the variables to add to the command's environment.

    Raises:
        FileExistsError: the folder was used before.
    """
    (folder / STREAM_NAME).mkdir(parents=True)
    fields = [part for pair in (("stream", str(folder / STREAM_NAME)), *specification) for part in pair]
    (folder / SPECIFICATION_NAME).write_bytes("\0".join(fields).encode("utf-8", "surrogateescape"))
    return {VARIABLE: str(folder / SPECIFICATION_NAME)}


def read(folder: Path) -> Witnessed:
    """Return the records of all processes in the order of their numbers; torn and foreign lines are left out."""
    processes, unregistered = [], 0
    changes: dict[tuple[str, float], None] = {}
    found: dict[str, dict[tuple[str, str], None]] = {"import": {}, "checkout": {}, "run": {}}
    with suppress(OSError):
        for entry in sorted(os.scandir(folder / STREAM_NAME), key=lambda item: item.name):
            with open(entry.path, "rb") as stream:  # noqa: PTH123  (many small files)
                text = stream.read(LIMIT).decode("utf-8", "backslashreplace")
            kinds = set()
            for line in text.splitlines():
                kind, *rest = line.split("\0")
                if len(rest) == 3:  # noqa: PLR2004
                    kinds.add(kind)
                    if kind == "process":
                        processes.append((rest[0], rest[1]))
                    elif kind in found:
                        found[kind][rest[0], rest[1]] = None
                    if kind == "import" and rest[2].isdecimal():
                        changes[rest[1], int(rest[2]) / 1e3] = None
            unregistered += "session" in kinds and "probe" not in kinds
    return Witnessed(
        processes=tuple(processes),
        imports=tuple(found["import"]),
        changes=tuple(changes),
        checkout=tuple(found["checkout"]),
        runs=tuple(file for _, file in found["run"]),
        unregistered=unregistered,
    )
