"""The parser of the command line, with its help texts. It imports nothing that a command needs."""

from __future__ import annotations

import argparse
from typing import Any

from venvgrid.model.version import __version__
from venvgrid.reporters.formats import FORMATS

Commands = argparse._SubParsersAction  # noqa: SLF001  (argparse has no public name for it)

ENV_ACTIONS = {
    "list": "the environments, their size and their cells (the default)",
    "path": "where the environment of a cell is",
    "freeze": "a requirements.txt, with hashes, that recreates it",
    "prune": "delete the environments that no cell uses",
}
CACHE_ACTIONS = {
    "show": "its folders and their sizes (the default)",
    "verify": "read all of it, and remove what is damaged",
    "prune": "delete what was not used for long",
}
SCHEMAS = ("config", "results", "events", "plan")
SHELLS = ("bash", "zsh", "fish", "powershell")
EPILOG = """\
examples:
  venvgrid init                      write a first matrix.toml from what the project declares
  venvgrid plan                      which cells can exist, and why the others cannot
  venvgrid run                       run all of them
  venvgrid run -k 'python>=3.12'     some of them
  venvgrid run --failed -- -x        what was red last time, with an option for pytest
  venvgrid shell py3.12-numpy2.0     look into a cell

exit status: 0 every cell that can exist passed; 1 a test outcome is red; 2 usage or configuration;
3 no test is red, but a cell could not be built or resolved, or lacks its interpreter; 4 nothing to run;
130 interrupted; 70 a bug in venvgrid"""
EXPRESSIONS = """\
expressions of -k:
  py3.12-numpy2.0                    one cell, by its id
  'py3.1?-*'                         globs over ids
  python>=3.12                       compare an axis: == != < <= > >=
  outcome==failed                    what the last run found; also red, green, none (not in it)
  nightly, label==nightly            cells that an [[include]] gave the label
  'python>=3.9 and not numpy==2.2'   and, or, not, parentheses
"""
RUN_EXAMPLES = f"""\
examples:
  venvgrid run                                everything; what has not changed since it passed is not run again
  venvgrid run --failed                       what was not green last time
  venvgrid run -k py3.13-freezegun1.2 -- -x tests/test_timed.py
  venvgrid run --report html=report.html --report junit=junit.xml
  venvgrid run --locked --report github       in a workflow of GitHub

{EXPRESSIONS}"""
PLAN_EXAMPLES = f"""\
examples:
  venvgrid plan                      which cells can exist, and why the others cannot
  venvgrid plan --json               for a program
  venvgrid plan --check              is matrix.lock up to date? no network; for a pre-commit hook

{EXPRESSIONS}"""
REPORT_EXAMPLES = """\
examples:
  venvgrid report                              the last run again
  venvgrid report --format html -o report.html
  venvgrid report 20261121-1430 --format markdown
  venvgrid report --format shields -o badge.json"""
INIT_EXAMPLES = """\
examples:
  venvgrid init
  venvgrid init --from tox
  venvgrid init --from noxfile.py
  venvgrid init --from .github/workflows/ci.yml

What cannot be carried over is said, and stands at the end of the file."""
SCHEMA_EXAMPLES = """\
For completion and checks while you type, in editors that use taplo (VS Code's Even Better TOML, Helix, Zed):
  venvgrid schema > .venvgrid/config.schema.json
and as the first line of matrix.toml:
  #:schema .venvgrid/config.schema.json"""
COMPLETION_EXAMPLES = """\
Commands, options, ids of cells and of runs are completed. Once, or in the start-up file of the shell:
  bash, zsh     eval "$(venvgrid completion bash)"
  fish          venvgrid completion fish > ~/.config/fish/completions/venvgrid.fish
  PowerShell    venvgrid completion powershell | Out-String | Invoke-Expression"""


def build() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
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
    _add_report(commands)
    _add_environments(commands)
    _add_helpers(commands)
    return parser


def _command(
    commands: Commands[argparse.ArgumentParser], name: str, summary: str, examples: str = ""
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=examples or None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


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
    option = parser.add_argument(
        "grids", nargs="*", metavar="GRID", help="the [grid.NAME] of these names (default: the grid outside of them)"
    )
    _completed(option, "grids_of")
    parser.add_argument("--all-grids", action="store_true", help="every grid of the file, one after the other")
    option = parser.add_argument(
        "-k",
        dest="expression",
        metavar="EXPR",
        help="only these cells: 'python>=3.9 and not numpy==2.2', or ids with globs",
    )
    _completed(option, "cells")
    parser.add_argument(
        "-j",
        dest="workers",
        metavar="N",
        type=_workers,
        help="number of cells that run at once (default: the usable CPUs)",
    )
    parser.add_argument(
        "--strategy", metavar="S", help="full, pairwise, t=3, one-at-a-time, corners or budget=20, for plan.strategy"
    )
    parser.add_argument("--optimise", metavar="TIME", help="time limit for reducing the number of cells, e.g. 20s")
    parser.add_argument("--offline", action="store_true", help="use only the caches, no network")
    parser.add_argument("--skip-missing-interpreters", action="store_true", help="a missing interpreter is no failure")
    parser.add_argument("--strict", action="store_true", help="an impossible cell is a failure")
    parser.add_argument("-q", "--quiet", action="store_true", help="hide progress and notes")
    return parser


def _add_run(commands: Commands[argparse.ArgumentParser]) -> None:
    summary = "plan, build, run and report; arguments after -- go to the test command"
    parser = _planned(_command(commands, "run", summary, RUN_EXAMPLES))
    parser.add_argument("-v", "--verbose", action="store_true", help="show more progress")
    parser.add_argument("--failed", action="store_true", help="only the cells that were not green last time")
    parser.add_argument(
        "--changed",
        metavar="REF",
        help="only the cells whose lock differs from that of a git revision; implies --locked",
    )
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
    summary = "resolve, and print which cells run, which cannot, and why"
    parser = _planned(_command(commands, "plan", summary, PLAN_EXAMPLES))
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="only check matrix.lock; exit status 1 if it does not fit")
    _without_builds(parser)
    parser = _planned(_command(commands, "lock", "write matrix.lock: the exact distributions of every cell"))
    _without_builds(parser)
    parser.add_argument("--update", action="store_true", help="update the versions of axes with a policy")


def _without_builds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-build", action="store_true", help="run no build of the project; cells that need one stay unknown"
    )


def _add_report(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _configured(_command(commands, "report", "render a finished run", REPORT_EXAMPLES))
    option = parser.add_argument(
        "run", nargs="?", metavar="RUN", help="run id or unique prefix (default: the latest run)"
    )
    _completed(option, "runs")
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to a file instead of the terminal")


def _add_environments(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "python", "list the interpreters found, and the places searched")
    parser.add_argument("--json", action="store_true", help="print JSON")

    parser = _configured(_command(commands, "env", "list environments, give a path or a requirements.txt, prune"))
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    for name, summary in ENV_ACTIONS.items():
        # Without a default of its own: what stands before the action stays in force.
        action = _configured(_command(actions, name, summary), default=argparse.SUPPRESS)
        if name in {"path", "freeze"}:
            _completed(action.add_argument("cell", metavar="CELL"), "cells")

    parser = _command(commands, "cache", "show, verify or prune the user's cache")
    parser.set_defaults(action="show")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    for name, summary in CACHE_ACTIONS.items():
        action = _command(actions, name, summary)
        if name == "prune":
            action.add_argument(
                "--older-than",
                type=float,
                metavar="DAYS",
                help="delete what was not used for this many days (default: 30)",
            )
            action.add_argument(
                "--max-size", metavar="SIZE", help="delete the longest unused until this much is left, e.g. 5G"
            )

    for name, summary in (
        ("exec", "run a command in a cell's environment: exec CELL -- CMD"),
        ("shell", "open a shell in a cell's environment"),
    ):
        parser = _configured(_command(commands, name, summary))
        _completed(parser.add_argument("cell", metavar="CELL"), "cells")
        parser.add_argument("--offline", action="store_true", help="use only the caches, no network")


def _add_helpers(commands: Commands[argparse.ArgumentParser]) -> None:
    summary = "write a first matrix.toml from what the project declares"
    parser = _command(commands, "init", summary, INIT_EXAMPLES)
    parser.add_argument(
        "--from",
        dest="source",
        metavar="SOURCE",
        help="a file of another runner: tox.ini, tox.toml, noxfile.py (read, never executed), pyproject.toml, "
        "hatch.toml or a workflow; or tox, nox, hatch to search for it (default: what is there, else the declarations "
        "of the project)",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="the file to write, - for stdout (default: matrix.toml)")
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    parser = _command(commands, "schema", "print the JSON Schema of a file, for editors and programs", SCHEMA_EXAMPLES)
    parser.add_argument("format", nargs="?", choices=SCHEMAS, default="config", help="of which file (default: config)")
    parser = _command(commands, "completion", "print the completion code for a shell", COMPLETION_EXAMPLES)
    parser.add_argument("shell", choices=SHELLS)


def _completed(option: argparse.Action, what: str) -> None:
    """Set the completion of an option: a function of `commands.completion`, by its name."""

    def completer(**question: Any) -> list[str]:
        from venvgrid.cli.commands import completion  # noqa: PLC0415

        found: list[str] = getattr(completion, what)(**question)
        return found

    setattr(option, "completer", completer)  # noqa: B010  (argcomplete looks there; argparse knows nothing of it)


def _workers(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:  # noqa: PLR2004  (more threads than that help nobody)
        message = f"{text!r} is not a number from 1 to 256"
        raise argparse.ArgumentTypeError(message)
    return int(text)
