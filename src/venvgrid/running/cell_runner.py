"""One cell from its environment to its result: smoke imports, test command, verdict, and the integrity check."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from venvgrid.analysis.affected import reach
from venvgrid.environments.package_cache import record
from venvgrid.model import CellResult, Failure, Outcome, Stage, StageFinished, StageStarted
from venvgrid.model.config import PYTEST
from venvgrid.model.names import normalise
from venvgrid.model.result import Footprint
from venvgrid.model.values import dataclass
from venvgrid.outcomes import judgement, junit_input, probe, signatures
from venvgrid.outcomes.causes import blame, remedies
from venvgrid.outcomes.outside import network
from venvgrid.outcomes.witness import Ran, Witnessed
from venvgrid.processes.diagnosis import headline, last_exception, unfinished
from venvgrid.project import bytecode, reads
from venvgrid.running.monitor import ProgressMonitor
from venvgrid.running.tasks import TestDone, base_result
from venvgrid.running.witnessing import CellWitness, edited_code, named_files, scene_of, start_time
from venvgrid.storage import directories, own_folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from venvgrid.environments.store import EnvironmentStore
    from venvgrid.model import SuiteOptions
    from venvgrid.processes.command import Command, Completed
    from venvgrid.project.inputs import Changes, Inputs
    from venvgrid.running.cell_command import CellCommands
    from venvgrid.running.executors.base import Post
    from venvgrid.running.tasks import TestTask

MAX_SHOWN_COMMAND = 100  # characters, in a reason
ASKED_FOR = "snt"  # how a file was opened that was not: it was looked for, see `_venvgrid_opened`


class PollingRunner(Protocol):
    """The door to processes for commands whose progress is watched."""

    def __call__(self, command: Command, *, poll: Callable[[], None] | None = None) -> Completed:
        """Run a command to its end; `poll` is called now and then while it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRunner:
    """Tests cells of one run."""

    commands: CellCommands
    store: EnvironmentStore
    run: PollingRunner
    inputs: Callable[[], Inputs]  # those at the beginning of the run
    began: float = 0.0  # seconds; when the first command of the cell was started

    @property
    def _suite(self) -> SuiteOptions:
        return self.commands.config.test

    def test(self, task: TestTask, post: Post) -> TestDone:
        """Test a cell, again as often as `test.retries` allows."""
        if not self.store.exists(task.environment):  # a cell that shares it has changed it
            return TestDone(result=base_result(task.cell, task.entry), is_changed=True)
        post(StageStarted(cell=task.cell.id, stage=Stage.TEST))
        began = time.monotonic()
        before, witnessed = self.inputs().changes(), list[Witnessed]()
        bytecode.drop_stale(self.inputs())
        scratch = directories.short_folder()
        try:
            whole = replace(self, began=start_time(task.environment))
            result, edited = whole._attempts(task, post, scratch, witnessed)  # noqa: SLF001
            seen = functools.reduce(Witnessed.and_then, witnessed, Witnessed())
            result = self._with_footprint(result, before, self._footprint(task, seen, scratch))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        tested = self._checked(task, result, edited, is_plain=seen.is_plain)
        took = time.monotonic() - began
        post(StageFinished(cell=task.cell.id, stage=Stage.TEST, duration=took))
        return replace(tested, result=replace(tested.result, durations={**tested.result.durations, "test": took}))

    def _footprint(self, task: TestTask, seen: Witnessed, scratch: Path) -> Footprint:
        """Return what the tests of a cell read."""
        if seen.silent:
            return Footprint(doubt="a process of its tests does not say what it reads")
        command = self.commands.tests(task, self.commands.variables(task, scratch), scratch)
        ran = (Ran(cwd=str(command.cwd), argv=command.argv, path=command.env["PATH"]), *seen.ran)
        folder, own = str(task.environment.python.parent), self._own(task, scratch)
        named = named_files(command.env, str(command.cwd))
        named = {place: how for place, how in named.items() if seen.opened.get(place, "n") in ASKED_FOR}
        found = reads.judge({**seen.opened, **named}, ran, self.inputs(), own, folder)
        doubt = found.doubt or network.doubt(seen.bound, seen.reached, own)
        return Footprint(doubt=doubt, wrote=found.wrote) if doubt else found

    def _own(self, task: TestTask, scratch: Path) -> tuple[str, ...]:
        """Return the folders of a cell, whose files are no inputs."""
        folders = (task.environment.path, self.commands.private_folder(task.cell), scratch)
        return tuple(dict.fromkeys(text for folder in folders for text in (str(folder), os.path.realpath(folder))))

    def _with_footprint(self, result: CellResult, before: Changes, opened: Footprint) -> CellResult:
        """Return a result with the reason why it is good for this run alone, if there is one."""
        after, doubt = self.inputs().changes(), self.inputs().problem or opened.doubt
        if after.changed:
            doubt = f"{after.changed[0]} was changed in this run"
        elif before.created:
            doubt = f"{before.created[0]} was made in this run before the tests of this cell"
        elif before.changed:
            doubt = f"{before.changed[0]} was changed in this run"
        notes = (f"{doubt}: not kept",) if doubt and result.outcome is Outcome.PASSED else ()
        footprint = replace(
            opened, doubt=doubt, made=tuple(name for name in after.created if name not in before.created)
        )
        return replace(result, notes=(*result.notes, *notes), footprint=footprint)

    def _attempts(
        self, task: TestTask, post: Post, scratch: Path, witnessed: list[Witnessed]
    ) -> tuple[CellResult, frozenset[str]]:
        """Return the result, and the files that were imported after the tests had changed them."""
        broken = self._smoke(task, scratch, witnessed) or self._prepare(task, scratch, witnessed)
        if broken is not None:
            return broken, frozenset()
        attempt = leaked = 0
        while True:
            attempt += 1
            judged, left = self._attempt(task, post, scratch, attempt, witnessed)
            leaked += left
            retry = judged.outcome.is_red and judged.outcome is not Outcome.MISMATCH and attempt <= self._suite.retries
            if not retry:
                break
        outcome, reason = judged.outcome, judged.reason
        if attempt > 1 and outcome is Outcome.PASSED:
            outcome, reason = Outcome.FLAKY, f"passed at attempt {attempt} of {self._suite.retries + 1}"
        known = base_result(task.cell, task.entry)
        note = f"leaked: {leaked} {'process' if leaked == 1 else 'processes'} outlived the tests and had to be ended"
        result = replace(
            known,
            outcome=outcome,
            reason=reason,
            notes=(*known.notes, *judged.notes, *((note,) if leaked else ())),
            attempts=attempt,
            tests={name: count for name, count in judged.tests.items() if count},
            uncollected=judged.uncollected,
            failures=_with_blame(judged.failures, task),
            attested=judged.attested,
            log=f"logs/{task.cell.id}.log",
        )
        return result, judged.edited

    def _witness(self, task: TestTask, folder: Path) -> CellWitness:
        """Return a witness of one command of a cell."""
        config, private = self.commands.config, self.commands.private_folder(task.cell)
        scene = replace(scene_of(task, config), began=self.began)
        return CellWitness(task=task, scene=scene, folder=folder, private=private, project=config.project.path)

    def _smoke(self, task: TestTask, scratch: Path, witnessed: list[Witnessed]) -> CellResult | None:
        """Import what `test.smoke` names; the result of a broken environment, or None if all is well."""
        modules = self._suite.smoke
        if not modules:
            return None
        watch = self._witness(task, scratch / "smoke").watch
        completed = watch(self.commands.smoke(task, scratch), self.run, witnessed)
        if completed.exit_code == 0:
            return None
        if completed.cancelled:
            return replace(base_result(task.cell, task.entry), outcome=Outcome.CANCELLED, reason="stopped by the user")
        kind, message = last_exception(completed)
        reason = f"import {', '.join(modules)} failed: {kind + ': ' if kind else ''}{message}"
        return self._broken(task, reason, (kind or "smoke", message), completed)

    def _prepare(self, task: TestTask, scratch: Path, witnessed: list[Witnessed]) -> CellResult | None:
        """Run `test.before`; return the result of a cell whose commands failed or installed something, or None."""
        if not self._suite.before:
            return None
        locked = record.installed(task.environment.site)
        for number, command in enumerate(self._suite.before):
            prepared = self.commands.preparation(task, command, scratch)
            completed = self._witness(task, scratch / f"before{number}").watch(prepared, self.run, witnessed)
            shown = f"`{shlex.join(command)[:MAX_SHOWN_COMMAND]}` of test.before"
            if completed.cancelled:
                result = base_result(task.cell, task.entry)
                return replace(result, outcome=Outcome.CANCELLED, reason="stopped by the user")
            if not completed.ok:
                message = unfinished(completed) or headline(completed.stdout)
                return self._broken(task, f"{shown} failed: {message}", ("before", message), completed)
            now = record.installed(task.environment.site)
            if changed := sorted(name for name in {*locked, *now} if locked.get(name) != now.get(name)):
                name = changed[0]
                versions = f"{locked.get(name, 'absent')} → {now.get(name, 'absent')}"
                reason = f"{shown} changed what is installed: {name} {versions}; write it into install.requires instead"
                return self._untested(task, Outcome.MISMATCH, reason, judgement.mismatch(reason))
        return None

    def _broken(self, task: TestTask, reason: str, error: tuple[str, str], completed: Completed) -> CellResult:
        """Return the result of a cell in which the command `completed` failed; `error` is its kind and message."""
        kind, message = error
        failure = Failure(
            test="",
            kind=kind,
            message=message,
            signature=signatures.signature(kind, message, "", ""),
            longrepr=completed.stdout[-20_000:],
            hint=remedies.of_failure(message),
        )
        return self._untested(task, Outcome.BROKEN_ENV, reason, failure)

    def _untested(self, task: TestTask, outcome: Outcome, reason: str, failure: Failure) -> CellResult:
        return replace(
            base_result(task.cell, task.entry),
            outcome=outcome,
            reason=reason,
            attempts=1,
            failures=_with_blame((failure,), task),
            log=f"logs/{task.cell.id}.log",
        )

    def _attempt(
        self, task: TestTask, post: Post, whole: Path, attempt: int, witnessed: list[Witnessed]
    ) -> tuple[judgement.Judgement, int]:
        """Run the command once; return the verdict, and how many processes outlived it. Add to `witnessed`."""
        scratch = whole / str(attempt)
        scratch.mkdir(parents=True)
        child = self.commands.variables(task, whole, attempt)
        if self._suite.coverage:  # of an earlier run
            measured = self.commands.coverage_folder(task.cell)
            own_folders.delete(measured.parent, measured.name)
        before = record.versions(task.environment.site, self.commands.axis_packages())
        seen = self._witness(task, scratch / "witness")
        child |= seen.switch_on()
        stream = None
        if self._suite.reports == PYTEST:
            child |= self.commands.probe(task, scratch / "probe", child, seen.places.prefixes())
            stream = probe.Stream(scratch / "probe" / probe.STREAM_NAME)
        report = self.commands.report_file(task, whole)
        earlier = junit_input.stamp(report) if report else None
        watched = ProgressMonitor(task.cell.id, stream, post, attempt)
        completed = self.run(self.commands.tests(task, child, whole), poll=watched.poll)
        watched.poll()
        witnessed.append(seen.seen())
        reach.keep(seen.private, scratch / "probe" / probe.REACHED, seen.places)
        stacks = probe.stacks(scratch / "probe") if completed.timed_out else ""
        if stacks:
            self._tell(task, f"[venvgrid: where the threads stood shortly before the time limit]\n{stacks}\n")
        limits = junit_input.Limits(elapsed=completed.duration)
        ended = self.commands.ending(completed, stacks)
        judged = judgement.judge(
            watched.observed,
            ended,
            self.commands.expectation(task),
            report=junit_input.read(report, earlier, limits) if report else None,
            before=before,
            finding=seen.finding(witnessed[-1]),
            after=record.versions(task.environment.site, self.commands.axis_packages()),
        )
        return judged, 0 if completed.timed_out or completed.cancelled or completed.over_memory else completed.leaked

    def _tell(self, task: TestTask, text: str) -> None:
        """Append to the log of a cell; a full disk is no further trouble."""
        with suppress(OSError), self.commands.log_of(task.cell).open("a", encoding="utf-8") as log:
            log.write(self.commands.redactor.text(text))

    def _checked(self, task: TestTask, result: CellResult, edited: frozenset[str], *, is_plain: bool) -> TestDone:
        """Check the environment after the tests. Their changes in it must reach no other cell or run."""
        seen = self.store.inspect(task.environment, is_plain=is_plain)
        changed = seen.changed
        if not changed:
            return TestDone(result=result, imported=seen.imported)
        hit = edited_code(changed, edited, task.environment)
        if hit and result.outcome in {Outcome.PASSED, Outcome.FLAKY}:
            reason = f"the tests changed {hit}: what they tested is not what was installed"
            result = replace(result, outcome=Outcome.MISMATCH, reason=reason, failures=(judgement.mismatch(reason),))
        self.store.drop(task.environment, seen.poisoned)
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        note = f"the tests changed the environment ({changed[0]}{more}): it is built anew before its next use"
        footprint = replace(result.footprint, doubt="its tests changed the environment")
        noted = replace(result, notes=(*result.notes, note), footprint=footprint)
        return TestDone(result=noted, is_changed=not task.alone, is_poisoned=bool(seen.poisoned))


def _with_blame(failures: tuple[Failure, ...], task: TestTask) -> tuple[Failure, ...]:
    """Return failures with the distributions that they name or pass, and without advice to add what is there."""
    if not failures:
        return failures
    installed = record.distributions(task.environment.site).values()
    names = {item.name for item in installed}
    own = normalise(task.project.metadata.name) if task.project else ""  # the tests are its own: it is no news
    owners = blame.Owners.of({item.name: item.files for item in installed if item.name != own})
    distinct = {item.signature: item for item in reversed(failures)}
    found = {key: blame.blamed(item.message, item.longrepr, owners) for key, item in distinct.items()}
    return tuple(
        replace(item, through=found[item.signature], hint=remedies.unless_installed(item.hint, names))
        for item in failures
    )
