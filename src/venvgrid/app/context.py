"""The parts of a run, put together from a configuration and the machine."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from venvgrid.analysis import history
from venvgrid.environments.builder import Builder
from venvgrid.environments.creator import Creator
from venvgrid.environments.package_cache.bytecode import Bytecode
from venvgrid.environments.package_cache.cache import PackageCache
from venvgrid.environments.store import Store
from venvgrid.installers import uv
from venvgrid.installers.legacy_tools import Tools
from venvgrid.installers.pip import Pip
from venvgrid.installers.uv import Uv
from venvgrid.interpreters.provider import InterpreterProvider
from venvgrid.model.config import InstallMode
from venvgrid.model.errors import ConfigError, LockError, UsageError
from venvgrid.model.events import Stage
from venvgrid.model.names import normalise
from venvgrid.model.plan import Status
from venvgrid.model.version import __version__
from venvgrid.outcomes import probe
from venvgrid.planning import selection
from venvgrid.processes import parallel, runner, variables
from venvgrid.processes.redaction import Redactor
from venvgrid.project import metadata as project
from venvgrid.project import sources
from venvgrid.project.wheels import WheelCache
from venvgrid.resolving import lockfile
from venvgrid.resolving.resolver import Resolver
from venvgrid.results import result_cache
from venvgrid.results.result_cache import ResultCache
from venvgrid.running import loop
from venvgrid.running.cell_runner import CellRunner
from venvgrid.running.prioritisation import Order
from venvgrid.running.scheduler import Scheduler
from venvgrid.running.tasks import RunRequest
from venvgrid.running.worker import Worker
from venvgrid.storage import directories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from venvgrid.installers.base import Installer
    from venvgrid.model.config import Config
    from venvgrid.model.environment import Interpreter
    from venvgrid.model.events import Event
    from venvgrid.model.plan import Cell, Plan
    from venvgrid.processes.runner import Cancellation
    from venvgrid.project.metadata import Metadata
    from venvgrid.results.report import Earlier, Report
    from venvgrid.running.tasks import CellAnswer

INSTALLER = "VENVGRID_INSTALLER"  # uv | pip: which one to use, for those who must


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line asks of a run."""

    workers: int = 1
    arguments: tuple[str, ...] = ()
    fresh: bool = False
    locked: bool = False
    offline: bool = False
    fail_fast: bool = False
    strict: bool = False
    skip_missing: bool = False
    run_unchanged: bool = False  # run cells again although nothing has changed since they passed


def _say_nothing(text: str) -> None:
    """Be quiet."""


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """Everything that a run of one configuration works with, made when it is first needed."""

    config: Config
    wishes: RunOptions
    environ: Mapping[str, str]
    cancellation: Cancellation
    notify: Callable[[str], None] = _say_nothing  # what the user should know besides

    @cached_property
    def cache(self) -> Path:
        """The folder in the user's cache."""
        return directories.safe_cache(self.environ, self.notify)

    @cached_property
    def redactor(self) -> Redactor:
        """What takes the secrets of this process's variables out of logs and events."""
        return Redactor.from_environ(self.environ)

    @cached_property
    def root(self) -> Path:
        """`.venvgrid` beside the configuration."""
        return self.config.root / ".venvgrid"

    @cached_property
    def last(self) -> Mapping[str, Earlier]:
        """What became of each cell of the grid when it last ran; read once, before this run."""
        return history.last(self.root, self.config.grid)

    @cached_property
    def run(self) -> functools.partial[runner.Completed]:
        """The door to processes, bound to this run's cancellation."""
        return functools.partial(runner.run, cancellation=self.cancellation)

    @cached_property
    def tool_environ(self) -> dict[str, str]:
        """The variables that uv and pip are started with."""
        return variables.tool_environment(self.environ)

    @cached_property
    def uv(self) -> Uv | None:
        """uv, unless it is not there, too old, or not wanted."""
        if self.environ.get(INSTALLER, "uv") == "pip":
            return None
        binary = uv.find()
        version = uv.ask_version(binary, self.tool_environ, self.run) if binary else ""
        if binary and uv.is_supported(version):
            return Uv(binary=binary, version=version, environ=self.tool_environ, run=self.run)
        if self.environ.get(INSTALLER) == "uv":
            message = f'{INSTALLER}=uv, but uv is {version or "not there"}; install it with: pip install "venvgrid[uv]"'
            raise UsageError(message)
        return None

    @cached_property
    def tools(self) -> Tools:
        """What old Pythons need."""
        binary = self.uv.binary if self.uv else ""
        return Tools(folder=self.cache / "tools", environ=self.tool_environ, run=self.run, uv=binary)

    @cached_property
    def pip(self) -> Pip:
        """pip, as virtualenv carries it."""
        downloads = self.cache / "downloads"
        return Pip(folder_for=self.tools.pip, downloads=downloads, environ=self.tool_environ, run=self.run)

    def installer_for(self, interpreter: Interpreter) -> Installer:
        """Choose uv where it is there and knows the interpreter, else pip."""
        return self.uv if self.uv is not None and self.uv.knows(interpreter) else self.pip

    @cached_property
    def pythons(self) -> InterpreterProvider:
        """The interpreters of the machine."""
        return InterpreterProvider(
            environ=self.environ,
            run=self.run,
            cache=self.cache / "interpreters",
            root=self.config.root,
            uv=self.uv.binary if self.uv else "",
            offline=self.wishes.offline,
        )

    @cached_property
    def metadata(self) -> Metadata | None:
        """What the project declares; None where only a wheel knows, or nothing is installed."""
        if self.config.project.install is InstallMode.NONE:
            return None
        project.check_installable(self.config.project.path)
        return project.static_metadata(self.config.project.path)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The requirements of the project's dependency groups."""
        return project.group_requirements(self.config.project.path, self.config.project.groups)

    @cached_property
    def store(self) -> Store:
        """Where the environments are."""
        creator = Creator(tools=self.tools, run=self.run, environ=self.tool_environ, app_data=self.cache / "virtualenv")
        builder = Builder(
            config=self.config,
            installer_for=self.installer_for,
            creator=creator,
            trees=self.trees,
            probe=probe.PROBE_FILE,
            offline=self.wishes.offline,
        )
        folder = directories.of_environments(self.root, self.cache)
        return Store(root=self.root, folder=folder, config=self.config, builder=builder, trees=self.trees)

    @cached_property
    def snapshot(self) -> dict[str, str]:
        """The project's files, by their digests, as they were when they were first asked for."""
        return sources.snapshot(self.config.project.path)

    @cached_property
    def verdicts(self) -> ResultCache:
        """The green results of earlier runs."""
        around = functools.cache(lambda: sources.above(self.config.project.path))
        return ResultCache(
            folder=self.root / result_cache.FOLDER,
            config=self.config,
            arguments=self.wishes.arguments,
            environ=self.environ,
            snapshot=lambda: {**self.snapshot, **around()},
            may_use=not (self.wishes.run_unchanged or self.wishes.fresh),
        )

    def keep_verdicts(self, finished: Report) -> None:
        """Remember which cells passed, for runs in which nothing has changed."""
        path = self.config.project.path
        self.verdicts.keep(finished, {**sources.snapshot(path), **sources.above(path)})

    @cached_property
    def trees(self) -> PackageCache:
        """The distributions that environments are filled from."""
        return PackageCache(folder=self.cache / "trees")

    def request(self, planned: Plan, *, run: str, until: Stage, order: Order | None = None) -> RunRequest:
        """Say what is asked of a run over `planned`.

        Raises:
            ConfigError, LockError: the project or the lock does not fit the configuration.
        """
        self._check_project()
        values = dict.fromkeys(item.cell.axes["python"] for item in planned.cells if item.status is Status.RUNNABLE)
        chosen = self.pythons.choose(values)
        missing = [value for value, found in chosen.items() if isinstance(found, str)]
        surrogates = {value: found for value in missing if (found := self.pythons.surrogate(value)) is not None}
        return RunRequest(
            config=self.config,
            plan=planned,
            interpreters=chosen,
            surrogates=surrogates,
            download=until is not Stage.RESOLVE and not self.wishes.skip_missing and self.pythons.can_download(),
            metadata=self.metadata,
            run=run,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
            command=(*self.config.test.command, *self.wishes.arguments),
            workers=self.wishes.workers,
            locked=self._locked(planned, chosen) if self.wishes.locked else {},
            until=until,
            fail_fast=self.wishes.fail_fast,
            strict=self.wishes.strict,
            skip_missing=self.wishes.skip_missing,
            order=order or Order(),
        )

    def direct(self, request: RunRequest, folder: Path, *, refresh: bool = False) -> tuple[Scheduler, Iterator[Event]]:
        """Give the director of a run and its events; `folder` takes the logs."""
        began = time.monotonic()

        def now() -> float:
            return time.monotonic() - began

        work = self._work(folder, now, refresh=refresh)
        scheduler = Scheduler(request, work, now, self.cancellation, self.redactor.text)
        events = loop.run(scheduler, loop.slots(self.wishes.workers), self.cancellation)
        return scheduler, self.redactor.events(events)

    def _work(self, folder: Path, now: Callable[[], float], *, refresh: bool) -> Worker:
        steps = CellRunner(
            config=self.config,
            store=self.store,
            folder=folder,
            arguments=self.wishes.arguments,
            environ=self.environ,
            run=self.run,
            now=now,
            redactor=self.redactor,
            cpus=max(1, default_workers() // self.wishes.workers),
        )
        wheel_cache = WheelCache(
            source=self.config.project.path,
            folder=self.cache / "projects" / directories.file_name(self.config.project.path.name),
            mode=self.config.project.install,
            installer_for=self.installer_for,
            offline=self.wishes.offline,
        )
        path = self.config.project.path
        digest = functools.cache(lambda: sources.source_digest(path, self.snapshot))
        answer_files: dict[str, Path] = {}
        resolver = functools.cache(lambda metadata: self._resolver(metadata, answer_files, refresh=refresh))
        return Worker(
            pythons=self.pythons,
            wheel_cache=wheel_cache,
            digest=digest,
            resolver=resolver,
            invalidate=lambda key: resolver(None).invalidate(key),
            store=self.store,
            verdicts=self.verdicts,
            bytecode=Bytecode(trees=self.trees, environ=self.tool_environ, run=self.run),
            steps=steps,
            fresh=self.wishes.fresh,
        )

    def _resolver(self, metadata: Metadata | None, answer_files: dict[str, Path], *, refresh: bool) -> Resolver:
        return Resolver(
            config=self.config,
            metadata=metadata,
            groups=self.groups,
            installer_for=self.installer_for,
            cache=self.cache,
            refresh=refresh or self.wishes.fresh,
            offline=self.wishes.offline,
            verify_missing=self._doubt,
            answer_files=answer_files,
        )

    def _doubt(self, name: str) -> str:
        """Ask the index itself, before a cell is called impossible because it has nothing: say why that is not sure."""
        from venvgrid.resolving.index_settings import from_environ  # noqa: PLC0415  (mostly nobody asks)

        return from_environ(self.environ, self.cache).verify_missing(name)

    def lock_digest(self, metadata: Metadata | None) -> str:
        """Digest what a lock must fit."""
        return lockfile.digest_of(self.config, metadata, self.groups)

    def _locked(self, planned: Plan, chosen: Mapping[str, Interpreter | str]) -> dict[str, CellAnswer]:
        path = lockfile.path_for(self.config)
        lock = lockfile.read(path)
        if lock.digest != self.lock_digest(self.metadata):
            raise LockError(f"{path} does not fit {self.config.file.name}; make it again with: venvgrid lock")
        cells = {
            item.cell.id: chosen[item.cell.axes["python"]] for item in planned.cells if item.status is Status.RUNNABLE
        }
        return dict(lockfile.answers(lock, path, self.config, cells))

    def _check_project(self) -> None:
        """Make sure that the project has the groups, and the extras where they are known before a build."""
        _ = self.groups  # reading them says what is wrong with them
        if self.metadata is None:
            return
        declared = {normalise(extra) for extra in self.metadata.extras}
        wanted = set(self.config.project.extras)
        wanted |= {
            part
            for axis in self.config.axes
            if axis.name == "extras"
            for value in axis.values
            for part in value.split(",")
        }
        unknown = sorted(extra for extra in wanted if extra and normalise(extra) not in declared)
        if unknown:
            there = ", ".join(sorted(declared)) or "none"
            raise ConfigError(
                [f"project.extras: {self.metadata.name} has no extra {', '.join(unknown)} (declared: {there})"]
            )


def choose_cells(planned: Plan, keep: Callable[[Cell], bool]) -> Plan:
    """Leave out of a plan the cells that were not asked for."""
    return replace(planned, cells=tuple(item for item in planned.cells if keep(item.cell)))


def matching(planned: Plan, expression: str, context: RunContext) -> Plan:
    """Leave out of a plan the cells that an expression of -k does not match; raises UsageError."""
    outcomes = {name: earlier.outcome for name, earlier in context.last.items()}
    return choose_cells(planned, selection.compile(expression, [axis.name for axis in context.config.axes], outcomes))


def default_workers() -> int:
    """Give the default of -j: the CPUs that this process may use."""
    return parallel.usable_cpus()
