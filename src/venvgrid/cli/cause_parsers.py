"""The parsers of commands that look for a cause."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from venvgrid.cli import help_texts
from venvgrid.cli.parser_parts import Parser, command, completed, configured, selecting, workers

if TYPE_CHECKING:
    from venvgrid.cli.parser_parts import Commands


def add_bisect(commands: Commands[Parser]) -> None:
    """Add `bisect`."""
    summary = "find the release of a package, or the commit, that broke a cell"
    parser = configured(command(commands, "bisect", summary, help_texts.BISECT_EXAMPLES))
    parser.add_argument("package", nargs="?", metavar="PACKAGE", help="the package; left out with --commits")
    good = "a version or commit in which the tests pass (default: one is searched for)"
    parser.add_argument("good", nargs="?", metavar="GOOD", help=good)
    bad = "one in which they fail (default: the version that the cell has; HEAD)"
    parser.add_argument("bad", nargs="?", metavar="BAD", help=bad)
    parser.add_argument("--commits", action="store_true", help="search the commits of the project itself")
    parser.add_argument(
        "--tests-of",
        metavar="COMMIT",
        help="with --commits: run the tests of this commit with all others; . for those of the checkout",
    )
    option = parser.add_argument("-k", dest="expression", metavar="EXPR", help="the cell (default: a red one)")
    completed(option, "cells")
    parser.add_argument("--pre", action="store_true", help="try pre-releases, too")
    parser.add_argument("--yanked", action="store_true", help="try yanked releases, too")
    wheel = "a wheel of the package, or a folder of wheels, to try beside the releases; may be repeated"
    parser.add_argument("--wheel", action="append", default=[], metavar="FILE", help=wheel)
    _probing(parser, "number of versions that are tried at once (default: the usable CPUs)", quiet="hide notes")


def add_reproduce(commands: Commands[Parser]) -> None:
    """Add `reproduce`."""
    summary = "run the red cell of a capsule here, and compare the failure"
    parser = command(commands, "reproduce", summary, help_texts.REPRODUCE_EXAMPLES)
    parser.add_argument("capsule", metavar="CAPSULE", help="a capsule; a file, archive or folder with some; an address")
    parser.add_argument("--with", dest="cell", metavar="CELL", help="the cell, where there are several capsules")
    parser.add_argument(
        "--patch", action="store_true", help="apply the changes that the capsule brings, to a copy: they are code"
    )
    parser.add_argument("--commands", action="store_true", help="only print the three commands without venvgrid")
    parser.add_argument(
        "--offline", action="store_true", help="no network: only the caches, and the wheels that the capsule brings"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="hide notes")


def add_why(commands: Commands[Parser]) -> None:
    """Add `why`."""
    summary = "find the releases that broke a cell, and prove it"
    parser = configured(command(commands, "why", summary, help_texts.WHY_EXAMPLES))
    cell = "a red cell, or words of a failure (default: the first failure of the last run)"
    completed(parser.add_argument("cell", nargs="?", metavar="CELL", help=cell), "cells")
    parser.add_argument(
        "--good", metavar="WHEN", help="when it was green: a date, a run, or the file of a lock (default: looked for)"
    )
    parser.add_argument(
        "--upstream", action="store_true", help="print a text for the tracker of the project whose release broke it"
    )
    number = "number of worlds that are tried at once: faster, with more builds (default: 1)"
    _probing(parser, number, quiet="hide notes and probes")


def add_bounds(commands: Commands[Parser]) -> None:
    """Add the parser of `venvgrid bounds`."""
    summary = "find the lowest versions of the dependencies that pass, per Python"
    parser = selecting(command(commands, "bounds", summary, help_texts.BOUNDS_EXAMPLES))
    parser.add_argument(
        "--check", action="store_true", help="only test the declared lower bounds; exit status 1 if one is wrong"
    )
    parser.add_argument("--write", action="store_true", help="write proven lower bounds into pyproject.toml")
    parser.add_argument(
        "--skip-missing-interpreters",
        action=argparse.BooleanOptionalAction,
        help="leave out Pythons that are missing (default: plan.skip-missing-interpreters)",
    )
    _probing(parser, "number of cells that run at once (default: usable CPUs)", quiet="hide progress and notes")


def _probing(parser: Parser, number: str, *, quiet: str) -> None:
    """Add the options that all commands with probes have; `number` and `quiet` are the help texts of two of them."""
    parser.add_argument("-j", dest="workers", metavar="N", type=workers, help=number)
    parser.add_argument("--offline", action="store_true", help="use only the caches, no network")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help=quiet)
