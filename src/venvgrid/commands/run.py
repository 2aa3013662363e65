"""`venvgrid run`: plan, build, run, report."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from venvgrid import journal, places, report, unchanged
from venvgrid.commands import common
from venvgrid.errors import InfrastructureError, NothingToRunError, UsageError
from venvgrid.events import Stage
from venvgrid.model import Outcome
from venvgrid.process import Cancellation
from venvgrid.reporters import render
from venvgrid.workbench import choose_cells

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from venvgrid.events import Event
    from venvgrid.model import Plan
    from venvgrid.tasks import Goal
    from venvgrid.terminal import Terminal
    from venvgrid.workbench import Workbench

PATIENCE = 2.0  # seconds until a waiting run says what it waits for
KEEP_RUNS = 10


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Run the grid and give the exit status."""
    wanted = [_report_file(text) for text in arguments.report]
    loaded = common.load(arguments)
    planned = common.expand(arguments, loaded, terminal)
    cancellation = Cancellation()
    bench = common.bench(arguments, loaded, terminal, cancellation)
    if arguments.failed:
        planned = _failed_last_time(planned, bench)
    goal = bench.goal(planned, run="", until=Stage.TEST, order=_durations(bench))
    places.prepare(bench.root, bench.store.folder)
    with one_run_at_a_time(bench.root, terminal):
        bench.store.sweep()
        finished = _run(arguments, bench, goal, terminal)
        bench.trees.settle()
    terminal.data(render.table(finished, width=terminal.width, colour=terminal.is_coloured, encoding=terminal.encoding))
    for format_, file in wanted:
        journal.write_atomic(file, render.text(format_, finished))
    return finished.exit_status


def _run(arguments: argparse.Namespace, bench: Workbench, goal: Goal, terminal: Terminal) -> report.Report:
    folder = journal.create(bench.root, now=datetime.now(UTC))
    director, events = bench.direct(replace(goal, run=folder.id), folder.path)

    folded = report.Folder()
    with ExitStack() as stack:
        write = stack.enter_context(journal.Journal(folder.events))
        show = stack.enter_context(_progress(arguments, terminal))
        stack.enter_context(common.signals(director.stop))
        for event in events:
            write(event)
            folded.add(event)
            show(event)
    finished = folded.report()
    bench.keep_verdicts(finished)
    finished = unchanged.with_tests(finished, bench.root / unchanged.FOLDER)
    journal.write_atomic(folder.path / "results.json", json.dumps(render.results(finished), indent=1) + "\n")
    journal.prune(bench.root, keep=KEEP_RUNS)
    return finished


@contextmanager
def _progress(arguments: argparse.Namespace, terminal: Terminal) -> Iterator[Callable[[Event], None]]:
    """Give what shows events while they happen."""
    if arguments.quiet:
        yield lambda _event: None
    elif terminal.is_live:
        from venvgrid.reporters.live import LiveReporter  # noqa: PLC0415  (rich takes 100 ms)

        with LiveReporter(terminal.err) as live:
            yield live
    else:
        from venvgrid.reporters.lines import LinesReporter  # noqa: PLC0415

        yield LinesReporter(terminal.err, verbose=arguments.verbose)


@contextmanager
def one_run_at_a_time(root: Path, terminal: Terminal) -> Iterator[None]:
    """Hold the lock of `.venvgrid`: a second run waits, and says for whom."""
    lock = FileLock(root / "lock")
    owner = root / "lock.owner"
    try:
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            who = owner.read_text(encoding="utf-8") if owner.exists() else "another process"
            terminal.message(f"waiting for {who}, which runs in {root}")
            lock.acquire()
    except OSError as error:
        message = f"{root} cannot be locked: {error.strerror or error}"
        raise InfrastructureError(message) from error
    try:
        owner.write_text(
            f"process {os.getpid()}, started {datetime.now(UTC).isoformat(timespec='seconds')}", encoding="utf-8"
        )
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _report_file(text: str) -> tuple[str, Path]:
    format_, equals, file = text.partition("=")
    if not equals or not file or format_ not in render.FORMATS:
        raise UsageError(f"--report {text!r}: write FORMAT=FILE with one of {', '.join(render.FORMATS)}")
    path = Path(file).absolute()
    if not path.parent.is_dir():
        raise UsageError(f"--report {text!r}: there is no folder {path.parent}")
    return format_, path


def _failed_last_time(planned: Plan, bench: Workbench) -> Plan:
    last = journal.latest(bench.root)
    if last is None:
        raise NothingToRunError("--failed: there is no earlier run; type: venvgrid run")
    fine = {Outcome.PASSED, Outcome.FLAKY, Outcome.IMPOSSIBLE}
    bad = {cell["id"] for cell in _last_cells(last) if cell["outcome"] not in fine}
    chosen = choose_cells(planned, lambda cell: cell.id in bad)
    if not chosen.cells:
        raise NothingToRunError(f"--failed: no cell of the last run ({last.id}) was red")
    return chosen


def _durations(bench: Workbench) -> dict[str, float]:
    """Give how long each cell's tests took in the last run, so that long ones start first."""
    last = journal.latest(bench.root)
    return {cell["id"]: cell["durations"].get("test", 0.0) for cell in _last_cells(last)} if last else {}


def _last_cells(last: journal.RunFolder) -> list[dict[str, Any]]:
    """Give the cells of results.json; of a run that was killed before it wrote any, those of its journal."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        cells: list[dict[str, Any]] = json.loads((last.path / "results.json").read_text(encoding="utf-8"))["cells"]
        return cells
    return list(render.results(report.fold(journal.read(last.events)))["cells"])
