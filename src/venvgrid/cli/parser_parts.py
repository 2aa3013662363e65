"""Parts that the parsers of several commands share."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Commands = argparse._SubParsersAction  # noqa: SLF001  (argparse has no public name for it)
_NUMBER = re.compile(r"-\d+|-\d*\.\d+")  # as in argparse


class RefusedError(Exception):
    """The command line is wrong; the message is that of argparse."""


class Parser(argparse.ArgumentParser):
    """A parser that takes options anywhere, and whose mistakes are exceptions: `cli/mistakes.py` explains them."""

    def error(self, message: str) -> NoReturn:
        """Raise RefusedError."""
        raise RefusedError(message)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the arguments of a command, its options first: argparse ends a list of values at an option."""
        is_command = not any(isinstance(item, argparse._SubParsersAction) for item in self._actions)  # noqa: SLF001
        if is_command and args is not None:
            args = options_first(args, {name: item.nargs is None for name, item in self._option_string_actions.items()})
        return super().parse_known_args(args, namespace)


def options_first(words: Sequence[str], takes_value: Mapping[str, bool]) -> list[str]:
    """Return the words of a command, its options with their values before all else; each in the order it had.

    `takes_value` maps the names of options to whether a value follows. What stands after `--` is no option.
    """
    options, others, left = list[str](), list[str](), list(reversed(words))
    while left:
        word = left.pop()
        if word == "--":
            others += [word, *reversed(left)]
            break
        if not _is_option(word, takes_value):
            others.append(word)
            continue
        options.append(word)
        if not _awaits(word, takes_value):
            continue
        if not left or left[-1] == "--" or _is_option(left[-1], takes_value):
            return list(words)  # the value is missing: in another order, another word would be taken for it
        options.append(left.pop())
    return options + others


def _is_option(word: str, known: Mapping[str, bool]) -> bool:
    """Return whether argparse takes a word for an option; a number below zero and a text with spaces are none."""
    if word in known or word.partition("=")[0] in known or (word[:2] in known and not word.startswith("--")):
        return True
    return word.startswith("-") and word != "-" and " " not in word and not _NUMBER.fullmatch(word)


def _awaits(word: str, takes_value: Mapping[str, bool]) -> bool:
    """Return whether the value of an option is the next word: not if it is in this one, as in `-j4` and `--cost=2`."""
    if word in takes_value or word.startswith("--"):
        return takes_value.get(word, False)
    for place, letter in enumerate(word[1:], 2):
        if takes_value.get(f"-{letter}", True):  # the rest is its value; an unknown letter ends it
            return f"-{letter}" in takes_value and place == len(word)
    return False


def option_names(parser: argparse.ArgumentParser) -> dict[str, tuple[str, ...]]:
    """Map each command to the names of its options."""
    (commands,) = [item for item in parser._actions if isinstance(item, argparse._SubParsersAction)]  # noqa: SLF001
    return {name: tuple(dict.fromkeys(_names(command))) for name, command in commands.choices.items()}


def _names(command: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the options of a command, and of its actions."""
    for action in command._actions:  # noqa: SLF001
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for inner in action.choices.values():
                yield from _names(inner)


def command(commands: Commands[Parser], name: str, summary: str, examples: str = "") -> Parser:
    """Add a command, and return its parser."""
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=examples or None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def configured(parser: Parser, default: str | None = None) -> Parser:
    """Add the option for the configuration, and return the parser."""
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        default=default,
        help="the configuration (default: matrix.toml or [tool.venvgrid])",
    )
    return parser


def selecting(parser: Parser) -> Parser:
    """Add what selects grids and cells, and return the parser."""
    configured(parser)
    option = parser.add_argument(
        "grids", nargs="*", metavar="GRID", help="the [grid.NAME] of these names (default: the grid outside of them)"
    )
    completed(option, "grids_of")
    parser.add_argument("--all-grids", action="store_true", help="every grid of the file, one after the other")
    option = parser.add_argument(
        "-k",
        dest="expression",
        metavar="EXPR",
        help="only these cells: 'python>=3.9 and not numpy==2.2', or parts of ids: py3.13",
    )
    completed(option, "cells")
    return parser


def planned(parser: Parser) -> Parser:
    """Add the options of what makes a plan, and return the parser."""
    selecting(parser)
    parser.add_argument(
        "-j",
        dest="workers",
        metavar="N",
        type=workers,
        help="number of cells that run at once (default: the usable CPUs)",
    )
    parser.add_argument(
        "--strategy", metavar="S", help="full, pairwise, t=3, one-at-a-time, corners or budget=20, for plan.strategy"
    )
    parser.add_argument("--optimise", metavar="TIME", help="time limit for reducing the number of cells, e.g. 20s")
    parser.add_argument("--offline", action="store_true", help="use only the caches, no network")
    parser.add_argument(
        "--skip-missing-interpreters",
        action=argparse.BooleanOptionalAction,
        help="a missing interpreter is no failure (default: plan.skip-missing-interpreters)",
    )
    parser.add_argument("--strict", action="store_true", help="an impossible cell is a failure")
    parser.add_argument("-q", "--quiet", action="store_true", help="hide progress and notes")
    return parser


def verbose(parser: Parser, what: str) -> None:
    """Add the option to show more."""
    parser.add_argument("-v", "--verbose", action="store_true", help=what)


def completed(option: argparse.Action, what: str) -> None:
    """Set the completion of an option: a function of `commands.completion`, by its name."""

    def completer(**question: Any) -> list[str]:
        from venvgrid.cli.tools import completion  # noqa: PLC0415

        found: list[str] = getattr(completion, what)(**question)
        return found

    setattr(option, "completer", completer)  # noqa: B010  (argcomplete looks there; argparse knows nothing of it)


def workers(text: str) -> int:
    """Read a number of workers.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not text.isdigit() or not 1 <= int(text) <= 256:  # noqa: PLR2004  (more threads than that help nobody)
        message = f"{text!r} is not a number from 1 to 256; without -j it is the usable CPUs"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def commit(text: str) -> str:
    """Read the hash of a commit, or its beginning.

    Raises:
        ArgumentTypeError: it is none. An empty one is none: a variable that is not set must not make the gate green.
    """
    found = text.lower()
    if not re.fullmatch(r"[0-9a-f]{7,64}", found):
        message = f"{text!r} is no hash of a commit; the current one: git rev-parse HEAD"
        raise argparse.ArgumentTypeError(message)
    return found


def shards(text: str) -> int:
    """Read a number of shards; whether a vendor takes so many, its limits say.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) < 1:  # noqa: PLR2004
        message = f"{text!r} is not a number of shards, such as 4"
        raise argparse.ArgumentTypeError(message)
    return int(text)
