"""One run from its goal to its report: journal, verdicts and results are written whoever looks on."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from venvgrid.analysis import history
from venvgrid.reporters import registry
from venvgrid.results import journal, report, result_cache
from venvgrid.storage import directories, locks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from venvgrid.app.context import Workbench
    from venvgrid.model.events import Event
    from venvgrid.results.journal import RunFolder
    from venvgrid.results.report import Report
    from venvgrid.running.tasks import Goal

    Listening = Callable[[Callable[[], None]], AbstractContextManager[None]]

KEEP_RUNS = 10


def execute(
    bench: Workbench,
    goal: Goal,
    *,
    show: Callable[[Event], None],
    say: Callable[[str], None],
    listening: Listening | None = None,
) -> tuple[Report, RunFolder]:
    """Run a goal and write down what became of it; gives the report and the folder of the run.

    `show` is called with every event, `say` with what a waiting user should know; `listening` gives a context in which
    the function that it is given ends the run.
    """
    directories.prepare(bench.root, bench.store.folder)
    with one_run_at_a_time(bench.root, say), directories.scratch(bench.root):
        bench.store.sweep()
        folder = journal.create(bench.root, now=datetime.now(UTC))
        director, events = bench.direct(replace(goal, run=folder.id), folder.path)
        folded = report.Folder()
        with journal.Journal(folder.events) as write, listening(director.stop) if listening else _nothing():
            for event in events:
                write(event)
                folded.add(event)
                show(event)
        finished = _completed(bench, folded.report())
        results = json.dumps(registry.results(finished), indent=1) + "\n"
        journal.write_atomic(folder.path / "results.json", results)
        journal.prune(bench.root, keep=KEEP_RUNS)
        bench.trees.settle()
        bench.trees.tidy(time.time())
    return finished, folder


def load(root: Path, folder: RunFolder) -> Report:
    """Give the report of an earlier run, from its journal; `root` is `.venvgrid`."""
    finished = result_cache.with_tests(report.fold(journal.read(folder.events)), root / result_cache.FOLDER)
    return replace(finished, before=history.before(root, finished))


def _completed(bench: Workbench, finished: Report) -> Report:
    """Add what the events do not tell, and keep what passed."""
    bench.keep_verdicts(finished)
    finished = result_cache.with_tests(finished, bench.root / result_cache.FOLDER)
    return replace(finished, before=history.before(bench.root, finished))


@contextmanager
def one_run_at_a_time(root: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of `.venvgrid`: a second run waits, and says for whom.

    Raises:
        InfrastructureError: the folder cannot be locked.
    """
    owner = root / "lock.owner"

    def waiting() -> None:
        who = owner.read_text(encoding="utf-8") if owner.exists() else "another process"
        say(f"waiting for {who}, which runs in {root}")

    def missing(why: str) -> None:
        say(f"{root} is on a file system without locks ({why}): make sure that nothing else of venvgrid runs there")

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
