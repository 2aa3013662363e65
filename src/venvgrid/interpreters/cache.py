"""The interpreter cache: what earlier runs learned about interpreters, so that none is started twice.

An answer holds for a path as long as the file behind it keeps its real path, size and mtime. The cache is emptied when
the machine's kernel changes (it is part of the environment markers) and when the query script changes. A failure is
forgotten after ten minutes. The answer of a script is not cached, because it depends on what the script starts: the
answer of a pyenv shim changes with `pyenv global`.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from venvgrid.interpreters.identity import identity
from venvgrid.interpreters.query import QueryResult
from venvgrid.model.serialization import from_plain, to_plain
from venvgrid.processes.guests import QUERY
from venvgrid.storage import digests, json_cache

FORMAT = "venvgrid-pythons-1"
FILE = "interpreters.json"
FAILURE_LASTS = 600.0  # seconds


class InterpreterCache:
    """Answers by path, in a file of a folder. Without a folder nothing is remembered."""

    def __init__(self, folder: Path | None, *, now: float) -> None:
        """Read the file; a damaged one, or one of another format, counts as empty. `now` is the time in seconds."""
        self._file = folder / FILE if folder else None
        self._now = now
        self._header = {"format": FORMAT, "host": _host(), "question": digests.of_text(QUERY.read_bytes(), 16)}
        self._entries = self._read()
        self._new: dict[str, Any] = {}

    def find(self, path: Path) -> QueryResult | None:
        """Return the answer that still holds for `path`, or None if there is none."""
        entry = self._entries.get(str(path))
        if not isinstance(entry, Mapping):
            return None
        try:
            answer: QueryResult = from_plain(QueryResult, entry["answer"])
        except (TypeError, ValueError, KeyError, AttributeError):
            return None
        if answer.interpreter is None and not 0 <= self._now - answer.asked < FAILURE_LASTS:
            return None
        return answer if entry.get("stamp") == _stamp(path, answer) else None

    def add(self, path: Path, answer: QueryResult) -> None:
        """Note an answer for `save`, unless it does not last."""
        if answer.lasting and (stamp := _stamp(path, answer)):
            self._new[str(path)] = {"stamp": stamp, "answer": to_plain(answer)}

    def save(self) -> None:
        """Add the new answers to those that other processes saved. A folder that takes no file is no error."""
        if self._file is not None and self._new:
            known = {path: entry for path, entry in self._read().items() if Path(path).exists()}
            json_cache.save(self._file, {"answers": {**known, **self._new}}, **self._header)

    def _read(self) -> dict[str, Any]:
        answers = json_cache.read(self._file, **self._header).get("answers") if self._file else None
        return answers if isinstance(answers, dict) else {}


def _stamp(path: Path, answer: QueryResult) -> list[str | int] | None:
    """Return what must not change for the answer to hold: the identity of a launcher and of the Python it starts."""
    executable = answer.interpreter.executable if answer.interpreter else str(path)
    return identity(*dict.fromkeys([str(path), executable]))


def _host() -> str:
    return f"{platform.system()} {platform.release()} {platform.version()} {platform.machine()}"
