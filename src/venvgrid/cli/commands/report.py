"""`venvgrid report`: render a finished run again, from its journal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.run import load, load_merged
from venvgrid.cli import options, output
from venvgrid.model import UsageError
from venvgrid.reporters import text
from venvgrid.reporters.formats import FORMATS
from venvgrid.results import run_folders
from venvgrid.storage import atomic

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal
    from venvgrid.results.report import Report
    from venvgrid.results.run_folders import RunFolder


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print or write the report; the exit status says whether that worked, not how the run ended."""
    finished, folder, project, root = _chosen(arguments, terminal)
    inside = output.inside_repository(terminal.environ, project)
    if arguments.format == "table" and not arguments.output:
        made = output.table(arguments, finished, terminal, project)
    else:
        made = output.document(arguments.format, finished, folder, inside, root)
    if arguments.output:
        atomic.write_atomic(Path(arguments.output).absolute(), made)
    else:
        terminal.data(made)
    return 0


def _chosen(arguments: argparse.Namespace, terminal: Terminal) -> tuple[Report, RunFolder, Path, Path]:
    """Return the run to report, its folder, that of the project, and `.venvgrid`, where `why` keeps what it found.

    A folder of `merge` is a run of its own, of the project in the working directory.
    """
    merged = Path(arguments.run or "").absolute()
    if arguments.run and (merged / run_folders.EVENTS).is_file():
        folder = run_folders.RunFolder(id=merged.name, path=merged)
        here = Path.cwd()
        return replace(load(merged, folder), folder=merged.as_posix()), folder, here, here / ".venvgrid"
    loaded = options.load(arguments, terminal)
    root = loaded.root / ".venvgrid"
    return *_find(root, arguments), loaded.project.path, root


def _find(root: Path, arguments: argparse.Namespace) -> tuple[Report, RunFolder]:
    """Return a run; without its id the last one, with the results of earlier runs for cells that were not in it.

    Raises:
        UsageError: there is none.
    """
    run: str | None = arguments.run
    if not run:
        found = load_merged(root)
        if found is None:
            raise UsageError(f"there is no run in {root / 'runs'}; type: venvgrid run")
        return found
    folder = run_folders.find(root, run)
    if folder is None and run in FORMATS:
        to = ("-o", arguments.output) if arguments.output else ()
        typed = text.command("venvgrid", "report", "--format", run, *to)
        raise UsageError(f"no run has an id that begins with {run!r}. Type: {typed}")
    if folder is None and Path(run).exists():
        raise UsageError(f"{run} is no folder of a run. If it is a record, type: venvgrid merge {run} -o merged")
    if folder is None:
        there = ", ".join(item.id for item in reversed(run_folders.runs(root)[-3:]))
        runs = f"the newest are {there}" if there else "there is none; type: venvgrid run"
        raise UsageError(f"no run in {root / 'runs'} has an id that begins with {run!r}; {runs}")
    return load(root, folder), folder
