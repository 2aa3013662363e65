"""`venvgrid report`: render a finished run again, from its journal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.run import load
from venvgrid.cli import options, output
from venvgrid.model import UsageError
from venvgrid.results import run_folders
from venvgrid.storage import atomic

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print or write the report; the exit status says whether that worked, not how the run ended."""
    root, folder, project = _chosen(arguments, terminal)
    finished = load(root, folder)
    inside = output.inside_repository(terminal.environ, project)
    if arguments.format == "table" and not arguments.output:
        text = output.table(arguments, finished, terminal)
    else:
        text = output.document(arguments.format, finished, folder, inside)
    if arguments.output:
        atomic.write_atomic(Path(arguments.output).absolute(), text)
    else:
        terminal.data(text)
    return 0


def _chosen(arguments: argparse.Namespace, terminal: Terminal) -> tuple[Path, run_folders.RunFolder, Path]:
    """Return the folder that holds runs, the run to report, and the folder of the project.

    A folder that `merge` wrote is a run of its own.
    """
    merged = Path(arguments.run or "")
    if arguments.run and (merged / run_folders.EVENTS).is_file():
        return merged, run_folders.RunFolder(id=merged.name, path=merged), Path.cwd()
    loaded = options.load(arguments, terminal)
    root = loaded.root / ".venvgrid"
    folder = run_folders.find(root, arguments.run) if arguments.run else run_folders.latest(root)
    if folder is None:
        raise UsageError(
            f"there is no run{' ' + arguments.run if arguments.run else ''} in {root / 'runs'}; type: venvgrid run"
        )
    return root, folder, loaded.project.path
