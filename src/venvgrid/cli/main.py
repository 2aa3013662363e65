"""argv in, exit status out: the only place that reads argv, prints errors and catches Ctrl-C.

Commands are imported when they are called: `--help` and mistakes of typing cost nothing.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.cli import signals
from venvgrid.cli.terminal import Terminal
from venvgrid.model import ExitStatus, UsageError, VenvgridError
from venvgrid.model.version import __version__

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from venvgrid.cli.parser_parts import Parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; `argv` is without the program's name."""
    terminal = Terminal.from_process()
    try:
        status = _dispatch(list(sys.argv[1:] if argv is None else argv), terminal)
        terminal.flush()
    except VenvgridError as error:
        for line in str(error).splitlines() or [type(error).__name__]:
            terminal.error(line if line.startswith("  ") else f"venvgrid: {line}")
        return error.exit_status
    except KeyboardInterrupt:
        terminal.error("venvgrid: interrupted")
        return signals.exit_status()
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more when it closes stdout at exit.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitStatus.TESTS_FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else "standard output: " if error.errno == errno.ENOSPC else ""
        terminal.error(f"venvgrid: {where}{error.strerror or error}")
        return ExitStatus.INCOMPLETE
    except Exception:  # noqa: BLE001  (whatever is left is a bug of ours, and is told as one)
        import traceback  # noqa: PLC0415

        terminal.error(traceback.format_exc().rstrip())
        terminal.error(f"venvgrid {__version__}: this is a bug in venvgrid; please report it with the lines above")
        return ExitStatus.BUG
    return status


def _dispatch(argv: list[str], terminal: Terminal) -> int:
    if argv == ["--version"]:
        terminal.data(f"venvgrid {__version__}")
        return ExitStatus.PASSED
    from venvgrid.cli import parser as parsers  # noqa: PLC0415  (the version needs none)

    arguments, rest = parsers.split(argv)
    is_completing = "_ARGCOMPLETE" in os.environ
    parser = parsers.build(arguments[0] if arguments and not is_completing else "")
    if is_completing:  # a shell asks what could come next
        from venvgrid.cli.tools import completion  # noqa: PLC0415

        completion.complete(parser)
    parsed = _parsed(parser, arguments, argv)
    if parsed.command is None:
        parser.print_help()
        return ExitStatus.USAGE
    if rest is not None and parsed.command not in {"run", "exec"}:
        raise UsageError(f"{parsed.command} starts no tests, and takes no arguments after --; `venvgrid run` does")
    parsed.rest = rest or ()
    package = "commands"
    for name, themed in (("tools", parsers.TOOLS), ("causes", parsers.CAUSES)):
        package = name if parsed.command in themed else package
    module = importlib.import_module(f"venvgrid.cli.{package}.{parsed.command}")
    status: int = module.main(parsed, terminal)
    return status


def _parsed(parser: Parser, arguments: list[str], argv: list[str]) -> argparse.Namespace:
    """Parse the arguments.

    Raises:
        UsageError: they are wrong; the message says what to type.
    """
    from venvgrid.cli import parser as parsers  # noqa: PLC0415
    from venvgrid.cli.parser_parts import RefusedError, option_names  # noqa: PLC0415

    try:
        parsed = parser.parse_args(arguments)
        if parsed.command is None and argv:
            parser.error("a command is missing")
    except RefusedError as error:
        from venvgrid.cli import mistakes  # noqa: PLC0415  (a right command line needs none)

        raise UsageError(mistakes.explain(str(error), argv, option_names(parsers.build()))) from None
    return parsed


if __name__ == "__main__":
    sys.exit(main())
