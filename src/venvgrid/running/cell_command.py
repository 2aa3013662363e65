"""The command of a cell: arguments, environment variables, private folders, and what its tests must attest."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from venvgrid.config import placeholders
from venvgrid.model import AxisKind, InstallMode
from venvgrid.model.values import dataclass
from venvgrid.outcomes import probe
from venvgrid.outcomes.attestation import Expectation
from venvgrid.outcomes.causes import deselection
from venvgrid.outcomes.judgement import CommandExit
from venvgrid.processes import variables
from venvgrid.processes.command import Command
from venvgrid.resolving import lock_check
from venvgrid.results import coverage
from venvgrid.storage import own_folders

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from venvgrid.model import Cell, Config
    from venvgrid.processes.command import Completed
    from venvgrid.processes.redaction import Redactor
    from venvgrid.running.tasks import TestTask

IMPORTED = "imported.json"  # in the private folder of a cell, see `running.warm.imported`
# What pytest's own options (--lf, --sw) know of earlier runs. What tests and plugins left in its cache is deleted.
OF_EARLIER_RUNS = frozenset(("v/cache/lastfailed", "v/cache/nodeids", "v/cache/stepwise"))
TMP = "t0"  # the name of {tmp}; short, because paths of sockets are


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCommands:
    """Makes the commands of cells. `root` is `.venvgrid`, `folder` the run's; `arguments` are appended to the command.

    `cpus` is how many each of the cells that run at once may use. `only` are the ids of the tests to run, () for all.
    `attest` are further distributions whose versions must be those of the lock.
    `pytest_options` are further ones, quoted as for a shell. `first` are the ids of tests that go before all others;
    with `only_first` the others are left out, if one of the first is there. `is_preview`: see `running.warm`.
    """

    config: Config
    root: Path
    folder: Path
    arguments: tuple[str, ...]
    environ: Mapping[str, str]
    redactor: Redactor
    cpus: int = 1
    only: tuple[str, ...] = ()
    attest: tuple[str, ...] = ()
    pytest_options: str = ""
    first: tuple[str, ...] = ()
    only_first: bool = False
    is_preview: bool = False

    def tests(self, task: TestTask, env: Mapping[str, str], scratch: Path) -> Command:
        """Return the test command of a cell."""
        argv = fill(self.config.test.command, self._values(task, scratch))
        return self._command(task, (*argv, *self.arguments), env, scratch)

    def smoke(self, task: TestTask, scratch: Path) -> Command:
        """Return the command that imports `test.smoke`."""
        code = "".join(f"import {module}\n" for module in self.config.test.smoke)
        argv = (str(task.environment.python), "-c", code)
        return self._command(task, argv, self.variables(task, scratch), scratch)

    def preparation(self, task: TestTask, command: tuple[str, ...], scratch: Path) -> Command:
        """Return a command of `test.before`."""
        argv = fill(command, self._values(task, scratch))
        return self._command(task, argv, self.variables(task, scratch), scratch)

    def log_of(self, cell: Cell) -> Path:
        """Return the log file of a cell."""
        return self.folder / "logs" / f"{cell.id}.log"

    def _values(self, task: TestTask, scratch: Path) -> dict[str, str]:
        """Return the values of placeholders."""
        python, project = str(task.environment.python), str(self.config.project.path)
        return placeholders.of_cell(task.cell, python=python, project=project, tmp=str(scratch / TMP))

    def _folder(self, task: TestTask, scratch: Path) -> Path:
        """Return the folder in which the commands of a cell run."""
        if not (name := self.config.test.working_directory):
            return self.config.project.path
        (filled,) = fill((name,), self._values(task, scratch))
        return self.config.root / filled

    def _command(self, task: TestTask, argv: tuple[str, ...], env: Mapping[str, str], scratch: Path) -> Command:
        options, folder = self.config.test, self._folder(task, scratch)
        if folder.is_relative_to(scratch):
            folder.mkdir(parents=True, exist_ok=True)
        return Command(
            argv=argv,
            cwd=folder,
            env=env,
            timeout=options.timeout,
            grace_period=options.grace_period,
            memory=options.memory,
            log=self.log_of(task.cell),
            clean=self.redactor.stream,
            supervised=True,
        )

    def variables(self, task: TestTask, scratch: Path, attempt: int = 0) -> dict[str, str]:
        """Return the environment variables of a cell's commands, with temporary folders below `scratch`.

        Each attempt has a TMPDIR of its own; {tmp} is that of the commands before the first.
        """
        private = scratch / f"t{attempt}"
        for folder in (private, scratch / TMP):
            folder.mkdir(parents=True, exist_ok=True)
        values = self._values(task, scratch)
        given = {**self.config.test.env, **task.cell.variables}
        own = {
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(private)),
            "PYTEST_XDIST_AUTO_NUM_WORKERS": str(self.cpus),
            "COVERAGE_FILE": str(self.coverage_folder(task.cell) / coverage.FILE),
            "VENVGRID_CELL": task.cell.id,
        }
        return variables.child_environment(
            self.environ,
            pass_env=self.config.test.pass_env,
            extra={**own, **{name: placeholders.fill_variable(value, values) for name, value in given.items()}},
            prefix=task.environment.path,
        )

    def probe(
        self, task: TestTask, scratch: Path, child: Mapping[str, str], reach: Mapping[str, tuple[str, ...]]
    ) -> dict[str, str]:
        """Switch the probe on and return its variables. Cells run at once: each has a pytest cache of its own."""
        private = self.private_folder(task.cell)
        folder = own_folders.make_plain(private, "preview" if self.is_preview else "pytest")
        own_folders.keep_only(folder, OF_EARLIER_RUNS)
        cache = shlex.quote(f"cache_dir={folder}")
        return probe.switch_on(
            scratch,
            prefix=str(task.environment.path),
            distributions=tuple(dict.fromkeys((*self.axis_packages(), *self.attest))),
            project=(task.project.metadata.name, task.project.modules) if task.project else None,
            options=f"-o {cache} {self.pytest_options}".strip(),
            user_env=child,
            limit=self.config.test.timeout,
            only=self.only,
            reach=reach,
            first=self.first,
            more={"only_first": self.only_first, "variables": _attestable(task.cell, child), **self._of_kind(private)},
        )

    def _of_kind(self, private: Path) -> dict[str, object]:
        """Return what the probe does in a preview; in a full run it writes down what the tests imported."""
        if self.is_preview:
            return {"preview": True}
        own_folders.delete(private, IMPORTED)
        return {"imported": str(private / IMPORTED)}

    def ending(self, completed: Completed, stacks: str = "") -> CommandExit:
        """Return how the test command of a cell ended; `stacks` of all threads, if it was at its time limit."""
        suite = self.config.test
        return CommandExit(
            exit_code=completed.exit_code,
            signal=completed.signal,
            timed_out=completed.timed_out,
            cancelled=completed.cancelled,
            over_memory=f"{(suite.memory or 0) / 1e6:,.0f} MB" if completed.over_memory else "",
            error=completed.error,
            limit=suite.timeout,
            stacks=stacks,
            output=completed.stdout,
        )

    def report_file(self, task: TestTask, scratch: Path) -> Path | None:
        """Return the file of `reports = "junit:FILE"`, or None; FILE is relative to where the command runs."""
        kind, _, name = self.config.test.reports.partition(":")
        if kind != "junit":
            return None
        (filled,) = fill((name,), self._values(task, scratch))
        return self._folder(task, scratch) / filled

    def private_folder(self, cell: Cell) -> Path:
        """Return the folder of a cell for what cells that run at once must not share."""
        return own_folders.make(self.root, "cells", cell.id)

    def coverage_folder(self, cell: Cell) -> Path:
        """Return the folder of a cell's coverage data."""
        place = coverage.folder_of(self.private_folder(cell))
        return own_folders.make(place)

    def axis_packages(self) -> tuple[str, ...]:
        """Return the names of the dependency axes."""
        return tuple(axis.name for axis in self.config.axes if axis.kind is AxisKind.DEPENDENCY)

    def expectation(self, task: TestTask) -> Expectation:
        """Return what the tests of a cell must attest."""
        locked = {item.name: item.version for item in task.entry.distributions}
        prefix = os.path.realpath(task.environment.path)
        mode = self.config.project.install
        checkout = os.path.realpath(self.config.project.path)
        return Expectation(
            prefix=prefix,
            python_version=task.entry.interpreter.version,
            implementation=task.entry.interpreter.implementation,
            packages={name: locked.get(name, "") for name in self.attest}
            | {name: lock_check.expected_version(name, task.cell.axes[name], locked) for name in self.axis_packages()},
            project=task.project.metadata.name if task.project else "",
            tested=task.project.tested if task.project else "",
            project_version=task.project.metadata.version if task.project and mode is not InstallMode.EDITABLE else "",
            project_origin={InstallMode.NONE: "", InstallMode.EDITABLE: checkout}.get(mode, prefix),
            reports=self.config.test.reports,
            variables=task.cell.variables,
            chosen=deselection.options((*self.config.test.command, *self.arguments)),
        )


def _attestable(cell: Cell, child: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a cell that its tests must be started with, but for those that shells or venvgrid set.

    Those with other characters than ASCII are left out: old Pythons read them in the encoding of the locale.
    """
    given = {
        name: child[name] for name in cell.variables if name in child and name.upper() not in variables.SET_BY_OTHERS
    }
    return {name: value for name, value in given.items() if value.isascii()}


def fill(command: tuple[str, ...], values: Mapping[str, str]) -> tuple[str, ...]:
    """Replace the placeholders in a checked command."""
    return tuple(placeholders.fill(argument, values) for argument in command)
