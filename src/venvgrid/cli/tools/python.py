"""`venvgrid python`: the interpreters found, and where they were looked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.interpreters.provider import InterpreterProvider
from venvgrid.model import ExitStatus
from venvgrid.processes import runner
from venvgrid.reporters.terminal import python_table
from venvgrid.storage.directories import cache_folder

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the interpreters."""
    cache = cache_folder(terminal.environ) / "interpreters"
    found = InterpreterProvider(environ=terminal.environ, run=runner.run, cache=cache, root=Path.cwd()).found()
    if arguments.json:
        terminal.data(json.dumps(python_table.python_json(found), indent=1))
    else:
        terminal.data("\n".join(python_table.python_lines(found)))
    return ExitStatus.PASSED if found.interpreters else ExitStatus.INCOMPLETE
