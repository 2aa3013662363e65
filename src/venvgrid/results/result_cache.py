"""The cache of results: a cell that passed does not run again while its inputs are the same.

    .venvgrid/results-cache/CELL/FINGERPRINT.json    a green result of a cell, and its tests; the last few are stored

The fingerprint covers the lock entry, the build of the interpreter, every file of the project, the configuration, the
arguments, and all variables of the tests. It does not cover time, network, the libraries of the machine, and files
outside the project.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from venvgrid.interpreters.identity import identity
from venvgrid.model import CaseOutcome, CellResult, Outcome, serialization
from venvgrid.model.version import __version__
from venvgrid.processes import variables
from venvgrid.results.report import Case
from venvgrid.storage.atomic import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from venvgrid.model import Cell, Config, LockEntry
    from venvgrid.results.report import Report

FORMAT = "venvgrid-verdict-1"
FOLDER = "results-cache"  # in .venvgrid
MAX_RESULTS_PER_CELL = 5  # verdicts of a cell: who goes back to an earlier branch finds them


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultCache:
    """The green results of one project. `folder` holds them; `snapshot` maps each file of the project to its digest.

    `may_use` False: they are kept, but not used.
    """

    folder: Path
    config: Config
    arguments: tuple[str, ...]
    environ: Mapping[str, str]
    snapshot: Callable[[], Mapping[str, str]]
    may_use: bool = True
    asked: dict[str, str] = field(default_factory=dict)  # cell → its fingerprint when it was asked for

    def find(self, cell: Cell, entry: LockEntry, project: str = "") -> CellResult | None:
        """Return the earlier result of a cell that need not run again; None if it must run.

        `project` is the digest of the project as it would be installed: of its wheel.
        """
        fingerprint = self.asked[cell.id] = self._fingerprint(cell, entry, project)
        known = read(self.folder / cell.id / f"{fingerprint}.json") if self.may_use else None
        if known is None or known["fingerprint"] != fingerprint:
            return None
        with suppress(TypeError, ValueError, KeyError):
            result: CellResult = serialization.from_plain(CellResult, known["result"])
            if result.outcome is Outcome.PASSED:
                since = known["since"]
                told = f"unchanged since it passed at {since[:16].replace('T', ' ')} UTC"
                return replace(
                    result,
                    axes=cell.axes,
                    allow_failure=cell.allow_failure,
                    named=cell.named,
                    cached=True,
                    since=since,
                    reason=told,
                    log="",
                )
        return None

    def complete(self, report: Report, now: Mapping[str, str]) -> Report:
        """Cache what passed in a finished run; return its report with the tests of unchanged cells.

        `now` maps the project's files to their digests after the run.
        """
        self._keep(report, now)
        return with_tests(report, self.folder)

    def _keep(self, report: Report, now: Mapping[str, str]) -> None:
        """Keep the cells of a finished run that passed; `now` maps the project's files to their digests after it.

        If a file was changed while the run went on, nobody knows which one a cell saw: nothing is kept.
        """
        before = self.snapshot()
        if any(now.get(path) != digest for path, digest in before.items()):
            return
        for result in report.cells:
            if result.outcome is not Outcome.PASSED or result.cached or result.id not in self.asked:
                continue
            tests = {
                name: [case.verdict.value, case.duration, case.message]
                for name, case in report.tests.get(result.id, {}).items()
            }
            data = {
                "format": FORMAT,
                "fingerprint": self.asked[result.id],
                "since": report.started,
                "result": serialization.to_plain(result),
                "tests": tests,
            }
            self._write(self.folder / result.id / f"{self.asked[result.id]}.json", json.dumps(data))

    def _write(self, place: Path, text: str) -> None:
        """Write a verdict and forget the oldest ones; a disk that is full costs the next run time, nothing else."""
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            write_sealed(place, text)
            kept = sorted(place.parent.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
            for old in kept[:-MAX_RESULTS_PER_CELL]:
                old.unlink()

    def _fingerprint(self, cell: Cell, entry: LockEntry, project: str) -> str:
        given = variables.child_environment(
            self.environ,
            pass_env=self.config.test.pass_env,
            extra={**self.config.test.env, **cell.variables},
            prefix=self.folder / entry.key,
        )
        # Each cell has temporary folders of its own.
        given = {name: value for name, value in given.items() if name not in {"TMPDIR", "TEMP", "TMP"}}
        contents = [
            __version__,
            [entry.key, serialization.to_plain(entry.interpreter), identity(entry.interpreter.executable)],
            [self.config.digest, str(self.config.project.path), project, list(self.arguments)],
            [dict(cell.axes), sorted(given.items()), sorted(self.snapshot().items())],
        ]
        return hashlib.sha256(json.dumps(contents).encode()).hexdigest()


def read(place: Path) -> dict[str, Any] | None:
    """Read a verdict; None where there is none that can be read."""
    with suppress(OSError, ValueError, AttributeError):
        data: dict[str, Any] = json.loads(read_sealed(place))
        if data.get("format") == FORMAT and {"fingerprint", "since", "result", "tests"} <= data.keys():
            return data
    return None


def with_tests(report: Report, folder: Path) -> Report:
    """Return a report with the tests of its unchanged cells, which are not in its run's journal."""
    tests = dict(report.tests)
    for cell in report.cells:
        if cell.cached and cell.id not in tests:
            for place in (folder / cell.id).glob("*.json"):
                if found := _tests(place, cell):
                    tests[cell.id] = found
    return replace(report, tests=MappingProxyType(tests))


def _tests(place: Path, cell: CellResult) -> Mapping[str, Case]:
    known = read(place)
    if known is None or known["since"] != cell.since:
        return {}
    with suppress(TypeError, ValueError, AttributeError):
        return {
            name: Case(verdict=CaseOutcome(verdict), duration=duration, message=message)
            for name, (verdict, duration, message) in known["tests"].items()
        }
    return {}
