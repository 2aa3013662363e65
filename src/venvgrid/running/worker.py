"""The worker: does one task with the tools of this machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from venvgrid.installers import progress
from venvgrid.model import InfrastructureError, Stage, StageFinished, StageProgress, StageStarted
from venvgrid.model.values import dataclass
from venvgrid.processes.diagnosis import headline
from venvgrid.project.metadata import ProjectError
from venvgrid.running import tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from venvgrid.environments.package_cache.bytecode import Bytecode
    from venvgrid.environments.store import EnvironmentStore
    from venvgrid.interpreters.provider import InterpreterProvider
    from venvgrid.model import Cell, Environment
    from venvgrid.project.metadata import Metadata
    from venvgrid.project.wheels import WheelCache
    from venvgrid.resolving.resolver import Resolver
    from venvgrid.running.executors.base import Post

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The tools of one machine for a run; `test` tests a cell, `fresh` rebuilds environments.

    `store` and `bytecode` are made with the first build. `observe` is told of each task that is done.
    """

    interpreters: InterpreterProvider
    wheel_cache: WheelCache
    resolver: Callable[[Metadata | None], Resolver]
    store: Callable[[], EnvironmentStore]
    bytecode: Callable[[], Bytecode]
    test: Callable[[tasks.TestTask, Post], tasks.TestDone]
    fresh: bool = False
    observe: Callable[[tasks.Task, tasks.TaskResult], None] | None = None

    def execute(self, task: tasks.Task, post: Post) -> tasks.TaskResult:
        """Do a task and return its result; `post` takes the events of its stages, without their time."""
        result = self._execute(task, post)
        if self.observe is not None:
            self.observe(task, result)
        return result

    def _execute(self, task: tasks.Task, post: Post) -> tasks.TaskResult:
        try:
            match task:
                case tasks.ResolveTask():
                    return self._resolve(task, post)
                case tasks.WheelTask():
                    return tasks.WheelDone(wheel=self.wheel_cache.wheel(task.interpreter))
                case tasks.DownloadTask():
                    return tasks.DownloadDone(interpreter=self.interpreters.download(task.value, task.missing))
                case tasks.BuildTask():
                    return self._build(task, post)
                case tasks.TestTask():
                    return self.test(task, post)
                case tasks.CompileTask():
                    environment = task.environment
                    kept = self.bytecode().collect(environment.cached_packages, task.imported, environment.interpreter)
                    return tasks.CompileDone(files=kept)
        except OSError as error:
            return _failed(f"{error.filename}: {error.strerror}" if error.strerror else str(error))
        except (ProjectError, InfrastructureError) as error:
            return _failed(str(error))

    def _resolve(self, task: tasks.ResolveTask, post: Post) -> tasks.ResolveDone:
        resolver = self.resolver(task.metadata)
        answer, took = _stage(
            post, task.cells, Stage.RESOLVE, lambda: resolver.resolve(task.cells[0], task.interpreter), lambda _: ""
        )
        return tasks.ResolveDone(answer=answer, took=took)

    def _build(self, task: tasks.BuildTask, post: Post) -> tasks.BuildDone:
        def notify(text: str) -> None:
            post(StageProgress(cell=task.cells[0].id, stage=Stage.BUILD, text=text))

        def build() -> Environment:
            with progress.reporting_to(notify):
                return self._environment(task)

        environment, took = _stage(post, task.cells, Stage.BUILD, build, lambda made: made.detail)
        return tasks.BuildDone(environment=environment, took=took)

    def _environment(self, task: tasks.BuildTask) -> Environment:
        """Build or reuse an environment, and link `.venvgrid/envs/CELL` of its cells to it."""
        store = self.store()
        try:
            environment = store.ensure(
                task.entry,
                task.wheel,
                project=task.project,
                prompt=task.cells[0].id,
                fresh=self.fresh and not task.alone,
                may_link=not task.alone,
            )
        except InfrastructureError:
            self.resolver(None).invalidate(task.entry.key)  # the index may have given a wrong answer
            raise
        for cell in task.cells:
            store.link(cell.id, environment)
        return environment


def _failed(detail: str) -> tasks.TaskFailed:
    return tasks.TaskFailed(reason=headline(detail), detail=detail)


def _stage(
    post: Post, cells: tuple[Cell, ...], stage: Stage, work: Callable[[], T], detail: Callable[[T], str]
) -> tuple[T, float]:
    """Do `work` as a stage of cells; return its result and its seconds."""
    for cell in cells:
        post(StageStarted(cell=cell.id, stage=stage))
    began = time.monotonic()
    result = work()
    took = time.monotonic() - began
    for cell in cells:
        post(StageFinished(cell=cell.id, stage=stage, duration=took, detail=detail(result)))
    return result, took
