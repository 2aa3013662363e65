"""The use case "bounds": the lowest versions of the dependencies with which the tests pass, per Python.

For each Python there are two cells: one resolves as the project declares, all at its lowest; the other one without
lower bounds, for the search. Of the axes of the grid, only the variables and extras stay.
"""

from __future__ import annotations

from dataclasses import field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from packaging.version import Version

from venvgrid.analysis.search import declared
from venvgrid.analysis.search.bounds import LOWEST, Found, OnePython, Project
from venvgrid.analysis.search.caps import Ends, newest_passing
from venvgrid.analysis.search.floors import Ladder, Seen, floors, together
from venvgrid.analysis.search.protocol import Observation, Probe, Search, Verdict, answer
from venvgrid.app.bounds.evidence import Witness
from venvgrid.app.investigation.prober import Prober
from venvgrid.app.investigation.target import Target
from venvgrid.app.investigation.timeline import Timeline
from venvgrid.app.plan import make_plan
from venvgrid.app.request import interpreters_for, runnable
from venvgrid.app.resolution import metadata_of
from venvgrid.installers.base import ResolveFailed, allows_python
from venvgrid.model import Axis, AxisKind, Cell, InstallMode, LockEntry, Resolution, UsageError
from venvgrid.model.config import Planning
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.outcomes.attestation import same_version
from venvgrid.planning.cell_ids import cell_id
from venvgrid.reporters import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venvgrid.analysis.search.bounds import Bounds
    from venvgrid.analysis.search.declared import Dependency
    from venvgrid.app.context import RunContext
    from venvgrid.model import Interpreter
    from venvgrid.project.metadata import Metadata
    from venvgrid.resolving.version_policies import Release

KEPT = {AxisKind.PYTHON, AxisKind.PLATFORM, AxisKind.VARIABLE, AxisKind.EXTRAS}  # axes that bounds go by
MAX_TITLES = 6  # of probes, in a message
WEEKS_BACK = (4, 26, 52, 156)  # where a green world is looked for, if today's and the lowest one are red


def find_bounds(context: RunContext, *, check: bool = False) -> Bounds:
    """Return the bounds of a project. `check`: only whether the declared floors pass; if not, which ones would.

    Raises:
        UsageError: the project is not installed, so that nothing is declared.
        NothingToRunError: no cell is left.
    """
    if context.config.project.install is InstallMode.NONE:
        raise UsageError(
            f'{context.config.file.name}: project.install = "none" installs no project, so there are no dependencies '
            "to search; choose wheel, editable or sdist"
        )
    cells = _chosen(context)
    context = _for_search(context)
    project = _project(context, cells)
    names = tuple(dict.fromkeys(item.name for python in project.pythons for item in python.dependencies))
    context = context.with_options(attest=names)
    prober = Prober(
        context=context,
        target=Target(),
        cells={cell.id: cell for item in project.pythons for cell in _cells(item.cell)},
        metadata_for=lambda cell, found: (
            found if cell.id.endswith(LOWEST) else replace(found, requires=declared.relaxed(found.requires))
        ),
    )
    searcher = Searcher(context=context, prober=prober, times=Timeline(context=context), check=check)
    try:
        found = answer(together([searcher.search(item) for item in project.pythons]), searcher.ask)
    finally:
        prober.tidy()
    return Witness(prober=prober, releases=searcher.finals, names=names).bounds(project, found)


def _chosen(context: RunContext) -> tuple[Cell, ...]:
    """Return one cell of the grid for each Python, that with most extras."""
    full = replace(context.config, planning=Planning(), strategy="full")
    found: dict[str, Cell] = {}
    for cell in runnable(make_plan(replace(context, config=full).sharing(context))):
        known = found.setdefault(cell.axes["python"], cell)
        if len(_extras(context, cell)) > len(_extras(context, known)):
            found[cell.axes["python"]] = cell
    return tuple(found.values())


def _for_search(context: RunContext) -> RunContext:
    """Return the context with the axes that bounds go by; its resolves are as of today."""
    config = context.config
    values = (Resolution.HIGHEST.value, Resolution.LOWEST_DIRECT.value)
    resolution = Axis(name="resolution", kind=AxisKind.RESOLUTION, values=values)
    changed = replace(
        config,
        axes=(*(axis for axis in config.axes if axis.kind in KEPT), resolution),
        install=replace(config.install, as_of=None, resolution=Resolution.HIGHEST),
    )
    return replace(context, config=changed).sharing(context)


def _cells(cell: Cell) -> tuple[Cell, Cell]:
    """Return the cell of a search, and that of the lowest versions as they are declared."""
    lowest = {**cell.axes, "resolution": Resolution.LOWEST_DIRECT.value}
    return cell, replace(cell, id=f"{cell.id}{LOWEST}", axes=lowest)


def _extras(context: RunContext, cell: Cell) -> tuple[str, ...]:
    """Return the extras with which a cell installs the project."""
    axis = next((axis.name for axis in context.config.axes if axis.kind is AxisKind.EXTRAS), "")
    return tuple(filter(None, cell.axes[axis].split(","))) if axis else context.config.project.extras


def _project(context: RunContext, cells: Sequence[Cell]) -> Project:
    """Return the Pythons with their dependencies, and the reasons of those that cannot be searched."""
    context.project.check()
    chosen, _ = interpreters_for(context, [cell.axes["python"] for cell in cells])
    metadata = metadata_of(context, chosen)
    project = Project(values=tuple(cell.axes["python"] for cell in cells))
    for cell in cells:
        python = cell.axes["python"]
        interpreter, found = chosen[python], metadata[python]
        if isinstance(interpreter, str) and context.skips_missing:
            project.notes.append(f"Python {python} is left out: {interpreter}")
        elif isinstance(interpreter, str):
            project.problems[python] = interpreter
        elif found is None or isinstance(found, ResolveFailed):
            project.problems[python] = found.reason if found else "the project is not installed"
        elif not allows_python(found.requires_python, interpreter.version):
            project.notes.append(f"Python {python} is left out: the project requires {found.requires_python}")
        else:
            project.name = found.name
            project.pythons.append(_one(context, cell, interpreter, found))
    return project


def _one(context: RunContext, cell: Cell, interpreter: Interpreter, metadata: Metadata) -> OnePython:
    axes = {axis.name: cell.axes.get(axis.name, Resolution.HIGHEST.value) for axis in context.config.axes}
    mine = cell_id([axis for axis in context.config.axes if axis.name != "resolution"], axes, context.config.grid)
    wanted = declared.dependencies(metadata.name, metadata.requires, _extras(context, cell), interpreter.markers)
    return OnePython(cell=Cell(id=mine, axes=axes), interpreter=interpreter, dependencies=wanted)


@dataclass(kw_only=True)
class Searcher:
    """Searches the floors of each Python; see `find_bounds`."""

    context: RunContext
    prober: Prober
    times: Timeline
    check: bool
    _known: dict[str, list[Release]] = field(default_factory=dict, init=False)

    def ask(self, probes: Sequence[Probe]) -> list[Observation]:
        """Return what probes show; a world whose tests did not attest the versions asked for shows nothing."""
        titles = tuple(dict.fromkeys(map(_title, probes)))
        self.context.front.notify(f"{len(probes)} to try: {text.some(titles, MAX_TITLES)}")
        return [self._attested(*item) for item in zip(probes, self.prober.ask(probes), strict=True)]

    def _attested(self, probe: Probe, seen: Observation) -> Observation:
        result = self.prober.result(probe) if seen.verdict is Verdict.GOOD else None
        if result is None:
            return seen
        for name, version in probe.pins:
            there = result.attested.packages.get(name, "")
            if not same_version(there, version):
                reason = f"{name} {version} was asked for, and {there or 'no version'} was attested"
                return replace(seen, verdict=Verdict.UNKNOWN, reason=reason)
        return seen

    def search(self, item: OnePython) -> Search[Probe, Found]:
        """Return what is found on one Python."""
        found = Found(of=item, lowest=self._as_declared(item))
        if self.check:
            (seen,) = yield [found.lowest]
            if seen.verdict is Verdict.GOOD:
                found.passes = seen
                return found
        newest = item.probe({})
        (today,) = yield [newest]
        held: dict[str, str] = {}
        if today.verdict is Verdict.BAD:
            capped = yield from newest_passing(item, today, self._ends(found))
            held, found.caps, found.problem = capped.held, capped.culprits, capped.problem
            newest = item.probe(held)
            (today,) = yield [newest]
        if today.verdict is not Verdict.GOOD:
            found.is_impossible = not today.runs and newest not in self.prober.undecided
            found.problem = found.problem or f"with the newest versions: {today.reason or 'the tests fail'}"
            return found
        found.today = Seen(version="", probe=newest, observation=today)
        ladders = [ladder for one in item.dependencies if (ladder := self._ladder(item, one, today))]
        found.floors = yield from floors(ladders, lambda pins: item.probe({**held, **pins}), today)
        return found

    def _ends(self, found: Found) -> Ends:
        """Return what the search for a culprit starts from."""
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return Ends(lowest=found.lowest, now=today, weeks=WEEKS_BACK, keep=self._keep, releases=self._between)

    def _keep(self, name: str, probe: Probe) -> None:
        world = self.prober.resolve(probe)
        self.prober.bases[name] = world.distributions if isinstance(world, LockEntry) else ()

    # Releases.

    def _as_declared(self, item: OnePython) -> Probe:
        """Return the probe of the lowest versions that the project declares, as far as they can be installed together.

        The resolver keeps what the tests require as new as possible, and may raise a dependency for that. What the
        project declares counts: such a version is asked for.
        """
        plain = Probe(cell=f"{item.cell.id}{LOWEST}")
        world = self.prober.resolve(plain)
        if isinstance(world, str):
            return plain
        taken = {one.name: one.version for one in world.distributions}
        pins: dict[str, str] = {}
        for one in item.dependencies:
            lowest = next((version for version in self._installable(item, one) if one.allows(version)), "")
            if lowest and one.name in taken and not one.fixed and Version(lowest) < Version(taken[one.name]):
                alone = replace(plain, pins=((one.name, lowest),))
                pins |= {one.name: lowest} if isinstance(self.prober.resolve(alone), LockEntry) else {}
        if not pins:
            return plain
        together = replace(plain, pins=tuple(sorted(pins.items())))
        return together if isinstance(self.prober.resolve(together), LockEntry) else plain

    def finals(self, name: str, of: Dependency) -> tuple[str, ...]:
        """Return the releases that a declaration speaks of, oldest first; no pre-releases, unless it names one."""
        early = self.context.config.install.pre_releases or bool(of.specifier.prereleases)
        return tuple(item.version for item in self._releases(name) if early or not Version(item.version).is_prerelease)

    def _releases(self, name: str) -> list[Release]:
        """Return the releases of the indexes and folders of the user, oldest first, without yanked ones."""
        if name not in self._known:
            index = self.times.index
            found = {item.version: item for item in index.releases(name)} if index.addresses else {}
            if index.folders:
                found |= {item.version: item for item in index.everywhere(name) if not item.yanked}
            self._known[name] = sorted(found.values(), key=lambda item: Version(item.version))
        return self._known[name]

    def _between(self, name: str, good: str, bad: str) -> tuple[str, ...]:
        """Return the final releases between two versions, both included, from good to bad."""
        low, high = sorted((Version(good), Version(bad)))
        known = {item.version: Version(item.version) for item in self._releases(name)}
        inside = {text for text, version in known.items() if low < version < high and not version.is_prerelease}
        return tuple(sorted({good, bad, *inside}, key=Version, reverse=Version(good) > Version(bad)))

    def _installable(self, item: OnePython, of: Dependency) -> list[str]:
        """Return the releases that have a file for a Python, as far as the index tells."""
        install, python = self.context.config.install, item.interpreter.version
        builds = not install.only_binary or of.name in map(normalise, install.source_builds)
        finals = self.finals(of.name, of)
        return [
            one.version
            for one in self._releases(of.name)
            if one.version in finals and (one.has_wheel or builds) and allows_python(one.requires_python, python)
        ]

    def _ladder(self, item: OnePython, of: Dependency, today: Observation) -> Ladder | None:
        """Return the releases that may be the floor of a dependency, or None if there is none to search."""
        newest = today.packages.get(of.name, "")
        if of.fixed or not newest:
            return None
        found = [
            version
            for version in self._installable(item, of)
            if Version(version) < Version(newest) and (of.allows(version) if self.check else of.possible(version))
        ]
        first = next((version for version in found if of.allows(version)), "") if of.has_floor else ""
        return Ladder(name=of.name, versions=(*found, newest), first=first)


def _title(probe: Probe) -> str:
    """Return a probe as a user reads it: py3.9 requests 2.1."""
    pins = " ".join(f"{name} {version}" for name, version in probe.pins)
    again = " again" if probe.again else ""
    return f"{probe.cell} {pins}{again}".strip()
