"""The parser of the command line, with its help texts. It imports nothing that a command needs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from venvgrid.cli import cause_parsers, help_texts, machine_parsers
from venvgrid.cli.parser_parts import (
    Parser,
    command,
    commit,
    completed,
    configured,
    planned,
    selecting,
    shards,
    verbose,
)
from venvgrid.cli.watching import parser as watch_parser
from venvgrid.model.version import __version__
from venvgrid.reporters.formats import FORMATS

if TYPE_CHECKING:
    from venvgrid.cli.parser_parts import Commands

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
TIERS = ("push", "pull-request", "nightly")  # the keys of [ci]
CI_VENDORS = {
    "github": "GitHub Actions, .github/workflows/venvgrid.yml",
    "gitlab": "GitLab CI, .gitlab-ci.yml",
    "azure": "Azure Pipelines, azure-pipelines.yml",
    "buildkite": "Buildkite, .buildkite/pipeline.yml",
}
NAMING_BRANCHES = frozenset({"github", "azure"})  # others know the default branch themselves
SCHEMAS = ("config", "results", "events", "plan", "record", "capsule", "why", "bisect", "bounds")
SHELLS = ("bash", "zsh", "fish", "powershell")
CAUSES = frozenset({"why", "bisect", "bounds"})  # the modules in cli/causes
# The modules in cli/tools.
TOOLS = frozenset({"cache", "completion", "env", "exec", "python", "scheduler", "schema", "shell", "worker"})


def build(only: str = "") -> Parser:
    """Make the parser of the whole command line.

    If `only` is a word of `_BUILT_ALONE`, it is the parser of that alone: all 34 commands take as long as ten modules.
    """
    parser = Parser(
        prog="venvgrid",
        description="Run a project's tests in every combination of Python and dependency versions.",
        epilog=help_texts.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"venvgrid {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    if (add := _BUILT_ALONE.get(only)) is not None:
        add(commands)
        return parser
    _add_run(commands)
    watch_parser.add_watch(commands)
    _add_plan(commands)
    _add_report(commands)
    _add_shards(commands)
    _add_ci(commands)
    cause_parsers.add_reproduce(commands)
    cause_parsers.add_why(commands)
    cause_parsers.add_bisect(commands)
    cause_parsers.add_bounds(commands)
    _add_environments(commands)
    machine_parsers.add_commands(commands)
    _add_helpers(commands)
    return parser


def split(argv: list[str]) -> tuple[list[str], tuple[str, ...] | None]:
    """Return the arguments of venvgrid, and those of the command that it starts; None without any.

    The latter begin after `--`, or after the cell of `exec`.
    """
    values = 0  # positional arguments so far, the command first
    for number, word in enumerate(argv):
        if word == "--":
            return argv[:number], tuple(argv[number + 1 :])
        is_value = number > 0 and argv[number - 1] in {"-c", "--config"}
        if word.startswith("-") or is_value:
            continue
        if argv[0] == "exec" and values == 2:  # noqa: PLR2004  (exec, the cell)
            return argv[:number], tuple(argv[number:])
        values += 1
    return argv, None


def _add_run(commands: Commands[Parser]) -> None:
    summary = "plan, build, run and report; arguments after -- go to the test command"
    parser = planned(command(commands, "run", summary, help_texts.RUN_EXAMPLES))
    verbose(parser, "show more progress, why a cell runs again, and the resolver's own words about impossible cells")
    parser.add_argument("--failed", action="store_true", help="only the cells that were not green last time")
    parser.add_argument(
        "--changed",
        metavar="REF",
        help="only the cells whose lock differs from that of a git revision; implies --locked",
    )
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first red cell")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was killed or interrupted")
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
    parser.add_argument(
        "--with-wheels", action="store_true", help="capsules of red cells hold the wheels, for `reproduce --offline`"
    )
    parser.add_argument("--plan", metavar="FILE", help="run a plan of `venvgrid plan -o`, and resolve nothing")
    parser.add_argument("--shard", metavar="M/N", help="only part M of N of the plan, packed by time")
    parser.add_argument("--record", metavar="FILE", help="with --plan: leave one file for merge and gate")
    machine_parsers.add_to_run(parser)


def _add_plan(commands: Commands[Parser]) -> None:
    summary = "resolve, and print which cells run, which cannot, and why"
    parser = planned(command(commands, "plan", summary, help_texts.PLAN_EXAMPLES))
    verbose(parser, "show the resolver's own words about impossible cells")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="only check matrix.lock; exit status 1 if it does not fit")
    parser.add_argument(
        "--check-config", action="store_true", help="only check the configuration: no network, no interpreters"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write a plan that other machines can run and merge")
    parser.add_argument(
        "--durations",
        action="append",
        default=[],
        metavar="FILE",
        help="a file that says how long cells take, of `merge --durations` or a results.json (default: the last runs)",
    )
    parser.add_argument("--jobs", metavar="N", help="say what N jobs take and cost; auto: as many as --target needs")
    parser.add_argument("--target", metavar="TIME", help="the longest that a job is to take (default: 10m)")
    parser.add_argument(
        "--cost", metavar="PRICES", help="the price of a minute by platform, such as macos=10,windows=2 (default: 1)"
    )
    parser.add_argument("--tier", choices=TIERS, help="only the cells that [ci] names for this event; all without it")
    _without_builds(parser)
    parser = planned(command(commands, "lock", "write matrix.lock: the exact distributions of every cell"))
    _without_builds(parser)
    parser.add_argument("--update", action="store_true", help="update the versions of axes with a policy")
    summary = "print the ids of all cells, without resolving them"
    parser = selecting(command(commands, "list", summary, help_texts.LIST_EXAMPLES))
    parser.add_argument("--failed", action="store_true", help="only the cells that were not green last time")
    parser.add_argument("-q", "--quiet", action="store_true", help="hide notes")


def _without_builds(parser: Parser) -> None:
    parser.add_argument(
        "--no-build", action="store_true", help="run no build of the project; cells that need one stay unknown"
    )


def _add_report(commands: Commands[Parser]) -> None:
    parser = configured(command(commands, "report", "render a finished run", help_texts.REPORT_EXAMPLES))
    option = parser.add_argument(
        "run", nargs="?", metavar="RUN", help="run id or unique prefix (default: the latest result of each cell)"
    )
    completed(option, "runs")
    parser.add_argument("--format", choices=FORMATS, default="table")
    verbose(parser, "show the resolver's own words about impossible cells, in the table")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to a file instead of the terminal")


def _add_shards(commands: Commands[Parser]) -> None:
    parser = command(commands, "merge", "make one report of the records of all shards", help_texts.MERGE_EXAMPLES)
    parser.add_argument("records", nargs="+", metavar="RECORD", help="files, folders, or archives of them")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="folder for the merged report")
    parser.add_argument("--plan", metavar="FILE", help="the plan (default: that of the newest record)")
    parser.add_argument(
        "--durations", metavar="FILE", help="also keep there how long each cell took, for the next plan"
    )
    parser.set_defaults(config=None)
    summary = "say whether every planned cell has an accepted result: the one check to require"
    parser = command(commands, "gate", summary, help_texts.GATE_EXAMPLES)
    parser.add_argument("plan", metavar="PLAN", help="the file of `venvgrid plan -o`")
    parser.add_argument("records", nargs="*", metavar="RECORD", help="files, folders, or archives of them")
    parser.add_argument("--commit", metavar="SHA", type=commit, help="red if the plan is of another commit")


def _add_ci(commands: Commands[Parser]) -> None:
    summary = "write a whole pipeline: plan, test jobs, and the gate to require"
    parser = command(commands, "ci", summary, help_texts.CI_EXAMPLES)
    actions = parser.add_subparsers(dest="action", metavar="VENDOR")
    for vendor, title in CI_VENDORS.items():
        action = configured(command(actions, vendor, f"write the pipeline of {title}"))
        action.add_argument("grid", nargs="?", metavar="GRID", default="", help="the [grid.NAME] of this name")
        action.add_argument("--shards", type=shards, metavar="N", help="number of test jobs (default: as it is, or 4)")
        if vendor in NAMING_BRANCHES:
            action.add_argument(
                "--branch",
                dest="branches",
                action="append",
                metavar="NAME",
                help="run at pushes to it; repeatable (default: as it is, or the default branch that git knows here)",
            )
        action.add_argument("-o", "--output", metavar="FILE", help="the file to write, - for stdout")
        action.add_argument("--check", action="store_true", help="write nothing; exit status 1 if the file differs")
        action.add_argument(
            "--force", action="store_true", help="replace a file that venvgrid did not write, or that was edited"
        )
    _add_issues(actions)


def _add_issues(actions: Commands[Parser]) -> None:
    summary = "open, update and close one issue for each failure of a run"
    parser = command(actions, "issues", summary, help_texts.ISSUES_EXAMPLES)
    parser.add_argument("results", metavar="RESULTS", help="the folder of `venvgrid merge` or of a run; a results.json")
    parser.add_argument("--repo", metavar="NAME", help="OWNER/NAME (default: the repository of this CI job)")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be done")


def _add_environments(commands: Commands[Parser]) -> None:
    parser = command(commands, "python", "list the interpreters found, and the places searched")
    parser.add_argument("--json", action="store_true", help="print JSON")

    parser = configured(command(commands, "env", "list environments, give a path or a requirements.txt, prune"))
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    for name, summary in ENV_ACTIONS.items():
        # Without a default of its own: what stands before the action stays in force.
        action = configured(command(actions, name, summary), default=argparse.SUPPRESS)
        if name in {"path", "freeze"}:
            completed(action.add_argument("cell", metavar="CELL"), "cells")

    parser = command(commands, "cache", "show, verify or prune the user's cache")
    parser.set_defaults(action="show")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    for name, summary in CACHE_ACTIONS.items():
        action = command(actions, name, summary)
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

    for name, summary, examples in (
        ("exec", "run a command in a cell's environment: exec CELL CMD", help_texts.EXEC_EXAMPLES),
        ("shell", "open a shell in a cell's environment", ""),
    ):
        parser = configured(command(commands, name, summary, examples))
        completed(parser.add_argument("cell", metavar="CELL"), "cells")
        parser.add_argument("--offline", action="store_true", help="use only the caches, no network")


def _add_helpers(commands: Commands[Parser]) -> None:
    summary = "write a first matrix.toml from what the project declares"
    parser = command(commands, "init", summary, help_texts.INIT_EXAMPLES)
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
    parser = command(
        commands, "schema", "print the JSON Schema of a file, for editors and programs", help_texts.SCHEMA_EXAMPLES
    )
    parser.add_argument("format", nargs="?", choices=SCHEMAS, default="config", help="of which file (default: config)")
    parser = command(commands, "completion", "print the completion code for a shell", help_texts.COMPLETION_EXAMPLES)
    parser.add_argument("shell", choices=SHELLS)


_BUILT_ALONE = {"run": _add_run, "plan": _add_plan}
