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
    from collections.abc import Callable, Generator, Iterable, Iterator

    from venvgrid.model import Event
    from venvgrid.running.executors.base import Executor, Slots
    from venvgrid.running.tasks import Task, TaskResult


AHEAD = 4  # tasks for each slot: with fewer that wait, the scheduler is asked for more


class Decisions(Protocol):
    """What the loop asks of a scheduler."""

    @property
    def is_stopping(self) -> bool:
        """Whether no further task may start."""

    def start(self) -> Iterable[tuple[list[Event], list[Task]]]:
        """Yield events and tasks that follow from no result; those of a part start before the next one is asked for.

        After an empty part, the next one is asked for when few tasks are left.
        """

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
    parts = loop.parts(scheduler)
    try:
        yield from next(parts)
        while loop.running or (loop.has_more and not scheduler.is_stopping):
            if not scheduler.is_stopping:
                yield from next(parts) if loop.has_room() else ()
                loop.launch()
            elif not loop.cancelled:
                loop.cancelled = True
                executor.cancel(urgent=False)
            if not loop.running:
                continue  # nothing of the last cells has to be done
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
        self._ended = 0  # tasks, since `has_room` was asked
        self._is_fed = True  # whether the scheduler has more parts

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

    def parts(self, scheduler: Decisions) -> Iterator[Iterable[Event]]:
        """Start the first tasks of a scheduler; yield the events up to an empty part, and so on."""
        following = iter(scheduler.start())
        while self._is_fed:
            yield self._part(scheduler, following)

    def _part(self, scheduler: Decisions, following: Iterator[tuple[list[Event], list[Task]]]) -> Iterator[Event]:
        for events, tasks in following:
            yield from self.follow(events, tasks)
            if not scheduler.is_stopping:
                self.launch()
            if not (events or tasks):
                return
        self._is_fed = False

    @property
    def has_more(self) -> bool:
        """Whether a task waits for a slot, or the scheduler has more of them."""
        return self._is_fed or any(self._ready.values())

    def has_room(self) -> bool:
        """Whether to ask for more tasks, so that no slot will be without one; once for each task that has ended.

        If what came last waits for a task that runs, so will what comes next.
        """
        ended, self._ended = self._ended, 0
        if not self._is_fed or (self.running and not ended):
            return False
        slots = self._executor.slots
        return sum(map(len, self._ready.values())) < AHEAD * (slots.cpu + slots.network)

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
        self._ended += 1

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
