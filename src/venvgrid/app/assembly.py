"""Makes the parts of a run that need most others: wheel cache, resolver, worker."""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.model import InfrastructureError
from venvgrid.processes.parallel import usable_cpus
from venvgrid.resolving.resolver import Resolver
from venvgrid.running.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from venvgrid.app.context import RunContext
    from venvgrid.environments.package_cache.bytecode import Bytecode
    from venvgrid.project.metadata import Metadata
    from venvgrid.resolving.version_policies import Release
    from venvgrid.running.cell_command import CellCommands
    from venvgrid.running.cell_runner import CellRunner


def make_resolver(context: RunContext, metadata: Metadata | None) -> Resolver:
    """Return the resolver of cells; `metadata` are the project's, or None if it is not installed."""

    def releases(name: str) -> tuple[Release, ...] | None:
        from venvgrid.resolving.index_settings import from_environ  # noqa: PLC0415  (rarely needed)

        if name not in context.releases:
            index = from_environ(context.machine.environ, context.machine.cache)
            context.releases[name] = index.everywhere(name) or (() if index.addresses else None)
        return context.releases[name]

    return Resolver(
        config=context.config,
        metadata=metadata,
        groups=context.project.groups,
        installer_for=context.machine.tools.installer_for,
        cache=context.machine.cache,
        refresh=context.refresh or context.options.fresh,
        offline=context.options.offline,
        index=lambda: context.machine.index_digest,
        releases=releases,
        confirmed=context.confirmed,
        answer_files=context.answer_files,
        newest=functools.partial(_newest, context),
        local=context.local_wheels,
    )


def _newest(context: RunContext, name: str) -> Sequence[Release]:
    """Return the releases of a distribution, for a note: an index that does not answer costs nothing but that."""
    from venvgrid.resolving.index_settings import from_environ  # noqa: PLC0415  (rarely needed)

    index = from_environ(context.machine.environ, context.machine.cache, offline=context.options.offline)
    with suppress(InfrastructureError):
        return index.releases(name)
    return ()


def make_commands(context: RunContext, folder: Path) -> CellCommands:
    """Return the commands of cells; `folder` takes their logs."""
    from venvgrid.running.cell_command import CellCommands  # noqa: PLC0415  (a run in which nothing changed has none)

    machine = context.machine
    return CellCommands(
        config=context.config,
        root=context.root,
        folder=folder,
        arguments=context.options.arguments,
        environ=machine.environ,
        redactor=machine.redactor,
        cpus=max(1, usable_cpus() // context.options.workers),
        only=context.options.tests,
        attest=context.options.attest,
        pytest_options=context.options.pytest_options,
    )


def make_worker(context: RunContext, folder: Path) -> Worker:
    """Return the worker of a run; `folder` takes its logs."""
    machine = context.machine
    _ = machine.packages, context.local_wheels  # threads share their state: made before the first thread asks for them

    @functools.cache
    def cell_runner() -> CellRunner:
        from venvgrid.running.cell_runner import CellRunner  # noqa: PLC0415  (with the first test)

        return CellRunner(
            commands=make_commands(context, folder),
            store=context.store,
            run=machine.run,
            inputs=lambda: context.project.inputs,
        )

    def bytecode() -> Bytecode:
        from venvgrid.environments.package_cache.bytecode import Bytecode  # noqa: PLC0415  (with the first build, too)

        return Bytecode(packages=machine.packages, environ=machine.tools.environ, run=machine.run)

    return Worker(
        interpreters=machine.interpreters,
        wheel_cache=context.project_wheels,
        resolver=lambda metadata: make_resolver(context, metadata),
        store=lambda: context.store,
        bytecode=bytecode,
        test=lambda task, post: cell_runner().test(task, post),
        fresh=context.options.fresh,
        observe=context.observe,
    )
