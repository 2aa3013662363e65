"""The session of a worker: one run on this machine, in a copy of the project of its own."""

from __future__ import annotations

import base64
import shutil
import threading
import zlib
from contextlib import ExitStack, suppress
from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from venvgrid.app import assembly
from venvgrid.app.cluster import bundle
from venvgrid.app.context import RunContext
from venvgrid.app.options import FrontEnd
from venvgrid.model import InfrastructureError, StageFinished, StageStarted
from venvgrid.model.values import dataclass
from venvgrid.results import coverage
from venvgrid.running import tasks
from venvgrid.running.executors.remote.jobs import MAX_INLINE, Answer, Job, Places, SentFile, render_value
from venvgrid.running.executors.remote.machines import identity, interpreter_of
from venvgrid.storage import directories

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from venvgrid.app.cluster.blobs import Blobs
    from venvgrid.model import Event, Interpreter
    from venvgrid.running.worker import Worker

MARK = ".venvgrid"


@dataclass(kw_only=True)
class Session:
    """One run on this worker. `place` is a folder that no other process uses; environments in it serve later runs.

    `together` cells run at once on this host: each may use its part of the CPUs.

    `say` takes the events of a running job for those who watch, by the key of its task and its attempt.
    """

    run: str
    name: str
    place: Path
    blobs: Blobs
    together: int
    environ: Mapping[str, str]
    say: Callable[[Job, str], None]
    _stack: ExitStack = field(default_factory=ExitStack)
    _built: set[tuple[str, bool]] = field(default_factory=set)
    _building: dict[str, threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def root(self) -> Path:
        """The copy of the project's files."""
        return self.place / "files"

    @property
    def folder(self) -> Path:
        """The folder of the run's logs."""
        return self.place / "run"

    def open(self, path: Path) -> None:
        """Unpack the bundle and take over the folder.

        Raises:
            InfrastructureError: it cannot be used.
        """
        unpacked = _replace_files(path, self.root)
        front = FrontEnd(environ=self.environ, notify=lambda _text: None)
        self.context = RunContext(
            config=unpacked.config, options=replace(unpacked.options, workers=self.together), front=front
        )
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "logs").mkdir(parents=True)
        directories.prepare(self.context.root, self.context.environments)
        self._stack.enter_context(directories.scratch(self.context.root))
        self.places = Places(self.root)
        _ = self.context.project.inputs  # as they are before anything runs

    @cached_property
    def worker(self) -> Worker:
        """What does tasks here."""
        return assembly.make_worker(self.context, self.folder)

    @cached_property
    def interpreters(self) -> Mapping[object, Interpreter]:
        """The interpreters of this machine, by what they are."""
        return {identity(item): item for item in self.context.machine.interpreters.found().interpreters}

    @property
    def is_stopped(self) -> bool:
        """Whether it runs no command any more."""
        return self.context.machine.cancellation.is_set()

    def stop(self, *, urgent: bool) -> None:
        """Stop all commands; `urgent`: kill them."""
        cancellation = self.context.machine.cancellation
        if not cancellation.is_set():
            cancellation.set()
        if urgent and not cancellation.is_urgent():
            cancellation.set()

    def close(self) -> None:
        """Give the folder back."""
        self.context.machine.packages.settle()
        self._stack.close()
        self.blobs.tidy()

    def lacks(self, job: Job) -> list[str]:
        """Return the contents that a job needs and the machine has not."""
        return self.blobs.lacks([job.wheel.digest] if job.wheel else [])

    def do(self, job: Job) -> Answer:
        """Do a job and return its answer."""
        events: list[str] = []

        def post(event: Event) -> None:
            text = render_value(event, self.places)
            if isinstance(event, StageStarted | StageFinished):
                events.append(text)
            self.say(job, text)

        result = self._execute(job, post)
        if isinstance(result, tasks.WheelDone):
            return self._answer(job, result, events, {f"wheels/{result.wheel.path.name}": result.wheel.path})
        return self._answer(job, result, events, self._files(job))

    def _execute(self, job: Job, post: Callable[[Event], None]) -> tasks.TaskResult:
        wanted = interpreter_of(job.task)
        here = self.interpreters.get(identity(wanted)) if wanted else None
        if wanted is None or here is None:
            reason = f"{self.name} has no interpreter {wanted.implementation} {wanted.version}" if wanted else "no task"
            return tasks.TaskFailed(reason=reason, detail=reason)
        task = job.task
        if isinstance(task, tasks.TestTask):
            ready = self._ready(job, task, here, post)
            if not isinstance(ready, tasks.TestTask):
                return ready
            task = ready
        result = self.worker.execute(self._here(task, job, here), post)
        if isinstance(task, tasks.BuildTask) and isinstance(result, tasks.BuildDone):
            self._built.add((task.entry.key, task.alone))
        return _as_asked(result, wanted)

    def _ready(
        self, job: Job, task: tasks.TestTask, here: Interpreter, post: Callable[[Event], None]
    ) -> tasks.TestTask | tasks.TaskResult:
        """Return the task with an environment of this machine: it may have been built on another one."""
        key = task.entry.key, task.alone
        with self._guard:
            lock = self._building.setdefault(task.entry.key, threading.Lock())
        with lock:
            if key in self._built or job.build is None:
                return task
            built = self.worker.execute(self._here(job.build, job, here), post)
            if not isinstance(built, tasks.BuildDone):
                return built
            self._built.add(key)
            return replace(task, environment=built.environment)

    def _here(self, task: tasks.Task, job: Job, here: Interpreter) -> tasks.Task:
        """Return a task with the interpreter and the wheel of this machine."""
        match task:
            case tasks.BuildTask():
                wheel = replace(task.wheel, path=self._wheel(task.wheel.path.name, job)) if task.wheel else None
                return replace(task, entry=replace(task.entry, interpreter=here), wheel=wheel)
            case tasks.TestTask():
                environment = replace(task.environment, interpreter=here)
                return replace(task, entry=replace(task.entry, interpreter=here), environment=environment)
            case tasks.CompileTask():
                return replace(task, environment=replace(task.environment, interpreter=here))
            case tasks.ResolveTask() | tasks.WheelTask():
                return replace(task, interpreter=here)
            case _:
                return task

    def _wheel(self, name: str, job: Job) -> Path:
        """Return the wheel under its name, which installers read."""
        found = self.blobs.find(job.wheel.digest) if job.wheel else None
        if job.wheel is None or found is None:
            raise InfrastructureError(f"{self.name} was not given the wheel {name}")
        target = self.place / "wheels" / job.wheel.digest / name
        with self._guard:
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(found, target)
        return target

    def _files(self, job: Job) -> dict[str, Path]:
        """Return the files that belong to the result of a test: the log, and what was measured."""
        if not isinstance(job.task, tasks.TestTask):
            return {}
        cell, found = job.task.cell.id, {}
        log = f"logs/{cell}.log"
        if (self.folder / log).is_file():
            found[log] = self.folder / log
        if self.context.config.test.coverage:
            measured = coverage.folder_of(self.context.root / "cells" / cell)
            found |= {f"cells/{cell}/{measured.name}/{item.name}": item for item in measured.glob(f"{coverage.FILE}*")}
        return found

    def _answer(self, job: Job, result: tasks.TaskResult, events: list[str], files: Mapping[str, Path]) -> Answer:
        room, sent = MAX_INLINE, list[SentFile]()
        text, long_result = render_value(result, self.places), None
        if len(text) > room // 2:
            text, long_result = "", self.blobs.keep(text.encode())
        room -= len(text) + sum(map(len, events))
        for name, path in files.items():
            content = path.read_bytes()
            packed = base64.b64encode(zlib.compress(content, 1)).decode("ascii")
            if len(packed) < room:
                sent.append(SentFile(name=name, packed=packed))
                room -= len(packed)
            else:
                sent.append(SentFile(name=name, blob=self.blobs.keep(content)))
        return Answer(
            attempt=job.attempt,
            machine=self.name,
            result=text,
            long_result=long_result,
            events=tuple(events),
            files=tuple(sent),
        )


def _replace_files(path: Path, root: Path) -> bundle.Unpacked:
    """Unpack a bundle in place of an earlier one; `.venvgrid` with its environments stays."""
    root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    old = root.with_name("old")
    shutil.rmtree(old, ignore_errors=True)
    with suppress(FileNotFoundError):
        root.rename(old)
    root.mkdir(mode=0o700)
    unpacked = bundle.unpack(path, root)
    mine = unpacked.config.root / MARK
    kept = old / mine.relative_to(root)
    if kept.is_dir() and not kept.is_symlink():
        kept.rename(mine)
    shutil.rmtree(old, ignore_errors=True)
    return unpacked


def _as_asked(result: tasks.TaskResult, wanted: Interpreter) -> tasks.TaskResult:
    """Return a result with the interpreter as the coordinator knows it."""
    match result:
        case tasks.BuildDone():
            return replace(result, environment=replace(result.environment, interpreter=wanted))
        case tasks.TestDone():
            return replace(result, result=replace(result.result, interpreter=wanted))
        case _:
            return result
