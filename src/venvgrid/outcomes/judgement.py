"""The outcome of a cell, from the observation of its test command. Pure.

A cell passes only if no evidence contradicts it. Its outcome is the worst of three: the exit of the command, the
results of the tests, and the completeness of each session. And the attestation must match the cell.
"""

from __future__ import annotations

from dataclasses import field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.model import Attestation, CaseOutcome, Failure, Outcome
from venvgrid.model.config import EMPTY, EXIT_STATUS, JUNIT, PYTEST
from venvgrid.model.values import dataclass
from venvgrid.outcomes import attestation, signatures, wording
from venvgrid.outcomes.causes import output, summaries
from venvgrid.outcomes.observation import WORKER_CRASH, Observation, ReportFile, SessionLog
from venvgrid.outcomes.provenance import NOTHING_FOUND, Finding
from venvgrid.processes import diagnosis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.outcomes.attestation import Expectation
    from venvgrid.outcomes.causes.cause import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandExit:
    """How the command ended. `exit_code` is None if it did not start or a signal ended it; `limit` is in seconds."""

    exit_code: int | None
    signal: str = ""  # "SIGSEGV"
    timed_out: bool = False
    cancelled: bool = False
    over_memory: str = ""  # the limit that it exceeded, "2 GB"
    error: str = ""  # why it could not be started
    limit: float | None = None  # its time limit
    stacks: str = ""  # of all threads, shortly before the time limit
    output: str = ""  # the last of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The outcome, its reason in one line, and the tests for results.json."""

    outcome: Outcome
    reason: str = ""
    tests: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    uncollected: int = 0  # files
    failures: tuple[Failure, ...] = ()
    attested: Attestation = field(default_factory=Attestation)
    notes: tuple[str, ...] = ()
    edited: frozenset[str] = frozenset()  # files that were imported after a change during the command


def judge(
    observed: Observation,
    ended: CommandExit,
    expected: Expectation,
    *,
    report: ReportFile | None = None,
    before: Mapping[str, str] = EMPTY,
    after: Mapping[str, str] = EMPTY,
    finding: Finding = NOTHING_FOUND,
) -> Judgement:
    """Return the outcome of one run of a cell's test command.

    `report` is the result of `junit_input.read` if `expected.reports` is "junit:FILE". `before` and `after` are the
    versions of the axis packages in the environment before and after the command; empty if not checked. `finding` is
    the witness's.
    """
    different = attestation.first_difference(observed, expected, before, after) or finding.difference
    kind, outcome, reason = _decide(observed, ended, expected, report, different)
    counts = observed.counts() if report is None else dict.fromkeys(CaseOutcome, 0) | dict(report.counts)
    cause = _cause(outcome, kind, ended, counts, expected)
    if cause is not None and not any(seen.stopped for seen in observed.main):
        known = wording.because(cause.text, counts, ended.exit_code)
        reason = known if cause.kind else f"{reason}: {cause.text}"
    imported = wording.imported(observed, expected)
    lacking = [name for name in finding.lacking if name not in imported]
    if outcome is Outcome.PASSED and lacking:
        kind, outcome, reason = "mismatch", Outcome.MISMATCH, f"{lacking[0]} was never imported: {wording.NEVER_HINT}"
    elif outcome is Outcome.PASSED and observed.reruns:
        outcome, reason = Outcome.FLAKY, wording.rerun(observed)
    failures = observed.failures if report is None else report.failures
    if outcome in {Outcome.CRASHED, Outcome.TIMED_OUT}:
        failures = (*failures, *_unfinished(observed, kind, reason, {item.test for item in failures}, ended.stacks))
    if outcome is Outcome.MISMATCH or (outcome.is_red and not failures):
        failures = (_of_cause(cause, kind, reason) if cause else _cell_failure(kind, reason), *failures)
    return Judgement(
        outcome=outcome,
        reason=reason,
        tests={} if expected.reports == EXIT_STATUS else {verdict.value: counts[verdict] for verdict in CaseOutcome},
        uncollected=observed.uncollected if report is None else report.uncollected,
        failures=failures,
        attested=_attested(observed, before, finding),
        edited=finding.edited,
        notes=(
            *(f"{name} was never imported" for name in finding.unimported if name not in imported),
            *finding.notes,
            *wording.told(observed),
        )
        if outcome in {Outcome.PASSED, Outcome.FLAKY}
        else (),
    )


def _attested(observed: Observation, before: Mapping[str, str], finding: Finding) -> Attestation:
    found = attestation.attestation(observed, before)
    return replace(
        found, python=found.python or finding.python, project_origin=found.project_origin or finding.project_origin
    )


Decision = tuple[str, Outcome, str]  # the kind of failure of the cell as a whole, the outcome, the reason


def _decide(
    observed: Observation, ended: CommandExit, expected: Expectation, report: ReportFile | None, different: str
) -> Decision:
    if ended.cancelled:
        return "cancelled", Outcome.CANCELLED, "stopped by the user"
    position = _position(observed) if expected.reports == PYTEST or observed.main else ""
    if ended.timed_out:
        limit = f" of {ended.limit:g} s" if ended.limit else ""
        return "timeout", Outcome.TIMED_OUT, f"ran into its time limit{limit} {position}".rstrip()
    if ended.over_memory:
        return "memory", Outcome.CRASHED, f"held more than {ended.over_memory} of memory {position}".rstrip()
    if crash := _crash(observed, ended, position):
        return crash
    if ended.error:
        return "start", Outcome.FAILED, ended.error
    if different:
        return "mismatch", Outcome.MISMATCH, different
    if expected.reports == EXIT_STATUS:
        nothing = summaries.nothing_ran(ended.output, ended.exit_code)
        good = (Outcome.NO_TESTS, nothing) if nothing else (Outcome.PASSED, "")
        outcome, reason = good if nothing or ended.exit_code == 0 else (Outcome.FAILED, _status(ended))
    elif expected.reports.startswith(JUNIT):
        outcome, reason = _by_report(report, ended, expected.reports.removeprefix(JUNIT))
    else:
        outcome, reason = _by_sessions(observed, ended)
    return outcome.value, outcome, reason


def _crash(observed: Observation, ended: CommandExit, position: str) -> Decision | None:
    if name := ended.signal or diagnosis.signal_of(ended.exit_code):
        hint = " (by `kill -9`, or by the system for want of memory)" if name == "SIGKILL" else ""
        return name, Outcome.CRASHED, f"{name}{hint} {position}".rstrip()
    if observed.crashes:
        first = observed.crashes[0]
        what = "a worker process crashed" if first.kind == WORKER_CRASH else first.kind
        more = f", and {len(observed.crashes) - 1} more" if len(observed.crashes) > 1 else ""
        return first.kind, Outcome.CRASHED, f"{what} in {wording.short(first.id)}{more}"
    return None


def _position(observed: Observation) -> str:
    """Describe how far the tests were."""
    if not observed.main:
        return "before pytest began"
    unfinished = [seen for seen in observed.main if seen.finished is None]
    if not unfinished:
        return "after the tests had finished"
    if running := [test for seen in unfinished for test in seen.running]:
        return f"in {wording.some(running)}"
    return _place(unfinished[-1]).strip() or "while pytest collected the tests"


def _unfinished(observed: Observation, kind: str, reason: str, known: set[str], stacks: str) -> tuple[Failure, ...]:
    """Return a failure for every test that was running, since pytest reported none; `stacks` of its threads."""
    tests = [test for test in observed.running if test not in known]
    message = "was running when the time limit ended the command" if kind == "timeout" else f"ended by {kind}"
    return tuple(
        Failure(
            test=test,
            kind=kind,
            message=message,
            signature=signatures.signature(kind, "", test, ""),
            longrepr=stacks,
        )
        for test in tests
    ) or (() if known else (replace(_cell_failure(kind, reason), longrepr=stacks),))


def _cell_failure(kind: str, reason: str) -> Failure:
    return Failure(test="", kind=kind, message=reason, signature=signatures.signature(kind, reason, "", ""))


def _cause(
    outcome: Outcome, kind: str, ended: CommandExit, counts: Mapping[CaseOutcome, int], expected: Expectation
) -> Cause | None:
    """Return the tool's own error of a command that ended badly without a failed test."""
    if outcome not in {Outcome.FAILED, Outcome.NO_TESTS} or counts[CaseOutcome.FAILED] or counts[CaseOutcome.ERROR]:
        return None
    if kind == "start":
        return output.of_start(ended.error)
    ran, failed = wording.executed(counts) > 0, outcome is Outcome.FAILED and ended.exit_code != 0
    return output.find(ended.output, ran=ran, failed=failed, package=expected.tested, chosen=expected.chosen)


def _of_cause(cause: Cause, kind: str, reason: str) -> Failure:
    signature = signatures.signature(cause.kind or kind, cause.key or cause.message, "", "")
    message = cause.message if cause.kind and cause.text in reason else reason
    named = cause.kind or kind
    return Failure(test="", kind=named, message=message, signature=signature, longrepr=cause.excerpt, hint=cause.hint)


def mismatch(reason: str) -> Failure:
    """Return the failure of a cell that tested something else."""
    return _cell_failure("mismatch", reason)


def _by_report(report: ReportFile | None, ended: CommandExit, file: str) -> tuple[Outcome, str]:
    status = _status(ended)
    if report is None or report.missing:
        why = (report.problem if report else "") or f"{file} was not written"
        if ended.exit_code == 0:
            return Outcome.NO_TESTS, f"{status}, but {why}"
        return Outcome.FAILED, f"{status}; {why}"
    if report.problem:
        return Outcome.FAILED, f"{report.problem}; {status}"
    counts = dict.fromkeys(CaseOutcome, 0) | dict(report.counts)
    if counts[CaseOutcome.FAILED] or counts[CaseOutcome.ERROR]:
        return Outcome.FAILED, wording.failed(counts, report.failures, ended.exit_code, report.uncollected)
    if ended.exit_code != 0:
        return Outcome.FAILED, f"{wording.all_passed(counts)}, but {status}"
    if wording.executed(counts) == 0:
        return Outcome.NO_TESTS, wording.nothing_ran(counts, f"{file} lists no test")
    return Outcome.PASSED, ""


def _by_sessions(observed: Observation, ended: CommandExit) -> tuple[Outcome, str]:
    status = f"the command exited with status {ended.exit_code}"
    if not observed.main:
        if ended.exit_code == 0:
            return Outcome.NO_TESTS, f"{status}, but no pytest session was seen: {wording.HINT}"
        return Outcome.FAILED, f"{_status(ended)} before pytest began"
    counts = observed.counts()
    if counts[CaseOutcome.FAILED] or counts[CaseOutcome.ERROR]:
        return Outcome.FAILED, wording.failed(counts, observed.failures, ended.exit_code, observed.uncollected)
    for seen in observed.main:
        if broken := _incomplete(seen, ended):
            return broken
        if len(observed.main) > 1 and not seen.verdicts:
            return Outcome.NO_TESTS, f"one of {len(observed.main)} pytest sessions ran no tests"
    executed = wording.executed(counts) - len(observed.unrun)
    if ended.exit_code not in {0, wording.NO_TESTS_COLLECTED} or (ended.exit_code and executed):
        return Outcome.FAILED, f"{wording.all_passed(counts)}, but {status}{diagnosis.pytest_meaning(ended.exit_code)}"
    if executed == 0:
        return Outcome.NO_TESTS, wording.nothing_ran(
            counts, "pytest collected no tests", observed.skip_reasons, len(observed.unrun)
        )
    return Outcome.PASSED, ""


def _incomplete(seen: SessionLog, ended: CommandExit) -> tuple[Outcome, str] | None:
    """Return why a session without failed tests is not complete, or None if it is."""
    code = ended.exit_code
    if seen.stopped is not None:
        what = " ".join(f"{seen.stopped.kind}: {seen.stopped.message}".strip(": ").split())
        why = "pytest had an internal error" if seen.stopped.why == "internal error" else "pytest was stopped"
        return Outcome.FAILED, f"{why}{_place(seen)}: {what}"
    if seen.finished is None:
        ending = f"the process ended with status {code} before the session finished"
        if code == 0 or seen.running or seen.collected is not None:
            return Outcome.FAILED, f"stopped{_place(seen)}: {ending}"
        meaning = diagnosis.pytest_meaning(code)
        return Outcome.FAILED, f"pytest ended with status {code}{meaning} before it collected tests"
    status = seen.finished.exitstatus
    if status is None:
        return Outcome.NO_TESTS, "pytest ran no tests: it was asked for something else"
    reported = seen.reported
    if reported and seen.collected is None:
        return Outcome.FAILED, f"{wording.tests(reported)} reported a result, but pytest never said how many there are"
    if 0 < reported < (seen.collected or 0):
        return Outcome.FAILED, f"only {reported} of {wording.tests(seen.collected or 0)} reported a result"
    if code == 0 and status != 0 and not (status == wording.NO_TESTS_COLLECTED and reported == 0):
        return Outcome.FAILED, f"pytest ended its session with status {status}, but the command exited with status 0"
    if reported == 0 and seen.collected and status == 0:
        return Outcome.NO_TESTS, f"pytest collected {wording.tests(seen.collected)} and ran none"
    return None


def _status(ended: CommandExit) -> str:
    return f"the command exited with status {ended.exit_code}{diagnosis.meaning(ended.exit_code)}"


def _place(seen: SessionLog) -> str:
    if seen.running:
        return f" in {wording.some(list(seen.running))}"
    if seen.last:
        return f" after {wording.short(seen.last)}"
    return "" if seen.collected is None else " before the first test"
