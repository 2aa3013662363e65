"""The host side of the probe: activates it, and reads its stream while the tests run.

The guest side is `processes/guest/_venvgrid_probe`, a pytest plugin for any Python. `switch_on` writes its
specification and returns the variables that load it. Each process with the probe writes JSON lines to a file of its
own in one folder; `Stream` reads these files as they grow.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from venvgrid.model import CaseOutcome
from venvgrid.model.config import EMPTY
from venvgrid.outcomes import records, signatures
from venvgrid.outcomes.causes import pytest_errors
from venvgrid.processes.guests import PROBE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from venvgrid.outcomes.records import Record

PLUGIN = f"{PROBE_FOLDER.name}.plugin"
VARIABLE = "VENVGRID_PROBE"
STREAM_NAME = "stream"
SPECIFICATION_NAME = "probe.json"
STACKS = "stacks"
STACKS_LIMIT = 20_000  # characters
MAX_LEAD = 1.0  # seconds before the time limit

CHUNK = 1 << 18  # bytes
LINE_LIMIT = 1 << 20  # bytes; longer lines are not the probe's
ID_LIMIT = 1 << 14  # characters
TEXT_LIMIT = 25_000


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
        "stacks": str(folder / STACKS),
        "stacks_at": time.time() + limit - min(MAX_LEAD, limit / 10) if limit else 0,
    }
    (folder / STACKS).mkdir()
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
                record = parse(line, name.removesuffix(".jsonl"))
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


def parse(line: bytes, source: str) -> Record | None:
    """Parse a line into a record, or None if it is not one of the probe's."""
    try:
        data = json.loads(line)
        return _MAKERS[data["t"]](source, data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _session(source: str, data: dict[str, Any]) -> Record:
    texts = ("executable", "prefix", "version", "implementation", "pytest")
    return records.Session(
        source=source, worker=_text(data, "worker"), pid=int(data["pid"]), **{key: _text(data, key) for key in texts}
    )


def _collected(source: str, data: dict[str, Any]) -> Record:
    return records.Collected(source=source, ids=int(data["ids"]))


def _deselected(source: str, data: dict[str, Any]) -> Record:
    return records.Deselected(source=source, tests=int(data["tests"]), last_failed=data.get("lf") is True)


def _started(source: str, data: dict[str, Any]) -> Record:
    return records.Started(source=source, id=_id(data))


def _tried(source: str, data: dict[str, Any]) -> Record:
    return records.Tried(source=source, id=_id(data))


def _reported(source: str, data: dict[str, Any]) -> Record:
    verdict = CaseOutcome(data["verdict"])
    kind, message, where, longrepr = "", "", "", ""
    if verdict in {CaseOutcome.FAILED, CaseOutcome.ERROR}:
        longrepr = _text(data, "longrepr")
        default = "Failed" if verdict is CaseOutcome.FAILED else "Error"
        kind, message = signatures.kind_and_message(_text(data, "crash"), longrepr, default)
        if twice := pytest_errors.file_mismatch(longrepr):
            kind, message = default, twice
        where = _text(data, "where") or signatures.last_frame(longrepr)
    elif "crash" in data:  # of a skip: "Skipped: no display"
        message = signatures.kind_and_message(_text(data, "crash"))[1]
    duration = float(data.get("duration", 0.0))
    return records.Reported(
        source=source,
        id=_id(data),
        verdict=verdict,
        duration=duration if 0.0 <= duration < math.inf else 0.0,
        kind=kind,
        message=message,
        where=where,
        longrepr=longrepr,
        collecting=data["t"] == "collect",
        lost=data.get("lost") is True,
        ran=data.get("ran") is not False,
        reruns=int(data.get("reruns", 0)),
    )


def _stopped(source: str, data: dict[str, Any]) -> Record:
    kind, message = signatures.kind_and_message(_text(data, "crash"), _text(data, "longrepr"), "")
    return records.Stopped(source=source, why=_text(data, "why"), kind=kind, message=message)


def _attested(source: str, data: dict[str, Any]) -> Record:
    project = data.get("project") or {}
    return records.Attested(
        source=source,
        worker=_text(data, "worker"),
        packages={_clean(key): _text(data["packages"], key) for key in data.get("packages", {})},
        origins={_clean(key): _text(data["origins"], key) for key in data.get("origins", {})},
        imported=tuple(_clean(name) for name in data.get("imported", ())),
        project_version=_text(project, "version"),
        project_origin=_text(project, "origin"),
        project_imported=project.get("imported") is True,
        seed=_text(data, "seed"),
        error=_text(data, "error"),
    )


def _finished(source: str, data: dict[str, Any]) -> Record:
    status = data["exitstatus"]
    return records.Finished(
        source=source, exitstatus=None if status is None else int(status), worker=_text(data, "worker")
    )


_MAKERS: Mapping[str, Callable[[str, dict[str, Any]], Record]] = {
    "session": _session,
    "collected": _collected,
    "deselected": _deselected,
    "start": _started,
    "tried": _tried,
    "test": _reported,
    "collect": _reported,
    "stop": _stopped,
    "attest": _attested,
    "finish": _finished,
}


def _id(data: Mapping[str, Any]) -> str:
    name = data["id"]
    if not isinstance(name, str) or len(name) > ID_LIMIT:
        raise TypeError
    return signatures.stable_id(_clean(name))


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError
    return _clean(value[:TEXT_LIMIT])


def _clean(text: str) -> str:
    """Escape lone surrogates, which stand for bytes that are no UTF-8: no report can encode them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
