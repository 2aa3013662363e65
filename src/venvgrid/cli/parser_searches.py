"""The parsers of the commands that search: what breaks the tests, and what they need."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from venvgrid.cli import help_texts
from venvgrid.cli.parser_parts import Parser, command, selecting, workers

if TYPE_CHECKING:
    from venvgrid.cli.parser_parts import Commands


def add_bounds(commands: Commands[Parser]) -> None:
    """Add the parser of `venvgrid bounds`."""
    summary = "find the lowest versions of the dependencies that pass, per Python"
    parser = selecting(command(commands, "bounds", summary, help_texts.BOUNDS_EXAMPLES))
    parser.add_argument(
        "--check", action="store_true", help="only test the declared lower bounds; exit status 1 if one is wrong"
    )
    parser.add_argument("--write", action="store_true", help="write proven lower bounds into pyproject.toml")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "-j", dest="workers", metavar="N", type=workers, help="number of cells that run at once (default: usable CPUs)"
    )
    parser.add_argument("--offline", action="store_true", help="use only the caches, no network")
    parser.add_argument(
        "--skip-missing-interpreters",
        action=argparse.BooleanOptionalAction,
        help="leave out Pythons that are missing (default: plan.skip-missing-interpreters)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="hide progress and notes")
