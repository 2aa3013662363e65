"""The parsers of what runs on many machines: options of `run`, and the commands `worker` and `scheduler`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from venvgrid.cli import help_texts
from venvgrid.cli.parser_parts import command

if TYPE_CHECKING:
    from venvgrid.cli.parser_parts import Commands, Parser


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of at least 1")
    return int(text)


def _certificates(parser: Parser) -> None:
    parser.add_argument(
        "--certificates", metavar="FOLDER", help="the folder with the certificates for tls:// addresses"
    )


def add_to_run(parser: Parser) -> None:
    """Add the options of a run on many machines."""
    parser.add_argument(
        "--on",
        metavar="CLUSTER",
        help="run the cells on other machines: dask (processes here), or the address of a scheduler, tls://HOST:8786",
    )
    _certificates(parser)
    parser.add_argument(
        "--machines", type=_count, metavar="N", help="with --on: begin when N workers are there (default: 1)"
    )


def add_commands(commands: Commands[Parser]) -> None:
    """Add `worker` and `scheduler`."""
    parser = command(commands, "worker", "let this machine run cells of a cluster", help_texts.WORKER_EXAMPLES)
    parser.add_argument("address", metavar="ADDRESS", help="of the scheduler: tls://HOST:8786, tcp://127.0.0.1:8786")
    parser.add_argument("--slots", type=_count, metavar="N", help="cells at once (default: the usable CPUs)")
    _certificates(parser)
    parser.add_argument(
        "--plan", metavar="PLAN", help="run only this plan: its file or digest (default: the first one)"
    )
    parser.add_argument("--any-plan", action="store_true", help="run whatever comes: for a machine that serves long")
    parser.add_argument("--lifetime", metavar="TIME", help="begin nothing that would not end in this time, such as 55m")
    parser.add_argument("--name", metavar="NAME", help="how reports call it (default: the name of the host)")
    parser = command(commands, "scheduler", "let workers and runs meet at an address", help_texts.SCHEDULER_EXAMPLES)
    parser.add_argument("address", metavar="ADDRESS", help="to listen at: tls://0.0.0.0:8786, tcp://127.0.0.1:8786")
    _certificates(parser)
