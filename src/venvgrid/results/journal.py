"""The journal of a run, `events.jsonl`: one line per event, written as it happens, read however it was left.

A kill or a power cut costs at most the events since the last cell that finished; a damaged line costs that line.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Self

from venvgrid.model import CellFinished, Event, Message, RunFinished, RunStarted, serialization
from venvgrid.storage.atomic import sync, trouble

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


MAX_LINE_BYTES = 256 * 1024 * 1024  # the first line holds the plan: 150 bytes a cell

_DURABLE = (RunStarted, CellFinished, RunFinished)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))
_KIND = re.compile(rb'\{"event":"(\w+)"')  # as `encode` begins a line


class Journal:
    """Appends events to a file. A context manager; call it with an event.

    Raises:
        InfrastructureError: the file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._torn = path.exists() and _ends_torn(path)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise trouble("cannot write the journal", path, error) from error

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def __call__(self, event: Event) -> None:
        """Write one line; when it returns, a kill does not lose it, and a power cut no result of a cell."""
        line = encode(event)
        if self._torn:
            line = b"\n" + line
        try:
            view = memoryview(line)
            while view:
                self._torn = True
                view = view[self._file.write(view) :]
            self._torn = False
            if isinstance(event, _DURABLE):
                sync(self._file.fileno())
        except OSError as error:
            raise trouble("cannot write the journal", self._path, error) from error

    def close(self) -> None:
        """Close the file; closing again does nothing."""
        self._file.close()


def encode(event: Event) -> bytes:
    """Return the line of an event."""
    plain = serialization.event_to_plain(event)
    try:
        text = _ENCODER.encode(plain)
    except ValueError:  # a number that JSON does not have, from a foreign report
        text = _ENCODER.encode(json.loads(json.dumps(plain), parse_constant=lambda _: 0.0))
    return text.encode("utf-8", "replace") + b"\n"  # a lone surrogate is no text that strict readers take


def _ends_torn(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def read(path: Path, *, only: Collection[type[Event]] = ()) -> Iterator[Event]:
    """Return the events of a journal, however it was left; `only` those of some kinds, which is much faster.

    A last line that was not written to its end and kinds of a later version are passed over. Damaged lines are, too,
    and a warning says how many: before the `RunFinished`, or last.

    Raises:
        InfrastructureError: the file cannot be read.
    """
    damaged, names = 0, {kind.__name__.encode() for kind in only}
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES):
                if names and (kind := _KIND.match(line)) and kind[1] not in names:
                    continue
                try:
                    event = serialization.event_from_plain(json.loads(line))
                except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                    damaged += bool(line.strip()) and line.endswith(b"\n")
                    continue
                if isinstance(event, RunFinished) and damaged:
                    yield _warning(damaged, path)
                    damaged = 0
                if event is not None:
                    yield event
    except OSError as error:
        raise trouble("cannot read the journal", path, error) from error
    if damaged:
        yield _warning(damaged, path)


def _warning(damaged: int, path: Path) -> Message:
    lines = "1 line is" if damaged == 1 else f"{damaged} lines are"
    return Message(level="warning", text=f"{lines} damaged in {path} and left out; to be sure, type: venvgrid run")
