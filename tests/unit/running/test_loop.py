"""The loop: order, slots, stamps, errors and stopping, with tasks that wait for each other instead of for the clock."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

import pytest

from venvgrid import testing
from venvgrid.model import Cell, Event, Message, RunFinished, Stage, StageStarted
from venvgrid.processes import parallel
from venvgrid.processes.command import Cancellation
from venvgrid.running import loop
from venvgrid.running.executors.base import Deliver, Executor, Finished, Post, Slots
from venvgrid.running.executors.threads import ThreadExecutor
from venvgrid.running.tasks import BuildTask, CompileDone, DownloadTask, Task, TaskFailed, TaskResult, TestTask

if TYPE_CHECKING:
    from collections.abc import Callable

ONE = Slots(cpu=1, network=1)
LIMIT = 30.0  # seconds; only a deadlock waits so long
DONE = CompileDone(files=0)
WORKER = testing.FakeWorker()
PYTHON = testing.interpreter()


def cell(name: str) -> Cell:
    return Cell(id=name, axes={"python": "3.12", "name": name})


def build(name: str, order: float = 0.0) -> Task:
    return BuildTask(entry=WORKER.entry(cell(name), PYTHON), wheel=None, cells=(cell(name),), order=order)


def check(name: str, order: float = 0.0) -> Task:
    """Make a test task."""
    entry = WORKER.entry(cell(name), PYTHON)
    environment = testing.environment(entry)
    return TestTask(cell=cell(name), entry=entry, environment=environment, project=None, order=order)


def name_of(task: Task) -> str:
    match task:
        case TestTask():
            return task.cell.id
        case BuildTask():
            return task.cells[0].id
        case _:
            return task.key


class Script:
    """A scheduler that returns `tasks` first, and later what `follow` maps the name of a finished task to."""

    def __init__(self, tasks: list[Task], follow: dict[str, list[Task]] | None = None) -> None:
        self.tasks, self.follow = tasks, follow or {}
        self.ended: list[tuple[str, object]] = []
        self.is_stopping = False

    def start(self) -> list[tuple[list[Event], list[Task]]]:
        return [([Message(level="info", text="start")], self.tasks)]

    def done(self, task: Task, result: TaskResult) -> tuple[list[Event], list[Task]]:
        self.ended.append((name_of(task), result))
        return [Message(level="info", text=f"done {name_of(task)}")], self.follow.get(name_of(task), [])

    def finish(self) -> list[Event]:
        return [Message(level="info", text="finish")]


def in_threads(works: dict[str, Callable[[Post], None]], slots: Slots = ONE) -> ThreadExecutor:
    """Make an executor that calls the work of a task by its name."""

    def execute(task: Task, post: Post) -> TaskResult:
        if name_of(task) in works:
            works[name_of(task)](post)
        return DONE

    return ThreadExecutor(execute, slots, Cancellation())


def texts(scheduler: Script, executor: Executor | None = None) -> list[str]:
    found = loop.run(scheduler, executor or testing.FakeExecutor(execute=lambda _task, _post: DONE))
    return [event.text for event in found if isinstance(event, Message)]


def test_a_run_gives_first_events_results_and_last_events() -> None:
    """Events come as start, each task's end, and the scheduler's last word."""
    scheduler = Script([check("a")], {"a": [check("b")]})
    assert texts(scheduler) == ["start", "done a", "done b", "finish"]
    assert scheduler.ended == [("a", DONE), ("b", DONE)]


def test_events_are_stamped_by_the_loop() -> None:
    """Every event has the time at which it came; a started stage the number of its worker; the end its duration."""

    def execute(_task: Task, post: Post) -> TaskResult:
        post(StageStarted(cell="a", stage=Stage.TEST))
        return DONE

    class Ends(Script):
        def finish(self) -> list[Event]:
            return [RunFinished(exit_status=0)]

    clock = itertools.count(100.0, 1.0).__next__
    events = list(loop.run(Ends([check("a")]), testing.FakeExecutor(execute=execute), clock=clock))
    assert [event.at for event in events] == [1.0, 2.0, 3.0, 4.0]  # type: ignore[union-attr]  # none is RunStarted
    assert [event.worker for event in events if isinstance(event, StageStarted)] == [1]
    assert [event.duration for event in events if isinstance(event, RunFinished)] == [4.0]


def test_a_ready_test_goes_before_a_waiting_build_and_small_orders_first() -> None:
    """With one slot the order is: tests before builds, inside a lane the smaller `order` first."""
    scheduler = Script([build("build", -9), check("short", -1), check("long", -5), build("build2")])
    texts(scheduler)
    assert [name for name, _ in scheduler.ended] == ["long", "short", "build", "build2"]


def test_resolves_have_slots_of_their_own() -> None:
    """A download runs while every CPU slot is taken: the test below ends only after the download began."""
    downloading = threading.Event()
    waited: list[bool] = []
    download = DownloadTask(value="3.12", missing="")
    works: dict[str, Callable[[Post], None]] = {
        "test": lambda _post: waited.append(downloading.wait(LIMIT)),
        download.key: lambda _post: downloading.set(),
    }
    texts(Script([check("test"), download]), in_threads(works))
    assert waited == [True]


def test_no_more_tasks_run_at_once_than_there_are_slots() -> None:
    """Four tasks on two slots: never more than two at once, and two really at once."""
    lock, running, peak = threading.Lock(), [0], [0]
    pair = threading.Barrier(2, timeout=LIMIT)

    def work(_post: Post) -> None:
        with lock:
            running[0] += 1
            peak[0] = max(peak[0], running[0])
        pair.wait()
        with lock:
            running[0] -= 1

    names = [f"t{number}" for number in range(4)]
    scheduler = Script([check(name) for name in names])
    texts(scheduler, in_threads(dict.fromkeys(names, work), Slots(cpu=2, network=1)))
    assert peak == [2]
    assert len(scheduler.ended) == 4


def test_a_task_posts_events_before_its_result() -> None:
    """What a worker posts comes before the end of its task."""

    def work(post: Post) -> None:
        post(Message(level="info", text="from the worker"))

    assert texts(Script([check("a")]), in_threads({"a": work})) == ["start", "from the worker", "done a", "finish"]


def test_a_failed_task_stops_no_other() -> None:
    """A task that failed is a result like any other."""
    failed = TaskFailed(reason="broken", detail="broken")
    scheduler = Script([check("bad", -1), check("good")])
    executor = testing.FakeExecutor(execute=lambda task, _post: failed if name_of(task) == "bad" else DONE)
    assert texts(scheduler, executor)[-1] == "finish"
    assert scheduler.ended == [("bad", failed), ("good", DONE)]


def test_a_bug_stops_the_run_and_is_raised() -> None:
    """An exception in a task leaves `run`, after every other task was cancelled and has ended."""
    cancellation, released = Cancellation(), threading.Event()

    def execute(task: Task, _post: Post) -> TaskResult:
        if name_of(task) == "bug":
            message = "a bug"
            raise KeyError(message)
        while not cancellation.is_set():
            released.wait(0.01)
        return DONE

    executor = ThreadExecutor(execute, Slots(cpu=2, network=1), cancellation)
    with pytest.raises(KeyError):
        list(loop.run(Script([check("bug"), check("other")]), executor))
    assert cancellation.is_set()


def test_a_stopping_scheduler_starts_nothing_new_and_finishes() -> None:
    """The running task ends, waiting ones never start, the executor is told, and the last events still come."""

    class Stops(Script):
        def done(self, task: Task, result: TaskResult) -> tuple[list[Event], list[Task]]:
            self.is_stopping = True
            return super().done(task, result)

    scheduler = Stops([check("first", -1), check("never")])
    assert texts(scheduler) == ["start", "done first", "finish"]


def test_stopping_cancels_what_runs() -> None:
    """With a task still running when the scheduler stops, the executor is told to cancel, not urgently."""
    held: list[tuple[Task, Deliver]] = []

    class Held(testing.FakeExecutor):
        """Delivers a task only when it is cancelled."""

        def submit(self, task: Task, deliver: Deliver) -> None:
            if name_of(task) == "held":
                held.append((task, deliver))
            else:
                deliver(Finished(task, DONE))

        def cancel(self, *, urgent: bool) -> None:
            super().cancel(urgent=urgent)
            for task, deliver in held:
                deliver(Finished(task, DONE))

    class Stops(Script):
        def done(self, task: Task, result: TaskResult) -> tuple[list[Event], list[Task]]:
            self.is_stopping = True
            return super().done(task, result)

    executor = Held(execute=lambda _task, _post: DONE, slots=Slots(cpu=2, network=1))
    assert texts(Stops([check("held", -1), check("first")]), executor)[-1] == "finish"
    assert executor.cancelled == [False]


def test_closing_the_iterator_stops_the_workers() -> None:
    """Closing the iterator stops the run: a worker that waits for the cancellation sees it."""
    cancellation, began = Cancellation(), threading.Event()

    def execute(_task: Task, post: Post) -> TaskResult:
        post(Message(level="info", text="began"))
        while not cancellation.is_set():
            began.wait(0.01)
        return DONE

    events = loop.run(Script([check("a")]), ThreadExecutor(execute, ONE, cancellation))
    assert isinstance(next(events), Message)
    assert isinstance(next(events), Message)
    events.close()
    assert cancellation.is_set()


def test_a_second_cancel_is_urgent() -> None:
    """The executor of threads passes urgency on, however often it is told."""
    cancellation = Cancellation()
    executor = ThreadExecutor(lambda _task, _post: DONE, ONE, cancellation)
    executor.cancel(urgent=False)
    executor.cancel(urgent=False)
    assert (cancellation.is_set(), cancellation.is_urgent()) == (True, False)
    executor.cancel(urgent=True)
    assert cancellation.is_urgent()


def test_map_parallel_keeps_the_order() -> None:
    """Results are in the order of the items, however the threads take turns."""
    assert parallel.map_parallel(lambda number: number * number, range(50)) == [number * number for number in range(50)]


def test_usable_cpus_is_at_least_one() -> None:
    """There is always a CPU to run on."""
    assert parallel.usable_cpus() >= 1


def test_what_waits_costs_nothing() -> None:
    """A grid of thousands of cells waits for two slots: an event looks at the slots, not at all that waits."""

    class Counting:
        looks = 0

        def __init__(self) -> None:
            self.inner = testing.FakeExecutor(execute=execute)

        @property
        def slots(self) -> Slots:
            self.looks += 1
            return Slots(cpu=2, network=2)

        def submit(self, task: Task, deliver: Deliver) -> None:
            self.inner.submit(task, deliver)

        def cancel(self, *, urgent: bool) -> None:
            self.inner.cancel(urgent=urgent)

        def close(self) -> None:
            pass

    def execute(_task: Task, post: Post) -> TaskResult:
        post(StageStarted(cell="a", stage=Stage.TEST))
        return DONE

    executor = Counting()
    tasks = [check(str(number)) for number in range(500)]
    events = list(loop.run(Script(tasks), executor))
    assert len(events) > 1000
    assert executor.looks < 6 * len(tasks)
