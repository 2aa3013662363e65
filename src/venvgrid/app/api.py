"""The Python interface: `venvgrid.run` does what `venvgrid run` does, and gives the report."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app import plan
from venvgrid.app import run as session
from venvgrid.app.context import RunContext, RunOptions, default_workers, matching
from venvgrid.config import config_file
from venvgrid.model.errors import NothingToRunError
from venvgrid.model.events import Stage
from venvgrid.processes.command import Cancellation
from venvgrid.resolving import policies
from venvgrid.running import prioritisation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venvgrid.model.events import Event
    from venvgrid.results.report import Report


def run(  # noqa: PLR0913  (each is an option of the command)
    file: str | os.PathLike[str] | None = None,
    *,
    grid: str = "",
    cells: str = "",
    arguments: Sequence[str] = (),
    workers: int | None = None,
    cache: bool = True,
    fresh: bool = False,
    locked: bool = False,
    offline: bool = False,
    fail_fast: bool = False,
    strict: bool = False,
    on_event: Callable[[Event], None] | None = None,
) -> Report:
    """Run the grid of a configuration and give its report; nothing is printed.

    Args:
        file: matrix.toml or pyproject.toml; None looks for one in the current folder, as the command does.
        grid: the name of a [grid.NAME]; "" for the one outside of them.
        cells: an expression as for `-k`; "" for all cells.
        arguments: appended to the test command.
        workers: how many cells at once; None for as many as there are usable CPUs.
        cache: whether cells that passed and have not changed keep their result.
        fresh: resolve and build everything anew.
        locked: install exactly what matrix.lock says.
        offline: use nothing that is not in the caches.
        fail_fast: stop at the first red cell.
        strict: an impossible cell is a failure.
        on_event: called with each event of `venvgrid.model.result.events` as it happens, from this thread.

    Returns:
        The report; its `exit_status` is what the command would end with, and `.venvgrid/runs` has the run.

    Raises:
        venvgrid.errors.VenvgridError: the configuration, the lock or the project is wrong, or nothing is to be run.
    """
    source = config_file.find(Path(file) if file is not None else None, cwd=Path.cwd())
    loaded = policies.resolve_config(source, os.environ, grid=grid, offline=offline).config
    wishes = RunOptions(
        workers=workers or default_workers(),
        arguments=tuple(arguments),
        fresh=fresh,
        locked=locked,
        offline=offline,
        fail_fast=fail_fast,
        strict=strict,
        run_unchanged=not cache,
    )
    context = RunContext(config=loaded, wishes=wishes, environ=os.environ, cancellation=Cancellation(), notify=_say)
    planned = plan.plan_for(context, listening=None)
    if cells:
        planned = matching(planned, cells, context)
    if not planned.cells:
        raise NothingToRunError(f"cells={cells!r} matches no cell")
    order = prioritisation.order([item.cell for item in planned.cells], context.last)
    request = context.request(planned, run="", until=Stage.TEST, order=order)
    finished, _ = session.execute(context, request, show=on_event or _ignore, notify=_say)
    return finished


def _ignore(event: Event) -> None:
    """Do nothing."""


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
