"""`venvgrid report`: render a finished run again, from its journal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.run import load, load_merged
from venvgrid.cli import options, output
from venvgrid.model import UsageError
from venvgrid.reporters import registry
from venvgrid.results import run_folders
from venvgrid.storage import atomic

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal
    from venvgrid.results.report import Report
    from venvgrid.results.run_folders import RunFolder


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print or write the report; the exit status says whether that worked, not how the run ended."""
    loaded = options.load(arguments, terminal)
    root = loaded.root / ".venvgrid"
    finished, folder = _find(root, arguments.run)
    inside = output.inside_repository(terminal.environ, loaded.project.path)
    if arguments.format == "table" and not arguments.output:
        text = output.table(arguments, finished, terminal)
    else:
        text = registry.text(arguments.format, finished, folder.read_log, inside)
    if arguments.output:
        atomic.write_atomic(Path(arguments.output).absolute(), text)
    else:
        terminal.data(text)
    return 0


def _find(root: Path, run: str | None) -> tuple[Report, RunFolder]:
    """Return a run; without its id the last one, with the results of earlier runs for cells that were not in it.

    Raises:
        UsageError: there is none.
    """
    if not run:
        found = load_merged(root)
        if found is None:
            raise UsageError(f"there is no run in {root / 'runs'}; type: venvgrid run")
        return found
    folder = run_folders.find(root, run)
    if folder is None:
        there = ", ".join(item.id for item in reversed(run_folders.runs(root)[-3:]))
        runs = f"the newest are {there}" if there else "there is none; type: venvgrid run"
        raise UsageError(f"no run in {root / 'runs'} has an id that begins with {run!r}; {runs}")
    return load(root, folder), folder
