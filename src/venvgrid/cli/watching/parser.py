"""The parser of `venvgrid watch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.cli import help_texts
from venvgrid.cli.parser_parts import command, planned, verbose

if TYPE_CHECKING:
    from venvgrid.cli.parser_parts import Commands, Parser


def add_watch(commands: Commands[Parser]) -> None:
    """Add `watch`."""
    summary = "run the grid again whenever a file changes, what is likely to break first"
    parser = planned(command(commands, "watch", summary, help_texts.WATCH_EXAMPLES))
    verbose(parser, "show more progress, and why a cell runs again")
    parser.add_argument("--locked", action="store_true", help="install exactly what matrix.lock says")
