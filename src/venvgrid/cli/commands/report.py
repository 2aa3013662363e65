"""`venvgrid report`: render a finished run again, from its journal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.run import load
from venvgrid.cli import options, output
from venvgrid.model import UsageError
from venvgrid.reporters import registry
from venvgrid.results import run_folders
from venvgrid.storage import atomic

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print or write the report; the exit status says whether that worked, not how the run ended."""
    loaded = options.load(arguments)
    root = loaded.root / ".venvgrid"
    folder = run_folders.find(root, arguments.run) if arguments.run else run_folders.latest(root)
    if folder is None:
        raise UsageError(
            f"there is no run{' ' + arguments.run if arguments.run else ''} in {root / 'runs'}; type: venvgrid run"
        )
    finished = load(root, folder)
    inside = output.inside_repository(terminal.environ, loaded.project.path)
    if arguments.format == "table" and not arguments.output:
        text = output.table(arguments, finished, terminal, loaded.project.path)
    else:
        text = registry.text(arguments.format, finished, folder.read_log, inside)
    if arguments.output:
        atomic.write_atomic(Path(arguments.output).absolute(), text)
    else:
        terminal.data(text)
    return 0
