"""Run requests: which interpreters the cells get, and what the lock says of them."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.analysis import prioritisation
from venvgrid.model import InstallMode, LockEntry, LockError, Product, Stage, Status
from venvgrid.model.version import __version__
from venvgrid.project.local_wheels import path_of
from venvgrid.project.metadata import ProjectError
from venvgrid.resolving import lockfile
from venvgrid.running.request import RunRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from venvgrid.app.context import RunContext
    from venvgrid.model import Cell, Distribution, Interpreter, Plan
    from venvgrid.running.tasks import CellAnswer


def make_request(
    context: RunContext,
    plan: Plan,
    *,
    run: str = "",
    until: Stage = Stage.TEST,
    entries: Mapping[str, LockEntry] = MappingProxyType({}),
) -> RunRequest:
    """Return the run request for a plan; cells with `entries` are resolved already.

    Raises:
        ConfigError, LockError: the project or the lock does not fit the configuration.
    """
    context.project.check()
    options = context.options
    chosen, surrogates = interpreters_for(context, plan.values("python"))
    asked = tuple(cell for cell in runnable(plan) if cell.id not in entries) if options.locked else ()
    return RunRequest(
        config=context.config,
        plan=plan,
        interpreters=chosen,
        surrogates=surrogates,
        download=not context.skips_missing and context.machine.interpreters.can_download(),
        metadata=context.project.metadata,
        depends_on_python=context.installs and context.project.depends_on_python,
        definition=context.project.definition if context.config.project.install is InstallMode.EDITABLE else "",
        run=run,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        command=(*context.config.test.command, *options.arguments),
        workers=options.workers,
        locked={**(locked_answers(context, asked, chosen) if options.locked else {}), **entries},
        given=frozenset(entries),
        until=until,
        fail_fast=options.fail_fast,
        strict=options.strict,
        skip_missing=context.skips_missing,
        order=prioritisation.order(
            plan.cells if isinstance(plan.cells, Product) else [item.cell for item in plan.cells], context.history
        ).after(options.first),
    )


def runnable(plan: Plan) -> tuple[Cell, ...]:
    """Return the cells of a plan that are to run."""
    return tuple(item.cell for item in plan.cells if item.status is Status.RUNNABLE)


def elsewhere(plan: Plan) -> tuple[Cell, ...]:
    """Return the cells of a plan that are to run on machines of other platforms."""
    return tuple(item.cell for item in plan.cells if item.status is Status.ELSEWHERE)


def interpreters_for(
    context: RunContext, values: Iterable[str]
) -> tuple[Mapping[str, Interpreter | str], Mapping[str, Interpreter]]:
    """Return the interpreters for values of the python axis, and surrogates for the missing ones."""
    values = dict.fromkeys(values)
    if context.fleet is not None:
        from venvgrid.app.cluster import coordinator  # noqa: PLC0415  (most runs are on one machine)

        here = context.machine.interpreters.found().interpreters
        return coordinator.interpreters(values, context.fleet, here, context.config.root), {}
    chosen = context.machine.interpreters.choose(values)
    missing = [value for value, found in chosen.items() if isinstance(found, str)]
    surrogates = {
        value: found for value in missing if (found := context.machine.interpreters.surrogate(value)) is not None
    }
    return chosen, surrogates


def lock_digest(context: RunContext) -> str:
    """Return the digest of what a lock must fit."""
    return lockfile.digest_of(context.config, context.project.metadata, context.project.groups)


def locked_answers(
    context: RunContext, cells: tuple[Cell, ...], chosen: Mapping[str, Interpreter | str]
) -> Mapping[str, CellAnswer]:
    """Return what the lock says of cells.

    Raises:
        LockError: there is no lock, or it does not fit the configuration.
    """
    from venvgrid.resolving import lock_check  # noqa: PLC0415  (only for --locked)

    path = context.lock_file
    lock = lockfile.read(path, accept_edited=True)  # `answers` names the cell, and refuses it
    if lock.digest != lock_digest(context):
        raise LockError(f"{path} does not fit {context.config.file.name}; make it again with: venvgrid lock")
    if not lock.has_checksum:
        context.front.notify(f"note: {path.name} has no checksum: edits are not noticed; type: venvgrid lock")
    wanted = ((cell, chosen[cell.axes["python"]]) for cell in cells)
    project = context.project
    is_of_plan = context.options.lock_file is not None  # made on a machine that may lack what this one has
    for cell in cells:
        if is_of_plan and cell.id in lock.open and not isinstance(chosen[cell.axes["python"]], str):
            context.front.notify(f"note: {cell.id} is resolved here: in the plan it is open ({lock.open[cell.id]})")
    answers = lock_check.answers(
        lock,
        path,
        context.config,
        wanted,
        metadata=project.metadata,
        groups=project.groups,
        accept_open=is_of_plan,
    )
    for entry in {item.key: item for item in answers.values() if isinstance(item, LockEntry)}.values():
        for item in entry.distributions:
            if item.direct.startswith("file:"):
                _check_folder(context, path, item, entry.interpreter)
    return dict(answers)


def _check_folder(context: RunContext, lock: Path, locked: Distribution, interpreter: Interpreter) -> None:
    """Check that a folder which a lock names is as it was.

    Raises:
        LockError: it is not, or it cannot be built.
    """
    folder = path_of(locked.direct)
    if folder is None or not locked.hashes or not locked.hashes[0].startswith("content:"):
        return
    try:
        wheel = context.local_wheels.wheel(folder, interpreter)
    except (ProjectError, OSError) as error:
        raise LockError(f"{lock}: {locked.name} cannot be built from {folder}: {error}") from error
    if f"content:{wheel.digest}" not in locked.hashes:
        raise LockError(f"{folder} has changed since {lock} was made; make it again with: venvgrid lock")
