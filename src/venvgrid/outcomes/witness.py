"""The host side of the witness: switches it on, and reads which modules the processes of a cell imported.

The guest side is `processes/guest/_venvgrid_witness.py`. Its specification is not JSON: a process that starts
would need milliseconds to import a parser.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import field, replace
from typing import TYPE_CHECKING

from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# Both are copied into every environment under these names.
VARIABLE = "VENVGRID_WITNESS"
STREAM_NAME = "stream"
SPECIFICATION_NAME = "witness"
LIMIT = 1 << 24  # bytes of one process
Address = tuple[str, str]  # kind and text, see `_venvgrid_network`

NEWLINE = "\2"  # in paths and arguments
COMPILED_BY_HAND = "c"  # how a compiled file was opened that the import system did not write, see `_venvgrid_opened`
MATTERS = {
    how: rank for rank, letters in enumerate(("wc", "sn", "t", "p", "l", "o", "rake", "v", "mid")) for how in letters
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A program that a process started, and its PATH. With `lacks`, its variables do not name the witness."""

    cwd: str
    argv: tuple[str, ...]
    lacks: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """Records of all processes of a command on the environment's Python. Files are real paths.

    `imports` and `checkout` are modules with their files; the latter are tests that the environment does not have.
    `runs` are files outside of the environment that were executed. `unregistered` is the number of processes that
    imported pytest without the probe, although it was handed to them.

    `opened` maps paths to how they were read, `ran` are programs that were started (see `_venvgrid_opened`). `bound`
    and `reached` are addresses of the network. `silent` is the number of processes that note none of these, `hooked`
    of those that note also who writes compiled files.
    """

    processes: tuple[tuple[str, str], ...] = ()  # version and executable of each
    imports: tuple[tuple[str, str], ...] = ()
    changes: tuple[tuple[str, float], ...] = ()  # files of imports, and seconds of their last change before that
    checkout: tuple[tuple[str, str], ...] = ()
    runs: tuple[str, ...] = ()
    unregistered: int = 0
    opened: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    ran: tuple[Ran, ...] = ()
    bound: tuple[Address, ...] = ()
    reached: tuple[Address, ...] = ()
    silent: int = 0
    hooked: int = 0

    @property
    def is_plain(self) -> bool:
        """Return whether all processes would have noted a compiled file that was written by hand, and none was."""
        return 0 < len(self.processes) == self.hooked and COMPILED_BY_HAND not in self.opened.values()

    def and_then(self, later: Witnessed) -> Witnessed:
        """Return what was read in this and a later run of the command, besides what the later one saw."""
        opened = dict(self.opened)
        for path, how in later.opened.items():
            _add(opened, path, how)
        return replace(
            later,
            processes=(*self.processes, *later.processes),
            opened=opened,
            ran=(*self.ran, *later.ran),
            bound=(*self.bound, *later.bound),
            reached=(*self.reached, *later.reached),
            silent=self.silent + later.silent,
            hooked=self.hooked + later.hooked,
        )


def switch_on(folder: Path, specification: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Prepare the witness for one run of a command; return the variables to add to the command's environment.

    Raises:
        FileExistsError: the folder was used before.
    """
    (folder / STREAM_NAME).mkdir(parents=True)
    fields = [part for pair in (("stream", str(folder / STREAM_NAME)), *specification) for part in pair]
    (folder / SPECIFICATION_NAME).write_bytes("\0".join(fields).encode("utf-8", "surrogateescape"))
    return {VARIABLE: str(folder / SPECIFICATION_NAME)}


def _add(opened: dict[str, str], path: str, how: str) -> None:
    """Add how a path was read; that by which more of it matters counts."""
    if path not in opened or MATTERS.get(how, 0) > MATTERS.get(opened[path], 0):
        opened[path] = how


def read(folder: Path) -> Witnessed:
    """Return the records of all processes in the order of their numbers; torn and foreign lines are left out."""
    processes, unregistered, silent, hooked = [], 0, 0, 0
    opened: dict[str, str] = {}
    ran: dict[Ran, None] = {}
    changes: dict[tuple[str, float], None] = {}
    found: dict[str, dict[tuple[str, str], None]] = {
        kind: {} for kind in ("import", "checkout", "run", "bound", "reached")
    }
    with suppress(OSError):
        for entry in sorted(os.scandir(folder / STREAM_NAME), key=lambda item: item.name):
            with open(entry.path, "rb") as stream:  # noqa: PTH123  (many small files)
                lines = stream.read(LIMIT).split(b"\n")
            kinds, is_hooked = set[str](), False
            for line in lines:
                is_path = line.startswith((b"opened\0", b"ran\0"))  # it is used as one, not only shown
                kind, *rest = line.decode("utf-8", "surrogateescape" if is_path else "backslashreplace").split("\0")
                if len(rest) == 3:  # noqa: PLR2004
                    kinds.add(kind)
                    if kind == "process":
                        processes.append((rest[0], rest[1]))
                    elif kind in found:
                        found[kind][rest[0], rest[1]] = None
                    elif kind == "opened":
                        _add(opened, rest[1].replace(NEWLINE, "\n"), rest[0])
                    elif kind == "ran":
                        argv = tuple(rest[1].replace(NEWLINE, "\n").split("\1"))
                        lacks, _, places = rest[2].partition("\1")
                        ran[Ran(cwd=rest[0], argv=argv, lacks=bool(lacks), path=places)] = None
                    is_hooked |= (kind, rest[0]) == ("noted", "hook")
                    if kind == "import" and rest[2].isdecimal():
                        changes[rest[1], int(rest[2]) / 1e3] = None
            unregistered += "session" in kinds and "probe" not in kinds
            silent += "process" in kinds and "noted" not in kinds
            hooked += "noted" in kinds and is_hooked
    return Witnessed(
        processes=tuple(processes),
        imports=tuple(found["import"]),
        changes=tuple(changes),
        checkout=tuple(found["checkout"]),
        runs=tuple(file for _, file in found["run"]),
        unregistered=unregistered,
        opened=opened,
        ran=tuple(ran),
        bound=tuple(found["bound"]),
        reached=tuple(found["reached"]),
        silent=silent,
        hooked=hooked,
    )
