"""`venvgrid completion`: what a shell has to read so that it completes commands, options, cells and runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.config import config_file, grids, loading
from venvgrid.model import VenvgridError
from venvgrid.planning import expansion
from venvgrid.resolving import policies
from venvgrid.results import run_folders

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal
    from venvgrid.config.config_file import Source

MAX_CELLS = 2_000


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the code for a shell."""
    from argcomplete.shell_integration import shellcode  # noqa: PLC0415

    terminal.data(shellcode(["venvgrid"], shell=arguments.shell))
    return 0


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell, and end the process; its question is in the environment."""
    import argcomplete  # noqa: PLC0415

    argcomplete.autocomplete(parser)


def cells(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return the ids of all cells of the configuration; none if there is no configuration or too many cells."""
    try:
        source = _source(parsed_args)
        found = []
        for name in ("", *grids.names(source.table)):
            loaded = policies.resolve_config(source, os.environ, grid=name, offline=True).config
            found += [item.cell.id for item in expansion.expand(loaded).cells]
    except (VenvgridError, OSError):
        return []
    return found if len(found) <= MAX_CELLS else []


def runs(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return the ids of the stored runs."""
    try:
        loaded = loading.build(_source(parsed_args))
    except (VenvgridError, OSError):
        return []
    return [run.id for run in run_folders.runs(loaded.root / ".venvgrid")]


def grids_of(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return the names of the grids of the configuration."""
    try:
        return list(grids.names(_source(parsed_args).table))
    except (VenvgridError, OSError):
        return []


def _source(parsed_args: argparse.Namespace) -> Source:
    given = getattr(parsed_args, "config", None)
    return config_file.find(Path(given) if given else None, cwd=Path.cwd())
