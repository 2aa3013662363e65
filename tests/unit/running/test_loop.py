"""The engine: order, slots, errors and stopping, with tasks that wait for each other instead of for the clock."""

from __future__ import annotations

import threading

import pytest

from venvgrid.model.events import Event, Message
from venvgrid.processes import parallel
from venvgrid.processes.command import Cancellation
from venvgrid.running import loop
from venvgrid.running.loop import Lane, Slots, Task

ONE = Slots(cpu=1, network=1)
LIMIT = 30.0  # seconds; only a deadlock waits so long


class Script:
    """A director that gives `tasks` first and what `follow` maps a finished task's key to afterwards."""

    def __init__(self, tasks: list[Task], follow: dict[str, list[Task]] | None = None) -> None:
        self.tasks, self.follow = tasks, follow or {}
        self.ended: list[tuple[str, object]] = []

    def start(self) -> tuple[list[Event], list[Task]]:
        return [Message(level="info", text="start")], self.tasks

    def done(self, task: Task, result: object) -> tuple[list[Event], list[Task]]:
        self.ended.append((task.key, result))
        return [Message(level="info", text=f"done {task.key}")], self.follow.get(task.key, [])

    def failed(self, task: Task, error: Exception) -> tuple[list[Event], list[Task]]:
        if isinstance(error, ValueError):
            self.ended.append((task.key, str(error)))
            return [], []
        raise error

    def finish(self) -> list[Event]:
        return [Message(level="info", text="finish")]


def texts(scheduler: Script, slots: Slots = ONE, cancellation: Cancellation | None = None) -> list[str]:
    events = loop.run(scheduler, slots, cancellation or Cancellation())
    return [event.text for event in events if isinstance(event, Message)]


def task(key: str, lane: Lane = Lane.TEST, order: float = 0.0, result: object = None) -> Task:
    return Task(key=key, lane=lane, order=order, work=lambda _post: result)


def test_a_run_gives_first_events_results_and_last_events() -> None:
    """Events come as start, each task's end, and the director's last word."""
    scheduler = Script([task("a", result=1)], {"a": [task("b", result=2)]})
    assert texts(scheduler) == ["start", "done a", "done b", "finish"]
    assert scheduler.ended == [("a", 1), ("b", 2)]


def test_a_ready_test_goes_before_a_waiting_build_and_long_ones_first() -> None:
    """With one slot the order is: tests before builds, inside a lane the smaller `order` first."""
    scheduler = Script(
        [task("build", Lane.BUILD, -9), task("short", order=-1), task("long", order=-5), task("build2", Lane.BUILD)],
    )
    texts(scheduler)
    assert [key for key, _ in scheduler.ended] == ["long", "short", "build", "build2"]


def test_resolves_have_slots_of_their_own() -> None:
    """A resolve runs while every CPU slot is taken: the test below ends only after the resolve began."""
    resolving = threading.Event()
    waits = Task(key="test", lane=Lane.TEST, work=lambda _post: resolving.wait(LIMIT))
    resolves = Task(key="resolve", lane=Lane.RESOLVE, work=lambda _post: resolving.set())
    scheduler = Script([waits, resolves])
    texts(scheduler)
    assert ("test", True) in scheduler.ended


def test_no_more_tasks_run_at_once_than_there_are_slots() -> None:
    """Five tasks on two slots: never more than two at once, and two really at once."""
    lock, running, peak = threading.Lock(), [0], [0]
    pair = threading.Barrier(2, timeout=LIMIT)

    def work(_post: object) -> None:
        with lock:
            running[0] += 1
            peak[0] = max(peak[0], running[0])
        pair.wait()
        with lock:
            running[0] -= 1

    scheduler = Script([Task(key=f"t{number}", lane=Lane.TEST, work=work) for number in range(4)])
    texts(scheduler, Slots(cpu=2, network=1))
    assert peak == [2]
    assert len(scheduler.ended) == 4


def test_a_task_posts_events_before_its_result() -> None:
    """What a worker posts comes before the end of its task."""

    def work(post: loop.Post) -> None:
        post(Message(level="info", text="from the worker"))

    assert texts(Script([Task(key="a", lane=Lane.TEST, work=work)])) == ["start", "from the worker", "done a", "finish"]


def test_an_error_of_one_task_stops_no_other() -> None:
    """An error that the director takes is the trouble of its task alone."""

    def fail(_post: object) -> None:
        message = "broken"
        raise ValueError(message)

    scheduler = Script([Task(key="bad", lane=Lane.TEST, order=-1, work=fail), task("good")])
    assert texts(scheduler)[-1] == "finish"
    assert scheduler.ended == [("bad", "broken"), ("good", None)]


def test_a_bug_stops_the_run_and_is_raised() -> None:
    """An error that the director raises again leaves `run`, after every worker has ended."""

    def fail(_post: object) -> None:
        message = "a bug"
        raise KeyError(message)

    cancellation = Cancellation()
    released = threading.Event()

    def wait(_post: object) -> None:
        while not cancellation.is_set():
            released.wait(0.01)

    scheduler = Script([Task(key="bug", lane=Lane.TEST, work=fail), Task(key="other", lane=Lane.TEST, work=wait)])
    with pytest.raises(KeyError):
        list(loop.run(scheduler, Slots(cpu=2, network=1), cancellation))
    assert cancellation.is_set()


def test_cancelling_starts_nothing_new_and_finishes() -> None:
    """After `set`, the running task ends, waiting ones never start, and the director's last events still come."""
    cancellation = Cancellation()
    first = Task(key="first", lane=Lane.TEST, order=-1, work=lambda _post: cancellation.set())
    scheduler = Script([first, task("never")])
    assert texts(scheduler, cancellation=cancellation) == ["start", "done first", "finish"]


def test_closing_the_iterator_stops_the_workers() -> None:
    """Whoever stops iterating stops the run: a worker that waits for the cancellation sees it."""
    cancellation = Cancellation()
    began = threading.Event()

    def wait(post: loop.Post) -> None:
        post(Message(level="info", text="began"))
        began.set()
        while not cancellation.is_set():
            began.wait(0.01)

    events = loop.run(Script([Task(key="a", lane=Lane.TEST, work=wait)]), Slots(cpu=1, network=1), cancellation)
    assert isinstance(next(events), Message)
    assert isinstance(next(events), Message)
    events.close()
    assert cancellation.is_set()


def test_map_parallel_keeps_the_order() -> None:
    """Results are in the order of the items, however the threads take turns."""
    assert parallel.map_parallel(lambda number: number * number, range(50)) == [number * number for number in range(50)]


def test_usable_cpus_is_at_least_one() -> None:
    """There is always a CPU to run on."""
    assert parallel.usable_cpus() >= 1
