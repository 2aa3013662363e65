"""Placement: which machine does which task next. Pure: it sends nothing and knows time only as it is told.

    waiting ──assign──▶ sent ──begun──▶ running ──done──▶ gone
       ▲                  │                │
       │                  └── lost ────────┤ (never began: no suspect)
       └──────── suspect, alone ◀──────────┘ three deaths alone: it is what kills its machine

A task goes where its interpreter is; a test where its environment was built, unless another machine would be idle. Each
machine gets as many tasks as it has slots, and a few more while others wait, so that it never waits itself.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from venvgrid.running.executors.remote.machines import environment_of, identity, interpreter_of
from venvgrid.running.tasks import BuildTask, CompileTask, TestTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from venvgrid.running.executors.remote.machines import Identity, Inventory
    from venvgrid.running.tasks import Task

MAX_DEATHS = 3  # of machines while a task ran there alone: then the task is to blame
CRASH_LOOP, CRASH_TIME = 3, 600.0  # deaths of one host, and seconds: then nothing more is sent there
MAX_UNBEGUN = 5  # attempts that were lost before they began: one that kills at once may not come to say so
SAFETY = 2.0  # times the expected seconds that a machine must still have


@dataclass(slots=True)
class Item:
    """A task that is waiting or sent. `deaths` counts machines that were lost while it ran there alone."""

    task: Task
    attempt: int = 1
    suspect: bool = False
    deaths: int = 0
    begun: bool = False
    machines: tuple[str, ...] = ()  # that were lost while it ran there


@dataclass(slots=True)
class Member:
    """A machine of the cluster with the tasks that were sent to it."""

    address: str
    inventory: Inventory
    has: frozenset[Identity]
    until: float  # by the clock of the placement
    sent: OrderedDict[str, Item] = field(default_factory=OrderedDict)

    @property
    def free(self) -> int:
        """The slots that are free."""
        return self.inventory.slots - len(self.sent)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A task that is to be sent to a machine now."""

    address: str
    item: Item


class Placement:
    """The machines of a run and its tasks. `expected` gives the seconds of a task; `clock` is monotonic, in seconds."""

    def __init__(self, expected: Callable[[Task], float], clock: Callable[[], float]) -> None:
        """Begin without a machine."""
        self.members: dict[str, Member] = {}
        self.drained: dict[str, str] = {}  # host → why nothing is sent there
        self._expected, self._clock = expected, clock
        self._waiting: deque[Item] = deque()
        self._suspects: deque[Item] = deque()
        self._homes: dict[str, set[str]] = {}  # environment → addresses that have it
        self._deaths: dict[str, deque[float]] = {}  # of a host

    @property
    def slots(self) -> int:
        """How many tasks run at once on all machines."""
        return sum(member.inventory.slots for member in self._usable())

    def together(self, address: str) -> int:
        """Return how many tasks may run at once on the host of a machine."""
        host = self.members[address].inventory.host
        return sum(member.inventory.slots for member in self.members.values() if member.inventory.host == host)

    def came(self, address: str, inventory: Inventory) -> None:
        """Add a machine."""
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

    def done(self, address: str, key: str) -> Item | None:
        """Remove a task that ended; None if it is not there any more: its machine was given up."""
        member = self.members.get(address)
        item = member.sent.pop(key, None) if member else None
        if item and isinstance(item.task, BuildTask):
            self._homes.setdefault(item.task.entry.key, set()).add(address)
        return item

    def back(self, address: str, key: str) -> None:
        """Let a task wait again that its machine could not begin."""
        if item := self.done(address, key):
            self._waiting.appendleft(replace(item, attempt=item.attempt + 1, begun=False))

    def sent(self, address: str, key: str) -> Item | None:
        """Return a task that was sent to a machine, or None if it is not there any more."""
        member = self.members.get(address)
        return member.sent.get(key) if member else None

    def drop(self, key: str) -> None:
        """Remove a task that waits."""
        self._waiting = deque(item for item in self._waiting if item.task.key != key)
        self._suspects = deque(item for item in self._suspects if item.task.key != key)

    def failed(self, address: str, key: str) -> list[Item]:
        """Let a task run again whose answer was lost, as after a death of its machine; see `lost`."""
        member = self.members.get(address)
        item = member.sent.pop(key, None) if member else None
        return self._again(item, member, alone=not member.sent) if member and item else []

    def lost(self, address: str) -> list[Item]:
        """Remove a machine; its tasks wait again. Return those that have killed too many machines: they do not."""
        member = self.members.pop(address, None)
        if member is None:
            return []
        for homes in self._homes.values():
            homes.discard(address)
        if member.sent:
            self._count_death(member.inventory.host)
        alone = len(member.sent) == 1
        return [guilty for item in member.sent.values() for guilty in self._again(item, member, alone=alone)]

    def _again(self, item: Item, member: Member, *, alone: bool) -> list[Item]:
        """Let a task wait again; return it if it has killed too many machines."""
        again = replace(item, attempt=item.attempt + 1, begun=False)
        if not item.begun and item.attempt < MAX_UNBEGUN:
            self._waiting.appendleft(again)
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
        reserved = self._reserved()
        members = [member for member in self._usable() if member.address not in reserved and not self._is_alone(member)]
        # One task more than slots while many wait: the next is there when the last one ends.
        extra = 1 if len(self._waiting) > 2 * sum(member.inventory.slots for member in members) else 0
        room = {member.address: member.free + extra for member in members}
        held = deque[Item]()
        while self._waiting and any(count > 0 for count in room.values()):
            item = self._waiting.popleft()
            chosen = self._choose(item.task, [member for member in members if room[member.address] > 0])
            if chosen is None:
                held.append(item)
                continue
            room[chosen.address] -= 1
            yield self._sent(chosen, item)
        self._waiting.extendleft(reversed(held))

    def _choose(self, task: Task, members: list[Member]) -> Member | None:
        """Return the machine for a task: its home, else the one with most free slots."""
        fitting = [member for member in members if self._fits(member, task)]
        homes = self._homes.get(environment_of(task), set())
        if isinstance(task, CompileTask) or (isinstance(task, TestTask) and task.alone):
            known = [member for member in self._usable() if member.address in homes]
            if known:
                return next((member for member in fitting if member.address in homes), None)
        at_home = [member for member in fitting if member.address in homes]
        if at_home and (isinstance(task, TestTask) or max(item.free for item in at_home) > 0):
            best = max(at_home, key=lambda member: member.free)
            if best.free > 0 or all(member.free <= 0 for member in fitting):
                return best
        return max(fitting, key=lambda member: (member.free, member.inventory.slots), default=None)

    def _sent(self, member: Member, item: Item) -> Assignment:
        item.begun = False
        member.sent[item.task.key] = item
        return Assignment(member.address, item)

    def _usable(self) -> list[Member]:
        return [member for member in self.members.values() if member.inventory.host not in self.drained]

    def _is_alone(self, member: Member) -> bool:
        """Whether a machine has a suspect, which is to be alone there."""
        return any(item.suspect for item in member.sent.values())

    def _reserved(self) -> set[str]:
        """Return the machines that get nothing more until a suspect can be alone there: one, that which is freest."""
        if not self._suspects or any(map(self._is_alone, self.members.values())):
            return set()
        item = self._suspects[0]
        fitting = [member for member in self._usable() if self._fits(member, item.task)]
        return {max(fitting, key=lambda member: member.free).address} if fitting else set()

    def _fits(self, member: Member, task: Task) -> bool:
        wanted = interpreter_of(task)
        if wanted is not None and identity(wanted) not in member.has:
            return False
        return member.until == float("inf") or self._clock() + SAFETY * self._expected(task) <= member.until

    def hopeless(self) -> list[Task]:
        """Return the waiting tasks that no machine which is there can do, whatever it has to do now."""
        return [
            item.task
            for item in (*self._waiting, *self._suspects)
            if not any(self._fits(member, item.task) for member in self._usable())
        ]
