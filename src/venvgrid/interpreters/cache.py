"""What earlier runs learned about interpreters, so that none is started twice.

An answer holds for a path as long as the file behind it keeps its real path, size and mtime. All is forgotten when the
machine's kernel changes (it is part of the environment markers) and when the question changes. A failure is forgotten
after ten minutes, and what a script answered is not kept at all, because it depends on what the script starts: the
answer of a pyenv shim changes with `pyenv global`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from venvgrid.interpreters.query import SCRIPT, QueryResult
from venvgrid.model.serialization import from_plain, to_plain
from venvgrid.storage.atomic import read_sealed, write_sealed

FORMAT = "venvgrid-pythons-1"
FILE = "interpreters.json"
FAILURE_LASTS = 600.0  # seconds


class InterpreterCache:
    """Answers by path, read from and written to a folder; without a folder it forgets at once."""

    def __init__(self, folder: Path | None, *, now: float) -> None:
        """Read what is there; a file that is damaged or of another format is as none. `now` is the time, in seconds."""
        self._file = folder / FILE if folder else None
        self._now = now
        self._header = {"format": FORMAT, "host": _host(), "question": _digest(SCRIPT)}
        self._entries: dict[str, Any] = self._read()
        self._new: dict[str, Any] = {}

    def recall(self, path: Path) -> QueryResult | None:
        """Give the answer that still holds for `path`."""
        entry = self._entries.get(str(path))
        if not isinstance(entry, Mapping):
            return None
        try:
            answer: QueryResult = from_plain(QueryResult, entry["answer"])
        except (TypeError, ValueError, KeyError, AttributeError):
            return None
        if answer.interpreter is None and not 0 <= self._now - answer.asked < FAILURE_LASTS:
            return None
        return answer if entry.get("stamp") == _stamps(path, answer) else None

    def keep(self, path: Path, answer: QueryResult) -> None:
        """Note an answer, to be saved by `save`, if it is one that lasts."""
        if answer.lasting and (stamp := _stamps(path, answer)):
            self._new[str(path)] = {"stamp": stamp, "answer": to_plain(answer)}

    def save(self) -> None:
        """Write what is new beside what other processes wrote meanwhile. A folder that takes no file is no error."""
        if self._file is None or not self._new:
            return
        known = {path: entry for path, entry in self._read().items() if Path(path).exists()}
        text = json.dumps({**self._header, "answers": {**known, **self._new}}, indent=1, sort_keys=True)
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_sealed(self._file, text)

    def _read(self) -> dict[str, Any]:
        if self._file is None:
            return {}
        try:
            data = json.loads(read_sealed(self._file))
        except (OSError, ValueError):
            return {}
        if not isinstance(data, dict) or any(data.get(key) != value for key, value in self._header.items()):
            return {}
        answers = data.get("answers")
        return answers if isinstance(answers, dict) else {}


def _stamps(path: Path, answer: QueryResult) -> list[str | int] | None:
    """Give what must not change for the answer to hold; a launcher and the Python that it starts both count."""
    files = [path]
    if answer.interpreter and answer.interpreter.executable != str(path):
        files.append(Path(answer.interpreter.executable))
    stamps: list[str | int] = []
    for file in files:
        real = os.path.realpath(file)
        try:
            status = os.stat(real)  # noqa: PTH116  beside realpath
        except OSError:
            return None
        stamps += [real, status.st_size, status.st_mtime_ns]
    return stamps


def _host() -> str:
    return f"{platform.system()} {platform.release()} {platform.version()} {platform.machine()}"


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
