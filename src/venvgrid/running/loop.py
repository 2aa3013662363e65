"""The loop of a run: it starts ready tasks, collects what the executor delivers, and yields events in their order.

    ready ──launch──▶ running ──Finished──▶ scheduler.done ──▶ more events and ready tasks
      ▲                  │                        │
      └──────────────────┼────────────────────────┘
                         └── events of the task (stamped when they arrive)

The scheduler decides which tasks follow from a result; it runs in the loop's thread alone and owns the state. The
executor does the tasks. The iterator ends when nothing runs and nothing is ready, or when a stopped run has come to
rest. Closing the iterator stops all tasks.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import time
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from venvgrid.model import RunFinished, RunStarted, StageStarted
from venvgrid.running.executors.base import Finished
from venvgrid.running.tasks import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from venvgrid.model import Event
    from venvgrid.running.executors.base import Executor, Slots
    from venvgrid.running.tasks import Task, TaskResult


class Decisions(Protocol):
    """What the loop asks of a scheduler."""

    @property
    def is_stopping(self) -> bool:
        """Whether no further task may start."""

    def start(self) -> tuple[list[Event], list[Task]]:
        """Return the first events and tasks."""

    def done(self, task: Task, result: TaskResult) -> tuple[list[Event], list[Task]]:
        """Return what follows from the result of a task."""

    def finish(self) -> list[Event]:
        """Return the last events, after the last task or after the run was stopped."""


def run(scheduler: Decisions, executor: Executor, *, clock: Callable[[], float] = time.monotonic) -> Generator[Event]:
    """Run all tasks of a scheduler; yield the events in the order in which they happened.

    `clock` gives seconds; events are stamped with those since the call.

    Raises:
        Exception: a task ended with it: a bug in venvgrid. All tasks are stopped first.
    """
    loop = _Loop(executor, clock)
    try:
        yield from loop.follow(*scheduler.start())
        while loop.is_busy or (loop.is_waiting and not scheduler.is_stopping):
            if not scheduler.is_stopping:
                loop.launch()
            elif not loop.cancelled:
                loop.cancelled = True
                executor.cancel(urgent=False)
            message = loop.inbox.get()
            if isinstance(message, Finished):
                loop.ended(message.task)
                if isinstance(message.result, Exception):
                    raise message.result
                yield from loop.follow(*scheduler.done(message.task, message.result))
            else:
                yield message
        yield from map(loop.stamped, scheduler.finish())
    finally:
        if loop.is_busy:
            executor.cancel(urgent=False)
        executor.close()


class _Room(Enum):
    """What a task takes a slot of."""

    CPU = "cpu"
    NETWORK = "network"


class _Loop:
    """The ready and the running tasks, and the inbox; used by the thread of `run` only, but for `stamped`."""

    def __init__(self, executor: Executor, clock: Callable[[], float]) -> None:
        self.inbox: queue.SimpleQueue[Event | Finished] = queue.SimpleQueue()
        self._ready: dict[_Room, list[tuple[Lane, float, int, Task]]] = {room: [] for room in _Room}
        self.cancelled = False
        self._running: dict[_Room, dict[str, int]] = {room: {} for room in _Room}  # task → number of its worker
        self._executor, self._clock, self._began = executor, clock, clock()
        self._sequence = itertools.count()

    def stamped(self, event: Event) -> Event:
        """Return the event with the seconds since the run began."""
        if isinstance(event, RunStarted):
            return event
        at = self._clock() - self._began
        return replace(event, at=at, duration=at) if isinstance(event, RunFinished) else replace(event, at=at)

    def follow(self, events: Iterable[Event], tasks: Iterable[Task]) -> Iterable[Event]:
        """Queue tasks; return the events, stamped."""
        for task in tasks:
            heapq.heappush(self._ready[_room(task)], (task.lane, task.order, next(self._sequence), task))
        return map(self.stamped, events)

    @property
    def is_busy(self) -> bool:
        """Whether a task runs."""
        return any(self._running.values())

    @property
    def is_waiting(self) -> bool:
        """Whether a task is ready and does not run."""
        return any(self._ready.values())

    def ended(self, task: Task) -> None:
        """Free the slot of a task."""
        del self._running[_room(task)][task.key]

    def launch(self) -> None:
        """Start every ready task that has a free slot, in order. What waits costs nothing: there may be many."""
        for room, ready in self._ready.items():
            while ready and self._is_free(room):
                task = heapq.heappop(ready)[3]
                worker = self._free_worker(room)
                self._running[room][task.key] = worker
                self._executor.submit(task, self._delivery(worker))

    def _delivery(self, worker: int) -> Callable[[Event | Finished], None]:
        """Return what a task on a worker delivers to: it stamps events at once, in the thread that calls."""

        def deliver(message: Event | Finished) -> None:
            if isinstance(message, StageStarted):
                message = replace(message, worker=worker)
            self.inbox.put(message if isinstance(message, Finished) else self.stamped(message))

        return deliver

    def _is_free(self, room: _Room) -> bool:
        slots: Slots = self._executor.slots
        return len(self._running[room]) < (slots.cpu if room is _Room.CPU else slots.network)

    def _free_worker(self, room: _Room) -> int:
        """Return the lowest free number, from 1; resolves are counted apart from the other tasks."""
        taken = {*self._running[room].values()}
        return next(number for number in itertools.count(1) if number not in taken)


def _room(task: Task) -> _Room:
    return _Room.NETWORK if task.lane is Lane.RESOLVE else _Room.CPU
