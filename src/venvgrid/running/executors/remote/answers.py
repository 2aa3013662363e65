"""Reads what machines answer: the result of a task, its events, and its files."""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.running.executors.remote import jobs
from venvgrid.running.tasks import TestDone, WheelDone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.model import Event
    from venvgrid.running.executors.remote.parcel import Parcel
    from venvgrid.running.executors.remote.transfer import Transfer
    from venvgrid.running.tasks import Task, TaskResult

UNREADABLE = (OSError, ValueError, KeyError, TypeError, zlib.error)


class Answers:
    """Reads the answers of the machines of a run."""

    def __init__(self, parcel: Parcel, transfer: Transfer) -> None:
        """Begin with what the jobs of the run share."""
        self._parcel, self._transfer = parcel, transfer

    def fetch(self, address: str, answer: jobs.Answer) -> str:
        """Fetch the files of an answer into the folder of the run; return the text of its result.

        Raises:
            OSError: the machine does not answer, or what it sends is something else.
        """
        for file in answer.files:
            if file.blob is not None:
                self._parcel.write(file.name, self._transfer.fetch(address, file.blob))
        if answer.long_result is None:
            return answer.result
        return self._transfer.fetch(address, answer.long_result).decode("utf-8")

    def read(
        self, answer: jobs.Answer, task: Task, text: str
    ) -> tuple[TaskResult, Mapping[str, bytes], tuple[Event, ...]]:
        """Return the result in an answer, the contents of its files by their names, and its events.

        Raises:
            OSError, ValueError, KeyError, TypeError, zlib.error: it is none of this task.
        """
        result = jobs.parse_result(text, self._parcel.places)
        if not jobs.is_result_of(task, result):
            raise ValueError(f"{type(result).__name__} is no result of {task.key}")
        packed = {file.name: file.packed for file in answer.files if file.blob is None}
        for name in packed:
            self._parcel.place(name)
        events = tuple(jobs.parse_event(event, self._parcel.places) for event in answer.events)
        return result, {name: zlib.decompress(base64.b64decode(data)) for name, data in packed.items()}, events

    def signed(self, result: TaskResult, machine: str, spent: Mapping[str, float]) -> TaskResult:
        """Return a result with its machine and the seconds that were `spent` on the way; files are those of here."""
        if isinstance(result, TestDone):
            durations = {**result.result.durations, **spent}
            return replace(result, result=replace(result.result, machine=machine, durations=durations))
        if isinstance(result, WheelDone):
            built = self._parcel.place(f"wheels/{result.wheel.path.name}")
            return replace(result, wheel=replace(result.wheel, path=built))
        return result
