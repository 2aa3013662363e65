"""Decides which results of runs that did not finish count in the run that resumes them.

Those of the same inputs, by the fingerprint that the result cache has for it, red ones too. The rules are those of the
result cache: what a cell may have read from another one, or outside of its inputs, does not count. A result comes with
its tests and its log, so that the new run can do without the old one.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import field, replace
from typing import TYPE_CHECKING

from venvgrid.model import CellFinished, TestFinished, TestsCollected
from venvgrid.model.values import dataclass
from venvgrid.results.last_results import time_of
from venvgrid.results.result_cache import RESUMED
from venvgrid.results.resuming import interrupted
from venvgrid.results.run_folders import LOG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from venvgrid.model import Cell, CellResult, Event, LockEntry
    from venvgrid.results.result_cache import ResultCache
    from venvgrid.results.resuming.interrupted import InterruptedRun
    from venvgrid.results.run_folders import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """The results that a run may take over, by cell; `folder` is that of the new run."""

    folder: RunFolder
    cache: ResultCache
    sources: dict[str, InterruptedRun] = field(default_factory=dict)  # the newest run that has a result of the cell
    shared: frozenset[str] = frozenset()  # files that appeared while several cells ran
    taken: set[str] = field(default_factory=set)
    why: dict[str, str] = field(default_factory=dict)  # cell → why its result does not count

    def find(self, cell: Cell, entry: LockEntry, project: str) -> CellResult | None:
        """Return the result of a cell that need not run again: one that is cached, or one to take over."""
        if cached := self.cache.find(cell, entry, project):
            return cached
        source = self.sources.get(cell.id)
        if source is None:
            return None
        self.why[cell.id] = self._objection(cell.id, source)
        found = None if self.why[cell.id] else source.result(cell.id)
        if found is None:
            return None
        if not found.machine and (moved := self.cache.moved(found)):  # files of another machine are not here
            self.why[cell.id] = f"a file that its tests opened has changed: {moved}"
            return None
        self.taken.add(cell.id)
        origin = found.resumed or source.folder.id
        note = RESUMED.format(origin)
        return replace(
            found,
            axes=cell.axes,
            allow_failure=cell.allow_failure,
            named=cell.named,
            resumed=origin,
            since=found.since or time_of(origin),
            notes=found.notes if note in found.notes else (*found.notes, note),
            log=self._log(found, source),
        )

    def _objection(self, cell: str, source: InterruptedRun) -> str:
        """Return why a recorded result does not count; "" if nothing is known against it."""
        recorded, run = source.results[cell], source.folder.id
        if recorded.fingerprint != self.cache.asked[cell]:
            return f"what it depends on has changed since run {run}"
        if recorded.doubt:
            return f"its result is good for run {run} alone: {recorded.doubt}"
        shared = next((name for name in recorded.made if name in self.shared), "")
        return shared and f"its result is good for run {run} alone: several cells ran while {shared} appeared"

    def _log(self, result: CellResult, source: InterruptedRun) -> str:
        """Bring the log of a cell into the folder of this run; return its name, "" if there is none."""
        named = LOG.fullmatch(result.log)
        if named is None or named[1]:
            return ""
        old, new = source.folder.path / result.log, self.folder.path / result.log
        with suppress(OSError):
            try:
                os.link(old, new)
            except OSError:  # a file system without links
                shutil.copyfile(old, new)
            return result.log
        return ""

    def before(self, event: Event) -> Iterator[Event]:
        """Yield what is known of the tests of a cell whose result is taken over: before the event that tells it."""
        if isinstance(event, CellFinished) and event.result.id in self.taken:
            for known in self.sources[event.result.id].tests_of(event.result.id):
                if isinstance(known, TestFinished | TestsCollected):
                    yield replace(known, at=event.at)

    def signed(self, event: Event) -> Event:
        """Return an event, that of a finished cell with what it is a result of: a later run may resume this one."""
        if isinstance(event, CellFinished) and (fingerprint := self.cache.asked.get(event.result.id)):
            return replace(event, fingerprint=fingerprint)
        return event


def prepare(root: Path, folder: RunFolder, cache: ResultCache, *, grid: str, is_wanted: bool) -> Resumption:
    """Return what the run of `folder` may take over: nothing unless that is wanted."""
    found = [run for run in interrupted.runs(root, grid) if run.results] if is_wanted else []
    made = Counter(name for run in found for item in run.results.values() for name in item.made)
    sources = {cell: run for run in reversed(found) for cell in run.results}
    shared = frozenset(name for name, count in made.items() if count > 1)
    return Resumption(folder=folder, cache=cache, sources=sources, shared=shared)
