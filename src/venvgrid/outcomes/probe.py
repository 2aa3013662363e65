"""The host side of the probe: activates it, and reads its stream while the tests run.

The guest side is `processes/guest/_venvgrid_probe`, a pytest plugin for any Python. `switch_on` writes its
specification and returns the variables that load it. Each process with the probe writes JSON lines to a file of its
own in one folder; `Stream` reads these files as they grow.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from venvgrid.model.config import EMPTY
from venvgrid.outcomes import parsing
from venvgrid.processes.guests import PROBE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from venvgrid.outcomes.records import Record

PLUGIN = f"{PROBE_FOLDER.name}.plugin"
VARIABLE = "VENVGRID_PROBE"
STREAM_NAME = "stream"
SPECIFICATION_NAME = "probe.json"
STACKS = "stacks"
REACHED = "reached"
STACKS_LIMIT = 20_000  # characters
MAX_LEAD = 1.0  # seconds before the time limit

CHUNK = 1 << 18  # bytes
LINE_LIMIT = 1 << 20  # bytes; longer lines are not the probe's


def switch_on(  # noqa: PLR0913  (each is a part of the specification)
    folder: Path,
    *,
    prefix: str,
    distributions: tuple[str, ...] = (),
    modules: Mapping[str, tuple[str, ...]] | None = None,
    project: tuple[str, tuple[str, ...]] | None = None,
    options: str = "",
    user_env: Mapping[str, str] = EMPTY,
    limit: float | None = None,
    only: tuple[str, ...] = (),
    reach: Mapping[str, tuple[str, ...]] | None = None,
    first: tuple[str, ...] = (),
    more: Mapping[str, Any] = EMPTY,
) -> dict[str, str]:
    """Prepare the probe for one run of a command; return the variables to add to the command's environment.

    Args:
        folder: for this run alone; the probe's stream is `folder / STREAM_NAME`.
        prefix: of the environment.
        distributions: those to attest.
        modules: the importable names of distributions, where they are known.
        project: the name of the project under test, and its importable names.
        options: further options for pytest, quoted as for a shell; nested pytest runs do not get them.
        user_env: the other variables of the command; its PYTEST_ADDOPTS and PYTHONPATH stay in force.
        only: the ids of the tests to run; () for all.
        reach: prefixes of the files that the map of the session has (see the guest's `reached`); nothing for no map.
        first: the ids of the tests to run before all others, in this order.
        more: further parts of the specification: "variables" are compared with those of the process when it starts;
            "only_first" leaves the others out if one of `first` is there;
            "preview" ends the session if it cannot be one; "imported" is a new file for the names of modules.
        limit: time limit of the command in seconds from now; shortly before it all stacks are dumped (see `stacks`).

    Raises:
        FileExistsError: the folder was used before.
    """
    (folder / STREAM_NAME).mkdir(parents=True)
    path = folder / "path"
    (path / PROBE_FOLDER.name).mkdir(parents=True)
    for file in PROBE_FOLDER.glob("*.py"):
        if file.name != "__init__.py":  # so the package of the environment goes first, see its docstring
            shutil.copyfile(file, path / PROBE_FOLDER.name / file.name)
    name, names = project or ("", ())
    specification = {
        "stream": str(folder / STREAM_NAME),
        "path": str(path),
        "prefix": prefix,
        "distributions": list(distributions),
        "modules": {key: list(value) for key, value in (modules or {}).items()},
        "project": {"name": name, "modules": list(names)},
        "options": options,
        **({"only": list(only)} if only else {}),
        **({"reach": {"folder": str(folder / REACHED), **reach}} if reach else {}),
        **({"first": list(first)} if first else {}),
        **more,
        "stacks": str(folder / STACKS),
        "stacks_at": time.time() + limit - min(MAX_LEAD, limit / 10) if limit else 0,
    }
    for name in (STACKS, REACHED):
        (folder / name).mkdir()
    (folder / SPECIFICATION_NAME).write_text(json.dumps(specification), encoding="utf-8")
    return _variables(folder / SPECIFICATION_NAME, path, options, user_env)


def _variables(specification: Path, path: Path, options: str, user_env: Mapping[str, str]) -> dict[str, str]:
    variables = {VARIABLE: str(specification)}
    variables["PYTEST_ADDOPTS"] = " ".join(filter(None, (f"-p {PLUGIN}", options, user_env.get("PYTEST_ADDOPTS", ""))))
    if os.pathsep not in str(path):  # else no entry can hold it; only runs on other interpreters need it
        entries = [str(path), *filter(None, user_env.get("PYTHONPATH", "").split(os.pathsep))]
        variables["PYTHONPATH"] = os.pathsep.join(entries)
    return variables


def stacks(folder: Path) -> str:
    """Return the stacks of all threads of each process shortly before the time limit, or "" if there are none."""
    found = []
    with suppress(OSError):
        for file in sorted((folder / STACKS).iterdir()):
            text = file.read_text(encoding="utf-8", errors="replace")[:STACKS_LIMIT].strip()
            found += [f"process {file.stem}\n{text}"] if text else []
    return "\n\n".join(found)[:STACKS_LIMIT]


class Stream:
    """Reads the records of the probe's processes while they write; ignores torn and foreign lines."""

    def __init__(self, folder: Path) -> None:
        """Prepare to read from `folder`, which need not exist yet."""
        self.ignored = 0  # lines
        self._folder = folder
        self._files: dict[str, _File] = {}

    def read_new(self) -> list[Record]:
        """Return the records since the last call, those of one process in order."""
        try:
            names = sorted(entry.name for entry in os.scandir(self._folder) if entry.name.endswith(".jsonl"))
        except FileNotFoundError:
            return []
        found: list[Record] = []
        for name in names:
            file = self._files.setdefault(name, _File(self._folder / name))
            for line in file.new_lines():
                record = parsing.parse(line, name.removesuffix(".jsonl"))
                if record is None:
                    self.ignored += 1
                else:
                    found.append(record)
        return found


class _File:
    """Reads lines from a growing file. Holds at most one line between calls."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._offset = 0
        self._partial = b""  # the line that is not complete yet
        self._is_too_long = False

    def new_lines(self) -> list[bytes]:
        try:
            size = os.stat(self._path).st_size  # noqa: PTH116  (often); the next call reads what is written from now on
            if size <= self._offset:
                return []
            with open(self._path, "rb") as file:  # noqa: PTH123  (often)
                file.seek(self._offset)
                lines: list[bytes] = []
                while self._offset < size and (chunk := file.read(min(CHUNK, size - self._offset))):
                    self._offset += len(chunk)
                    lines += self._split(chunk)
                return lines
        except OSError:
            return []

    def _split(self, chunk: bytes) -> list[bytes]:
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        if lines and self._is_too_long:
            lines[0] = b"\0"  # the rest of it: no record
            self._is_too_long = False
        if len(self._partial) > LINE_LIMIT:
            self._partial, self._is_too_long = b"", True
        return [line for line in lines if line]
