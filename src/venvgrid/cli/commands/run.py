"""`venvgrid run`: plan, build, run, report."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app import run
from venvgrid.app.context import choose_cells
from venvgrid.cli import options, signals
from venvgrid.model.errors import ExitStatus, LockError, NothingToRunError, UsageError
from venvgrid.model.events import Stage
from venvgrid.model.plan import Status
from venvgrid.model.result import Outcome
from venvgrid.processes import runner
from venvgrid.processes.command import Cancellation
from venvgrid.reporters import registry
from venvgrid.resolving import changed_cells, lockfile
from venvgrid.results import coverage
from venvgrid.running import prioritisation
from venvgrid.storage import atomic

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from venvgrid.app.context import RunContext
    from venvgrid.cli.terminal import Terminal
    from venvgrid.config.config_file import Source
    from venvgrid.model.events import Event
    from venvgrid.model.plan import Plan
    from venvgrid.results.report import Report

GRID = "{grid}"  # in the name of a report's file


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Run the grid and give the exit status."""
    reports = [_report_file(text) for text in arguments.report]
    chosen = options.select_grids(arguments)
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
    loaded = options.resolve_config(arguments, source, terminal, grid=grid).config
    if loaded.test.coverage:
        coverage.check()
    cancellation = Cancellation()
    context = options.context_for(arguments, loaded, terminal, cancellation)
    planned = options.expand(arguments, context, terminal)
    if arguments.changed:
        planned = _changed(arguments.changed, planned, context)
    if arguments.failed:
        planned = _failed_last_time(planned, context)
    order = prioritisation.order([item.cell for item in planned.cells], context.last)
    request = context.request(planned, run="", until=Stage.TEST, order=order)
    expected = {name: earlier.seconds for name, earlier in context.last.items()}
    with _progress(arguments, terminal, expected) as show:
        finished, folder = run.execute(context, request, show=show, notify=terminal.message, listening=options.signals)
    terminal.data(options.table(arguments, finished, terminal))
    if loaded.test.coverage:
        _tell_coverage(finished, context, terminal)
    inside = options.inside_repository(terminal.environ, loaded.project.path)
    for format_, file in reports:
        if file is None:
            _publish(finished, terminal, inside)
        else:
            atomic.write_atomic(
                file.with_name(file.name.replace(GRID, grid or "main")),
                registry.text(format_, finished, folder.log_of, inside),
            )
    return signals.exit_status() if finished.exit_status == ExitStatus.INTERRUPTED else finished.exit_status


@contextmanager
def _progress(
    arguments: argparse.Namespace, terminal: Terminal, expected: Mapping[str, float]
) -> Iterator[Callable[[Event], None]]:
    """Give what shows events while they happen."""
    if arguments.quiet:
        yield lambda _event: None
    elif terminal.is_live:
        from venvgrid.reporters.terminal.live import LiveReporter  # noqa: PLC0415  (rich takes 100 ms)

        with LiveReporter(terminal.err, expected=expected) as live:
            yield live
    else:
        from venvgrid.reporters.terminal.lines import LinesReporter  # noqa: PLC0415

        yield LinesReporter(terminal.err, verbose=arguments.verbose)


def _report_file(text: str) -> tuple[str, Path | None]:
    format_, equals, file = text.partition("=")
    if format_ == "github" and not equals:
        return format_, None
    if not equals or not file or format_ not in registry.FORMATS:
        raise UsageError(f"--report {text!r}: write github, or FORMAT=FILE with one of {', '.join(registry.FORMATS)}")
    path = Path(file).absolute()
    if not path.parent.is_dir():
        raise UsageError(f"--report {text!r}: there is no folder {path.parent}")
    return format_, path


def _tell_coverage(finished: Report, context: RunContext, terminal: Terminal) -> None:
    cells = [cell.id for cell in finished.cells if cell.outcome.is_green or cell.outcome.is_red]
    combined = coverage.combine(context.root, context.config.project.path, cells)
    if combined is None:
        terminal.message(
            "no coverage data: the test command has to measure, e.g. pytest --cov, with pytest-cov in install.requires"
        )
        return
    place = combined.page.relative_to(context.config.root)
    terminal.data(f"Coverage of {combined.cells} cells together: {combined.percent:.1f} % ({place.as_posix()})\n")


def _publish(finished: Report, terminal: Terminal, inside: str) -> None:
    """Give GitHub Actions the step's summary and its annotations; other steps may have written there before."""
    summary = terminal.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(registry.text("markdown", finished) + "\n")
        except OSError as error:
            terminal.message(f"warning: the step's summary {summary} cannot be written: {error.strerror or error}")
    terminal.data(registry.text("github", finished, folder=inside))


def _changed(reference: str, planned: Plan, context: RunContext) -> Plan:
    names = [item.cell.id for item in planned.cells if item.status is Status.RUNNABLE]
    if why := lockfile.stale(context.config, context.lock_digest(context.metadata), names):
        raise LockError(f"--changed: {why}; type: venvgrid lock")
    cells = changed_cells.changed_cells(context.config, reference, runner.run, context.environ)
    chosen = choose_cells(planned, lambda cell: cell.id in cells)
    if not chosen.cells:
        raise NothingToRunError(f"--changed: every cell has the lock that it had at {reference}")
    return chosen


def _failed_last_time(planned: Plan, context: RunContext) -> Plan:
    if not context.last:
        raise NothingToRunError("--failed: there is no earlier run; type: venvgrid run")
    fine = {Outcome.PASSED, Outcome.FLAKY, Outcome.IMPOSSIBLE}
    bad = {name for name, earlier in context.last.items() if earlier.outcome not in fine}
    chosen = choose_cells(planned, lambda cell: cell.id in bad)
    if not chosen.cells:
        raise NothingToRunError("--failed: every cell was green when it last ran")
    return chosen
