"""The door to where tasks are done: threads of this process today, other machines later.

An executor only carries tasks and deliveries. It knows nothing of the plan, keeps no state of the run, and decides
nothing but where a task is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from venvgrid.model import Event
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from venvgrid.running.tasks import Task, TaskResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """How many tasks may run at once: `cpu` builds and tests together, `network` resolves and downloads besides."""

    cpu: int
    network: int

    @classmethod
    def for_workers(cls, workers: int) -> Slots:
        """Return the slots for `-j WORKERS`. A resolve mostly waits for the network."""
        return cls(cpu=workers, network=max(4, workers))


@dataclass(frozen=True, slots=True)
class Finished:
    """The last delivery of a task: its result, or the exception that it ended with, which is a bug."""

    task: Task
    result: TaskResult | Exception


Post = Callable[[Event], None]
Deliver = Callable[[Event | Finished], None]


class Executor(Protocol):
    """Does tasks somewhere. `deliver` may be called from any thread; `Finished` is its last call for a task."""

    @property
    def slots(self) -> Slots:
        """How many tasks it takes at once."""

    def submit(self, task: Task, deliver: Deliver) -> None:
        """Start a task. Its events and then its `Finished` are delivered."""

    def cancel(self, *, urgent: bool) -> None:
        """Stop all running tasks; `urgent`: without a grace period. A signal handler may call it, also twice."""

    def close(self) -> None:
        """Wait for the running tasks, and release what the executor holds."""
