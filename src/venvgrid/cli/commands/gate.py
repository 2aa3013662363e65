"""`venvgrid gate`: whether every planned cell has an accepted, attested result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.shards import merged
from venvgrid.cli import output
from venvgrid.model import ExitStatus
from venvgrid.reporters import text
from venvgrid.results import plan_file, records
from venvgrid.results.gate import judge

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal


MAX_LINE = 2000  # characters; a line holds the name of a file and a reason


@output.without_collection
def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print what the gate says and return 0 only if it is green."""
    plan = plan_file.read(Path(arguments.plan))
    said = judge(merged.collect(plan, records.find(map(Path, arguments.records))), arguments.commit or "")
    # What tests and records say could be lines of its own, or commands to the CI service.
    for line in said.notes:
        terminal.data(text.guard(text.line(f"note: {line}", MAX_LINE)))
    for line in said.problems:
        terminal.data(text.guard(text.line(f"red: {line}", MAX_LINE)))
    terminal.data(f"{'green' if said.is_green else 'red'}: {said.reported} of {said.planned} cells reported")
    return ExitStatus.PASSED if said.is_green else ExitStatus.TESTS_FAILED
