"""`venvgrid shell CELL`: the user's shell in a cell's environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from venvgrid.commands import exec as execute

if TYPE_CHECKING:
    import argparse

    from venvgrid.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Open the shell and give its exit status."""
    default = terminal.environ.get("COMSPEC", "cmd.exe") if os.name == "nt" else "/bin/sh"
    shell = terminal.environ.get("SHELL") or default
    terminal.message(f"{arguments.cell}: leave with `exit`")
    return execute.enter(arguments, terminal, (shell,))
