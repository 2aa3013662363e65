"""Follows the tasks that were sent out: what machines answer, and what becomes of a task whose machine cannot do it."""

from __future__ import annotations

import functools
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.model import Outcome
from venvgrid.running.executors.remote import jobs
from venvgrid.running.executors.remote.answers import UNREADABLE, Answers
from venvgrid.running.executors.remote.placement import MAX_DEATHS
from venvgrid.running.executors.remote.transfer import Transfer
from venvgrid.running.tasks import BuildDone, CompileDone, CompileTask, TaskFailed, TestDone, TestTask, base_result

if TYPE_CHECKING:
    from collections.abc import Callable

    from venvgrid.model import CellResult
    from venvgrid.running.executors.remote.fleet import Fleet
    from venvgrid.running.executors.remote.ledger import Ledger
    from venvgrid.running.executors.remote.members import Item
    from venvgrid.running.executors.remote.parcel import Parcel
    from venvgrid.running.executors.remote.placement import Placement
    from venvgrid.running.tasks import TaskResult


class Following:
    """Follows the tasks of one run. `ended` is called when a machine has given a task back."""

    def __init__(
        self, fleet: Fleet, parcel: Parcel, placement: Placement, ledger: Ledger, ended: Callable[[], None]
    ) -> None:
        """Begin with nothing sent."""
        self._fleet, self._parcel, self._placement, self._ledger = fleet, parcel, placement, ledger
        self._transfer = Transfer(fleet.cluster, parcel.files)
        self._answers, self._ended = Answers(parcel, self._transfer), ended
        self._drained: set[str] = set()  # of which the user was told

    def answered(self, address: str, key: str, attempt: int, text: str | None) -> None:
        """Take the answer of a machine, if it is still the one that is waited for."""
        item = self._placement.sent(address, key)
        if item is None or item.attempt != attempt:
            return
        if text is None:
            self._failed(address, key, "its job ended without an answer")
            return
        if key not in self._ledger:  # it was stopped
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
            self.tell_drained()
        elif answer.trouble:
            self._failed(address, key, answer.trouble)
        elif answer.needs:
            back = functools.partial(self._back, time.monotonic())
            self._in_pool(address, key, lambda host: self._transfer.push(address, host, answer.needs), back)
        elif answer.error:
            self._placement.done(address, key)
            self._ledger.end(key, RuntimeError(f"{answer.machine}: {answer.error}"))
        elif answer.long_result or any(file.blob for file in answer.files):
            self._in_pool(
                address,
                key,
                lambda _host: self._answers.fetch(address, answer),
                functools.partial(self._result, answer),
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
        self.tell(f"{name}: {key}: {reason}; it is done again")
        self.again(self._placement.trouble(address, key, reason))
        self.tell_drained()

    def tell_drained(self) -> None:
        """Tell the user of machines to which nothing more is sent."""
        for where in self._placement.drained.keys() - self._drained:
            self._drained.add(where)
            self.tell(self._placement.drained[where])

    def _back(self, began: float, address: str, key: str, _done: str | None) -> None:
        """Send a task again: its machine has all files now."""
        self._ledger.transferred(key, began)
        self._placement.back(address, key)
        self.again([])

    def _result(self, answer: jobs.Answer, address: str, key: str, text: str | None) -> None:
        """Deliver the result of a task, with the events of its stages before it."""
        try:
            result, files, events = self._answers.read(answer, self._ledger.task(key), text or "")
        except UNREADABLE as error:
            self._failed(address, key, f"its answer cannot be read ({error!r:.200})")
            return
        self._placement.done(address, key, is_home=isinstance(result, BuildDone | TestDone))
        for name, content in files.items():
            self._parcel.write(name, content)
        for event in events:
            self._ledger.event(key, event, answer.machine)
        self._ledger.end(key, self._answers.signed(result, answer.machine, self._ledger.spent(key)))

    def tell(self, text: str) -> None:
        """Tell the user of something that belongs to no cell, in the journal too if a task is there to carry it."""
        if not self._ledger.tell(text):
            self._fleet.notify(f"warning: {text}")

    def again(self, guilty: list[Item]) -> None:
        """End the tasks that have killed too many machines; all others of a lost one wait again."""
        for item in guilty:
            self._ledger.end(item.task.key, _killer(item))
        self._ended()


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
