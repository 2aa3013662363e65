"""The Python interface: `venvgrid.run` does what `venvgrid run` does, and returns the report."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.options import FrontEnd, RunOptions
from venvgrid.app.run import run_grid
from venvgrid.config import config_file
from venvgrid.processes.parallel import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venvgrid.model import Event
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
    """Run the grid of a configuration and return its report. Only messages for a waiting user go to stderr.

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
        on_event: called with each event of `venvgrid.model` as it happens, from this thread.

    Returns:
        The report; its `exit_status` is what the command would end with, and `.venvgrid/runs` has the run.

    Raises:
        venvgrid.model.VenvgridError: the configuration, the lock or the project is wrong, or there is nothing to run.
    """
    options = RunOptions(
        workers=workers or usable_cpus(),
        arguments=tuple(arguments),
        cells=cells,
        fresh=fresh,
        locked=locked,
        offline=offline,
        fail_fast=fail_fast,
        strict=strict,
        run_unchanged=not cache,
    )
    source = config_file.find(Path(file) if file is not None else None, cwd=Path.cwd())
    return run_grid(source, options, _front_end(on_event), grid=grid)[1]


def _front_end(on_event: Callable[[Event], None] | None) -> FrontEnd:
    front = FrontEnd(environ=dict(os.environ), notify=_notify)
    return replace(front, progress=lambda _expected: nullcontext(on_event)) if on_event is not None else front


def _notify(text: str) -> None:
    sys.stderr.write(f"{text}\n")
