"""Public fakes of the doors: what venvgrid's own tests use, and what others can test their use of venvgrid with.

Each answers what it was told to and keeps what it was asked. Nothing here starts a process or reads the network.
"""

from __future__ import annotations

import hashlib
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.installers.base import Resolved, ResolveResult
from venvgrid.model import Distribution, Environment, Interpreter, LockEntry, Outcome, Stage, StageStarted
from venvgrid.model.values import dataclass
from venvgrid.processes.diagnosis import headline
from venvgrid.project.metadata import Metadata
from venvgrid.project.wheels import Wheel
from venvgrid.running import tasks
from venvgrid.running.executors.base import Finished, Slots

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.installers.base import InstallRequest, ResolveRequest
    from venvgrid.model import Cell, CellResult
    from venvgrid.running.executors.base import Deliver, Post


__all__ = ["FakeExecutor", "FakeInstaller", "FakeWorker", "distribution", "environment", "interpreter"]


def interpreter(
    version: str = "3.12.1", implementation: str = "cpython", *, free_threaded: bool = False
) -> Interpreter:
    """Make an interpreter that exists nowhere, on 64-bit Linux."""
    major, minor = version.split(".")[:2]
    suffix = "t" if free_threaded else ""
    return Interpreter(
        executable=f"/pythons/{implementation}-{version}{suffix}/bin/python",
        version=version,
        implementation=implementation,
        free_threaded=free_threaded,
        debug=False,
        bits=64,
        platform="linux-x86_64",
        cache_tag=f"{implementation}-{major}{minor}",
        markers={"python_version": f"{major}.{minor}", "python_full_version": version, "sys_platform": "linux"},
        source="fake",
    )


def distribution(name: str, version: str, *, uploaded: str = "") -> Distribution:
    """Make a locked distribution with a hash that is its own."""
    digest = f"{hash_of(f'{name}-{version}'):064x}"
    return Distribution(name=name, version=version, hashes=(f"sha256:{digest}",), uploaded=uploaded)


def environment(entry: LockEntry) -> Environment:
    """Make the environment of a lock entry, which is nowhere."""
    path = Path("/nowhere") / entry.key
    return Environment(
        key=entry.key,
        path=path,
        python=path / "bin/python",
        site=path / "lib",
        interpreter=entry.interpreter,
        detail="built",
    )


def hash_of(text: str) -> int:
    """Return a number for a text: the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=32).digest(), "big")


@dataclass(kw_only=True)
class FakeInstaller:
    """An installer whose index is `answer`; installing makes nothing and says `problem`."""

    answer: Callable[[ResolveRequest], ResolveResult] = lambda _request: Resolved(distributions=())
    problem: str = ""
    requests: list[ResolveRequest] = field(default_factory=list)
    installed: list[InstallRequest] = field(default_factory=list)
    name: str = "fake 1.0"

    def resolve(self, request: ResolveRequest) -> ResolveResult:
        """Answer a resolve."""
        self.requests.append(request)
        return self.answer(request)

    def install(self, request: InstallRequest) -> str:
        """Record an installation."""
        self.installed.append(request)
        return self.problem

    def build_wheel(
        self, source: Path, target: Path, interpreter: Interpreter, *, via_sdist: bool, offline: bool
    ) -> str:
        """Build nothing."""
        del source, target, interpreter, via_sdist, offline
        return self.problem or "a fake builds no wheel"


@dataclass(kw_only=True)
class FakeWorker:
    """A worker without effects (see `running.worker`): every table maps a cell's id; the rest is ordinary.

    `answers` are of resolves; `downloads` are interpreters by the value of the python axis; `build_problems` break the
    environments of their cells; `outcomes` are of tests; the tests of `changing` cells change what their environment
    shares with others; `unchanged` cells have an earlier result. `calls` keeps what was done, in order:
    ("test", "py3.12-…").
    """

    answers: Mapping[str, tasks.CellAnswer | Exception] = field(default_factory=dict)
    build_problems: Mapping[str, str] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    changing: frozenset[str] = frozenset()
    unchanged: frozenset[str] = frozenset()
    downloads: Mapping[str, Interpreter] = field(default_factory=dict)
    wheel_problem: str = ""
    pure: bool = True
    calls: list[tuple[str, str]] = field(default_factory=list)

    def execute(self, task: tasks.Task, post: Post) -> tasks.TaskResult:
        """Return the result of a task at once."""
        match task:
            case tasks.ResolveTask():
                return self._resolve(task, post)
            case tasks.WheelTask():
                return self._wheel(task.interpreter)
            case tasks.DownloadTask():
                self.calls.append(("python", task.value))
                return tasks.DownloadDone(interpreter=self.downloads.get(task.value, task.missing))
            case tasks.BuildTask():
                return self._build(task, post)
            case tasks.TestTask():
                return self._test(task)
            case tasks.CompileTask():
                self.calls.append(("collect", task.environment.key))
                return tasks.CompileDone(files=0)

    def cached(self, cell: Cell, entry: LockEntry, project: str) -> CellResult | None:
        """Return an earlier result for the cells of `unchanged`."""
        if project == "changed" or cell.id not in self.unchanged:
            return None
        return replace(tasks.base_result(cell, entry), outcome=Outcome.PASSED, cached=True)

    def append_log(self, cell: str, text: str) -> str:
        """Record the output of a failed step."""
        self.calls.append(("record", f"{cell}: {text}"))
        return f"logs/{cell}.log"

    def _wheel(self, interpreter: Interpreter) -> tasks.TaskResult:
        self.calls.append(("wheel", interpreter.version))
        if self.wheel_problem:
            return tasks.TaskFailed(reason=headline(self.wheel_problem), detail=self.wheel_problem)
        wheel = Wheel(
            path=Path("demo-1.0-py3-none-any.whl"),
            metadata=Metadata(name="demo", version="1.0"),
            digest="d",
            pure=self.pure,
            modules=("demo",),
        )
        return tasks.WheelDone(wheel=wheel)

    def _resolve(self, task: tasks.ResolveTask, post: Post) -> tasks.TaskResult:
        """Return the answer for a cell; cells share an environment if they are resolved alike."""
        cell = task.cells[0]
        post(StageStarted(cell=cell.id, stage=Stage.RESOLVE))
        self.calls.append(("resolve", cell.id))
        answer = self.answers.get(cell.id) or self.entry(cell, task.interpreter)
        if isinstance(answer, Exception):
            raise answer
        return tasks.ResolveDone(answer=answer, took=0.0)

    def entry(self, cell: Cell, interpreter: Interpreter) -> LockEntry:
        """Return the lock entry of a cell: without distributions, and its own but for variables."""
        key = f"{hash_of('/'.join(f'{name}{value}' for name, value in cell.versions)) % 16**16:016x}"
        return LockEntry(key=key, interpreter=interpreter, distributions=())

    def _build(self, task: tasks.BuildTask, post: Post) -> tasks.TaskResult:
        for cell in task.cells:
            post(StageStarted(cell=cell.id, stage=Stage.BUILD))
            self.calls.append(("build", cell.id))
            if problem := self.build_problems.get(cell.id):
                return tasks.TaskFailed(reason=headline(problem), detail=problem)
        return tasks.BuildDone(environment=environment(task.entry), took=0.0)

    def _test(self, task: tasks.TestTask) -> tasks.TaskResult:
        """Return the outcome of a cell. A cell of `changing` changes its environment unless it is alone in it."""
        self.calls.append(("test", task.cell.id))
        outcome = self.outcomes.get(task.cell.id, Outcome.PASSED)
        result = replace(tasks.base_result(task.cell, task.entry), outcome=outcome, attempts=1)
        changing = task.cell.id in self.changing and not task.alone
        imported = frozenset({"demo.pyc"})
        return tasks.TestDone(result=result, is_changed=changing, is_poisoned=changing, imported=imported)


@dataclass(kw_only=True)
class FakeExecutor:
    """An executor without threads: `submit` does a task at once with `execute`. `cancelled` keeps the calls."""

    execute: Callable[[tasks.Task, Post], tasks.TaskResult]
    slots: Slots = field(default_factory=lambda: Slots(cpu=1, network=1))
    cancelled: list[bool] = field(default_factory=list)

    def submit(self, task: tasks.Task, deliver: Deliver) -> None:
        """Do a task and deliver its result."""
        try:
            result: tasks.TaskResult | Exception = self.execute(task, deliver)
        except Exception as error:  # noqa: BLE001  (delivered, as by a real executor)
            result = error
        deliver(Finished(task, result))

    def cancel(self, *, urgent: bool) -> None:
        """Record that the run was cancelled."""
        self.cancelled.append(urgent)

    def close(self) -> None:
        """Do nothing."""
