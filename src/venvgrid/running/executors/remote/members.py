"""What placement keeps of a run: its tasks that wait or were sent, and the machines that do them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from venvgrid.running.executors.remote.machines import Identity, Inventory
    from venvgrid.running.tasks import Task


@dataclass(slots=True)
class Item:
    """A task that is waiting or sent.

    `deaths` counts machines that were lost while it ran there alone, `unbegun` those that were lost before it began,
    `troubles` those that could not do it; `trouble` is what the last of them said.
    """

    task: Task
    attempt: int = 1
    suspect: bool = False
    deaths: int = 0
    unbegun: int = 0
    troubles: int = 0
    trouble: str = ""
    begun: bool = False
    machines: tuple[str, ...] = ()  # that were lost while it ran there, or could not do it


@dataclass(slots=True)
class Member:
    """A machine of the cluster with the tasks that were sent to it."""

    address: str
    inventory: Inventory
    has: frozenset[Identity]
    until: float  # by the clock of the placement
    troubled: list[str] = field(default_factory=list)  # tasks that it could not do, one after the other
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
