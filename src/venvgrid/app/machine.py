"""What a run uses of the machine that it is on: caches, tools, interpreters. Each part is made when first needed."""

from __future__ import annotations

import functools
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.toolchain import Toolchain
from venvgrid.config import platforms
from venvgrid.environments.package_cache.cache import PackageCache, Trees
from venvgrid.interpreters.provider import InterpreterProvider
from venvgrid.model.values import dataclass
from venvgrid.processes import runner
from venvgrid.processes.command import Cancellation
from venvgrid.processes.redaction import Redactor
from venvgrid.project.wheels import WheelCache
from venvgrid.resolving import index_digest
from venvgrid.storage import directories

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.app.options import FrontEnd
    from venvgrid.model import InstallMode
    from venvgrid.processes.command import Completed
    from venvgrid.project.build_copy import BuildSources


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine of one run. `project` is the folder of the configuration: relative interpreters are meant from it."""

    front: FrontEnd
    project: Path
    offline: bool = False
    cancellation: Cancellation = field(default_factory=Cancellation)
    trees: Trees = field(default_factory=dict)  # of packages, read by the runs before

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment variables of the caller."""
        return self.front.environ

    @cached_property
    def platform(self) -> str:
        """The value of the axis `platform` that means this machine."""
        return platforms.here()

    @cached_property
    def cache(self) -> Path:
        """The folder in the user's cache."""
        return directories.safe_cache(self.environ, self.front.notify)

    @cached_property
    def packages(self) -> PackageCache:
        """The installed distributions that environments are filled from."""
        return PackageCache(folder=self.cache / "trees", trees=self.trees)

    @cached_property
    def redactor(self) -> Redactor:
        """Removes the secrets of the caller's variables from logs and events."""
        return Redactor.from_environ(self.environ)

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
            root=self.project,
            uv=self.tools.uv_binary,
            offline=self.offline,
        )

    def wheel_cache(
        self, sources: BuildSources, mode: InstallMode, *, shared: bool, fresh: bool, folder: Path | None = None
    ) -> WheelCache:
        """Return the cache of a project's wheels; `shared`: one wheel serves all interpreters.

        `folder` stands in for the one in the user's cache.
        """
        return WheelCache(
            sources=sources,
            folder=folder or self.cache / "projects" / directories.file_name(sources.project.name),
            mode=mode,
            installer_for=self.tools.installer_for,
            shared=shared,
            offline=self.offline,
            fresh=fresh,
            notify=self.front.notify,
        )

    @cached_property
    def index_digest(self) -> str:
        """The digest of the settings of the package index."""
        return index_digest.digest(self.environ, Path.home())
