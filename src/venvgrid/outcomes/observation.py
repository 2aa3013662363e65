"""The observation of a running test command: a fold of the probe's records. Pure.

`probe.Stream` reads the records, `judgement.judge` turns the observation into an outcome.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import field, replace
from typing import TYPE_CHECKING

from venvgrid.model import CaseOutcome, Failure
from venvgrid.model.result import worst
from venvgrid.model.values import dataclass
from venvgrid.outcomes import signatures
from venvgrid.outcomes.causes import remedies
from venvgrid.outcomes.causes.cause import UNPARSED
from venvgrid.outcomes.records import (
    Attested,
    Collected,
    Deselected,
    Finished,
    Left,
    OfSession,
    Record,
    Reported,
    Same,
    Session,
    Started,
    Stopped,
    Tried,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGREPR_BUDGET = 4_000_000  # characters of all failures of a cell; those beyond keep only their one-line message
SKIP_REASONS = 3
CRASH = re.compile(
    r"(?:worker|slave) u?(['\"]?)\w+\1 crashed while running |.*running the test CRASHED with signal (\d+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """Content of the report of a test command ("junit:FILE"). `problem` is why it cannot be used, or "".

    `missing`: it was not written, or not by this command.
    """

    counts: Mapping[CaseOutcome, int] = field(default_factory=dict)
    uncollected: int = 0  # files that could not be collected: errors in `counts`
    failures: tuple[Failure, ...] = ()
    problem: str = ""
    missing: bool = False


@dataclass(slots=True, kw_only=True)
class SessionLog:
    """The state of one pytest process. `running` are the tests that began and have no result, in order."""

    session: Session
    collected: int | None = None
    verdicts: dict[str, CaseOutcome] = field(default_factory=dict)  # by id; of tests that share it, the worst
    same: dict[str, int] = field(default_factory=dict)  # ids of several tests, and of how many
    each: dict[str, list[CaseOutcome]] = field(default_factory=dict)  # the verdicts of tests that share an id
    running: dict[str, None] = field(default_factory=dict)
    last: str = ""  # the test that ended last
    stopped: Stopped | None = None
    attested: Attested | None = None
    finished: Finished | None = None

    @property
    def reported(self) -> int:
        """Number of tests that have a result."""
        return len(self.verdicts) - len(self.each) + sum(map(len, self.each.values()))

    def counts(self) -> Counter[CaseOutcome]:
        """Return the number of tests with each verdict."""
        found = Counter(self.verdicts.values())
        for name, verdicts in self.each.items():
            found[self.verdicts[name]] -= 1
            found.update(verdicts)
        return found

    def begin(self, record: Collected | Same | Started) -> None:
        """Record what there is to run, or what runs."""
        match record:
            case Collected():
                self.collected = max(self.collected or 0, record.ids)
            case Same():
                self.same[record.id] = record.tests
            case Started():
                self.running[record.id] = None

    def report(self, name: str, verdict: CaseOutcome) -> None:
        """Record a result. The worst counts if there are more results than tests of this id."""
        before = self.verdicts.get(name)
        self.verdicts[name] = verdict if before is None else worst(before, verdict)
        if (tests := self.same.get(name, 1)) > 1:
            verdicts = self.each.setdefault(name, [])
            if len(verdicts) == tests:
                verdict = worst(verdicts.pop(), verdict)
            verdicts.append(verdict)


class Observation:
    """All records so far, aggregated. Mutable: call `add` for each record in the order of its stream."""

    def __init__(self) -> None:
        self.sessions: dict[str, SessionLog] = {}
        self.problems: dict[str, Reported] = {}  # by node id: files with collection errors, each counted once
        self.crashes: list[Reported] = []
        self.skip_reasons: dict[str, None] = {}  # the first few
        self.deselected: dict[str, int] = {}  # by session; workers of pytest-xdist deselect the same tests
        self.is_last_failed = False  # --lf left tests out
        self.left_out = 0  # tests that are not among those that go first
        self.declined = ""  # why a preview is none
        self.unrun: set[tuple[str, str, int]] = set()  # tests that were expected to fail, whose bodies did not run
        self._tried: dict[str, None] = {}  # tests that failed, or that a plugin ran again
        self._failures: dict[tuple[str, ...], Failure] = {}
        self._budget = LONGREPR_BUDGET

    def add(self, record: Record) -> Failure | None:
        """Add a record and return the failure that it tells. A process without a Session record is ignored."""
        if isinstance(record, Session):
            self.sessions.setdefault(record.source, SessionLog(session=record))
        elif isinstance(record, Left):
            self.left_out, self.declined = self.left_out + record.tests, record.why or self.declined
        elif (seen := self.sessions.get(record.source)) is not None:
            return self._add(seen, record)
        return None

    def _add(self, seen: SessionLog, record: OfSession) -> Failure | None:
        match record:
            case Collected() | Same() | Started():
                seen.begin(record)
            case Tried():
                self._tried[record.id] = None
            case Reported():
                return self._report(seen, record)
            case Stopped(why="exec") if not (seen.verdicts or seen.running):
                del self.sessions[record.source]  # the program that replaced it counts
            case Stopped():
                seen.stopped = record
            case Deselected():
                key = "workers" if seen.session.worker else record.source
                self.deselected[key] = max(self.deselected.get(key, 0), record.tests)
                self.is_last_failed |= record.last_failed
            case Attested():
                seen.attested = record
            case Finished():
                seen.finished = record
        return None

    @property
    def main(self) -> tuple[SessionLog, ...]:
        """The sessions whose tests count: not the workers of pytest-xdist."""
        return tuple(seen for seen in self.sessions.values() if not seen.session.worker)

    @property
    def collected(self) -> int:
        """Number of tests that all sessions collected."""
        return sum(seen.collected or 0 for seen in self.main)

    @property
    def uncollected(self) -> int:
        """Number of files that could not be collected."""
        return sum(problem.verdict is CaseOutcome.ERROR for problem in self.problems.values())

    @property
    def running(self) -> tuple[str, ...]:
        """The running tests, in the order in which they began."""
        return tuple(test for seen in self.main for test in seen.running)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """All failures, in order."""
        return tuple(self._failures.values())

    @property
    def reruns(self) -> tuple[str, ...]:
        """The tests that passed, but not at first."""
        passed = {
            test for seen in self.main for test, verdict in seen.verdicts.items() if verdict is CaseOutcome.PASSED
        }
        return tuple(test for test in self._tried if test in passed)

    def counts(self) -> dict[CaseOutcome, int]:
        """Return the number of tests with each verdict; a collection error counts as an error, as in pytest."""
        found = Counter(problem.verdict for problem in self.problems.values())
        for seen in self.main:
            found.update(seen.counts())
        return {verdict: found[verdict] for verdict in CaseOutcome}

    def _report(self, seen: SessionLog, record: Reported) -> Failure | None:
        if record.collecting:
            self.problems[record.id] = record
        else:
            seen.running.pop(record.id, None)
            seen.last = record.id
            seen.report(record.id, record.verdict)
            if record.verdict is CaseOutcome.XFAILED and not record.ran:
                self.unrun.add((record.source, record.id, len(seen.each.get(record.id, ()))))
            if record.reruns:
                self._tried[record.id] = None
        if record.verdict is CaseOutcome.SKIPPED and len(self.skip_reasons) < SKIP_REASONS:
            self.skip_reasons[record.message] = None
        if record.verdict not in {CaseOutcome.FAILED, CaseOutcome.ERROR}:
            return None
        failure = failure_of(record)
        if record.lost and failure.kind in {WORKER_CRASH, *SIGNALS.values()}:
            self.crashes.append(replace(record, kind=failure.kind, longrepr=""))
        key = record.source, record.id, *([failure.signature] if record.id in seen.same else [])
        if key not in self._failures:
            self._budget -= len(failure.longrepr)
            self._failures[key] = failure if self._budget >= 0 else replace(failure, longrepr="")
        return failure


WORKER_CRASH = "crash"
SIGNALS = {4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"} | {
    7: "SIGBUS",
    10: "SIGBUS",  # macOS
}


def failure_of(record: Reported) -> Failure:
    """Build the failure for results.json."""
    kind = record.kind
    if record.lost and (match := CRASH.match(record.message)):
        kind = SIGNALS.get(int(match.group(2)), f"signal {match.group(2)}") if match.group(2) else WORKER_CRASH
    # The message of a crash names worker and test, so it is no part of the common signature.
    common = "" if kind != record.kind else record.message
    where = record.where
    if kind in UNPARSED or not (where or common) or (record.collecting and not where):
        where = record.id
    return Failure(
        test=record.id,
        kind=kind,
        message=record.message,
        signature=signatures.signature(kind, common, where, record.longrepr),
        duration=record.duration,
        longrepr=record.longrepr,
        hint=remedies.of_failure(record.message, record.longrepr),
    )
