"""The tasks that machines have to do: whom to deliver to, what was delivered, and where their time went."""

from __future__ import annotations

import time
from dataclasses import field, replace
from typing import TYPE_CHECKING

from venvgrid.model import Message, StageFinished, StageStarted
from venvgrid.model.values import dataclass
from venvgrid.running.executors.base import Finished

if TYPE_CHECKING:
    from venvgrid.model import Event
    from venvgrid.running.executors.base import Deliver
    from venvgrid.running.tasks import Task, TaskResult

QUEUE, TRANSFER = "queue", "transfer"


@dataclass(slots=True)
class Entry:
    """A task that has no result yet. `told` are the events of its stages that were delivered."""

    task: Task
    deliver: Deliver
    since: float
    told: set[Event] = field(default_factory=set)
    spent: dict[str, float] = field(default_factory=dict)  # seconds: until it began, and of files on their way


class Ledger:
    """The tasks of a run by their keys; each ends once."""

    def __init__(self) -> None:
        """Begin with no task."""
        self._entries: dict[str, Entry] = {}

    def __contains__(self, key: str) -> bool:
        """Return whether a task has no result yet."""
        return key in self._entries

    def pending(self) -> tuple[str, ...]:
        """Return the keys of all tasks without a result."""
        return tuple(self._entries)

    def task(self, key: str) -> Task:
        """Return a task."""
        return self._entries[key].task

    def add(self, task: Task, deliver: Deliver) -> None:
        """Add a task."""
        self._entries[task.key] = Entry(task, deliver, time.monotonic())

    def sent(self, key: str) -> None:
        """Record that a task goes out, perhaps again: its events are told anew."""
        self._entries[key].told.clear()

    def transferred(self, key: str, began: float) -> None:
        """Record that its machine has all files now."""
        if entry := self._entries.get(key):
            entry.spent[TRANSFER] = entry.spent.get(TRANSFER, 0.0) + time.monotonic() - began

    def begun(self, key: str) -> None:
        """Record that a machine has begun with a task."""
        if entry := self._entries.get(key):
            waited = time.monotonic() - entry.since - entry.spent.get(TRANSFER, 0.0)
            entry.spent.setdefault(QUEUE, max(0.0, waited))

    def spent(self, key: str) -> dict[str, float]:
        """Return the seconds that a task has waited, and those of its files."""
        return self._entries[key].spent

    def event(self, key: str, event: Event, machine: str) -> None:
        """Deliver an event of a task, those of stages once."""
        entry = self._entries.get(key)
        if entry is None:
            return
        if isinstance(event, StageStarted | StageFinished):
            if event in entry.told:
                return
            entry.told.add(event)
        entry.deliver(replace(event, machine=machine) if isinstance(event, StageStarted) else event)

    def end(self, key: str, result: TaskResult | Exception) -> None:
        """Deliver the result of a task, if it has none yet."""
        if entry := self._entries.pop(key, None):
            entry.deliver(Finished(entry.task, result))

    def tell(self, text: str) -> bool:
        """Deliver a warning that belongs to no cell; return whether a task is there to carry it into the journal."""
        for entry in self._entries.values():
            entry.deliver(Message(level="warning", text=text))
            return True
        return False
