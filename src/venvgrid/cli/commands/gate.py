"""`venvgrid gate`: whether every planned cell has an accepted, attested result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.cli import output
from venvgrid.model import ExitStatus
from venvgrid.results import plan_file, records
from venvgrid.results.gate import judge
from venvgrid.results.merge import merge

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal


@output.without_collection
def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print what the gate says and return 0 only if it is green."""
    plan = plan_file.read(Path(arguments.plan))
    said = judge(merge(plan, records.find(map(Path, arguments.records))), arguments.commit or "")
    for line in said.notes:
        terminal.data(f"note: {line}")
    for line in said.problems:
        terminal.data(f"red: {line}")
    terminal.data(f"{'green' if said.is_green else 'red'}: {said.reported} of {said.planned} cells reported")
    return ExitStatus.PASSED if said.is_green else ExitStatus.TESTS_FAILED
