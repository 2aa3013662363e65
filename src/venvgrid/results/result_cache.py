"""The cache of results: a cell that passed does not run again while its inputs are the same.

    .venvgrid/results-cache/CELL/FINGERPRINT.json    a green result of a cell, and its tests; the last few are stored

The fingerprint covers the lock entry, the build of the interpreter, all inputs of the project (see `project.inputs`),
the configuration, the arguments, and all variables of builds and tests but those of the terminal, with the files that
those of builds name. Digests of these parts are stored, so that it can be told which of them changed. A result names
the further files that its tests opened. It is not kept if the tests read files that cannot be compared, or if an input
changed while they ran.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from venvgrid.interpreters.identity import identity
from venvgrid.model import CaseOutcome, CellResult, Outcome, serialization
from venvgrid.model.values import dataclass
from venvgrid.model.version import __version__
from venvgrid.processes import guests, variables
from venvgrid.results.report import Case
from venvgrid.storage import json_cache, own_folders
from venvgrid.storage.own_folders import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.model import Cell, Config, Interpreter, LockEntry
    from venvgrid.results.report import Report

FORMAT = "venvgrid-verdict-6"
FOLDER = "results-cache"  # in .venvgrid
# Variables that build backends read: with another value the project is another one.
BUILD_VARIABLES = re.compile(
    r"SETUPTOOLS_|SCM_|HATCH_|PDM_|POETRY_|PBR_|FLIT_|MATURIN_|CARGO_|RUST|CMAKE_|SKBUILD|MESON|CIBW|SOURCE_DATE_EPOCH"
    r"|DISTUTILS_|.*PRETEND_VERSION|.*_VERSION_OVERRIDE|VERSION$|ARCHFLAGS$|MACOSX_DEPLOYMENT_TARGET$"
)
# Variables that differ between two windows of one user, and each cell has temporary folders of its own. A variable
# that the configuration names counts all the same.
OF_SESSION = re.compile(r"TERM|XDG_SESSION_\w+|XDG_SEAT(?:_PATH)?|XDG_VTNR|TMPDIR|TEMP|TMP")
MAX_READ = 1 << 25  # bytes of a file that a variable of builds names; a larger one counts by size and time
VARIABLE, ALL_VARIABLES = "the variable ", "variables"
RESUMED = "resumed from run {}"  # a note of a cell
MAX_AGE = timedelta(days=7)  # of a result: no witness sees that tests read the clock, which most programs do
MAX_TOLD = 4  # variables that a message names
MAX_RESULTS_PER_CELL = 5  # verdicts of a cell: who goes back to an earlier branch finds them


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultCache:
    """The green results of one project.

    `folder` holds them. `inputs` returns the digest of the project's inputs, `content_of` the state of a place as text
    (see `project.reads`). `inherited` is what processes inherit besides variables. `may_use` False: results are kept,
    but not used. `clock` returns the time in UTC.
    """

    folder: Path
    config: Config
    arguments: tuple[str, ...]
    environ: Mapping[str, str]
    inputs: Callable[[], str]
    inherited: tuple[object, ...] = ()
    content_of: Callable[[str], str] = lambda _path: ""
    may_use: bool = True
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    asked: dict[str, str] = field(default_factory=dict)  # cell → its fingerprint when it was asked for
    asked_for: dict[str, tuple[Cell, LockEntry, str]] = field(default_factory=dict)  # what that is the fingerprint of
    why: dict[str, str] = field(default_factory=dict)  # cell → why no result of it can be used, for the user
    # What many cells share: digests of their variables, and of their interpreters.
    _of_variables: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = field(default_factory=dict)
    _of_interpreters: dict[str, tuple[Interpreter, str]] = field(default_factory=dict)

    def find(self, cell: Cell, entry: LockEntry, project: str = "") -> CellResult | None:
        """Return the earlier result of a cell that need not run again; None if it must run.

        `project` is the digest of the project as it would be installed: of its wheel.
        """
        parts = self._parts(cell, entry, project)
        self.asked_for[cell.id] = cell, entry, project
        fingerprint = self.asked[cell.id] = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        known = read(self.folder / cell.id / f"{fingerprint}.json") if self.may_use else None
        if known is None or known["fingerprint"] != fingerprint or known["since"] > self._now():
            if self.may_use:
                self.why[cell.id] = self._changed(cell.id, parts)
            return None
        if known["since"] < self._now(-MAX_AGE):
            self.why[cell.id] = f"it passed more than {MAX_AGE.days} days ago: its tests may depend on the date"
            return None
        with suppress(TypeError, ValueError, KeyError):
            result: CellResult = serialization.from_plain(CellResult, known["result"])
            moved = self.moved(result)
            self.why[cell.id] = f"a file that its tests opened has changed: {moved}" if moved else ""
            if result.outcome is Outcome.PASSED and not moved:
                since = known["since"]
                return replace(
                    result,
                    axes=cell.axes,
                    allow_failure=cell.allow_failure,
                    named=cell.named,
                    cached=True,
                    since=since,
                    reason=f"unchanged since it passed at {since[:16].replace('T', ' ')} UTC",
                    log="",
                )
        return None

    def may_find(self, cell: Cell) -> bool:
        """Return whether a cell passed with these files, configuration and arguments, whatever its versions were.

        It answers before anything is resolved or built. `find` has the last word.
        """
        if not self.may_use:
            return False
        now = self._own_parts(cell)
        for known in filter(None, map(read, (self.folder / cell.id).glob("*.json"))):
            with suppress(TypeError, ValueError, KeyError):
                is_same = now.items() <= known["parts"].items()
                if is_same and not self.moved(serialization.from_plain(CellResult, known["result"])):
                    return True
        return False

    def moved(self, result: CellResult) -> str:
        """Return a file that the tests of a cell opened and that has changed since; "" if there is none."""
        opened = result.footprint.read.items()
        return next((path for path, content in opened if self.content_of(path) != content), "")

    def complete(self, report: Report) -> Report:
        """Cache what passed in a finished run; return its report with the tests of unchanged cells.

        A file that appeared while several cells ran was made by one of them and may have been read by the others. What
        ran on another machine proves nothing of this one.
        """
        made = Counter(name for cell in report.cells if not cell.cached for name in cell.footprint.made)
        cells = []
        for cell in report.cells:
            shared = next((name for name in cell.footprint.made if made[name] > 1), "")
            doubt = cell.footprint.doubt or (shared and f"{shared} appeared while several cells ran")
            note = f"{doubt}: not kept"
            is_new = shared and cell.outcome is Outcome.PASSED and doubt != cell.footprint.doubt
            cells.append(replace(cell, notes=(*cell.notes, note)) if is_new else cell)
            is_own = not (cell.cached or doubt or cell.machine)
            if cell.outcome is Outcome.PASSED and is_own and cell.id in self.asked:
                self._keep(report, cell)
        return with_tests(replace(report, cells=tuple(cells)), self.folder)

    def _keep(self, report: Report, result: CellResult) -> None:
        """Keep the result of a cell that passed."""
        tests = {
            name: [case.verdict.value, case.duration, case.message]
            for name, case in report.tests.get(result.id, {}).items()
        }
        data = {
            "fingerprint": self.asked[result.id],
            "parts": self._parts(*self.asked_for[result.id]),
            "since": result.since or report.started,
            "result": serialization.to_plain(_of_its_own(result)),
            "tests": tests,
        }
        place = self.folder / result.id / f"{self.asked[result.id]}.json"
        with suppress(OSError, LinkError):
            own_folders.make(self.folder.parent, self.folder.name, place.parent.name)
            json_cache.write(place, data, format=FORMAT)
            others = {file: file.stat().st_mtime_ns for file in place.parent.glob("*.json") if file != place}
            kept = sorted(others, key=lambda file: (others[file] <= place.stat().st_mtime_ns, others[file]))
            for old in kept[: max(0, len(kept) - MAX_RESULTS_PER_CELL + 1)]:
                old.unlink()

    def _now(self, more: timedelta = timedelta()) -> str:
        return (self.clock() + more).isoformat(timespec="seconds")

    def _changed(self, cell: str, now: Mapping[str, str]) -> str:
        """Return what is not as it was when a cell last passed; "" if it never did."""
        places = sorted((self.folder / cell).glob("*.json"), key=lambda place: place.stat().st_mtime_ns, reverse=True)
        known = next(filter(None, map(read, places)), None)
        if known is None:
            return ""
        before = known["parts"]
        names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        moved = [name.removeprefix(VARIABLE) for name in names if name.startswith(VARIABLE)]
        told = [name for name in names if not name.startswith(VARIABLE) and not (moved and name == ALL_VARIABLES)]
        if moved:
            more = f" and {len(moved) - MAX_TOLD} more" if len(moved) > MAX_TOLD else ""
            told.append(f"{ALL_VARIABLES} ({', '.join(moved[:MAX_TOLD])}{more})")
        if not told:
            return "its result is of a later time: is the clock right?"
        return f"changed since it passed: {', '.join(told)}"

    def surroundings(self, cell: Cell, interpreter: Interpreter) -> dict[str, str]:
        """Return digests of what is around the tests of a cell, besides the project, its versions and other files."""
        given = tuple(cell.variables.items())
        if given not in self._of_variables:
            contents = {
                "the version of venvgrid": [__version__, guests.digest_of()],
                "limits, umask, priority or time zone": list(self.inherited),
            }
            self._of_variables[given] = {**_digests(contents), **self._variables(cell)}
        return {"the interpreter": self._of_interpreter(interpreter), **self._of_variables[given]}

    def _parts(self, cell: Cell, entry: LockEntry, project: str) -> dict[str, str]:
        """Return digests of all that the result of a cell depends on, by what the user calls it."""
        installed = _digests({"the versions of distributions": entry.key, "the wheel of the project": project})
        return installed | self._own_parts(cell) | self.surroundings(cell, entry.interpreter)

    def _own_parts(self, cell: Cell) -> dict[str, str]:
        """Return digests of what the user wrote."""
        configuration = [self.config.digest, str(self.config.project.path), dict(cell.axes)]
        written = {"the arguments of the tests": list(self.arguments), "files of the project": self.inputs()}
        return _digests({"the configuration": configuration, **written})

    def _of_interpreter(self, interpreter: Interpreter) -> str:
        known = self._of_interpreters.get(interpreter.executable)
        if known is None or known[0] != interpreter:
            digest = _digest([serialization.to_plain(interpreter), identity(interpreter.executable)])[:32]
            known = self._of_interpreters[interpreter.executable] = interpreter, digest
        return known[1]

    def _variables(self, cell: Cell) -> dict[str, str]:
        """Return digests of the variables that the tests of a cell and the builds get, all together and each."""
        config = self.config
        given = variables.child_environment(
            self.environ,
            pass_env=config.test.pass_env,
            extra={**config.test.env, **cell.variables},
            prefix=self.folder / "environment",  # that of a cell differs with its lock entry, which is a part already
        )
        named = {*config.test.env, *cell.variables, *config.test.pass_env}
        given = {name: value for name, value in given.items() if name in named or not OF_SESSION.fullmatch(name)}
        building = {name: value for name, value in self.environ.items() if BUILD_VARIABLES.match(name)}
        every = {name: [value] for name, value in sorted({**building, **given}.items())}
        for name, value in building.items():  # of the others the footprint tells, which knows what the tests wrote
            places = variables.paths_in(name, value, str(config.project.path))
            every[name] += map(self._state_of, filter(os.path.isfile, places))
        # A few digits tell that a value changed, and nothing of a secret; all of them together decide.
        each = {f"{VARIABLE}{name}": _few_digits(tuple(value)) for name, value in every.items()}
        return {ALL_VARIABLES: _digest([every, sorted(given)])[:32], **each}

    def _state_of(self, path: str) -> str:
        """Return the content of a file, of a large one its size and time."""
        status = Path(path).stat()
        return self.content_of(path) if status.st_size < MAX_READ else f"{status.st_size} {status.st_mtime_ns}"


def _of_its_own(result: CellResult) -> CellResult:
    """Return a result without what the run that resumed it says of it."""
    notes = tuple(note for note in result.notes if note != RESUMED.format(result.resumed))
    return replace(result, resumed="", since="", notes=notes)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _digests(contents: Mapping[str, object]) -> dict[str, str]:
    return {name: _digest(value)[:32] for name, value in contents.items()}


@functools.cache  # the variables of most cells are the same
def _few_digits(values: tuple[str, ...]) -> str:
    return _digest(values)[:4]


def read(place: Path) -> dict[str, Any] | None:
    """Read a verdict; None where there is none that can be read."""
    data = json_cache.read(place, format=FORMAT)
    return data if {"fingerprint", "parts", "since", "result", "tests"} <= data.keys() else None


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
