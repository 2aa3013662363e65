"""`venvgrid run`: plan, build, run, report."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.run import run_grid
from venvgrid.cli import options, output, signals
from venvgrid.model import ExitStatus, UsageError
from venvgrid.reporters import registry, text
from venvgrid.reporters.formats import FORMATS
from venvgrid.storage.atomic import write_atomic

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from venvgrid.app.context import RunContext
    from venvgrid.cli.terminal import Terminal
    from venvgrid.config.config_file import Source
    from venvgrid.results.report import Report
    from venvgrid.results.run_folders import RunFolder

GRID = "{grid}"  # in the name of a report's file


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Run the grids and return the exit status."""
    for name in () if arguments.on else ("machines", "certificates"):
        if getattr(arguments, name):
            raise UsageError(f"--{name} is for a run on other machines: add --on tls://HOST:8786, or leave it out")
    if arguments.plan:
        return _run_plan(arguments, terminal)
    if arguments.shard or arguments.record:
        raise UsageError("--shard and --record need a plan: venvgrid plan -o plan.json; venvgrid run --plan plan.json")
    reports = [_report_file(text) for text in arguments.report]
    chosen = options.select_grids(arguments, terminal)
    if not arguments.grids and not arguments.quiet and (others := options.other_grids(chosen)):
        terminal.message(f"note: grids that do not run: {', '.join(others)}; all of them: venvgrid run --all-grids")
    if len(chosen.grids) > 1 and any(file and GRID not in file.name for _, file in reports):
        raise UsageError(f"--report: {len(chosen.grids)} grids would write into one file; name it such as {GRID}.xml")
    return options.in_each(chosen, terminal, lambda grid: _run(arguments, terminal, chosen.source, grid, reports))


def _run(
    arguments: argparse.Namespace,
    terminal: Terminal,
    source: Source,
    grid: str,
    reports: Sequence[tuple[str, Path | None]],
) -> int:
    front = replace(
        options.front_end(arguments, terminal), progress=lambda expected: output.progress(arguments, terminal, expected)
    )
    done = run_grid(source, options.run_options(arguments, terminal), front, grid=grid)
    return _finish(arguments, terminal, done, reports, grid)


def _run_plan(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Run a plan, or a shard of it, and leave its record."""
    from venvgrid.app import travel  # noqa: PLC0415  (most runs make their own plan)
    from venvgrid.model.shard import Shard  # noqa: PLC0415
    from venvgrid.results import plan_file, records  # noqa: PLC0415

    selecting = {"GRID": arguments.grids, "--all-grids": arguments.all_grids, "-k": arguments.expression}
    selecting |= {"--failed": arguments.failed, "--changed": arguments.changed, "--strategy": arguments.strategy}
    for name, value in selecting.items():
        if value:
            raise UsageError(f"{name} and --plan: a plan says which cells run; choose them with: venvgrid plan {name}")
    if arguments.record and arguments.rest:
        # The gate knows which cells are planned. It cannot know which tests of theirs were left out.
        words = shlex.join(arguments.rest)
        raise UsageError(f"--record and `-- {words}`: all shards run the same tests; write it into [test] command")
    reports = [_report_file(text) for text in arguments.report]
    plan, shard = plan_file.read(Path(arguments.plan)), Shard.parse(arguments.shard or "1/1")
    front = replace(
        options.front_end(arguments, terminal), progress=lambda expected: output.progress(arguments, terminal, expected)
    )
    wanted = options.run_options(arguments, terminal)
    done = travel.run_part(options.find(arguments, terminal), wanted, front, plan, shard)
    status = _finish(arguments, terminal, done, reports, plan.grid)
    if arguments.record:
        records.pack(done[2].path, Path(arguments.record).absolute())
        terminal.message(f"shard {shard}: {text.count(len(done[1].cells), 'cell')}, recorded in {arguments.record}")
    return status


def _finish(
    arguments: argparse.Namespace,
    terminal: Terminal,
    done: tuple[RunContext, Report, RunFolder],
    reports: Sequence[tuple[str, Path | None]],
    grid: str,
) -> int:
    """Print and write the reports of a run, and return its exit status."""
    context, finished, folder = done
    terminal.data(output.table(arguments, finished, terminal, context.project.path))
    if context.config.test.coverage:
        _print_coverage(finished, context, terminal)
    inside = output.inside_repository(terminal.environ, context.project.path)
    for format_, file in reports:
        if file is None:
            publish(finished, terminal, folder, inside, context.root)
        else:
            made = output.document(format_, finished, folder, inside, context.root)
            write_atomic(file.with_name(file.name.replace(GRID, grid or "main")), made)
    return signals.exit_status() if finished.exit_status == ExitStatus.INTERRUPTED else finished.exit_status


_ENDINGS = {"html": "html", "junit": "xml", "gitlab-junit": "xml", "markdown": "md", "table": "txt", "badge": "svg"}


def _report_file(text: str) -> tuple[str, Path | None]:
    format_, equals, file = text.partition("=")
    if format_ == "github" and not equals:
        return format_, None
    if format_ in FORMATS and not file:
        example = f"{format_}=report.{_ENDINGS.get(format_, 'json')}"
        raise UsageError(f"--report {text!r}: it needs a file. Type: venvgrid run --report {example}")
    if not equals or not file or format_ not in FORMATS:
        from venvgrid.config.values import nearest  # noqa: PLC0415  (only for mistakes)

        meant = nearest(format_, FORMATS)
        raise UsageError(f"--report {text!r}: write github, or FORMAT=FILE with one of {', '.join(FORMATS)}{meant}")
    path = Path(file).absolute()
    if not path.parent.is_dir():
        raise UsageError(f"--report {text!r}: there is no folder {path.parent}")
    if path.is_dir():
        inside = f"{format_}={file.rstrip('/')}/report.{_ENDINGS.get(format_, 'json')}"
        raise UsageError(f"--report {text!r}: {path} is a folder. Type: venvgrid run --report {inside}")
    return format_, path


def _print_coverage(finished: Report, context: RunContext, terminal: Terminal) -> None:
    from venvgrid.results import coverage  # noqa: PLC0415  (only for test.coverage)

    cells = [cell.id for cell in finished.cells if cell.outcome.is_green or cell.outcome.is_red]
    combined = coverage.combine(context.root, context.config.project.path, cells)
    if combined is None:
        terminal.message(
            "no coverage data: the test command has to measure, e.g. pytest --cov, with pytest-cov in install.requires"
        )
        return
    place = combined.page.relative_to(context.config.root)
    terminal.data(f"Coverage of {combined.cells} cells together: {combined.percent:.1f} % ({place.as_posix()})\n")


def publish(finished: Report, terminal: Terminal, folder: RunFolder, inside: str, root: Path) -> None:
    """Append the Markdown report to the step summary of GitHub Actions, and print the annotations."""
    summary = terminal.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(output.document("markdown", finished, folder, inside, root) + "\n")
        except OSError as error:
            terminal.message(f"warning: the step's summary {summary} cannot be written: {error.strerror or error}")
    terminal.data(registry.text("github", finished, folder=inside))
