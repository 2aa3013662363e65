"""`venvgrid init`: write a first matrix.toml."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid import initialise

if TYPE_CHECKING:
    import argparse

    from venvgrid.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Write matrix.toml into this folder and say what to type next."""
    del arguments
    path = initialise.write(Path.cwd())
    terminal.message(f"{path} written; look at it, then type: venvgrid run")
    return 0
