"""Machines of a cluster: what each says that it has, and which task fits it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from venvgrid.model import Interpreter, serialization
from venvgrid.model.values import dataclass
from venvgrid.running.tasks import BuildTask, CompileTask, ResolveTask, TestTask, WheelTask

if TYPE_CHECKING:
    from venvgrid.running.tasks import Task

Identity = tuple[str, str, bool, bool, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a machine says of itself.

    `host` is shared by the workers of one machine, `name` is this worker's. `ends` is when it will be taken away, in
    seconds since the epoch by its own clock `now`, or 0. `bound` is the plan that it runs alone, or "". `variables` are
    digests of what tests get of its environment, as "LANG=0f3a…": their values stay where they are.
    """

    name: str
    host: str
    venvgrid: str
    platform: str
    cpus: int
    memory: int  # bytes
    slots: int
    interpreters: tuple[Interpreter, ...] = ()
    ends: float = 0.0
    now: float = 0.0
    bound: str = ""
    process: int = 0
    variables: tuple[str, ...] = ()

    @property
    def left(self) -> float:
        """The seconds that it still has, by its own clock: no two clocks need to agree."""
        return self.ends - self.now if self.ends else float("inf")

    def render(self) -> str:
        """Return it as JSON."""
        return json.dumps(serialization.to_plain(self))


def parse_inventory(text: str) -> Inventory:
    """Return the inventory of a text.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    found: Inventory = serialization.from_plain(Inventory, json.loads(text))
    return found


def identity(interpreter: Interpreter) -> Identity:
    """Return by what an interpreter is the same on two machines."""
    traits = interpreter.free_threaded, interpreter.debug, interpreter.bits, interpreter.platform
    return interpreter.implementation, interpreter.version, *traits


def interpreter_of(task: Task) -> Interpreter | None:
    """Return the interpreter that a task needs, or None if it needs none."""
    match task:
        case BuildTask() | TestTask():
            return task.entry.interpreter
        case CompileTask():
            return task.environment.interpreter
        case ResolveTask() | WheelTask():
            return task.interpreter
        case _:
            return None


def environment_of(task: Task) -> str:
    """Return the environment that a task builds or uses, or ""."""
    match task:
        case BuildTask() | TestTask():
            return task.entry.key
        case CompileTask():
            return task.environment.key
        case _:
            return ""
