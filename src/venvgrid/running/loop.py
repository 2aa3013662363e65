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

    def start(self) -> Iterable[tuple[list[Event], list[Task]]]:
        """Yield the first events and tasks; those of the first part start before the next part is asked for."""

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
        for followed in scheduler.start():
            yield from loop.follow(*followed)
            if not scheduler.is_stopping:
                loop.launch()
        while loop.running or (loop.has_ready and not scheduler.is_stopping):
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
        if loop.running:
            executor.cancel(urgent=False)
        executor.close()


class _Loop:
    """The ready and the running tasks, and the inbox; used by the thread of `run` only, but for `stamped`."""

    def __init__(self, executor: Executor, clock: Callable[[], float]) -> None:
        self.inbox: queue.SimpleQueue[Event | Finished] = queue.SimpleQueue()
        self.cancelled = False
        self.running: dict[str, int] = {}  # by the task's key: the number of its worker
        self._ready: dict[Lane, list[tuple[float, int, Task]]] = {lane: [] for lane in Lane}  # a heap each
        self._resolving, self._working = Numbers(), Numbers()  # of those that resolve, and of those that build and test
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
            heapq.heappush(self._ready[task.lane], (task.order, next(self._sequence), task))
        return map(self.stamped, events)

    @property
    def has_ready(self) -> bool:
        """Whether a task waits for a slot."""
        return any(self._ready.values())

    def launch(self) -> None:
        """Start every ready task that has a free slot, in order."""
        for lane, waiting in self._ready.items():
            while waiting and self._is_free(lane):
                task = heapq.heappop(waiting)[-1]
                worker = self.running[task.key] = self._numbers(lane).take()
                self._executor.submit(task, self._delivery(worker))

    def ended(self, task: Task) -> None:
        """Free the slot of a task."""
        self._numbers(task.lane).give_back(self.running.pop(task.key))

    def _delivery(self, worker: int) -> Callable[[Event | Finished], None]:
        """Return what a task on a worker delivers to: it stamps events at once, in the thread that calls."""

        def deliver(message: Event | Finished) -> None:
            if isinstance(message, StageStarted):
                message = replace(message, worker=worker)
            self.inbox.put(message if isinstance(message, Finished) else self.stamped(message))

        return deliver

    def _is_free(self, lane: Lane) -> bool:
        slots: Slots = self._executor.slots
        return self._numbers(lane).taken < (slots.network if lane is Lane.RESOLVE else slots.cpu)

    def _numbers(self, lane: Lane) -> Numbers:
        return self._resolving if lane is Lane.RESOLVE else self._working


class Numbers:
    """Numbers of workers, from 1: the lowest free one is taken first."""

    def __init__(self) -> None:
        """Begin with all free."""
        self.taken = 0
        self._free: list[int] = []  # a heap of those that were taken before

    def take(self) -> int:
        """Return the lowest free number."""
        self.taken += 1
        return heapq.heappop(self._free) if self._free else self.taken

    def give_back(self, number: int) -> None:
        """Make a number free."""
        self.taken -= 1
        heapq.heappush(self._free, number)
