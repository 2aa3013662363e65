"""One cell from its environment to its result: smoke imports, command, verdict, and the check afterwards."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from venvgrid.environments.package_cache import record
from venvgrid.model.config import AxisKind, InstallMode
from venvgrid.model.events import Stage, StageFinished, StageStarted
from venvgrid.model.names import normalise
from venvgrid.model.result import CellResult, Failure, Outcome
from venvgrid.outcomes import attestation, judgement, junit_input, probe, signatures
from venvgrid.planning import expansion
from venvgrid.processes import variables
from venvgrid.processes.command import Command
from venvgrid.processes.diagnosis import last_exception, with_last_line
from venvgrid.results import coverage
from venvgrid.running.cell_job import TestDone, base_result
from venvgrid.running.monitor import ProgressMonitor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.environments.store import Store
    from venvgrid.model.config import Config
    from venvgrid.model.plan import Cell
    from venvgrid.processes.command import Completed
    from venvgrid.processes.redaction import Redactor
    from venvgrid.running.cell_job import CellJob
    from venvgrid.running.loop import Post


class PollingRunner(Protocol):
    """The door to processes for commands whose progress is watched."""

    def __call__(self, command: Command, *, poll: Callable[[], None] | None = None) -> Completed:
        """Run a command to its end; `poll` is called now and then while it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRunner:
    """Tests cells of one run. `folder` is the run's, `now` gives seconds since the run began."""

    config: Config
    store: Store
    folder: Path
    arguments: tuple[str, ...]  # appended to the test command
    environ: Mapping[str, str]
    run: PollingRunner
    now: Callable[[], float]
    redactor: Redactor
    cpus: int = 1  # that each of the cells which run at once may use

    def test(self, work: CellJob, post: Post) -> TestDone:
        """Test a cell, again as often as `test.retries` allows."""
        if not self.store.exists(work.environment):  # a cell that shares it has changed it
            return TestDone(result=base_result(work.cell, work.entry), is_changed=True)
        began = self.now()
        post(StageStarted(cell=work.cell.id, stage=Stage.TEST, at=began))
        scratch = Path(tempfile.mkdtemp(prefix="c"))  # short: paths of sockets are
        try:
            result = self._attempts(work, post, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        tested = self._checked(work, result)
        took = self.now() - began
        post(StageFinished(cell=work.cell.id, stage=Stage.TEST, at=self.now(), duration=took))
        return replace(tested, result=replace(tested.result, durations={**tested.result.durations, "test": took}))

    def _attempts(self, work: CellJob, post: Post, scratch: Path) -> CellResult:
        broken = self._smoke(work, scratch)
        if broken is not None:
            return broken
        attempt = leaked = 0
        while True:
            attempt += 1
            judged, left = self._attempt(work, post, scratch / str(attempt), attempt)
            leaked += left
            retry = (
                judged.outcome.is_red and judged.outcome is not Outcome.MISMATCH and attempt <= self.config.test.retries
            )
            if not retry:
                break
        outcome, reason = judged.outcome, judged.reason
        if attempt > 1 and outcome is Outcome.PASSED:
            outcome, reason = Outcome.FLAKY, f"passed at attempt {attempt} of {self.config.test.retries + 1}"
        known = base_result(work.cell, work.entry)
        note = f"leaked: {leaked} {'process' if leaked == 1 else 'processes'} outlived the tests and had to be ended"
        return replace(
            known,
            outcome=outcome,
            reason=reason,
            notes=(*known.notes, note) if leaked else known.notes,
            attempts=attempt,
            tests={name: count for name, count in judged.tests.items() if count},
            failures=judged.failures,
            attested=judged.attested,
            log=f"logs/{work.cell.id}.log",
        )

    def _smoke(self, work: CellJob, scratch: Path) -> CellResult | None:
        """Import what `test.smoke` names; the result of a broken environment, or None if all is well."""
        modules = self.config.test.smoke
        if not modules:
            return None
        code = "".join(f"import {module}\n" for module in modules)
        completed = self.run(
            self._command(work, (str(work.environment.python), "-c", code), self._variables(work, scratch))
        )
        if completed.exit_code == 0:
            return None
        if completed.cancelled:
            return replace(base_result(work.cell, work.entry), outcome=Outcome.CANCELLED, reason="stopped by the user")
        kind, message = last_exception(completed)
        reason = f"import {', '.join(modules)} failed: {kind + ': ' if kind else ''}{message}"
        failure = Failure(
            test="",
            kind=kind or "smoke",
            message=message,
            signature=signatures.signature(kind, message, "", ""),
            longrepr=completed.stdout[-20_000:],
        )
        return replace(
            base_result(work.cell, work.entry),
            outcome=Outcome.BROKEN_ENV,
            reason=reason,
            attempts=1,
            failures=(failure,),
            log=f"logs/{work.cell.id}.log",
        )

    def _attempt(self, work: CellJob, post: Post, scratch: Path, attempt: int) -> tuple[judgement.Judgement, int]:
        """Run the command once; gives the verdict, and how many processes outlived it."""
        scratch.mkdir(parents=True)
        child = self._variables(work, scratch)
        if self.config.test.coverage:  # of an earlier run
            shutil.rmtree(self._measured(work.cell), ignore_errors=True)
        before = record.versions(work.environment.site, self._axis_names())
        stream = None
        if self.config.test.reports == judgement.PYTEST:
            child |= self._probe(work, scratch, child)
            stream = probe.Stream(scratch / "probe" / probe.STREAM_NAME)
        report = self._report_file(work)
        earlier = junit_input.stamp(report) if report else None
        watched = ProgressMonitor(work.cell.id, stream, post, self.now, attempt)
        completed = self.run(self._command(work, self._argv(work), child), poll=watched.poll)
        watched.poll()
        stacks = probe.stacks(scratch / "probe") if completed.timed_out else ""
        if stacks:
            self._tell(work, f"[venvgrid: where the threads stood shortly before the time limit]\n{stacks}\n")
        limits = junit_input.Limits(elapsed=completed.duration)
        ended = judgement.CommandExit(
            exit_code=completed.exit_code,
            signal=completed.signal,
            timed_out=completed.timed_out,
            cancelled=completed.cancelled,
            over_memory=f"{(self.config.test.memory or 0) / 1e6:,.0f} MB" if completed.over_memory else "",
            error=completed.error,
            limit=self.config.test.timeout,
            stacks=stacks,
        )
        judged = judgement.judge(
            watched.observed,
            ended,
            self._expected(work),
            report=junit_input.read(report, earlier, limits) if report else None,
            before=before,
            after=record.versions(work.environment.site, self._axis_names()),
        )
        if judged.outcome is Outcome.FAILED and not watched.observed.sessions and not completed.error:
            judged = replace(judged, reason=with_last_line(judged.reason, completed.stdout))
        return judged, 0 if completed.timed_out or completed.cancelled or completed.over_memory else completed.leaked

    def _tell(self, work: CellJob, text: str) -> None:
        """Append to the log of a cell; a full disk is no further trouble."""
        with suppress(OSError), (self.folder / "logs" / f"{work.cell.id}.log").open("a", encoding="utf-8") as log:
            log.write(self.redactor.text(text))

    def _probe(self, work: CellJob, scratch: Path, child: Mapping[str, str]) -> dict[str, str]:
        """Switch the probe on, and give pytest a cache folder of the cell's own: cells run at once."""
        cache = shlex.quote(f"cache_dir={self._private(work.cell) / 'pytest'}")
        return probe.switch_on(
            scratch / "probe",
            prefix=str(work.environment.path),
            distributions=self._axis_names(),
            project=(work.project.metadata.name, work.project.modules) if work.project else None,
            options=f"-o {cache}",
            user_env=child,
            limit=self.config.test.timeout,
        )

    def _report_file(self, work: CellJob) -> Path | None:
        """Give the file of `reports = "junit:FILE"`, relative to where the command runs."""
        kind, _, name = self.config.test.reports.partition(":")
        if kind != "junit":
            return None
        (filled,) = expansion.fill((name,), work.cell, str(work.environment.python))
        return self.config.project.path / filled

    def _checked(self, work: CellJob, result: CellResult) -> TestDone:
        """Look at the environment after the tests: what they changed in it must reach no other cell or run."""
        seen = self.store.inspect(work.environment)
        changed = seen.changed
        if not changed:
            return TestDone(result=result, imported=seen.compiled)
        self.store.drop(work.environment, seen.poisoned)
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        note = f"the tests changed the environment ({changed[0]}{more}): it is built anew before its next use"
        noted = replace(result, notes=(*result.notes, note))
        return TestDone(result=noted, is_changed=not work.alone, is_poisoned=bool(seen.poisoned))

    def _argv(self, work: CellJob) -> tuple[str, ...]:
        return (*expansion.fill(self.config.test.command, work.cell, str(work.environment.python)), *self.arguments)

    def _command(self, work: CellJob, argv: tuple[str, ...], env: Mapping[str, str]) -> Command:
        return Command(
            argv=argv,
            cwd=self.config.project.path,
            env=env,
            timeout=self.config.test.timeout,
            grace_period=self.config.test.grace_period,
            memory=self.config.test.memory,
            log=self.folder / "logs" / f"{work.cell.id}.log",
            clean=self.redactor.stream,
            supervised=True,
        )

    def _variables(self, work: CellJob, scratch: Path) -> dict[str, str]:
        axes = {
            axis.name.removeprefix("env."): work.cell.axes[axis.name]
            for axis in self.config.axes
            if axis.kind is AxisKind.VARIABLE
        }
        private = scratch / "tmp"
        private.mkdir(parents=True, exist_ok=True)
        own = {"TMPDIR": str(private), "TEMP": str(private), "TMP": str(private)}
        own |= {"PYTEST_XDIST_AUTO_NUM_WORKERS": str(self.cpus)}
        own |= {"COVERAGE_FILE": str(self._measured(work.cell) / coverage.FILE), "VENVGRID_CELL": work.cell.id}
        return variables.child_environment(
            self.environ,
            pass_env=self.config.test.pass_env,
            extra={**own, **self.config.test.env, **axes},
            prefix=work.environment.path,
        )

    def _private(self, cell: Cell) -> Path:
        """Give the folder of a cell for what must not be shared between cells that run at once."""
        place = self.store.root / "cells" / cell.id
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _measured(self, cell: Cell) -> Path:
        """Give the folder of a cell's coverage data."""
        place = coverage.folder_of(self._private(cell))
        place.mkdir(exist_ok=True)
        return place

    def _axis_names(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.config.axes if axis.kind is AxisKind.DEPENDENCY)

    def _expected(self, work: CellJob) -> attestation.Expectation:
        locked = {item.name: item.version for item in work.entry.distributions}
        prefix = os.path.realpath(work.environment.path)
        mode = self.config.project.install
        checkout = os.path.realpath(self.config.project.path)
        return attestation.Expectation(
            prefix=prefix,
            python_version=work.entry.interpreter.version,
            implementation=work.entry.interpreter.implementation,
            packages={name: locked.get(normalise(name), "") for name in self._axis_names()},
            project=work.project.metadata.name if work.project else "",
            project_version=work.project.metadata.version if work.project and mode is not InstallMode.EDITABLE else "",
            project_origin={InstallMode.NONE: "", InstallMode.EDITABLE: checkout}.get(mode, prefix),
            reports=self.config.test.reports,
        )
