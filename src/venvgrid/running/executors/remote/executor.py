"""The executor of many machines. It decides where a task is done (see `placement`), and follows it there.

Builds and tests go out; all other tasks stay here where their interpreter is. One thread owns all state: whatever
happens is a message to it. What a machine answers counts once; a lost machine blames nobody.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from concurrent.futures import wait
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.model import InfrastructureError
from venvgrid.running.executors.base import Slots
from venvgrid.running.executors.remote import jobs
from venvgrid.running.executors.remote.fleet import TICK, Fleet, with_timeout
from venvgrid.running.executors.remote.following import Following
from venvgrid.running.executors.remote.ledger import Ledger
from venvgrid.running.executors.remote.machines import interpreter_of
from venvgrid.running.executors.remote.placement import Placement
from venvgrid.running.tasks import (
    BuildTask,
    CompileDone,
    CompileTask,
    TaskFailed,
    TestTask,
)

if TYPE_CHECKING:
    from concurrent.futures import Future

    from venvgrid.running.executors.base import Deliver, Executor
    from venvgrid.running.executors.remote.machines import Inventory
    from venvgrid.running.executors.remote.members import Assignment, Item
    from venvgrid.running.executors.remote.parcel import Parcel
    from venvgrid.running.tasks import Task

WINDOW = 4  # tasks for each slot that the loop may hand over: the rest stays with it, in its order
GOODBYE = 10.0  # seconds in which machines take note that the run is over
PATIENCE = 60.0  # seconds in which a machine may come that can do what no other can


class RemoteExecutor:
    """Does builds and tests on the machines of a fleet, and all other tasks with `local`."""

    def __init__(self, fleet: Fleet, local: Executor, parcel: Parcel) -> None:
        """Begin with the machines that are there."""
        self._fleet, self._local, self._parcel = fleet, local, parcel
        self._placement, self._ledger = Placement(self._seconds, time.monotonic), Ledger()
        self._following = Following(fleet, parcel, self._placement, self._ledger, self._end_waiting)
        self._builds: dict[tuple[str, bool], BuildTask] = {}
        self._stopping = self._closed = False
        self._hopeless: dict[str, float] = {}  # task → since when no machine can do it
        self._slots = 0
        self._goodbyes: list[Future[None]] = []
        self._looked = 0.0  # when it was last asked what no machine can do: with many tasks that takes time
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
        wait(self._goodbyes, timeout=GOODBYE)

    # All below is done by one thread.

    def _serve(self) -> None:
        while not self._closed:
            try:
                with_timeout(self._fleet.inbox)
                self._go()
            except Exception as error:  # noqa: BLE001  (a bug: the loop raises it)
                self._stopping = True
                for key in self._ledger.pending():
                    self._ledger.end(key, error)

    def _go(self) -> None:
        """Send what can be sent, and give up what no machine can do."""
        self._count()
        if self._stopping:
            return
        for task in self._placement.orphans():
            self._placement.drop(task.key)
            self._ledger.end(task.key, CompileDone(files=0))
        for assignment in self._placement.assign():
            self._send(assignment)
        if (now := time.monotonic()) - self._looked >= TICK:
            self._looked = now
            self._give_up()

    def _count(self) -> None:
        self._slots = self._placement.slots

    def _add(self, task: Task, deliver: Deliver) -> None:
        self._ledger.add(task, deliver)
        if isinstance(task, BuildTask):
            self._builds[task.entry.key, task.alone] = task
        if self._stopping:
            self._ledger.end(task.key, _STOPPED)
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
        self._ledger.sent(task.key)
        text = jobs.render_job(job, self._parcel.places)
        answered = functools.partial(self._post_answer, address, task.key, attempt)
        self._fleet.cluster.send(address, self._name(assignment.item), text, answered)

    def _name(self, item: Item) -> str:
        """Return the name of a job in the cluster: other runs may be there."""
        return f"{self._parcel.run}/{item.task.key}#{item.attempt}"

    def _post_answer(self, address: str, key: str, attempt: int, text: str | None) -> None:
        self._fleet.inbox.put(lambda: self._following.answered(address, key, attempt, text))

    # Machines.

    def _came(self, address: str, inventory: Inventory) -> None:
        self._fleet.machines[address] = inventory
        self._placement.came(address, inventory)

    def _lost(self, address: str) -> None:
        self._fleet.machines.pop(address, None)
        member = self._placement.members.get(address)
        if member is None:
            return
        for item in member.sent.values():
            self._fleet.cluster.forget(self._name(item))
        count = len(member.sent)
        again = f": its {count} tasks are done again elsewhere" if count else ""
        self._following.tell(f"{member.inventory.name} was lost{again}")
        self._following.again(self._placement.lost(address))
        self._following.tell_drained()

    def _said(self, address: str, text: str) -> None:
        try:
            data = json.loads(text)
            if data["run"] != self._parcel.run:
                return
            event = jobs.parse_event(data["event"], self._parcel.places)
        except (ValueError, KeyError, TypeError):
            return  # the events that count are in the answer
        item = self._placement.sent(address, data["key"])
        if item is not None and item.attempt == data["attempt"]:
            self._placement.begun(address, data["key"])
            self._ledger.begun(data["key"])
            self._ledger.event(data["key"], event, data["machine"])

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
                for name in self._ledger.pending():
                    self._ledger.end(name, InfrastructureError(text))
                return
            self._placement.drop(key)
            wanted = interpreter_of(self._ledger.task(key))
            what = f"{wanted.implementation} {wanted.version}" if wanted else "it"
            reason = f"no machine that is left has {what} and the time for it"
            self._ledger.end(key, TaskFailed(reason=reason, detail=reason))

    # The end.

    def _cancel(self, urgent: bool) -> None:  # noqa: FBT001  (a message)
        self._stopping = True
        if urgent:
            for key in self._ledger.pending():
                self._ledger.end(key, _STOPPED)
        self._end_waiting()
        question = json.dumps({"op": "stop", "run": self._parcel.run, "urgent": urgent})
        for address, member in self._placement.members.items():
            if member.sent:
                self._fleet.pool.submit(self._ask, address, question)

    def _end_waiting(self) -> None:
        """End the tasks that no machine has, once nothing is sent any more."""
        if not self._stopping:
            return
        sent = {key for member in self._placement.members.values() for key in member.sent}
        for key in self._ledger.pending():
            if key not in sent:
                self._ledger.end(key, _STOPPED)

    def _ask(self, address: str, question: str) -> None:
        try:
            self._fleet.cluster.ask(address, question)
        except OSError as error:
            self._fleet.inbox.put(functools.partial(self._fleet.notify, f"warning: {address}: {error}"))

    def _close(self) -> None:
        self._closed = True
        question = json.dumps({"op": "end", "run": self._parcel.run})
        self._goodbyes = [self._fleet.pool.submit(self._ask, address, question) for address in self._placement.members]

    def _seconds(self, task: Task) -> float:
        """Return the seconds that a task is expected to take."""
        return self._parcel.expected.get(task.cell.id, 0.0) if isinstance(task, TestTask) else 0.0


_STOPPED = TaskFailed(reason="stopped by the user", detail="")
