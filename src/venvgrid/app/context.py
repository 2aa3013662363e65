"""The composition root: the parts of a run, made from a configuration, options and this machine when first needed."""

from __future__ import annotations

from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from venvgrid.analysis import history
from venvgrid.app.machine import Machine
from venvgrid.app.project_state import ProjectState
from venvgrid.model import InstallMode, Outcome
from venvgrid.model.values import dataclass
from venvgrid.processes import guests
from venvgrid.processes.parallel import inherited
from venvgrid.project import build_files, reads
from venvgrid.project.build_copy import BuildSources
from venvgrid.project.local_wheels import LocalWheels
from venvgrid.resolving import lockfile
from venvgrid.results import result_cache
from venvgrid.results.result_cache import ResultCache
from venvgrid.storage import directories

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from venvgrid.app.options import FrontEnd, RunOptions
    from venvgrid.environments.store import EnvironmentStore
    from venvgrid.model import Config
    from venvgrid.project.wheels import WheelCache
    from venvgrid.resolving.version_policies import Release
    from venvgrid.results.report import Earlier
    from venvgrid.running.executors.remote.fleet import Fleet
    from venvgrid.running.tasks import Task, TaskResult


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """Everything that one run works with. `refresh` asks the index again."""

    config: Config
    options: RunOptions
    front: FrontEnd
    refresh: bool = False
    wheels: Path | None = None  # a folder for the project's wheels, in place of the user's cache
    answer_files: dict[str, Path] = field(default_factory=dict)  # by lock entry: where its resolution is cached

    releases: dict[str, tuple[Release, ...] | None] = field(default_factory=dict)  # in the index, of what it lacks
    fleet: Fleet | None = None  # the machines of a run on many
    observe: Callable[[Task, TaskResult], None] | None = None  # is told of each task that is done here
    confirmed: set[tuple[str, str]] = field(default_factory=set)  # checked reasons of impossible cells, by interpreter

    def with_options(self, **changes: Any) -> RunContext:
        """Return the context with other options of `RunOptions`, for the same machine and state of the project."""
        return replace(self, options=replace(self.options, **changes)).sharing(self)

    def sharing(self, other: RunContext) -> RunContext:
        """Return this context after it took over the machine and the state of the project from another."""
        self.__dict__.update(machine=other.machine, project=other.project)
        return self

    @cached_property
    def machine(self) -> Machine:
        """What the run uses of this machine."""
        return Machine(front=self.front, project=self.config.root, offline=self.options.offline)

    @cached_property
    def root(self) -> Path:
        """`.venvgrid` beside the configuration."""
        return self.config.root / ".venvgrid"

    @property
    def lock_file(self) -> Path:
        """matrix.lock, or what stands in for it."""
        return self.options.lock_file or lockfile.path_for(self.config)

    @property
    def installs(self) -> bool:
        """Whether the project is installed at all."""
        return self.config.project.install is not InstallMode.NONE

    @property
    def skips_missing(self) -> bool:
        """Whether a missing interpreter is no failure."""
        asked = self.options.skip_missing
        return self.config.planning.skip_missing if asked is None else asked

    @cached_property
    def history(self) -> Mapping[str, Earlier]:
        """The last result of each cell of the grid, read once, before this run."""
        return history.last(self.root, self.config.grid)

    def why_again(self, cell: str) -> str:
        """Return why a cell runs although it ran before; "" if it is new, or if the user wants all cells to run."""
        earlier = self.history.get(cell)
        if earlier is None or not self.result_cache.may_use:
            return ""
        if earlier.outcome is not Outcome.PASSED:
            return f"it was {earlier.outcome.value} in its last run"
        told = self.result_cache.why.get(cell, "")
        return told or "the result of its last run was not kept (venvgrid report: notes)"

    @cached_property
    def project(self) -> ProjectState:
        """The project under test."""
        return ProjectState(config=self.config, environ=self.machine.tools.environ)

    @cached_property
    def local_wheels(self) -> LocalWheels:
        """The wheels of the folders that are required: `x @ file:///home/me/x`."""
        return LocalWheels(cache_of=self._wheels_of, may_build=not self.options.no_build)

    @cached_property
    def project_wheels(self) -> WheelCache:
        """The wheels of the project under test."""
        state, mode = self.project, self.config.project.install
        shared = not state.depends_on_python
        fresh = self.options.fresh
        return self.machine.wheel_cache(state.build, mode, shared=shared, fresh=fresh, folder=self.wheels)

    def _wheels_of(self, folder: Path) -> WheelCache:
        sources = BuildSources(folder, self.machine.tools.environ)
        shared = not build_files.depends_on_python(folder)
        return self.machine.wheel_cache(sources, InstallMode.WHEEL, shared=shared, fresh=self.options.fresh)

    @cached_property
    def environments(self) -> Path:
        """The folder of the environments."""
        return directories.of_environments(self.root, self.machine.cache)

    @cached_property
    def store(self) -> EnvironmentStore:
        """The environments of the project."""
        # Imported with the first build: a run in which nothing changed has none.
        from venvgrid.environments.builder import Builder  # noqa: PLC0415
        from venvgrid.environments.creator import Creator  # noqa: PLC0415
        from venvgrid.environments.guest_files import GuestFiles  # noqa: PLC0415
        from venvgrid.environments.store import EnvironmentStore  # noqa: PLC0415

        builder = Builder(
            config=self.config,
            installer_for=self.machine.tools.installer_for,
            creator=Creator(
                tools=self.machine.tools.legacy,
                run=self.machine.run,
                environ=self.machine.tools.environ,
                app_data=self.machine.cache / "virtualenv",
            ),
            packages=self.machine.packages,
            guests=GuestFiles(
                sources=guests.COPIED,
                packages=self.machine.packages,
                environ=self.machine.tools.environ,
                run=self.machine.run,
            ),
            local=self.local_wheels,
            offline=self.options.offline,
        )
        return EnvironmentStore(
            root=self.root,
            folder=self.environments,
            config=self.config,
            builder=builder,
            packages=self.machine.packages,
        )

    @cached_property
    def result_cache(self) -> ResultCache:
        """The green results of earlier runs."""
        return ResultCache(
            folder=self.root / result_cache.FOLDER,
            config=self.config,
            arguments=self.options.arguments,
            environ=self.machine.environ,
            inputs=lambda: self.project.inputs_digest,
            content_of=reads.state_of,
            inherited=inherited(),
            may_use=not (self.options.run_unchanged or self.options.fresh),
        )
