"""The use cases "run" and "trial": a plan is performed, and what became of its cells is reported.

A run has a folder with journal, logs and results, and is part of the history. A trial leaves no trace.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.analysis import document, history
from venvgrid.app import assembly
from venvgrid.app.context import RunContext
from venvgrid.app.plan import make_plan, with_strategy
from venvgrid.app.repeating.lone_failures import Repetition, is_repetition
from venvgrid.app.request import elsewhere, make_request
from venvgrid.app.shards.elsewhere import with_others
from venvgrid.model import CellFinished, ExitStatus, LockEntry, NothingToRunError, Stage, UsageError
from venvgrid.resolving import policies
from venvgrid.results import journal, merging, report, result_cache, run_folders
from venvgrid.results.resuming import resumption
from venvgrid.running import loop
from venvgrid.running.executors.base import Slots
from venvgrid.running.executors.threads import ThreadExecutor
from venvgrid.running.scheduler import Scheduler
from venvgrid.storage import directories, locks, own_folders
from venvgrid.storage.atomic import trouble, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from venvgrid.app.options import FrontEnd, RunOptions
    from venvgrid.config.config_file import Source
    from venvgrid.model import CellResult, Event, Plan
    from venvgrid.resolving.policies import ResolvedConfig
    from venvgrid.results.report import Report
    from venvgrid.results.resuming.resumption import Resumption
    from venvgrid.results.run_folders import RunFolder
    from venvgrid.running.executors.base import Executor
    from venvgrid.running.request import RunRequest

KEEP_RUNS = 10


def read_config(
    source: Source, options: RunOptions, front: FrontEnd, *, grid: str = "", update: bool = False, remake: bool = False
) -> ResolvedConfig:
    """Return the configuration of a grid with resolved policies; `update` asks the index for newer versions.

    `remake`: the lock will be written anew, so that a damaged one is passed over.

    Raises:
        UsageError: an option is wrong.
        ConfigError, PolicyError, InfrastructureError: see `policies.resolve_config`.
    """
    found = policies.resolve_config(
        source,
        front.environ,
        grid=grid,
        lock_file=options.lock_file,
        update=update,
        remake=remake,
        offline=options.offline,
    )
    for note in found.notes:
        front.notify(f"note: {note}")
    return replace(found, config=with_strategy(found.config, options))


def run_grid(
    source: Source, options: RunOptions, front: FrontEnd, *, grid: str = ""
) -> tuple[RunContext, Report, RunFolder]:
    """Plan and run one grid of a configuration; return its context, its report, and the folder of the run."""
    config = read_config(source, options, front, grid=grid).config
    if config.test.coverage:
        from venvgrid.results import coverage  # noqa: PLC0415

        coverage.check()
    context = RunContext(config=config, options=options, front=front)
    plan = make_plan(context)
    if not plan.values("python"):
        where = ", ".join(dict.fromkeys(cell.platform for cell in elsewhere(plan)))
        raise NothingToRunError(f"every cell runs elsewhere ({where}); this machine is {context.machine.platform}")
    with on_machines(context) as context:
        return context, *execute(context, make_request(context, plan))


@contextmanager
def on_machines(context: RunContext) -> Iterator[RunContext]:
    """Return the context with the machines that its options name, for a while; see `coordinator.connected`."""
    if not context.options.on:
        yield context
        return
    from venvgrid.app.cluster import coordinator  # noqa: PLC0415  (most runs are on one machine)

    with coordinator.connected(context) as fleet:
        yield replace(context, fleet=fleet).sharing(context)


def execute(context: RunContext, request: RunRequest) -> tuple[Report, RunFolder]:
    """Perform a run and write down what became of it; return the report and the folder of the run."""
    front, builder, entries = context.front, report.ReportBuilder(), dict[str, LockEntry]()
    with using_environments(context), directories.scratch(context.root):
        own_folders.sweep(context.environments)
        _ = context.project.inputs  # as they are before anything is built
        options = context.options
        is_part = bool(options.cells or options.failed or options.changed or options.is_round)
        folder = run_folders.create(context.root, now=datetime.now(UTC), grid=context.config.grid, is_part=is_part)
        resumed = _resumption(context, folder)
        request = replace(request, run=folder.id, recorded=frozenset(resumed.sources))
        with (
            run_folders.discarded_on(UsageError, context.root, folder),
            front.progress({name: earlier.seconds for name, earlier in context.history.items()}) as show,
            journal.Journal(folder.events) as write,
        ):
            events = _perform(context, request, folder, entries, resumed)
            repetition = Repetition(context=context, plan=request.plan, entries=entries, perform=_tried)
            for event in repetition.added_to(with_others(events, context, request.plan, builder), builder.report):
                for known in (*resumed.before(event), resumed.signed(event)):
                    write(known)
                    builder.add(known)
                if not is_repetition(event):
                    show(event)
        finished = context.result_cache.complete(builder.report())
        finished = replace(finished, before=history.before(context.root, finished))
        _write_results(folder.path / "results.json", finished)
        if any(cell.outcome.is_red for cell in finished.cells):
            from venvgrid.app.capsules import leaving  # noqa: PLC0415  (most runs have no red cell)

            leaving.leave(context, finished, entries, folder)
        run_folders.prune(context.root, keep=KEEP_RUNS)
        context.machine.packages.settle()
        context.machine.packages.tidy(time.time())
    return finished, folder


def _write_results(path: Path, finished: Report) -> None:
    try:
        with writing(path) as stream:
            stream.writelines(piece.encode() for piece in document.pieces(finished))
    except OSError as error:
        raise trouble("cannot write", path, error) from error


def _resumption(context: RunContext, folder: RunFolder) -> Resumption:
    """Return what the run takes over from runs that did not finish; tell the user."""
    is_wanted, grid = context.options.resume, context.config.grid
    made = resumption.prepare(context.root, folder, context.result_cache, grid=grid, is_wanted=is_wanted)
    if made.sources:
        runs = ", ".join(sorted({run.folder.id for run in made.sources.values()}, reverse=True))
        context.front.notify(f"note: resumes run {runs}: {len(made.sources)} cells have a result there")
    elif is_wanted:
        context.front.notify("note: nothing to resume: no run without an end has a result; this one begins anew")
    return made


def trial(
    context: RunContext,
    plan: Plan,
    *,
    until: Stage = Stage.TEST,
    entries: Mapping[str, LockEntry] = MappingProxyType({}),
    finished: Callable[[CellResult], None] = lambda _result: None,
) -> Report:
    """Perform a plan without a folder of its own, and report it; no history and no cached result comes of it.

    `until` BUILD: only environments are built. A cell whose environment was built then has no result: it is
    `cancelled` in the report, and all others say what was in the way. Cells with `entries` are not resolved.
    `finished` is called with each result as it comes, so that an interruption loses none.

    Raises:
        KeyboardInterrupt: the user stopped it.
    """
    with using_environments(context):
        return _tried(context, plan, entries, until=until, finished=finished)


def _tried(
    context: RunContext,
    plan: Plan,
    entries: Mapping[str, LockEntry],
    *,
    until: Stage = Stage.TEST,
    finished: Callable[[CellResult], None] = lambda _result: None,
) -> Report:
    """Perform a plan as `trial` does; the caller holds the lock."""
    builder = report.ReportBuilder()
    with tempfile.TemporaryDirectory(prefix="venvgrid-trial-") as place:
        folder = run_folders.RunFolder(id="trial", path=Path(place))
        for event in _perform(context, make_request(context, plan, run="trial", until=until, entries=entries), folder):
            builder.add(event)
            if isinstance(event, CellFinished):
                finished(event.result)
    made = builder.report()
    # Ctrl-C in the moment in which the last cell ends leaves no cell cancelled, but no command starts any more.
    if made.exit_status == ExitStatus.INTERRUPTED or context.machine.cancellation.is_set():
        raise KeyboardInterrupt
    return made


def _perform(
    context: RunContext,
    request: RunRequest,
    folder: RunFolder,
    entries: dict[str, LockEntry] | None = None,
    resumed: Resumption | None = None,
) -> Iterator[Event]:
    """Yield the events of a run, without secrets; the front end may stop it. `entries` gets those of the lock."""
    objections = resumed.why if resumed else dict[str, str]()
    redactor, worker = context.machine.redactor, assembly.make_worker(context, folder.path)
    executor: Executor = ThreadExecutor(
        worker.execute, Slots.for_workers(request.workers), context.machine.cancellation
    )
    if context.fleet is not None:
        from venvgrid.app.cluster import coordinator  # noqa: PLC0415  (most runs are on one machine)

        executor = coordinator.executor(context, context.fleet, executor, request.run, folder.path)
    scheduler = Scheduler(
        request,
        cached=resumed.find if resumed else context.result_cache.find,
        why=lambda cell: objections.get(cell) or context.why_again(cell),
        append_log=lambda cell, text: folder.append_log(cell, redactor.text(text)),
        clean=redactor.text,
    )

    def stop() -> None:
        executor.cancel(urgent=scheduler.interrupted)
        scheduler.stop()

    with context.front.listening(stop):
        yield from redactor.events(loop.run(scheduler, executor))
    if entries is not None:
        entries.update(scheduler.state.entries)


def load(root: Path, folder: RunFolder) -> Report:
    """Return the report of an earlier run, from its journal; `root` is `.venvgrid`."""
    built = report.build_report(journal.read(folder.events))
    finished = result_cache.with_tests(built, root / result_cache.FOLDER)
    return replace(finished, before=history.before(root, finished))


def load_merged(root: Path) -> tuple[Report, RunFolder] | None:
    """Return the newest run, completed by the newest results of the cells that were not in it; None if there is none.

    Runs of parts of the grid are merged with those before them, up to the newest one of all its cells.
    """
    newest = run_folders.latest(root)
    if newest is None:
        return None
    chosen = [newest]
    for folder in reversed(run_folders.runs(root)):
        if chosen[-1].is_part and folder.id < newest.id and folder.grid == newest.grid and folder.events.stat().st_size:
            chosen.append(folder)
    reports = [
        result_cache.with_tests(report.build_report(journal.read(item.events)), root / result_cache.FOLDER)
        for item in chosen
    ]
    finished = merging.merge(reports)
    return replace(finished, before=history.before(root, reports[0])), newest


@contextmanager
def using_environments(context: RunContext) -> Iterator[None]:
    """Prepare `.venvgrid` and hold its lock: one run at a time."""
    directories.prepare(context.root, context.environments)
    with locks.run_lock(context.root, context.front.notify):
        yield
        context.machine.packages.settle()
