"""What the command line asks for: configuration, grids, cells, and the options of a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.app.options import FrontEnd, RunOptions
from venvgrid.app.plan import by_platform, choose_cells
from venvgrid.app.run import read_config
from venvgrid.cli import signals
from venvgrid.config import config_file, grids, loading, platforms
from venvgrid.model import ExitStatus, NothingToRunError, Status, UsageError
from venvgrid.model.values import dataclass
from venvgrid.planning import expansion
from venvgrid.planning.selection import is_part
from venvgrid.processes.parallel import usable_cpus

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from venvgrid.cli.terminal import Terminal
    from venvgrid.config.config_file import Source
    from venvgrid.model import Config, Plan

# The status of several grids is the first of these that any of them ended with.
SEVEREST_FIRST = (
    ExitStatus.TESTS_FAILED,
    ExitStatus.INCOMPLETE,
    ExitStatus.USAGE,
    ExitStatus.PASSED,
    ExitStatus.NOTHING_TO_RUN,
)


def find(arguments: argparse.Namespace, terminal: Terminal) -> Source:
    """Read the file that the command line names, or the one of this folder or of those above it."""
    source = config_file.find(Path(arguments.config) if arguments.config else None, cwd=Path.cwd())
    if not getattr(arguments, "quiet", False):
        for note in source.notes:
            terminal.message(f"note: {note}")
    return source


def load(arguments: argparse.Namespace, terminal: Terminal) -> Config:
    """Return the checked configuration, for commands that need no cells; policies stay unresolved."""
    return loading.build(find(arguments, terminal))


def run_options(arguments: argparse.Namespace, terminal: Terminal) -> RunOptions:
    """Return the options of a run that the command line asks for; a command has only some of them."""

    def given(name: str, default: object) -> Any:
        return getattr(arguments, name, None) or default

    return RunOptions(
        workers=given("workers", usable_cpus()),
        arguments=given("rest", ()) if arguments.command == "run" else (),
        cells=given("expression", ""),
        changed=given("changed", ""),
        failed=given("failed", default=False),
        strategy=given("strategy", ""),
        optimise=given("optimise", ""),
        fresh=given("fresh", default=False),
        locked=given("locked", default=False) or bool(given("changed", "")),
        offline=given("offline", default=False),
        no_build=given("no_build", default=False),
        with_wheels=given("with_wheels", default=False),
        fail_fast=given("fail_fast", default=False),
        strict=given("strict", default=False),
        skip_missing=getattr(arguments, "skip_missing_interpreters", None),
        resume=given("resume", default=False),
        run_unchanged=not _use_cache(arguments, terminal),
        on=given("on", ""),
        certificates=Path(arguments.certificates).absolute() if given("certificates", "") else None,
        machines=given("machines", 1),
    )


def _use_cache(arguments: argparse.Namespace, terminal: Terminal) -> bool:
    """Whether unchanged cells keep their result: as asked, else everywhere but in CI."""
    asked: bool | None = getattr(arguments, "cache", None)
    return asked if asked is not None else terminal.environ.get("CI", "").lower() in {"", "0", "false"}


def front_end(arguments: argparse.Namespace, terminal: Terminal) -> FrontEnd:
    """Return the front end of a command that shows no progress; with --quiet it shows no notes either."""
    is_quiet = getattr(arguments, "quiet", False) and arguments.command != "run"
    notify = (lambda _text: None) if is_quiet else terminal.message
    return FrontEnd(environ=terminal.environ, notify=notify, listening=signals.listening)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedGrids:
    """The grids of a command; "" is the one outside of all [grid.NAME]."""

    source: Source
    grids: tuple[str, ...]


def select_grids(arguments: argparse.Namespace, terminal: Terminal) -> SelectedGrids:
    """Return the grids that the command line names; by default the unnamed one, or all if there is none.

    Raises:
        UsageError, ConfigError: there is no such grid.
    """
    source = find(arguments, terminal)
    named = grids.names(source.table)
    has_main = "axes" in source.table or not named
    every = (*([""] if has_main else []), *named)
    if arguments.all_grids:
        if arguments.grids:
            raise UsageError("--all-grids and the name of a grid: leave out one of them")
        return SelectedGrids(source=source, grids=every)
    wanted = tuple(dict.fromkeys(arguments.grids)) or (("",) if has_main else every)
    for name in arguments.grids:
        if name not in named:
            from venvgrid.cli import mistakes  # noqa: PLC0415

            rest, is_path = getattr(arguments, "rest", ()), os.path.lexists(name)
            told = mistakes.no_grid(name, named, rest, arguments.command, is_path=is_path)
            raise UsageError(f"{source.file.name}: {told}")
    for name in wanted:
        loading.build(source, grid=name)  # a mistake of typing shows before the first one runs
    return SelectedGrids(source=source, grids=wanted)


def other_grids(chosen: SelectedGrids) -> tuple[str, ...]:
    """Return the names of the grids that are not among the chosen ones."""
    return tuple(name for name in grids.names(chosen.source.table) if name not in chosen.grids)


def in_each(chosen: SelectedGrids, terminal: Terminal, do: Callable[[str], int]) -> int:
    """Call `do` for each grid and return the worst exit status; an interruption ends it."""
    if len(chosen.grids) == 1:
        return do(chosen.grids[0])
    found = set()
    for name in chosen.grids:
        terminal.data(f"Grid {name or '(main)'}\n")
        terminal.flush()
        try:
            status = do(name)
        except NothingToRunError as error:
            terminal.message(f"{name or '(main)'}: {error}")
            status = error.exit_status
        if status > signals.SIGNAL_BASE:
            return status
        found.add(status)
    return next((status for status in SEVEREST_FIRST if status in found), 0)


def one_cell(source: Source, cell: str, options: RunOptions, front: FrontEnd) -> tuple[Config, Plan]:
    """Return the configuration of the grid with this cell, and a plan of the cell alone.

    Raises:
        UsageError: there is none of that name.
    """
    import difflib  # noqa: PLC0415

    ids: list[str] = []
    for name in sorted((*grids.names(source.table), ""), key=len, reverse=True):
        if not cell.startswith(f"{name}-") and name:
            continue
        loaded = read_config(source, options, front, grid=name).config
        planned = expansion.expand(loaded)
        chosen = choose_cells(planned, lambda item: item.id == cell)
        if chosen.cells:
            return loaded, _here(chosen)
        ids += [item.cell.id for item in planned.cells]
    close = with_parts(cell, ids) or difflib.get_close_matches(cell, ids, n=3)
    hint = f"; did you mean {' or '.join(close[:3])}?" if close else "."
    raise UsageError(f"there is no cell {cell!r}{hint} List the cells with: venvgrid list")


def with_parts(cell: str, ids: Iterable[str]) -> list[str]:
    """Return the ids of cells that have the parts of a name, "py3.11" or the "py311-django42" of tox."""
    from venvgrid.planning import habits  # noqa: PLC0415  (only for mistakes)

    meant = [part for part in habits.factors(cell).split(" and ") if part] or [cell]
    there = list(ids)
    if (exact := "-".join(meant)) in there:
        return [exact]
    return [name for name in there if is_part(name, cell) or all(is_part(name, part) for part in meant)]


def _here(plan: Plan) -> Plan:
    """Return a plan of one cell. Raises UsageError: it is of another platform."""
    marked = by_platform(plan, platforms.here())
    for item in marked.cells:
        if item.status is Status.ELSEWHERE:
            raise UsageError(f"{item.cell.id} cannot be built here: {item.reason}")
    return marked
