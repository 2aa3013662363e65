"""Placement: which machine does which task next. Pure: it sends nothing and knows time only as it is told.

    waiting ──assign──▶ sent ──begun──▶ running ──done──▶ gone
       ▲                  │                │
       │                  └── lost ────────┤ (never began: no suspect)
       └──────── suspect, alone ◀──────────┘ three deaths alone: it is what kills its machine

A machine that cannot do what it was sent (a full disk, an answer that nobody can read) is in trouble: the task waits
again and is no suspect; three times in a row, not only with one task, and the machine gets nothing more.

A task goes where its interpreter is; a test where its environment was built, unless another machine would be idle. Each
machine gets as many tasks as it has slots, and a few more while others wait, so that it never waits itself.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.running.executors.remote.machines import environment_of, identity, interpreter_of
from venvgrid.running.executors.remote.members import Assignment, Item, Member
from venvgrid.running.tasks import CompileTask, TestTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from venvgrid.running.executors.remote.machines import Inventory
    from venvgrid.running.tasks import Task

MAX_DEATHS = 3  # of machines while a task ran there alone: then the task is to blame
CRASH_LOOP, CRASH_TIME = 3, 600.0  # deaths of one host, and seconds: then nothing more is sent there
MAX_UNBEGUN = 5  # attempts that were lost before they began: one that kills at once may not come to say so
MAX_TROUBLES = 3  # of a machine, one after the other: then nothing more is sent there
MAX_TRIES = 6  # troubles with one task, on whatever machines: then it is given up
SAFETY = 2.0  # times the expected seconds that a machine must still have


class Placement:
    """The machines of a run and its tasks. `expected` gives the seconds of a task; `clock` is monotonic, in seconds."""

    def __init__(self, expected: Callable[[Task], float], clock: Callable[[], float]) -> None:
        """Begin without a machine."""
        self.members: dict[str, Member] = {}
        self.drained: dict[str, str] = {}  # host, or address of one machine → why nothing is sent there
        self._expected, self._clock = expected, clock
        self._waiting: deque[Item] = deque()
        self._suspects: deque[Item] = deque()
        self._homes: dict[str, set[str]] = {}  # environment → addresses that have it
        self._deaths: dict[str, deque[float]] = {}  # of a host
        self._reserved = ""  # the address that a suspect is to have for itself

    @property
    def slots(self) -> int:
        """How many tasks run at once on all machines."""
        return sum(member.inventory.slots for member in self._usable())

    def together(self, address: str) -> int:
        """Return how many tasks may run at once on the host of a machine."""
        host = self.members[address].inventory.host
        return sum(member.inventory.slots for member in self.members.values() if member.inventory.host == host)

    def came(self, address: str, inventory: Inventory) -> None:
        """Add a machine. One that is there already is not news: its tasks stay."""
        if address in self.members:
            return
        has = frozenset(map(identity, inventory.interpreters))
        until = self._clock() + inventory.left
        self.members[address] = Member(address=address, inventory=inventory, has=has, until=until)

    def add(self, task: Task) -> None:
        """Add a task."""
        self._waiting.append(Item(task))

    def begun(self, address: str, key: str) -> None:
        """Record that a machine has begun with a task."""
        member = self.members.get(address)
        if member and key in member.sent:
            member.sent[key].begun = True

    def done(self, address: str, key: str, *, is_home: bool = False) -> Item | None:
        """Remove a task that ended; None if it is not there any more: its machine was given up.

        `is_home`: the machine has the environment of the task now.
        """
        member = self.members.get(address)
        item = member.sent.pop(key, None) if member else None
        if member and item:
            member.troubled.clear()
            if is_home:
                self._homes.setdefault(environment_of(item.task), set()).add(address)
        return item

    def back(self, address: str, key: str) -> None:
        """Let a task wait again that its machine could not begin."""
        if item := self.done(address, key):
            self._wait(replace(item, attempt=item.attempt + 1, begun=False))

    def _wait(self, item: Item) -> None:
        """Let a task be among the next ones; a suspect stays one."""
        (self._suspects if item.suspect else self._waiting).appendleft(item)

    def sent(self, address: str, key: str) -> Item | None:
        """Return a task that was sent to a machine, or None if it is not there any more."""
        member = self.members.get(address)
        return member.sent.get(key) if member else None

    def drop(self, key: str) -> None:
        """Remove a task that waits."""
        self._waiting = deque(item for item in self._waiting if item.task.key != key)
        self._suspects = deque(item for item in self._suspects if item.task.key != key)

    def trouble(self, address: str, key: str, reason: str) -> list[Item]:
        """Let a task run again that its machine could not do; return it if too many could not.

        A machine that can do nothing three times in a row is drained, unless it was one task each time.
        """
        member = self.members.get(address)
        item = member.sent.pop(key, None) if member else None
        if member is None or item is None:
            return []
        member.troubled.append(key)
        if len(member.troubled) >= MAX_TROUBLES and len({*member.troubled}) > 1:  # of one task, it may be the task
            self.refuse(address, reason)
        machines = (*item.machines, member.inventory.name)
        again = replace(item, attempt=item.attempt + 1, begun=False, machines=machines, troubles=item.troubles + 1)
        again.trouble = reason
        if again.troubles >= MAX_TRIES:
            return [again]
        self._wait(again)
        return []

    def refuse(self, address: str, reason: str) -> None:
        """Send nothing more to a machine."""
        name = self.members[address].inventory.name
        self.drained.setdefault(address, f"{name} gets nothing more: {reason}")

    def lost(self, address: str) -> list[Item]:
        """Remove a machine; its tasks wait again. Return those that have killed too many machines: they do not."""
        member = self.members.pop(address, None)
        if member is None:
            return []
        for homes in self._homes.values():
            homes.discard(address)
        if self._clock() >= member.until:  # the batch system took it: no task has killed it
            for item in member.sent.values():
                self._wait(replace(item, attempt=item.attempt + 1, begun=False))
            return []
        if member.sent:
            self._count_death(member.inventory.host)
        alone = len(member.sent) == 1
        return [guilty for item in member.sent.values() for guilty in self._again(item, member, alone=alone)]

    def _again(self, item: Item, member: Member, *, alone: bool) -> list[Item]:
        """Let a task wait again; return it if it has killed too many machines."""
        again = replace(item, attempt=item.attempt + 1, begun=False)
        if not item.begun:
            again.unbegun += 1
            if again.unbegun < MAX_UNBEGUN:
                self._wait(again)
                return []
        again.suspect, again.machines = True, (*item.machines, member.inventory.name)
        again.deaths += alone
        if again.deaths >= MAX_DEATHS:
            return [again]
        self._suspects.append(again)
        return []

    def _count_death(self, host: str) -> None:
        now, deaths = self._clock(), self._deaths.setdefault(host, deque(maxlen=CRASH_LOOP))
        deaths.append(now)
        others = any(member.inventory.host != host for member in self.members.values())
        if others and len(deaths) == CRASH_LOOP and now - deaths[0] <= CRASH_TIME:
            minutes = round(CRASH_TIME / 60)
            self.drained[host] = f"{host} lost {CRASH_LOOP} workers in {minutes} minutes: nothing more is sent there"

    def assign(self) -> list[Assignment]:
        """Return what is to be sent now."""
        return [*self._assign_suspects(), *self._assign_waiting()]

    def _assign_suspects(self) -> Iterator[Assignment]:
        """Give each suspect a machine of its own, one that has nothing else."""
        for item in tuple(self._suspects):
            empty = [member for member in self._usable() if not member.sent and self._fits(member, item.task)]
            others = [member for member in empty if member.inventory.name not in item.machines]
            if chosen := next(iter(others or empty), None):
                self._suspects.remove(item)
                yield self._sent(chosen, item)

    def _assign_waiting(self) -> Iterator[Assignment]:
        if not self._waiting:
            return
        reserved = self._reserve()
        members = [member for member in self._usable() if member.address != reserved and not self._is_alone(member)]
        # One task more than slots while many wait: the next is there when the last one ends.
        extra = 1 if len(self._waiting) > 2 * sum(member.inventory.slots for member in members) else 0
        room = {member.address: member.free + extra for member in members}
        held = deque[Item]()
        while self._waiting and any(count > 0 for count in room.values()):
            item = self._waiting.popleft()
            chosen = self._choose(item, [member for member in members if room[member.address] > 0])
            if chosen is None:
                held.append(item)
                continue
            room[chosen.address] -= 1
            yield self._sent(chosen, item)
        self._waiting.extendleft(reversed(held))

    def _choose(self, item: Item, members: list[Member]) -> Member | None:
        """Return the machine for a task: its home, else that with most free slots; not one that has failed it."""
        task = item.task
        fitting = [member for member in members if self._fits(member, task)]
        if any(self._fits(member, task) for member in self._usable() if member.inventory.name not in item.machines):
            fitting = [member for member in fitting if member.inventory.name not in item.machines]  # it waits for them
        homes = self._homes.get(environment_of(task), set())
        if isinstance(task, CompileTask) or (isinstance(task, TestTask) and task.alone):
            known = [member for member in self._usable() if member.address in homes]
            if known:
                return next((member for member in fitting if member.address in homes), None)
        at_home = [member for member in fitting if member.address in homes]
        if at_home and (isinstance(task, TestTask) or max(member.free for member in at_home) > 0):
            best = max(at_home, key=lambda member: member.free)
            if best.free > 0 or all(member.free <= 0 for member in fitting):
                return best
        return max(fitting, key=lambda member: (member.free, member.inventory.slots), default=None)

    def _sent(self, member: Member, item: Item) -> Assignment:
        item.begun = False
        member.sent[item.task.key] = item
        return Assignment(member.address, item)

    def _usable(self) -> list[Member]:
        return [
            member for member in self.members.values() if not {member.inventory.host, member.address} & {*self.drained}
        ]

    def _is_alone(self, member: Member) -> bool:
        """Whether a machine has a suspect, which is to be alone there."""
        return any(item.suspect for item in member.sent.values())

    def _reserve(self) -> str:
        """Return the machine that gets nothing more until a suspect can be alone there, or "": the least busy one.

        It stays the same one until then: of two in turn, neither would ever be empty.
        """
        if not self._suspects or any(map(self._is_alone, self.members.values())):
            self._reserved = ""
            return ""
        task = self._suspects[0].task
        fitting = [member for member in self._usable() if self._fits(member, task)]
        if self._reserved not in {member.address for member in fitting}:
            least = min(fitting, key=lambda member: len(member.sent), default=None)
            self._reserved = least.address if least else ""
        return self._reserved

    def _fits(self, member: Member, task: Task) -> bool:
        wanted = interpreter_of(task)
        if wanted is not None and identity(wanted) not in member.has:
            return False
        return member.until == float("inf") or self._clock() + SAFETY * self._expected(task) <= member.until

    def orphans(self) -> list[Task]:
        """Return the waiting tasks that keep what a lost machine had."""
        waiting = [item.task for item in (*self._waiting, *self._suspects) if isinstance(item.task, CompileTask)]
        usable = {member.address for member in self._usable()}
        return [task for task in waiting if not usable & self._homes.get(environment_of(task), set())]

    def hopeless(self) -> list[Task]:
        """Return the waiting tasks that no machine which is there can do, whatever it has to do now."""
        return [
            item.task
            for item in (*self._waiting, *self._suspects)
            if not any(self._fits(member, item.task) for member in self._usable())
        ]
