"""argv in, exit status out: the only place that reads argv, prints errors and catches Ctrl-C.

Commands are imported when they are called: `--help` and mistakes of typing cost nothing.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid import __version__
from venvgrid.errors import VenvgridError
from venvgrid.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

BUG = 70
INTERRUPTED = 130
ENV_ACTIONS = {
    "list": "the environments, their size and their cells (the default)",
    "path": "where the environment of a cell is",
    "freeze": "a requirements.txt, with hashes, that recreates it",
    "prune": "delete the environments that no cell uses",
}
# As in reporters.render, which takes longer to import.
FORMATS = ("table", "json", "junit", "markdown", "html", "github", "gitlab", "badge", "shields")
EPILOG = """\
exit status: 0 every cell that can exist passed; 1 a test outcome is red; 2 usage or configuration;
3 no test is red, but a cell could not be built or resolved, or lacks its interpreter; 4 nothing to run;
130 interrupted; 70 a bug in venvgrid"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status; `argv` is without the program's name."""
    terminal = Terminal.of_process()
    try:
        status = _dispatch(list(sys.argv[1:] if argv is None else argv), terminal)
        terminal.flush()
    except VenvgridError as error:
        for line in str(error).splitlines() or [type(error).__name__]:
            terminal.error(f"venvgrid: {line}")
        return error.exit_status
    except KeyboardInterrupt:
        terminal.error("venvgrid: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more when it closes stdout at exit.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        terminal.error(f"venvgrid: {where}{error.strerror or error}")
        return 3
    except Exception:  # noqa: BLE001  (whatever is left is a bug of ours, and is told as one)
        import traceback  # noqa: PLC0415

        terminal.error(traceback.format_exc().rstrip())
        terminal.error(f"venvgrid {__version__}: this is a bug in venvgrid; please report it with the lines above")
        return BUG
    return status


def _dispatch(argv: list[str], terminal: Terminal) -> int:
    arguments, rest = argv, None
    if "--" in argv:
        cut = argv.index("--")
        arguments, rest = argv[:cut], tuple(argv[cut + 1 :])
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if parsed.command is None:
        parser.print_help()
        return 2
    if rest is not None and parsed.command not in {"run", "exec"}:
        parser.error(f"{parsed.command} takes no arguments after --")
    parsed.rest = rest or ()
    module = importlib.import_module(f"venvgrid.commands.{parsed.command}")
    status: int = module.main(parsed, terminal)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="venvgrid",
        description="Run a project's tests in every combination of Python and dependency versions.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"venvgrid {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_run(commands)
    _add_plan(commands)
    _add_others(commands)
    return parser


Commands = argparse._SubParsersAction  # noqa: SLF001  (argparse has no public name for it)


def _command(commands: Commands[argparse.ArgumentParser], name: str, summary: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)


def _configured(parser: argparse.ArgumentParser, default: str | None = None) -> argparse.ArgumentParser:
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        default=default,
        help="the configuration (default: matrix.toml or [tool.venvgrid])",
    )
    return parser


def _planned(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    _configured(parser)
    parser.add_argument(
        "-k",
        dest="expression",
        metavar="EXPR",
        help="only these cells: 'python>=3.9 and not numpy==2.2', or ids with globs",
    )
    parser.add_argument(
        "-j", dest="workers", metavar="N", type=_workers, help="how many at once (default: the usable CPUs)"
    )
    parser.add_argument("--offline", action="store_true", help="use nothing that is not in the caches")
    parser.add_argument("--skip-missing-interpreters", action="store_true", help="a missing interpreter is no failure")
    parser.add_argument("--strict", action="store_true", help="an impossible cell is a failure")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    parser.add_argument("-v", "--verbose", action="store_true", help="more progress")
    return parser


def _add_run(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _planned(
        _command(commands, "run", "plan, build, run and report; arguments after -- go to the test command")
    )
    parser.add_argument("--failed", action="store_true", help="only the cells that were not green last time")
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first red cell")
    parser.add_argument("--fresh", action="store_true", help="resolve and build everything anew")
    parser.add_argument(
        "--cache",
        action=argparse.BooleanOptionalAction,
        help="keep the result of cells that passed and have not changed since (default: yes, but not in CI)",
    )
    parser.add_argument("--locked", action="store_true", help="install exactly what matrix.lock says")
    parser.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="FORMAT=FILE",
        help=f"also write a report: {', '.join(FORMATS)}; github alone: the step's summary and annotations",
    )


def _add_plan(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _planned(
        _command(commands, "plan", "resolve what is needed and say which cells run, which cannot, and why")
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    _planned(_command(commands, "lock", "write matrix.lock: the exact distributions of every cell"))


def _add_others(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _configured(_command(commands, "report", "render a finished run"))
    parser.add_argument("run", nargs="?", metavar="RUN", help="its id, or the beginning of it (default: the last)")
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument("-o", "--output", metavar="FILE", help="write there instead of to the terminal")

    parser = _command(commands, "python", "list the interpreters found, and where they were looked for")
    parser.add_argument("--json", action="store_true", help="for programs")

    parser = _configured(_command(commands, "env", "list environments, give a path or a requirements.txt, prune"))
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    for name, summary in ENV_ACTIONS.items():
        # Without a default of its own: what stands before the action stays in force.
        action = _configured(_command(actions, name, summary), default=argparse.SUPPRESS)
        if name in {"path", "freeze"}:
            action.add_argument("cell", metavar="CELL")

    parser = _configured(_command(commands, "exec", "run a command in a cell's environment: exec CELL -- CMD"))
    parser.add_argument("cell", metavar="CELL")
    parser.add_argument("--offline", action="store_true", help="use nothing that is not in the caches")

    parser = _configured(_command(commands, "shell", "open a shell in a cell's environment"))
    parser.add_argument("cell", metavar="CELL")
    parser.add_argument("--offline", action="store_true", help="use nothing that is not in the caches")

    _command(commands, "init", "write a first matrix.toml from what the project declares")


def _workers(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:  # noqa: PLR2004  (more threads than that help nobody)
        message = f"{text!r} is not a number from 1 to 256"
        raise argparse.ArgumentTypeError(message)
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
