"""The executor of many machines. It decides where a task is done (see `placement`), and follows it there.

Builds and tests go out; all other tasks stay here where their interpreter is. One thread owns all state: whatever
happens is a message to it. What a machine answers counts once; a lost machine blames nobody.
"""

from __future__ import annotations

import base64
import concurrent.futures
import functools
import json
import threading
import time
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from venvgrid.model import CellResult, InfrastructureError, Message, Outcome, StageFinished, StageStarted
from venvgrid.running.executors.base import Finished, Slots
from venvgrid.running.executors.remote import jobs
from venvgrid.running.executors.remote.fleet import Fleet, with_timeout
from venvgrid.running.executors.remote.machines import interpreter_of
from venvgrid.running.executors.remote.placement import MAX_DEATHS, Placement
from venvgrid.running.executors.remote.transfer import Transfer
from venvgrid.running.tasks import (
    BuildDone,
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
    from venvgrid.running.executors.remote.machines import Inventory
    from venvgrid.running.executors.remote.members import Assignment, Item
    from venvgrid.running.tasks import Task, TaskResult

WINDOW = 4  # tasks for each slot that the loop may hand over: the rest stays with it, in its order
GOODBYE = 10.0  # seconds in which machines hear that the run has ended
PATIENCE = 60.0  # seconds in which a machine may come that can do what no other can


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What all jobs of a run share. `files` finds the file of a digest (SHA-256) that machines ask for.

    `places` translates paths of the project here.
    """

    run: str
    plan: str
    bundle: jobs.Blob
    places: jobs.Places
    place: Callable[[str], Path]  # the file for a name that a machine gives: in the folder of the run
    files: Callable[[str], Path]
    wheel: Callable[[Path], jobs.Blob]  # `files` knows the wheel from then on
    expected: Mapping[str, float]  # seconds of cells
    here: frozenset[str]  # the executables of this machine's interpreters


class RemoteExecutor:
    """Does builds and tests on the machines of a fleet, and all other tasks with `local`."""

    def __init__(self, fleet: Fleet, local: Executor, parcel: Parcel) -> None:
        """Begin with the machines that are there."""
        self._fleet, self._local, self._parcel = fleet, local, parcel
        self._places, self._transfer = parcel.places, Transfer(fleet.cluster, parcel.files)
        self._placement = Placement(self._seconds, time.monotonic)
        self._tasks: dict[str, tuple[Task, Deliver]] = {}
        self._builds: dict[tuple[str, bool], BuildTask] = {}
        self._told: dict[str, set[str]] = {}  # task → its events that were delivered already
        self._drained: set[str] = set()  # of which the user was told
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
                self._stopping = True
                for key in tuple(self._tasks):
                    self._end(key, error)

    def _go(self) -> None:
        """Send what can be sent, and give up what no machine can do."""
        self._count()
        if self._stopping:
            return
        for task in self._placement.orphans():
            self._placement.drop(task.key)
            self._end(task.key, CompileDone(files=0))
        for assignment in self._placement.assign():
            self._send(assignment)
        self._give_up()

    def _count(self) -> None:
        self._slots = self._placement.slots

    def _add(self, task: Task, deliver: Deliver) -> None:
        self._tasks[task.key] = task, deliver
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
            if build is not None:  # for this cell: a job that named all of them would grow with the grid
                build = replace(build, cells=(task.cell,))
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
        self._fleet.cluster.send(address, self._name(assignment.item), text, answered)

    def _name(self, item: Item) -> str:
        """Return the name of a job in the cluster: other runs may be there."""
        return f"{self._parcel.run}/{item.task.key}#{item.attempt}"

    def _post_answer(self, address: str, key: str, attempt: int, text: str | None) -> None:
        self._fleet.inbox.put(lambda: self._answered(address, key, attempt, text))

    def _answered(self, address: str, key: str, attempt: int, text: str | None) -> None:
        """Take the answer of a machine, if it is still the one that is waited for."""
        item = self._placement.sent(address, key)
        if item is None or item.attempt != attempt:
            return
        if text is None:
            self._failed(address, key, "its job ended without an answer")
            return
        if key not in self._tasks:  # it was stopped
            self._placement.done(address, key)
            return
        try:
            answer = jobs.parse_answer(text)
        except (ValueError, KeyError, TypeError) as error:
            self._failed(address, key, f"its answer cannot be read ({error!r:.200})")
            return
        if answer.refuses:
            self._placement.refuse(address, answer.refuses)
            self._placement.back(address, key)
            self._tell_drained()
        elif answer.trouble:
            self._failed(address, key, answer.trouble)
        elif answer.needs:
            self._in_pool(address, key, lambda host: self._transfer.push(address, host, answer.needs), self._back)
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
        host, item = self._placement.members[address].inventory.host, self._placement.sent(address, key)

        def is_same() -> bool:
            return self._placement.sent(address, key) is item  # else the machine was given up meanwhile

        def do() -> None:
            try:
                done = work(host)
            except (OSError, ValueError) as error:
                text = str(error)
                self._fleet.inbox.put(lambda: self._failed(address, key, text) if is_same() else None)
            except Exception as error:  # noqa: BLE001  (of this machine, or a bug: the run ends with it)
                self._fleet.inbox.put(functools.partial(_raise, error))
            else:
                self._fleet.inbox.put(lambda: then(address, key, done) if is_same() else None)

        self._fleet.pool.submit(do)

    def _failed(self, address: str, key: str, reason: str) -> None:
        """Do a task again that its machine could not do."""
        name = self._placement.members[address].inventory.name
        self._tell(f"{name}: {key}: {reason}; it is done again")
        self._again(self._placement.trouble(address, key, reason))
        self._tell_drained()

    def _tell_drained(self) -> None:
        for where in self._placement.drained.keys() - self._drained:
            self._drained.add(where)
            self._tell(self._placement.drained[where])

    def _back(self, address: str, key: str, _done: str | None) -> None:
        self._placement.back(address, key)
        self._again([])

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
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except OSError as error:
            raise InfrastructureError(f"{target}: {error.strerror}") from error

    def _result(self, answer: jobs.Answer, address: str, key: str, text: str | None) -> None:
        """Deliver the result of a task, with the events of its stages before it."""
        try:
            result, files = self._read(answer, self._tasks[key][0], text or "")
        except (OSError, ValueError, KeyError, TypeError, zlib.error) as error:
            self._failed(address, key, f"its answer cannot be read ({error!r:.200})")
            return
        self._placement.done(address, key, is_home=isinstance(result, BuildDone | TestDone))
        for name, content in files.items():
            self._write(name, content)
        for event in answer.events:
            self._event(key, event, answer.machine)
        if isinstance(result, TestDone):
            result = replace(result, result=replace(result.result, machine=answer.machine))
        if isinstance(result, WheelDone):
            built = self._parcel.place(f"wheels/{result.wheel.path.name}")
            result = replace(result, wheel=replace(result.wheel, path=built))
        self._end(key, result)

    def _read(self, answer: jobs.Answer, task: Task, text: str) -> tuple[TaskResult, Mapping[str, bytes]]:
        """Return the result in an answer, and the contents of its files by their names.

        Raises:
            OSError, ValueError, KeyError, TypeError, zlib.error: it is none of this task.
        """
        result = jobs.parse_result(text, self._places)
        if not jobs.is_result_of(task, result):
            raise ValueError(f"{type(result).__name__} is no result of {task.key}")
        packed = {file.name: file.packed for file in answer.files if file.blob is None}
        for name in packed:
            self._parcel.place(name)
        for event in answer.events:
            jobs.parse_event(event, self._places)
        return result, {name: zlib.decompress(base64.b64decode(data)) for name, data in packed.items()}

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
        if key not in self._tasks:
            return  # it was stopped already
        task, deliver = self._tasks.pop(key)
        self._told.pop(key, None)
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
            self._fleet.cluster.forget(self._name(item))
        count = len(member.sent)
        again = f": its {count} tasks are done again elsewhere" if count else ""
        self._tell(f"{member.inventory.name} was lost{again}")
        self._again(self._placement.lost(address))
        self._tell_drained()

    def _tell(self, text: str) -> None:
        """Tell the user of something that belongs to no cell, in the journal too if a task is there to carry it."""
        for _task, deliver in self._tasks.values():
            deliver(Message(level="warning", text=text))
            return
        self._fleet.notify(f"warning: {text}")

    def _again(self, guilty: list[Item]) -> None:
        for item in guilty:
            self._end(item.task.key, _killer(item))
        if self._stopping:
            self._end_waiting()

    def _said(self, address: str, text: str) -> None:
        try:
            data = json.loads(text)
            if data["run"] != self._parcel.run:
                return
            jobs.parse_event(data["event"], self._places)
        except (ValueError, KeyError, TypeError):
            return  # the events that count are in the answer
        item = self._placement.sent(address, data["key"])
        if item is not None and item.attempt == data["attempt"]:
            self._placement.begun(address, data["key"])
            self._event(data["key"], data["event"], data["machine"])

    def _give_up(self) -> None:
        """End the tasks that no machine can do, after some time in which one might have come."""
        now, hopeless = time.monotonic(), {task.key for task in self._placement.hopeless()}
        self._hopeless = {key: self._hopeless.get(key, now) for key in hopeless}
        for key, since in tuple(self._hopeless.items()):
            if now - since <= PATIENCE:
                continue
            if not self._placement.slots:
                why = "".join(f"; {reason}" for reason in self._placement.drained.values())
                text = f"the cluster had no machine for {PATIENCE:.0f} seconds{why}; go on with: venvgrid run --resume"
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
        if urgent:
            for key in tuple(self._tasks):
                self._end(key, _STOPPED)
        self._end_waiting()
        question = json.dumps({"op": "stop", "run": self._parcel.run, "urgent": urgent})
        for address, member in self._placement.members.items():
            if member.sent:
                self._fleet.pool.submit(self._ask, address, question)

    def _end_waiting(self) -> None:
        """End the tasks that no machine has: nothing is sent any more."""
        sent = {key for member in self._placement.members.values() for key in member.sent}
        for key in tuple(self._tasks):
            if key not in sent:
                self._end(key, _STOPPED)

    def _ask(self, address: str, question: str) -> None:
        try:
            self._fleet.cluster.ask(address, question)
        except OSError as error:
            self._fleet.inbox.put(functools.partial(self._fleet.notify, f"warning: {address}: {error}"))

    def _close(self) -> None:
        self._closed = True
        question = json.dumps({"op": "end", "run": self._parcel.run})
        told = [self._fleet.pool.submit(self._ask, address, question) for address in self._placement.members]
        concurrent.futures.wait(told, timeout=GOODBYE)

    def _seconds(self, task: Task) -> float:
        """Return the seconds that a task is expected to take."""
        return self._parcel.expected.get(task.cell.id, 0.0) if isinstance(task, TestTask) else 0.0


_STOPPED = TaskFailed(reason="stopped by the user", detail="")


def _killer(item: Item) -> TaskResult:
    """Return the result of a task that killed the machines on which it ran alone."""
    if item.deaths < MAX_DEATHS:
        return TaskFailed(reason=f"no machine could do it: {item.trouble}", detail=item.trouble)
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


def _raise(error: Exception) -> None:
    raise error
