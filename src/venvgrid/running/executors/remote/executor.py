"""The executor of many machines. It decides where a task is done (see `placement`), and follows it there.

Builds and tests go out; all other tasks stay here where their interpreter is. One thread owns all state: whatever
happens is a message to it. What a machine answers counts once; a lost machine blames nobody.
"""

from __future__ import annotations

import base64
import functools
import json
import queue
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from venvgrid.model import CellResult, InfrastructureError, Message, Outcome, StageFinished, StageStarted
from venvgrid.model.version import __version__
from venvgrid.running.executors.base import Finished, Slots
from venvgrid.running.executors.remote import jobs
from venvgrid.running.executors.remote.cluster import Listener
from venvgrid.running.executors.remote.machines import interpreter_of, parse_inventory
from venvgrid.running.executors.remote.placement import Placement
from venvgrid.running.executors.remote.transfer import Transfer
from venvgrid.running.tasks import (
    BuildTask,
    CompileDone,
    CompileTask,
    TaskFailed,
    TestDone,
    TestTask,
    WheelDone,
    base_result,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from venvgrid.running.executors.base import Deliver, Executor
    from venvgrid.running.executors.remote.cluster import Cluster
    from venvgrid.running.executors.remote.machines import Inventory
    from venvgrid.running.executors.remote.placement import Assignment, Item
    from venvgrid.running.tasks import Task, TaskResult

WINDOW = 4  # tasks for each slot that the loop may hand over: the rest stays with it, in its order
PATIENCE = 60.0  # seconds in which a machine may come that can do what no other can
TRANSFERS = 8  # machines that are asked, or served with files, at a time
TICK = 1.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What all jobs of a run share. `files` finds the file of a digest (SHA-256) that machines ask for.

    `root` is the project here, which stands behind the mark in texts.
    """

    run: str
    plan: str
    bundle: jobs.Blob
    root: Path
    place: Callable[[str], Path]  # the file for a name that a machine gives: in the folder of the run
    files: Callable[[str], Path]
    wheel: Callable[[Path], jobs.Blob]  # `files` knows the wheel from then on
    expected: Mapping[str, float]  # seconds of cells
    here: frozenset[str]  # the executables of this machine's interpreters


class Fleet:
    """The machines of a cluster before a run has anything for them: who they are, and that they may take part."""

    def __init__(self, cluster: Cluster, notify: Callable[[str], None]) -> None:
        """Begin to listen."""
        self.cluster, self.notify = cluster, notify
        self.inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.said: Callable[[str, str], None] = lambda _address, _text: None
        self.came: Callable[[str, Inventory], None] = self._note
        self.lost: Callable[[str], None] = self._drop
        self.machines: dict[str, Inventory] = {}
        self.pool = ThreadPoolExecutor(max_workers=TRANSFERS, thread_name_prefix="venvgrid-transfer")
        cluster.start(Listener(came=self._came, lost=self._lost, said=self._say))

    def wait(self, count: int, patience: float, *, cancelled: Callable[[], bool]) -> Mapping[str, Inventory]:
        """Return the machines, as soon as there are `count`.

        Raises:
            InfrastructureError: there are fewer after `patience` seconds.
        """
        until = time.monotonic() + patience
        while len(self.machines) < count and not cancelled():
            if time.monotonic() > until:
                there = len(self.machines)
                more = f"{there} of {count} machines" if there else "no machine"
                raise InfrastructureError(
                    f"{more} came in {patience:.0f} seconds; start one with: venvgrid worker ADDRESS"
                )
            with_timeout(self.inbox)
        return self.machines

    def close(self) -> None:
        """Leave the cluster."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.cluster.close()

    def _came(self, address: str) -> None:
        self.pool.submit(self._ask_inventory, address)

    def _ask_inventory(self, address: str) -> None:
        try:
            found = parse_inventory(self.cluster.ask(address, json.dumps({"op": "inventory"})))
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.inbox.put(functools.partial(self.notify, f"warning: {address} does not say what it has: {error}"))
            return
        if found.venvgrid != __version__:
            text = f"warning: {found.name} has venvgrid {found.venvgrid}, this is {__version__}: it gets no cell"
            self.inbox.put(functools.partial(self.notify, text))
            return
        self.inbox.put(lambda: self.came(address, found))

    def _lost(self, address: str) -> None:
        self.inbox.put(lambda: self.lost(address))

    def _say(self, address: str, text: str) -> None:
        self.inbox.put(lambda: self.said(address, text))

    def _note(self, address: str, found: Inventory) -> None:
        self.machines[address] = found

    def _drop(self, address: str) -> None:
        self.machines.pop(address, None)


def with_timeout(inbox: queue.SimpleQueue[Callable[[], None]]) -> None:
    """Do the next message, if one comes in time."""
    try:
        message = inbox.get(timeout=TICK)
    except queue.Empty:
        return
    message()


class RemoteExecutor:
    """Does builds and tests on the machines of a fleet, and all other tasks with `local`."""

    def __init__(self, fleet: Fleet, local: Executor, parcel: Parcel) -> None:
        """Begin with the machines that are there."""
        self._fleet, self._local, self._parcel = fleet, local, parcel
        self._places, self._transfer = jobs.Places(parcel.root), Transfer(fleet.cluster, parcel.files)
        self._placement = Placement(self._seconds, time.monotonic)
        self._tasks: dict[str, tuple[Task, Deliver]] = {}
        self._builds: dict[tuple[str, bool], BuildTask] = {}
        self._since: dict[str, float] = {}  # task → when it began to wait for a machine
        self._spent: dict[str, dict[str, float]] = {}  # task → seconds of waiting, and of files on their way
        self._told: dict[str, set[str]] = {}  # task → its events that were delivered already
        self._stopping = self._closed = False
        self._hopeless: dict[str, float] = {}  # task → since when no machine can do it
        self._slots = 0
        for address, inventory in fleet.machines.items():
            self._placement.came(address, inventory)
        fleet.came, fleet.lost, fleet.said = self._came, self._lost, self._said
        self._count()
        self._thread = threading.Thread(target=self._serve, name="venvgrid-cluster", daemon=True)
        self._thread.start()

    # What the loop calls, in its own thread.

    @property
    def slots(self) -> Slots:
        """A few tasks for each slot of the machines."""
        return Slots(cpu=max(1, self._slots * WINDOW), network=self._local.slots.network)

    def submit(self, task: Task, deliver: Deliver) -> None:
        """Start a task, here or on a machine."""
        if isinstance(task, BuildTask | TestTask | CompileTask) or not self._is_here(task):
            self._fleet.inbox.put(functools.partial(self._add, task, deliver))
        else:
            self._local.submit(task, deliver)

    def _is_here(self, task: Task) -> bool:
        wanted = interpreter_of(task)
        return wanted is None or not wanted.executable or wanted.executable in self._parcel.here

    def cancel(self, *, urgent: bool) -> None:
        """Stop all running tasks. A signal handler may call it: a message is all that it leaves."""
        self._local.cancel(urgent=urgent)
        self._fleet.inbox.put(functools.partial(self._cancel, urgent))

    def close(self) -> None:
        """Let the machines go."""
        self._local.close()
        self._fleet.inbox.put(self._close)
        self._thread.join()

    # All below is done by one thread.

    def _serve(self) -> None:
        while not self._closed:
            try:
                with_timeout(self._fleet.inbox)
                self._go()
            except Exception as error:  # noqa: BLE001  (a bug: the loop raises it)
                for key in tuple(self._tasks):
                    self._end(key, error)

    def _go(self) -> None:
        """Send what can be sent, and give up what no machine can do."""
        self._count()
        if self._stopping:
            return
        for assignment in self._placement.assign():
            self._send(assignment)
        self._give_up()

    def _count(self) -> None:
        self._slots = self._placement.slots

    def _add(self, task: Task, deliver: Deliver) -> None:
        self._tasks[task.key], self._since[task.key] = (task, deliver), time.monotonic()
        if isinstance(task, BuildTask):
            self._builds[task.entry.key, task.alone] = task
        if self._stopping:
            self._end(task.key, _STOPPED)
        else:
            self._placement.add(task)

    def _send(self, assignment: Assignment) -> None:
        task, address, attempt = assignment.item.task, assignment.address, assignment.item.attempt
        build = None
        if isinstance(task, TestTask):
            build = self._builds.get((task.entry.key, task.alone))
        made = task if isinstance(task, BuildTask) else build
        job = jobs.Job(
            run=self._parcel.run,
            plan=self._parcel.plan,
            bundle=self._parcel.bundle,
            attempt=attempt,
            together=self._placement.together(address),
            task=task,
            build=build,
            wheel=self._parcel.wheel(made.wheel.path) if made and made.wheel else None,
        )
        self._told[task.key] = set()
        text = jobs.render_job(job, self._places)
        answered = functools.partial(self._post_answer, address, task.key, attempt)
        self._fleet.cluster.send(address, f"{task.key}#{attempt}", text, answered)

    def _post_answer(self, address: str, key: str, attempt: int, text: str | None) -> None:
        self._fleet.inbox.put(lambda: self._answered(address, key, attempt, text))

    def _answered(self, address: str, key: str, attempt: int, text: str | None) -> None:
        """Take the answer of a machine, if it is still the one that is waited for."""
        item = self._placement.sent(address, key)
        if item is None or item.attempt != attempt:
            return
        if text is None:
            self._again(self._placement.failed(address, key))
            return
        answer = jobs.parse_answer(text)
        if answer.needs:
            back = functools.partial(self._back, time.monotonic())
            self._in_pool(address, key, lambda host: self._transfer.push(address, host, answer.needs), back)
        elif answer.error:
            self._placement.done(address, key)
            self._end(key, RuntimeError(f"{answer.machine}: {answer.error}"))
        elif answer.long_result or any(file.blob for file in answer.files):
            self._in_pool(
                address, key, lambda _host: self._fetch(address, answer), functools.partial(self._result, answer)
            )
        else:
            self._result(answer, address, key, answer.result)

    def _in_pool(
        self, address: str, key: str, work: Callable[[str], str | None], then: Callable[[str, str, str | None], None]
    ) -> None:
        """Do what waits for a machine in a thread, and go on with what it returns; if it fails, the task is lost."""
        host = self._placement.members[address].inventory.host

        def do() -> None:
            try:
                done = work(host)
            except (OSError, ValueError) as error:
                text = f"warning: {key}: {error}; it is done again"
                self._fleet.inbox.put(lambda: self._failed(address, key, text))
            else:
                self._fleet.inbox.put(lambda: then(address, key, done))

        self._fleet.pool.submit(do)

    def _failed(self, address: str, key: str, text: str) -> None:
        self._fleet.notify(text)
        self._again(self._placement.failed(address, key))

    def _back(self, began: float, address: str, key: str, _done: str | None) -> None:
        """Send a task again: its machine has all files now."""
        spent = self._spent.setdefault(key, {})
        spent["transfer"] = spent.get("transfer", 0.0) + time.monotonic() - began
        self._placement.back(address, key)

    def _fetch(self, address: str, answer: jobs.Answer) -> str:
        """Fetch the files of an answer into the folder of the run; return the result's text."""
        for file in answer.files:
            if file.blob is not None:
                self._write(file.name, self._transfer.fetch(address, file.blob))
        if answer.long_result is None:
            return answer.result
        return self._transfer.fetch(address, answer.long_result).decode("utf-8")

    def _write(self, name: str, content: bytes) -> None:
        target = self._parcel.place(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def _result(self, answer: jobs.Answer, address: str, key: str, text: str | None) -> None:
        """Deliver the result of a task, with the events of its stages before it."""
        if self._placement.done(address, key) is None:
            return  # the machine was given up meanwhile
        for file in answer.files:
            if file.blob is None:
                self._write(file.name, zlib.decompress(base64.b64decode(file.packed)))
        for event in answer.events:
            self._event(key, event, answer.machine)
        result = jobs.parse_result(text or "", self._places)
        if isinstance(result, TestDone):
            durations = {**result.result.durations, **self._spent.get(key, {})}
            result = replace(result, result=replace(result.result, machine=answer.machine, durations=durations))
        if isinstance(result, WheelDone):
            built = self._parcel.place(f"wheels/{result.wheel.path.name}")
            result = replace(result, wheel=replace(result.wheel, path=built))
        self._end(key, result)

    def _event(self, key: str, text: str, machine: str) -> None:
        """Deliver an event of a task, once."""
        if key not in self._tasks:
            return
        told, event = self._told.setdefault(key, set()), jobs.parse_event(text, self._places)
        if isinstance(event, StageStarted | StageFinished):
            if text in told:
                return
            told.add(text)
        if isinstance(event, StageStarted):
            event = replace(event, machine=machine)
        self._tasks[key][1](event)

    def _end(self, key: str, result: TaskResult | Exception) -> None:
        task, deliver = self._tasks.pop(key)
        for known in (self._told, self._since, self._spent):
            known.pop(key, None)
        self._hopeless.pop(key, None)
        deliver(Finished(task, result))

    # Machines.

    def _came(self, address: str, inventory: Inventory) -> None:
        self._placement.came(address, inventory)

    def _lost(self, address: str) -> None:
        member = self._placement.members.get(address)
        if member is None:
            return
        for item in member.sent.values():
            self._fleet.cluster.forget(f"{item.task.key}#{item.attempt}")
        count = len(member.sent)
        again = f": its {count} tasks are done again elsewhere" if count else ""
        self._tell(f"{member.inventory.name} was lost{again}")
        before = set(self._placement.drained)
        self._again(self._placement.lost(address))
        for host in self._placement.drained.keys() - before:
            self._tell(self._placement.drained[host])

    def _tell(self, text: str) -> None:
        """Tell the user of something that belongs to no cell, in the journal too if a task is there to carry it."""
        for _task, deliver in self._tasks.values():
            deliver(Message(level="warning", text=text))
            return

    def _again(self, guilty: list[Item]) -> None:
        for item in guilty:
            self._end(item.task.key, _killer(item))
        if self._stopping:
            self._cancel(urgent=True)

    def _said(self, address: str, text: str) -> None:
        data = json.loads(text)
        if data["run"] != self._parcel.run:
            return
        item = self._placement.sent(address, data["key"])
        if item is not None and item.attempt == data["attempt"]:
            self._placement.begun(address, data["key"])
            spent = self._spent.setdefault(data["key"], {})
            spent.setdefault("queue", time.monotonic() - self._since[data["key"]] - spent.get("transfer", 0.0))
            self._event(data["key"], data["event"], data["machine"])

    def _give_up(self) -> None:
        """End the tasks that no machine can do, after some time in which one might have come."""
        now, hopeless = time.monotonic(), {task.key for task in self._placement.hopeless()}
        self._hopeless = {key: self._hopeless.get(key, now) for key in hopeless}
        for key, since in tuple(self._hopeless.items()):
            if now - since <= PATIENCE:
                continue
            if not self._placement.members:
                text = f"the cluster had no machine for {PATIENCE:.0f} seconds; go on with: venvgrid run --resume"
                for name in tuple(self._tasks):
                    self._end(name, InfrastructureError(text))
                return
            self._placement.drop(key)
            wanted = interpreter_of(self._tasks[key][0])
            what = f"{wanted.implementation} {wanted.version}" if wanted else "it"
            reason = f"no machine that is left has {what} and the time for it"
            self._end(key, TaskFailed(reason=reason, detail=reason))

    # The end.

    def _cancel(self, urgent: bool) -> None:  # noqa: FBT001  (a message)
        self._stopping = True
        sent = {key: address for address, member in self._placement.members.items() for key in member.sent}
        for key in tuple(self._tasks):
            if urgent or key not in sent:
                self._end(key, _STOPPED)
        question = json.dumps({"op": "stop", "run": self._parcel.run, "urgent": urgent})
        for address in {*sent.values()}:
            self._fleet.pool.submit(self._ask, address, question)

    def _ask(self, address: str, question: str) -> None:
        try:
            self._fleet.cluster.ask(address, question)
        except OSError as error:
            self._fleet.inbox.put(functools.partial(self._fleet.notify, f"warning: {address}: {error}"))

    def _close(self) -> None:
        self._closed = True
        question = json.dumps({"op": "end", "run": self._parcel.run})
        for address in self._placement.members:
            self._fleet.pool.submit(self._ask, address, question)

    def _seconds(self, task: Task) -> float:
        """Return the seconds that a task is expected to take."""
        return self._parcel.expected.get(task.cell.id, 0.0) if isinstance(task, TestTask) else 0.0


_STOPPED = TaskFailed(reason="stopped by the user", detail="")


def _killer(item: Item) -> TaskResult:
    """Return the result of a task that killed the machines on which it ran alone."""
    where = ", ".join(item.machines)
    reason = f"its worker died {item.deaths} times while nothing else ran there ({where})"
    match item.task:
        case TestTask():
            known: CellResult = base_result(item.task.cell, item.task.entry)
            return TestDone(result=replace(known, outcome=Outcome.CRASHED, reason=reason, attempts=item.attempt - 1))
        case CompileTask():
            return CompileDone(files=0)
        case _:
            return TaskFailed(reason=reason, detail=reason)
