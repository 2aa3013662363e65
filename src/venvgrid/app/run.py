"""One run from its goal to its report: journal, verdicts and results are written whoever looks on."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from venvgrid.analysis import document, history
from venvgrid.results import journal, report, result_cache
from venvgrid.storage import atomic, directories, locks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from venvgrid.app.context import RunContext
    from venvgrid.model.events import Event
    from venvgrid.results.journal import RunFolder
    from venvgrid.results.report import Report
    from venvgrid.running.tasks import RunRequest

    Listening = Callable[[Callable[[], None]], AbstractContextManager[None]]

KEEP_RUNS = 10


def execute(
    context: RunContext,
    request: RunRequest,
    *,
    show: Callable[[Event], None],
    notify: Callable[[str], None],
    listening: Listening | None = None,
) -> tuple[Report, RunFolder]:
    """Run a goal and write down what became of it; gives the report and the folder of the run.

    `show` is called with every event, `say` with what a waiting user should know; `listening` gives a context in which
    the function that it is given ends the run.
    """
    directories.prepare(context.root, context.store.folder)
    with run_lock(context.root, notify), directories.scratch(context.root):
        context.store.sweep()
        folder = journal.create(context.root, now=datetime.now(UTC))
        scheduler, events = context.direct(replace(request, run=folder.id), folder.path)
        folded = report.ReportBuilder()
        with journal.Journal(folder.events) as write, listening(scheduler.stop) if listening else _nothing():
            for event in events:
                write(event)
                folded.add(event)
                show(event)
        finished = _completed(context, folded.report())
        results = json.dumps(document.to_results(finished), indent=1) + "\n"
        atomic.write_atomic(folder.path / "results.json", results)
        journal.prune(context.root, keep=KEEP_RUNS)
        context.trees.settle()
        context.trees.tidy(time.time())
    return finished, folder


def load(root: Path, folder: RunFolder) -> Report:
    """Give the report of an earlier run, from its journal; `root` is `.venvgrid`."""
    finished = result_cache.with_tests(report.build_report(journal.read(folder.events)), root / result_cache.FOLDER)
    return replace(finished, before=history.before(root, finished))


def _completed(context: RunContext, finished: Report) -> Report:
    """Add what the events do not tell, and keep what passed."""
    context.keep_verdicts(finished)
    finished = result_cache.with_tests(finished, context.root / result_cache.FOLDER)
    return replace(finished, before=history.before(context.root, finished))


@contextmanager
def run_lock(root: Path, notify: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of `.venvgrid`: a second run waits, and says for whom.

    Raises:
        InfrastructureError: the folder cannot be locked.
    """
    owner = root / "lock.owner"

    def waiting() -> None:
        who = owner.read_text(encoding="utf-8") if owner.exists() else "another process"
        notify(f"waiting for {who}, which runs in {root}")

    def missing(why: str) -> None:
        notify(f"{root} is on a file system without locks ({why}): make sure that nothing else of venvgrid runs there")

    with locks.held(root / "lock", waiting=waiting, missing=missing):
        since = datetime.now(UTC).isoformat(timespec="seconds")
        owner.write_text(f"process {os.getpid()}, started {since}", encoding="utf-8")
        try:
            yield
        finally:
            owner.unlink(missing_ok=True)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
