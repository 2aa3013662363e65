"""`venvgrid completion`: what a shell has to read so that it completes commands, options, cells and runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid import config, config_file, grids, journal, plan, policies
from venvgrid.errors import VenvgridError

if TYPE_CHECKING:
    import argparse

    from venvgrid.terminal import Terminal

MOST_CELLS = 2_000


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
    """Give the ids of all cells of the configuration; nothing where there is none, or too many."""
    try:
        given = getattr(parsed_args, "config", None)
        source = config_file.find(Path(given) if given else None, cwd=Path.cwd())
        found = []
        for name in ("", *grids.names(source.table)):
            loaded = policies.of_user(source, os.environ, grid=name, offline=True).config
            found += [item.cell.id for item in plan.expand(loaded).cells]
    except (VenvgridError, OSError):
        return []
    return found if len(found) <= MOST_CELLS else []


def runs(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Give the ids of the runs that are kept."""
    try:
        given = getattr(parsed_args, "config", None)
        loaded = config.load(Path(given) if given else None, cwd=Path.cwd())
    except (VenvgridError, OSError):
        return []
    return [run.id for run in journal.runs(loaded.root / ".venvgrid")]


def grids_of(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Give the names of the grids of the configuration."""
    try:
        given = getattr(parsed_args, "config", None)
        return list(grids.names(config_file.find(Path(given) if given else None, cwd=Path.cwd()).table))
    except (VenvgridError, OSError):
        return []
