"""Warm servers, one for each environment and way of starting pytest, and the previews that they make."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from dataclasses import field, replace
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass
from venvgrid.outcomes import witness
from venvgrid.processes import memory
from venvgrid.processes.command import Cancellation
from venvgrid.processes.parallel import map_parallel, mutex
from venvgrid.processes.runner import NotStartedError
from venvgrid.processes.warm.server import Imports, Server
from venvgrid.project import bytecode
from venvgrid.running.cell_command import IMPORTED
from venvgrid.running.warm import imported, way
from venvgrid.running.warm.preview import Cold, Preview
from venvgrid.running.warm.previewing import WITNESS, PreviewRun, Warm
from venvgrid.running.witnessing import scene_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from venvgrid.processes.command import Command
    from venvgrid.processes.warm.server import State
    from venvgrid.project.inputs import Inputs
    from venvgrid.running.cell_command import CellCommands
    from venvgrid.running.executors.base import Post
    from venvgrid.running.tasks import TestTask
    from venvgrid.running.warm.imported import Imported
    from venvgrid.running.warm.previewing import WarmServer

LIMIT = 24  # servers
OF_THE_CELL = frozenset({"VENVGRID_CELL", "COVERAGE_FILE"})  # no library reads them when it is imported


Launch = Callable[["Command", "Path", Imports], "WarmServer"]


Key = tuple[object, ...]


@dataclass(kw_only=True)
class WarmPool:
    """Servers that stay alive, at most `limit`, and while no more than `memory_limit` bytes are held by all of them.

    That of which the last use is the longest ago goes first; at least one stays.

    `commands` are those of the cells; their folder takes the logs of previews alone. `inputs` are those of the project.
    `folder` is a temporary one with a short path (those of sockets have at most 107 bytes), for the pool alone.
    Methods may be called from several threads. `close` ends all servers and all runs.
    """

    commands: CellCommands
    folder: Path
    inputs: Callable[[], Inputs]
    limit: int = LIMIT
    memory_limit: float = field(default_factory=lambda: (memory.of_machine() or float("inf")) / 2)
    launch: Launch = Server
    _servers: dict[Key, Warm] = field(default_factory=dict)  # the last used is the last one
    _refused: dict[Key, str] = field(default_factory=dict)
    _lock: AbstractContextManager[object] = field(default_factory=mutex)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def prepare(self, task: TestTask) -> Cold | None:
        """Start the server of a cell, or start it again if the cell imports more modules by now. Does not wait."""
        found = self._acquire(task, is_idle=True)
        if isinstance(found, Cold):
            return found
        self._release(found)
        return None

    def warm_up(self, task: TestTask, cancellation: Cancellation) -> Cold | None:
        """Prepare the server of a cell, and wait until it has done its imports."""
        found = self._acquire(task, is_idle=True)
        if isinstance(found, Cold):
            return found
        try:
            state = found.server.wait(cancellation)
            return self._refuse(found, state) if state is not None and state.refused else None
        finally:
            self._release(found)

    def run(
        self,
        task: TestTask,
        *,
        post: Post,
        cancellation: Cancellation | None = None,
        tests_first: tuple[str, ...] = (),
        only_first: bool = False,
        overlay: Path | Cold | None = None,
    ) -> Preview | Cold:
        """Run the tests of a cell in its server; start the server if need be, and wait for it.

        `post` takes the events of tests as in a full run. Tests with the ids `tests_first` go first; with `only_first`
        the others are left out, if one of these is there. `overlay` is what `overlay.Overlays` returns.
        """
        cancellation = cancellation or Cancellation()
        if isinstance(overlay, Cold):
            return overlay
        warm = self._acquire(task)
        if isinstance(warm, Cold):
            return warm
        scratch = self._new_folder()
        try:
            state = warm.server.wait(cancellation)
            if cancellation.is_set():
                return Cold(reason="stopped by the user")
            if state is None or state.refused:
                return self._refuse(warm, state)
            run = PreviewRun(
                commands=replace(self.commands, first=tests_first, only_first=only_first, is_preview=True),
                task=task,
                warm=warm,
                scratch=scratch,
                overlay=overlay,
                post=post,
            )
            bytecode.drop_stale(self.inputs())
            return run.run(cancellation)
        finally:
            self._release(warm)
            shutil.rmtree(scratch, ignore_errors=True)

    def states(self) -> tuple[State | None, ...]:
        """Return what the servers say of their imports; None for those that still import."""
        with self._lock:
            return tuple(warm.server.state() for warm in self._servers.values())

    def memory(self) -> int:
        """Return the resident bytes of all servers and their runs."""
        with self._lock:
            servers = [warm.server for warm in self._servers.values()]
        return sum(server.memory() for server in servers)

    def close(self) -> None:
        """End all servers and their runs."""
        with self._lock:
            servers = [warm.server for warm in self._servers.values()]
            self._servers.clear()
        map_parallel(lambda server: server.close(), servers)  # each waits until its processes are gone

    def _new_folder(self) -> Path:
        folder = self.folder / f"{next(self._numbers):x}"
        folder.mkdir(mode=0o700)
        return folder

    def _acquire(self, task: TestTask, *, is_idle: bool = False) -> Warm | Cold:
        """Return the server of a cell, counted as used; started if there is none that lives."""
        suite = self.commands.config.test
        if why := way.objection(suite):
            return Cold(reason=why)
        place = self.folder / "all"  # stands for the temporary folder of each run
        command = self.commands.tests(task, self.commands.variables(task, place), place)
        found = way.of_command(command, task.environment.path)
        if isinstance(found, Cold):
            return found
        variables = frozenset((name, value) for name, value in command.env.items() if name not in OF_THE_CELL)
        key: Key = (task.environment.path, found, command.cwd, variables)
        with self._lock:
            if key in self._refused:
                return Cold(reason=self._refused[key])
            warm = self._servers.pop(key, None)
            if warm is not None and not warm.users:
                is_outdated = is_idle and not warm.imported.serves(self._imported(task))
                if is_outdated or not warm.server.is_alive():
                    warm.server.close()
                    warm = None
            started = warm or self._started(task, command, found)
            if isinstance(started, Cold):
                return started
            started.users += 1
            self._servers[key] = started
            self._make_room()
            return started

    def _release(self, warm: Warm) -> None:
        with self._lock:
            warm.users -= 1
            self._make_room(is_measured=True)

    def _make_room(self, *, is_measured: bool = False) -> None:
        """End servers without runs that are too many or, if the memory is measured, hold too much."""
        held = {key: warm.server.memory() if is_measured else 0 for key, warm in self._servers.items()}
        for key in [key for key, warm in self._servers.items() if not warm.users]:
            if len(held) > self.limit or (len(held) > 1 and sum(held.values()) > self.memory_limit):
                del held[key]
                self._servers.pop(key).server.close()

    def _imported(self, task: TestTask) -> Imported:
        return imported.read(self.commands.private_folder(task.cell) / IMPORTED, str(task.environment.path))

    def _started(self, task: TestTask, command: Command, found: way.Way) -> Warm | Cold:
        """Start a server, if the tests of a cell can be warm."""
        known = self._imported(task)
        if known.refused:
            return Cold(reason=known.refused)
        folder = self._new_folder()
        scene = scene_of(task, self.commands.config)
        roots = dict.fromkeys((*(scene.project.roots if scene.project else ()), *_modules(task)))
        places = (str(task.environment.path), os.path.realpath(task.environment.path))
        env = {**command.env, witness.VARIABLE: str(folder / WITNESS)}  # for children that have no variables
        python = replace(command, argv=found.python, env=env, log=None)
        try:
            server = self.launch(python, folder, Imports(modules=known.modules, roots=tuple(roots), places=places))
        except NotStartedError as error:
            return Cold(reason=str(error))
        return Warm(server=server, way=found, scene=scene, imported=known)

    def _refuse(self, warm: Warm, state: State | None) -> Cold:
        """End a server that cannot be forked, and remember why."""
        with self._lock:
            said = warm.server.close().strip().splitlines()
            reason = state.refused if state else f"its warm process ended: {said[-1] if said else 'it said nothing'}"
            for key in [key for key, item in self._servers.items() if item is warm]:
                del self._servers[key]
                self._refused[key] = reason
        return Cold(reason=reason)


def _modules(task: TestTask) -> tuple[str, ...]:
    return task.project.modules if task.project else ()
