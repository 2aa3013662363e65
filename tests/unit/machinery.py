"""Machines and tasks that tests of a run on many machines are made of."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid import testing
from venvgrid.model import Cell, Stage, StageStarted
from venvgrid.model.version import __version__
from venvgrid.running.executors.remote import jobs
from venvgrid.running.executors.remote.machines import Inventory
from venvgrid.running.tasks import BuildTask, CompileTask, TestDone, TestTask

if TYPE_CHECKING:
    from collections.abc import Callable

    from venvgrid.model import Event, Interpreter
    from venvgrid.running.executors.remote.cluster import Answered, Listener
    from venvgrid.running.tasks import Task, TaskResult

PYTHON = testing.interpreter()
WORKER = testing.FakeWorker()


def machine(name: str = "m1", slots: int = 1, *, host: str = "", **options: Any) -> Inventory:
    """Make a machine; its host has its name, and its only interpreter is that of the tasks."""
    made: dict[str, Any] = {"interpreters": (PYTHON,), "cpus": slots, "memory": 2**30, "platform": "linux"}
    made |= {"host": host or name, "venvgrid": __version__, **options}
    return Inventory(name=name, slots=slots, **made)


def cell(name: str, world: str = "") -> Cell:
    """Make a cell; cells of one world share an environment."""
    return Cell(id=name, axes={"python": "3.12", "world": world or name})


def build(name: str, world: str = "", python: Interpreter = PYTHON) -> BuildTask:
    """Make the build for a cell."""
    return BuildTask(entry=WORKER.entry(cell(name, world), python), wheel=None, cells=(cell(name, world),))


def check(name: str, world: str = "", python: Interpreter = PYTHON, **options: Any) -> TestTask:
    """Make the test of a cell."""
    entry = WORKER.entry(cell(name, world), python)
    return TestTask(
        cell=cell(name, world), entry=entry, environment=testing.environment(entry), project=None, **options
    )


def keep(name: str) -> CompileTask:
    """Make the task that keeps the bytecode of a cell's environment."""
    return CompileTask(environment=testing.environment(WORKER.entry(cell(name), PYTHON)), imported=frozenset())


@dataclass(kw_only=True)
class FakeCluster:
    """A cluster in memory. A machine does a job at once, in the thread that sends it, as `work` says.

    `mishap` maps the address and the name of a job to what goes wrong: "" nothing, "lost" the machine dies in the
    middle, "dies" before it begins, "late" it answers with `finish`, "twice" it answers two times, "none" the job ends
    without an answer, "trouble" and "refuses" it says so, "stranger" the answer is that of another cell, "evil" it
    sends a file for another place; all else is the text of the answer. `blobs` are the contents of each machine by
    their digests; `mute` machines answer no question.
    """

    inventories: dict[str, Inventory]
    work: Callable[[Task, Callable[[Event], None]], TaskResult] = field(default_factory=lambda: WORKER.execute)
    mishap: Callable[[str, str], str] = lambda _address, _name: ""
    mute: set[str] = field(default_factory=set)
    blobs: dict[str, dict[str, bytes]] = field(default_factory=dict)
    sent: list[tuple[str, jobs.Job]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    late: list[Callable[[], None]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # all that went there and back
    log: str = ""  # what a test prints

    def start(self, listener: Listener) -> None:
        """Tell of all machines."""
        self.listener = listener
        for address in tuple(self.inventories):
            listener.came(address)

    def come(self, address: str, inventory: Inventory) -> None:
        """Add a machine."""
        self.inventories[address] = inventory
        self.listener.came(address)

    def lose(self, address: str) -> None:
        """Take a machine away, with what it has."""
        self.inventories.pop(address, None)
        self.blobs.pop(address, None)
        self.listener.lost(address)

    def finish(self) -> None:
        """Give the late answers."""
        while self.late:
            self.late.pop()()

    def send(self, address: str, key: str, job: str, answered: Answered) -> None:
        """Do a job; a machine that is not there never answers."""
        self.texts.append(job)
        if address not in self.inventories:
            return
        parsed = jobs.parse_job(json.loads(job), self.places(address))
        self.sent.append((address, parsed))
        wanted = [blob.digest for blob in (parsed.bundle, parsed.wheel) if blob]
        if needs := tuple(digest for digest in wanted if digest not in self.blobs.get(address, {})):
            answered(jobs.render_answer(self.answer(address, parsed, needs=needs)))
            return
        self._do(address, parsed, answered, self.mishap(address, key))

    def _do(self, address: str, job: jobs.Job, answered: Answered, mishap: str) -> None:
        if mishap == "dies":
            self.lose(address)
            return
        if mishap in {"trouble", "refuses"}:
            answered(jobs.render_answer(self.answer(address, job, **{mishap: "for a test"})))
            return
        events: list[str] = []
        self._begin(address, job, events)
        if mishap == "lost":
            self.lose(address)
            return
        result = self.work(job.task, lambda event: events.append(jobs.render_value(event, self.places(address))))
        if mishap == "stranger" and isinstance(result, TestDone):
            result = replace(result, result=replace(result.result, id="stranger"))
        name = "../../evil" if mishap == "evil" else f"logs/{job.task.key}.log"
        packed = base64.b64encode(zlib.compress(self.log.encode())).decode()
        text = jobs.render_answer(
            self.answer(
                address,
                job,
                result=jobs.render_value(result, self.places(address)),
                events=tuple(events),
                files=(jobs.SentFile(name=name, packed=packed),),
            )
        )
        self.texts.append(text)
        for _ in range(2 if mishap == "twice" else 1):
            match mishap:
                case "" | "twice" | "stranger" | "evil":
                    answered(text)
                case "none":
                    answered(None)
                case "late":
                    self.late.append(lambda: answered(text))
                case garbage:
                    answered(garbage)

    def _begin(self, address: str, job: jobs.Job, events: list[str]) -> None:
        """Say that a test has begun."""
        if isinstance(job.task, TestTask):
            began = StageStarted(cell=job.task.cell.id, stage=Stage.TEST)
            events.append(jobs.render_value(began, self.places(address)))
            said = {"run": job.run, "key": job.task.key, "attempt": job.attempt, "machine": address}
            self.listener.said(address, json.dumps({**said, "event": events[0]}))

    def answer(self, address: str, job: jobs.Job, **parts: Any) -> jobs.Answer:
        """Make an answer of a machine."""
        return jobs.Answer(attempt=job.attempt, machine=self.inventories[address].name, **parts)

    def places(self, address: str) -> jobs.Places:
        """Return where a machine has the project."""
        return jobs.Places(Path("/cache/machines") / address / "files")

    def ask(self, address: str, question: str) -> str:
        """Answer as a station does."""
        asked = json.loads(question)
        self.asked.append((address, asked))
        self.texts.append(question)
        if address in self.mute or address not in self.inventories:
            raise OSError("it does not answer")
        blobs = self.blobs.setdefault(address, {})
        match asked["op"]:
            case "inventory":
                return self.inventories[address].render()
            case "lacks":
                return json.dumps({"lacks": [digest for digest in asked["digests"] if digest not in blobs]})
            case "put":
                blobs[asked["digest"]] = blobs.get(asked["digest"], b"") + base64.b64decode(asked["data"])
            case _:
                pass
        return "{}"

    def forget(self, key: str) -> None:
        """Record it."""
        self.forgotten.append(key)

    def close(self) -> None:
        """Do nothing."""
