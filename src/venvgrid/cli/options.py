"""What several commands do alike: read the configuration, choose cells, listen to signals."""

from __future__ import annotations

import re
import signal
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app import plan
from venvgrid.app.context import RunContext, RunOptions, choose_cells, default_workers, matching
from venvgrid.cli import signals as interruption
from venvgrid.config import config_file, grids, loading
from venvgrid.config.sections import strategy
from venvgrid.config.values import BadValueError, duration
from venvgrid.model.errors import NothingToRunError, UsageError
from venvgrid.model.plan import Status
from venvgrid.planning import expansion
from venvgrid.reporters import registry
from venvgrid.resolving import policies

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

    from venvgrid.cli.terminal import Terminal
    from venvgrid.config.config_file import Source
    from venvgrid.model.config import Config
    from venvgrid.model.plan import Plan
    from venvgrid.processes.command import Cancellation
    from venvgrid.resolving.policies import ResolvedConfig
    from venvgrid.results.report import Report

LOG = re.compile(r"\.venvgrid/runs/[0-9a-f-]+/logs/[A-Za-z0-9._+-]+\.log")
SEVEREST_FIRST = (1, 3, 2, 0, 4)  # exit statuses; 4, nothing to run, only where no grid had anything
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def find(arguments: argparse.Namespace) -> Source:
    """Read the file that the command line names, or the one of this folder."""
    return config_file.find(Path(arguments.config) if arguments.config else None, cwd=Path.cwd())


def load(arguments: argparse.Namespace) -> Config:
    """Check the configuration, for what needs no cells; policies are left as they are."""
    return loading.build(find(arguments))


def resolve_config(
    arguments: argparse.Namespace, source: Source, terminal: Terminal, *, grid: str = "", update: bool = False
) -> ResolvedConfig:
    """Give the configuration of a grid, its policies settled; options of the command line come before it.

    Raises:
        UsageError: an option is wrong.
        ConfigError, PolicyError, InfrastructureError: see `policies.resolve_config`.
    """
    offline = getattr(arguments, "offline", False)
    found = policies.resolve_config(source, terminal.environ, grid=grid, update=update, offline=offline)
    for note in found.notes:
        terminal.message(f"note: {note}")
    return replace(found, config=_with_options(arguments, found.config))


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedGrids:
    """The grids of a file that a command is about; "" is the one outside of all [grid.NAME]."""

    source: Source
    grids: tuple[str, ...]


def select_grids(arguments: argparse.Namespace) -> SelectedGrids:
    """Give the grids that the command line names; else the unnamed one, or all where the file has only named ones.

    Raises:
        UsageError, ConfigError: there is no such grid.
    """
    source = find(arguments)
    named = grids.names(source.table)
    has_main = "axes" in source.table or not named
    every = (*([""] if has_main else []), *named)
    if arguments.all_grids:
        if arguments.grids:
            raise UsageError("--all-grids and the name of a grid: leave out one of them")
        return SelectedGrids(source=source, grids=every)
    wanted = tuple(dict.fromkeys(arguments.grids)) or (("",) if has_main else every)
    for name in wanted:
        loading.build(source, grid=name)  # a mistake of typing shows before the first one runs
    return SelectedGrids(source=source, grids=wanted)


def in_each(chosen: SelectedGrids, terminal: Terminal, do: Callable[[str], int]) -> int:
    """Do one grid after the other and give the worst exit status; an interruption ends it."""
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
        if status > interruption.SIGNAL_BASE:
            return status
        found.add(status)
    return next((status for status in SEVEREST_FIRST if status in found), 0)


def _with_options(arguments: argparse.Namespace, loaded: Config) -> Config:
    name, planning = loaded.strategy, loaded.planning
    try:
        if getattr(arguments, "strategy", None):
            name, chosen = strategy(arguments.strategy)
            planning = replace(planning, kind=chosen.kind, strength=chosen.strength, budget=chosen.budget)
        if getattr(arguments, "optimise", None):
            planning = replace(planning, optimise=duration(arguments.optimise))
    except BadValueError as error:
        raise UsageError(f"--strategy or --optimise: {error}") from error
    return replace(loaded, strategy=name, planning=planning)


def context_for(
    arguments: argparse.Namespace, loaded: Config, terminal: Terminal, cancellation: Cancellation
) -> RunContext:
    """Put together what a run works with."""
    wishes = RunOptions(
        workers=getattr(arguments, "workers", None) or default_workers(),
        arguments=getattr(arguments, "rest", ()) if arguments.command == "run" else (),
        fresh=getattr(arguments, "fresh", False),
        locked=getattr(arguments, "locked", False) or bool(getattr(arguments, "changed", None)),
        offline=arguments.offline,
        fail_fast=getattr(arguments, "fail_fast", False),
        strict=getattr(arguments, "strict", False),
        skip_missing=getattr(arguments, "skip_missing_interpreters", False),
        run_unchanged=not _use_cache(arguments, terminal),
    )
    return RunContext(
        config=loaded, wishes=wishes, environ=terminal.environ, cancellation=cancellation, notify=terminal.message
    )


def _use_cache(arguments: argparse.Namespace, terminal: Terminal) -> bool:
    """Whether cells that have not changed keep their result: as asked, else everywhere but in CI."""
    asked: bool | None = getattr(arguments, "cache", None)
    return asked if asked is not None else terminal.environ.get("CI", "").lower() in {"", "0", "false"}


def expand(arguments: argparse.Namespace, context: RunContext, terminal: Terminal) -> Plan:
    """Expand the configuration and keep the cells that -k asks for.

    With another strategy than "full", what resolution finds impossible is learnt and covered otherwise, unless the
    lock says it all.

    Raises:
        NothingToRunError: no cell is left.
    """
    planned = plan.plan_for(context, signals, locked=getattr(arguments, "check", False))
    for warning in planned.warnings:
        terminal.message(f"warning: {warning}")
    if arguments.expression:
        planned = matching(planned, arguments.expression, context)
        if not planned.cells:
            raise NothingToRunError(f"-k {arguments.expression!r} matches no cell; see them all with: venvgrid plan")
    if not any(item.status is Status.RUNNABLE for item in planned.cells):
        raise NothingToRunError("every cell is excluded; see why with: venvgrid plan")
    return planned


def one_cell(arguments: argparse.Namespace, cell: str, terminal: Terminal) -> tuple[Config, Plan]:
    """Give the configuration of the grid that has a cell, and a plan of the cell alone.

    Raises:
        UsageError: there is none of that name.
    """
    import difflib  # noqa: PLC0415

    source = find(arguments)
    ids: list[str] = []
    for name in sorted((*grids.names(source.table), ""), key=len, reverse=True):
        if not cell.startswith(f"{name}-") and name:
            continue
        loaded = resolve_config(arguments, source, terminal, grid=name).config
        planned = expansion.expand(loaded)
        chosen = choose_cells(planned, lambda item: item.id == cell)
        if chosen.cells:
            return loaded, chosen
        ids += [item.cell.id for item in planned.cells]
    close = difflib.get_close_matches(cell, ids, n=1)
    hint = f"; did you mean {close[0]}?" if close else f"; the cells are {', '.join(ids[:5])}, … (venvgrid plan)"
    raise UsageError(f"there is no cell {cell!r}{hint}")


def table(arguments: argparse.Namespace, finished: Report, terminal: Terminal) -> str:
    """Render the end of a run for this terminal; the commands in it name the configuration as this one did."""
    options = ("-c", arguments.config) if arguments.config else ()
    shown = registry.table(
        finished, width=terminal.width, colour=terminal.is_coloured, encoding=terminal.encoding, options=options
    )
    return linked(shown, Path(finished.config).parent) if terminal.has_links and finished.config else shown


def linked(shown: str, root: Path) -> str:
    """Make a hyperlink of every path of a log in what is shown; they are relative to `root`, an absolute path."""

    def link(match: re.Match[str]) -> str:
        return f"\x1b]8;;{(root / match[0]).as_uri()}\x1b\\{match[0]}\x1b]8;;\x1b\\"

    return LOG.sub(link, shown)


def inside_repository(environ: Mapping[str, str], place: Path) -> str:
    """Give what leads from the checkout of a CI service to a folder: "" or "sub/"."""
    for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        root = Path(environ.get(name) or place.anchor)
        if environ.get(name) and place.is_relative_to(root) and place != root:
            return place.relative_to(root).as_posix() + "/"
    return ""


@contextmanager
def signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` for Ctrl-C and its like while a run goes on, instead of raising KeyboardInterrupt somewhere."""

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        interruption.received.append(number)
        stop()

    earlier = {}
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None:
            with suppress(ValueError, OSError):  # not in the main thread: a test's, or an embedding program's
                earlier[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
