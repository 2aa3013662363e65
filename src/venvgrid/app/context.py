"""The composition root: the parts of a run, made from a configuration, options and this machine when first needed."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.analysis import history
from venvgrid.app.project_state import ProjectState
from venvgrid.app.toolchain import Toolchain
from venvgrid.environments.package_cache.cache import PackageCache
from venvgrid.interpreters.provider import InterpreterProvider
from venvgrid.model import InstallMode
from venvgrid.processes import guests, runner
from venvgrid.processes.command import Cancellation
from venvgrid.processes.parallel import inherited
from venvgrid.processes.redaction import Redactor
from venvgrid.project import build_files, reads
from venvgrid.project.build_copy import BuildSources
from venvgrid.project.local_wheels import LocalWheels
from venvgrid.project.wheels import WheelCache
from venvgrid.resolving import index_digest, lockfile
from venvgrid.results import result_cache
from venvgrid.results.result_cache import ResultCache
from venvgrid.storage import directories

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.app.options import FrontEnd, RunOptions
    from venvgrid.environments.store import EnvironmentStore
    from venvgrid.model import Config
    from venvgrid.processes.command import Completed
    from venvgrid.resolving.version_policies import Release
    from venvgrid.results.report import Earlier


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """Everything that one run works with. `refresh` asks the index again."""

    config: Config
    options: RunOptions
    front: FrontEnd
    refresh: bool = False
    cancellation: Cancellation = field(default_factory=Cancellation)
    answer_files: dict[str, Path] = field(default_factory=dict)  # by lock entry: where its resolution is cached

    releases: dict[str, tuple[Release, ...] | None] = field(default_factory=dict)  # in the index, of what it lacks
    confirmed: set[tuple[str, str]] = field(default_factory=set)  # checked reasons of impossible cells, by interpreter

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment variables of the caller."""
        return self.front.environ

    @cached_property
    def root(self) -> Path:
        """`.venvgrid` beside the configuration."""
        return self.config.root / ".venvgrid"

    @property
    def lock_file(self) -> Path:
        """matrix.lock, or what stands in for it."""
        return self.options.lock_file or lockfile.path_for(self.config)

    @cached_property
    def cache(self) -> Path:
        """The folder in the user's cache."""
        return directories.safe_cache(self.environ, self.front.notify)

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
    def redactor(self) -> Redactor:
        """Removes the secrets of the caller's variables from logs and events."""
        return Redactor.from_environ(self.environ)

    @cached_property
    def history(self) -> Mapping[str, Earlier]:
        """The last result of each cell of the grid, read once, before this run."""
        return history.last(self.root, self.config.grid)

    @cached_property
    def run(self) -> functools.partial[Completed]:
        """The door to processes, bound to the cancellation of this run."""
        return functools.partial(runner.run, cancellation=self.cancellation)

    @cached_property
    def tools(self) -> Toolchain:
        """uv, pip, and the tools for old Pythons."""
        return Toolchain(user_environ=self.environ, cache=self.cache, run=self.run)

    @cached_property
    def interpreters(self) -> InterpreterProvider:
        """The interpreters of the machine."""
        return InterpreterProvider(
            environ=self.environ,
            run=self.run,
            cache=self.cache / "interpreters",
            root=self.config.root,
            uv=self.tools.uv_binary,
            offline=self.options.offline,
        )

    @cached_property
    def index_digest(self) -> str:
        """The digest of the settings of the package index."""
        return index_digest.digest(self.environ, Path.home())

    @cached_property
    def project(self) -> ProjectState:
        """The project under test."""
        return ProjectState(config=self.config, environ=self.tools.environ)

    @cached_property
    def local_wheels(self) -> LocalWheels:
        """The wheels of the folders that are required: `x @ file:///home/me/x`."""
        return LocalWheels(cache_of=self._wheels_of, may_build=not self.options.no_build)

    def _wheels_of(self, folder: Path) -> WheelCache:
        return WheelCache(
            sources=BuildSources(folder, self.tools.environ),
            folder=self.cache / "projects" / directories.file_name(folder.name),
            mode=InstallMode.WHEEL,
            installer_for=self.tools.installer_for,
            shared=not build_files.depends_on_python(folder),
            offline=self.options.offline,
            fresh=self.options.fresh,
            notify=self.front.notify,
        )

    @cached_property
    def packages(self) -> PackageCache:
        """The installed distributions that environments are filled from."""
        return PackageCache(folder=self.cache / "trees")

    @cached_property
    def environments(self) -> Path:
        """The folder of the environments."""
        return directories.of_environments(self.root, self.cache)

    @cached_property
    def store(self) -> EnvironmentStore:
        """The environments of the project."""
        # Imported with the first build: a run in which nothing changed has none.
        from venvgrid.environments.builder import Builder  # noqa: PLC0415
        from venvgrid.environments.creator import Creator  # noqa: PLC0415
        from venvgrid.environments.store import EnvironmentStore  # noqa: PLC0415

        builder = Builder(
            config=self.config,
            installer_for=self.tools.installer_for,
            creator=Creator(
                tools=self.tools.legacy,
                run=self.run,
                environ=self.tools.environ,
                app_data=self.cache / "virtualenv",
            ),
            packages=self.packages,
            guests=guests.COPIED,
            local=self.local_wheels,
            offline=self.options.offline,
        )
        return EnvironmentStore(
            root=self.root,
            folder=self.environments,
            config=self.config,
            builder=builder,
            packages=self.packages,
        )

    @cached_property
    def result_cache(self) -> ResultCache:
        """The green results of earlier runs."""
        return ResultCache(
            folder=self.root / result_cache.FOLDER,
            config=self.config,
            arguments=self.options.arguments,
            environ=self.environ,
            inputs=lambda: self.project.inputs_digest,
            content_of=reads.state_of,
            inherited=inherited(),
            may_use=not (self.options.run_unchanged or self.options.fresh),
        )
