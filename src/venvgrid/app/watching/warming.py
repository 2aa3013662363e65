"""The warm half of watch: after an edit, what the tests say in warm processes, before the full run."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field, replace
from typing import TYPE_CHECKING, TypeVar

from venvgrid.app import assembly
from venvgrid.model import Stage, StageStarted, TestFinished
from venvgrid.model.values import dataclass
from venvgrid.running.tasks import BuildDone, BuildTask, InstalledProject, TestTask
from venvgrid.running.warm.overlay import Overlays
from venvgrid.running.warm.pool import WarmPool
from venvgrid.running.warm.preview import Cold, Preview
from venvgrid.storage import directories

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from venvgrid.app.context import RunContext
    from venvgrid.processes.command import Cancellation
    from venvgrid.project.inputs import Inputs
    from venvgrid.running.executors.base import Post
    from venvgrid.running.tasks import Task, TaskResult

T = TypeVar("T")
BUILT = "built"  # the detail of an environment that is new


@dataclass(slots=True)
class _Servers:
    """The servers of one configuration, and what they were started for."""

    key: object
    pool: WarmPool
    overlays: Overlays
    inputs: Inputs
    tasks: dict[str, TestTask] = field(default_factory=dict)  # by cell
    ready: set[str] = field(default_factory=set)  # cells whose process has done its imports

    def learn(self, task: TestTask, contents: Mapping[str, str]) -> None:
        """Note the environment of a cell; it was installed from inputs with these contents."""
        before = self.tasks.get(task.cell.id)
        if before is not None and before.environment.path != task.environment.path:
            self.ready.discard(task.cell.id)
        elif (
            before is not None and task.environment.detail == BUILT
        ):  # its processes have imported what was there before
            self.pool.close()
            self.ready.clear()
        self.tasks[task.cell.id] = task
        self.overlays.learn(task, contents)


class Warmth:
    """The warm processes of a session. A context manager: its end leaves none.

    Another configuration begins with none. Where processes cannot fork there never is any.
    """

    def __init__(self) -> None:
        """Begin without processes."""
        self._folder = directories.short_folder()
        self._servers: _Servers | None = None
        self._count = 0

    def of(self, context: RunContext, inputs: Inputs) -> None:
        """Fit the processes to a configuration and to the state of the project."""
        key = (context.config.digest, context.options.arguments, context.options.workers)
        servers = self._servers
        if servers is not None and servers.key == key:
            servers.inputs = inputs
            return
        self._close()
        if os.name != "posix":
            return
        self._count += 1
        folder = self._folder / f"{self._count:x}"
        for name in ("p", "o"):
            (folder / name).mkdir(parents=True)
        self._servers = servers = _Servers(
            key=key,
            pool=WarmPool(
                commands=assembly.make_commands(context, folder),
                folder=folder / "p",
                inputs=lambda: servers.inputs if servers is not None else inputs,
            ),
            overlays=Overlays(config=context.config, folder=folder / "o"),
            inputs=inputs,
        )

    def observing(self, context: RunContext) -> Callable[[Task, TaskResult], None]:
        """Return what learns from the builds of a run which environment each cell has, and what is in it."""
        servers = self._servers

        def observe(task: Task, result: TaskResult) -> None:
            if servers is None or not isinstance(task, BuildTask) or not isinstance(result, BuildDone) or task.alone:
                return
            for cell in task.cells:
                made = TestTask(
                    cell=cell, entry=task.entry, environment=result.environment, project=_project(context, task)
                )
                servers.learn(made, context.project.inputs.contents)

        return observe

    def previews(
        self,
        context: RunContext,
        cells: Sequence[str],
        *,
        post: Post,
        cancellation: Cancellation,
        tests_first: tuple[str, ...] = (),
        only_first: Collection[str] = (),
    ) -> Iterator[tuple[str, Preview | Cold]]:
        """Run cells in warm processes, in this order and `workers` at once; yield what each said as it comes.

        The cells of `only_first` run no other tests than those that go first, if they have one of these.
        """
        servers = self._servers
        if servers is None:
            return
        contents = servers.inputs.contents

        def one(cell: str) -> tuple[str, Preview | Cold]:
            task = servers.tasks[cell]
            overlay = servers.overlays.of(task, contents)
            if isinstance(overlay, Cold):
                return cell, overlay
            post(StageStarted(cell=cell, stage=Stage.TEST))
            place = f"{overlay}{os.sep}" if overlay else ""
            said = servers.pool.run(
                task,
                post=lambda event: post(_readable(event, place)),
                cancellation=cancellation,
                tests_first=tests_first,
                only_first=cell in only_first,
                overlay=overlay,
            )
            return cell, _readable(said, place)

        with ThreadPoolExecutor(max_workers=context.options.workers, thread_name_prefix="venvgrid-warm") as pool:
            yield from pool.map(one, cells)

    def unknown(self, cells: Sequence[str]) -> tuple[str, ...]:
        """Return the cells whose environment is not known yet."""
        known: Mapping[str, TestTask] = self._servers.tasks if self._servers is not None else {}
        return tuple(cell for cell in cells if cell not in known) if self._servers is not None else ()

    def ready(self, cells: Iterable[str]) -> tuple[str, ...]:
        """Return the cells whose process waits for an edit."""
        servers = self._servers
        return tuple(cell for cell in cells if servers is not None and cell in servers.ready)

    def prepare(self, cells: Sequence[str], cancellation: Cancellation) -> None:
        """Start the processes of cells, one after the other, so that the next edit finds them ready."""
        servers = self._servers
        for cell in cells:
            if servers is None or cancellation.is_set():
                return
            task = servers.tasks.get(cell)
            if task and not servers.pool.warm_up(task, cancellation) and not cancellation.is_set():
                servers.ready.add(cell)

    def _close(self) -> None:
        if self._servers is not None:
            self._servers.pool.close()
            self._servers = None

    def close(self) -> None:
        """End all processes."""
        self._close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _project(context: RunContext, task: BuildTask) -> InstalledProject | None:
    metadata = task.wheel.metadata if task.wheel else context.project.metadata
    if metadata is None or not context.installs:
        return None
    return InstalledProject(metadata=metadata, modules=task.wheel.modules if task.wheel else ())


def _readable(said: T, place: str) -> T:
    """Return what was said of a preview without the place of the edited package, which is a temporary one."""
    if not place:
        return said
    if isinstance(said, TestFinished):
        return replace(said, message=said.message.replace(place, ""))
    if isinstance(said, Preview):
        failures = tuple(
            replace(item, message=item.message.replace(place, ""), longrepr=item.longrepr.replace(place, ""))
            for item in said.failures
        )
        return replace(said, failures=failures, reason=said.reason.replace(place, ""))
    return said
