"""The two ends of an investigation: what is red, and a world in which it was green.

red     the cell that the user names, a cell with the failure that he names, or the first failure of the last run
green   what --good says (a date, a lock, a run); else the last run in which the cell passed, a cell of the same
        Python in which the tests passed, matrix.lock in git, or a time before: see `analysis/search/eras.py`

Both are worlds of one cell, but for a green cell of the same run.
"""

from __future__ import annotations

import re
from dataclasses import field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.analysis import grouping, history
from venvgrid.analysis.findings import Analysis
from venvgrid.analysis.neighbours import Neighbours
from venvgrid.analysis.search import eras
from venvgrid.analysis.search.culprits import GREEN, RED
from venvgrid.analysis.search.protocol import Probe, Verdict, answer
from venvgrid.app.investigation.prober import Prober
from venvgrid.app.investigation.target import Target
from venvgrid.app.investigation.timeline import utc
from venvgrid.app.investigation.worlds import distributions
from venvgrid.app.plan import by_platform, make_plan
from venvgrid.app.request import runnable
from venvgrid.app.run import load, trial
from venvgrid.config.axis_values import as_of
from venvgrid.config.values import BadValueError
from venvgrid.model import LockEntry, NothingToRunError, UsageError
from venvgrid.model.values import dataclass
from venvgrid.planning import expansion
from venvgrid.processes import runner
from venvgrid.reporters import text
from venvgrid.resolving import changed_cells, lockfile
from venvgrid.results import run_folders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.app.context import RunContext
    from venvgrid.model import Cell, CellResult
    from venvgrid.results.report import Report

TODAY = "today"
WORDS = {TODAY, "release"}  # of the axis `as-of`; they are no times
MAX_COMMITS = 20  # of matrix.lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Red:
    """A red cell: its result in the last run, None if it did not run, and the failure that is meant."""

    cell: str
    result: CellResult | None = None
    target: Target = field(default_factory=Target)
    all_failures: Target = field(default_factory=Target)  # all failures that are to be explained

    @classmethod
    def of(cls, result: CellResult) -> Red:
        """Return a red cell all of whose failures are to be explained."""
        return cls(cell=result.id, result=result, target=Target.of(result), all_failures=Target.all_of(result))


@dataclass(frozen=True, slots=True, kw_only=True)
class Green:
    """A world that is said to be green: versions by name, or what resolves until a time.

    `cell` is the cell that it is of, if that is another one. `since` is RFC 3339: it holds nothing younger.
    """

    name: str
    packages: Mapping[str, str] | None = None
    cutoff: str | None = None
    cell: Cell | None = None
    since: str = ""
    until: str = ""  # the red end was red at this time, too


def find_red(report: Report | None, wanted: str) -> Red | None:
    """Return the red cell of a run that is meant: an id, or words of a failure; with "" that of the first failure.

    Raises:
        UsageError: no cell was red.
    """
    if report is None:
        return Red(cell=wanted) if wanted else None
    results = {cell.id: cell for cell in report.cells}
    if wanted in results:
        result = results[wanted]
        return Red.of(result) if result.outcome.is_red else Red(cell=wanted)
    for group in grouping.by_signature(report.cells):
        texts = (group.signature, group.headline, *group.tests)
        if not wanted or any(wanted in text for text in texts):
            result = results[group.cells[0]]
            target = Target.of(result, group.signature)
            every = Target(tests=target.tests) if wanted else Target.all_of(result)
            return Red(cell=result.id, result=result, target=target, all_failures=every)
    if wanted:
        return Red(cell=wanted)
    red = next((cell for cell in report.cells if cell.outcome.is_red), None)
    if red is None:
        raise NothingToRunError(
            "no cell was red in the last run; name a cell and a time when it was green: venvgrid why CELL --good DATE"
        )
    return Red.of(red)


def make_red(context: RunContext) -> Red:
    """Run the cells of a configuration until one is red, and return it.

    Raises:
        NothingToRunError: none is.
    """
    plan = by_platform(make_plan(context), context.machine.platform)
    context.front.notify(f"there is no earlier run: {text.count(len(runnable(plan)), 'cell')} to run until one is red")
    for result in trial(context.with_options(fail_fast=True), plan).cells:
        if result.outcome.is_red:
            return Red.of(result)
    raise NothingToRunError("no cell is red: there is nothing to explain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Both ends of an investigation, as bases of a prober; `green` is None if none was found."""

    prober: Prober
    red: str  # what the user calls it
    green: Green | None


def find_ends(context: RunContext, cell: Cell, red: Red, report: Report | None, *, good: str) -> Ends:
    """Return the two worlds of a red cell.

    Raises:
        UsageError: one of the two does not resolve, or `good` is none.
    """
    given = _given(context, cell, good) if good else None  # a mistake of typing shows before anything is resolved
    prober = Prober(context=context, target=red.target, cells={"": cell})
    if red.result is not None:
        prober.set_base(RED, distributions(red.result.packages))
    world = prober.resolve(Probe(base=RED) if red.result is not None else Probe())
    prober.set_base(RED, _resolved(world, cell, TODAY).distributions)
    name = f"run {report.run}" if red.result is not None and report is not None else TODAY
    prober.titles[RED] = name
    green = given or _found(context, prober, cell, red, report)
    return _with_green(Ends(prober=prober, red=name, green=green))


def _with_green(ends: Ends) -> Ends:
    """Make the green end a base of the prober, if there is one."""
    prober, green = ends.prober, ends.green
    if green is not None:
        prober.cells = {**prober.cells, **({GREEN: green.cell} if green.cell else {})}
        prober.titles[GREEN] = green.name
        prober.set_base(GREEN, distributions(green.packages or {}))
        world = prober.resolve(Probe(base=GREEN if green.packages is not None else "", cutoff=green.cutoff))
        prober.set_base(GREEN, _resolved(world, prober.cells[""], green.name).distributions)
    return ends


def _resolved(world: LockEntry | str, cell: Cell, name: str) -> LockEntry:
    if isinstance(world, LockEntry):
        return world
    raise UsageError(f"{cell.id} does not resolve ({name}): {world}")


# The green end that the user names.


def _given(context: RunContext, cell: Cell, good: str) -> Green:
    """Return the green world of --good: the file of a lock, a run, or a date."""
    file = Path(good)
    if file.suffix == ".lock" or file.is_file():
        return _of_lock(lockfile.read(file), cell, good)
    folder = run_folders.find(context.root, good) if re.match(r"\d{8}-", good) else None
    if folder is not None:
        result = next((item for item in load(context.root, folder).cells if item.id == cell.id), None)
        if result is None or not result.packages:
            raise UsageError(f"--good {good}: {cell.id} did not run in {folder.id}")
        return Green(name=f"run {folder.id}", packages=result.packages)
    since = _time(good, cell)
    return Green(name=good, cutoff=since, since=since)


def _time(good: str, cell: Cell) -> str:
    """Return a time in the past that a user names, as `as_of` does."""
    try:
        since = "" if good in WORDS else as_of(good)
    except BadValueError:
        since = ""
    if not since:
        raise UsageError(
            f"--good {good}: no file of a lock, no run (see .venvgrid/runs), and no date such as 2023-01-31"
        )
    if utc(datetime.fromisoformat(since)) >= datetime.now(UTC):
        raise UsageError(
            f"--good {good} is not in the past: name a day on which {cell.id} was green; "
            f"without --good, one is searched for: venvgrid why {cell.id}"
        )
    return since


def _of_lock(lock: lockfile.Lock, cell: Cell, name: str) -> Green:
    environment = lock.environments.get(lock.cells.get(cell.id, ""))
    if environment is None:
        raise UsageError(f"--good {name}: it does not lock {cell.id}")
    return Green(name=name, packages={item.name: item.version for item in environment.distributions})


# The green end that is looked for.


def _found(context: RunContext, prober: Prober, cell: Cell, red: Red, report: Report | None) -> Green | None:
    """Return the first green world that there is."""
    return (
        _in_history(context, cell, red)
        or (_beside(context, report, cell, red) if report else None)
        or _in_git(context, cell, prober)
    )


def _in_history(context: RunContext, cell: Cell, red: Red) -> Green | None:
    """Return the newest run in which the cell was green, with other versions."""
    for run, result in history.of_cell(context.root, cell.id, context.config.grid):
        now = red.result.packages if red.result else {}
        if result.outcome.is_green and result.packages and result.packages != now:
            return Green(name=f"run {run}", packages=result.packages)
    return None


def _beside(context: RunContext, report: Report, cell: Cell, red: Red) -> Green | None:
    """Return the nearest cell of the run, on the same Python, in which the failing tests passed."""
    same = {item.id: item for item in report.cells if item.axes.get("python") == cell.axes["python"]}
    groups = (item for item in grouping.by_signature(report.cells) if item.signature == red.target.signature)
    passing = [name for group in groups for name in Analysis(report).passing(group) if name in same]
    nearest = Neighbours(report.cells).closest([cell.id], passing)
    if nearest is None or not red.target.signature:
        return None
    found = same[nearest[1].cell]
    cells = (item.cell for item in expansion.expand(context.config).cells)
    other = next((item for item in cells if item.id == found.id), None)
    return Green(name=found.id, packages=found.packages, cell=other)


def _in_git(context: RunContext, cell: Cell, prober: Prober) -> Green | None:
    """Return the newest lock in git whose world is green."""
    name = lockfile.path_for(context.config).name
    for commit, lock in changed_cells.earlier(context.config, MAX_COMMITS, runner.run, context.machine.environ):
        environment = lock.environments.get(lock.cells.get(cell.id, ""))
        if environment is not None:
            packages = {item.name: item.version for item in environment.distributions}
            found = Green(name=f"{name} of {commit[:10]}", packages=packages)
            prober.titles[GREEN] = found.name
            prober.set_base(GREEN, distributions(packages))
            (seen,) = prober.ask([Probe(base=GREEN)])
            if seen.verdict is Verdict.GOOD:
                return found
    return None


def walk_back(ends: Ends) -> Ends:
    """Return ends with a time before today at which the tests passed, if one is found."""
    era = answer(eras.walk_back(_today()), ends.prober.ask)
    if era is None:
        return ends
    green = Green(name=era.time[:10], cutoff=era.time, since=era.time, until=era.until)
    return _with_green(replace(ends, green=green))


def _today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
