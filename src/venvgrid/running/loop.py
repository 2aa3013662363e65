"""The only concurrency: one loop, a pool of threads, one queue.

A director (`director.py`) says which tasks there are and what follows from a result; it runs in the loop alone and owns
all state. Workers run tasks, values in and values out, and post events. Whoever iterates `run` is the user interface;
closing the iterator, or `Cancellation.set`, stops every worker.
"""

from __future__ import annotations

import heapq
import itertools
import queue
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from venvgrid.model.events import StageStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from venvgrid.model.events import Event
    from venvgrid.processes.command import Cancellation

    Post = Callable[[Event], None]


class Lane(IntEnum):
    """What a task waits for; of two ready tasks the one in the smaller lane goes first: tests before builds."""

    TEST = 0  # CPU
    BUILD = 1  # disk and CPU
    RESOLVE = 2  # network


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece of work. `order` decides inside a lane, smaller first; `work` gets a function that posts events."""

    key: str
    lane: Lane
    work: Callable[[Post], object]
    order: float = 0.0


class SchedulerProtocol(Protocol):
    """Owns the state of a run; called by the loop only."""

    def start(self) -> tuple[list[Event], list[Task]]:
        """Give the first events and tasks."""

    def done(self, task: Task, result: object) -> tuple[list[Event], list[Task]]:
        """Take the result of a task; give what follows from it."""

    def failed(self, task: Task, error: Exception) -> tuple[list[Event], list[Task]]:
        """Take the exception that a task ended with; give what follows, or raise it again."""

    def finish(self) -> list[Event]:
        """Give the last events, after the last task or after the run was stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """How many tasks may run at once: `cpu` builds and tests together, `network` resolves besides."""

    cpu: int
    network: int


def slots(workers: int) -> Slots:
    """Give the slots for `-j WORKERS`. A resolve mostly waits for the network."""
    return Slots(cpu=workers, network=max(4, workers))


def run(scheduler: SchedulerProtocol, limits: Slots, cancellation: Cancellation) -> Generator[Event]:
    """Run all tasks of a director and give the events in the order in which they happened.

    Raises:
        Exception: what the director raises for a task's error: a bug in venvgrid. All workers are stopped first.
    """
    loop = _Loop(limits=limits)
    try:
        events, tasks = scheduler.start()
        yield from events
        loop.enqueue(tasks)
        while loop.running or (loop.ready and not cancellation.is_set()):
            if not cancellation.is_set():
                loop.launch()
            message = loop.inbox.get()
            if isinstance(message, _Ended):
                del loop.running[message.task.key]
                events, tasks = _follow(scheduler, message)
                loop.enqueue(tasks)
                yield from events
            else:
                yield message
        yield from scheduler.finish()
    finally:
        if loop.running:
            cancellation.set()
        loop.pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Ended:
    """A worker's last word on a task: its result, or the exception that it ended with."""

    task: Task
    result: object
    error: Exception | None = None


class _Loop:
    """What is ready, what runs, and the queue that workers post into; used by the thread of `run` only."""

    def __init__(self, *, limits: Slots) -> None:
        self.limits = limits
        self.inbox: queue.SimpleQueue[Event | _Ended] = queue.SimpleQueue()
        self.pool = ThreadPoolExecutor(max_workers=limits.cpu + limits.network, thread_name_prefix="venvgrid")
        self.ready: list[tuple[Lane, float, int, Task]] = []
        self.running: dict[str, tuple[Lane, int]] = {}  # by the task's key, with the number of its worker
        self._sequence = itertools.count()

    def enqueue(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            heapq.heappush(self.ready, (task.lane, task.order, next(self._sequence), task))

    def launch(self) -> None:
        """Start every ready task that has a free slot, in order."""
        held = []
        while self.ready:
            item = heapq.heappop(self.ready)
            task = item[3]
            if self._is_free(task.lane):
                worker = self._free_worker(task.lane)
                self.running[task.key] = (task.lane, worker)
                self.pool.submit(self._work, task, worker)
            else:
                held.append(item)
        for item in held:
            heapq.heappush(self.ready, item)

    def _is_free(self, lane: Lane) -> bool:
        resolving = sum(other is Lane.RESOLVE for other, _ in self.running.values())
        if lane is Lane.RESOLVE:
            return resolving < self.limits.network
        return len(self.running) - resolving < self.limits.cpu

    def _free_worker(self, lane: Lane) -> int:
        """Give the lowest number that no task has; those that resolve and the others are counted apart."""
        taken = {number for other, number in self.running.values() if (other is Lane.RESOLVE) is (lane is Lane.RESOLVE)}
        return next(number for number in itertools.count(1) if number not in taken)

    def _work(self, task: Task, worker: int) -> None:
        def post(event: Event) -> None:
            self.inbox.put(replace(event, worker=worker) if isinstance(event, StageStarted) else event)

        try:
            self.inbox.put(_Ended(task, task.work(post)))
        except Exception as error:  # noqa: BLE001  (handed to the director, which raises what is a bug)
            self.inbox.put(_Ended(task, None, error))


def _follow(scheduler: SchedulerProtocol, ended: _Ended) -> tuple[list[Event], list[Task]]:
    return (
        scheduler.done(ended.task, ended.result) if ended.error is None else scheduler.failed(ended.task, ended.error)
    )
