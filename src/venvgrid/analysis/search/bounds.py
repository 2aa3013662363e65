"""Bounds of dependencies: what is declared, what a resolver makes of it, and what is proven. Pure."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

from packaging.version import Version

from venvgrid.analysis.search.protocol import Probe
from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from venvgrid.analysis.search.culprits import Culprit
    from venvgrid.analysis.search.declared import Dependency
    from venvgrid.analysis.search.floors import Floor, Floors, Seen
    from venvgrid.analysis.search.protocol import Observation
    from venvgrid.model import Cell, Interpreter


LOWEST = "-lowest-direct"  # the end of the id of the cell that resolves as declared


class Standing(StrEnum):
    """What is known of a declared lower bound on a Python, or on all of them."""

    PROVEN = "proven"  # the lowest release that it allows passes
    TOO_LOW = "too-low"  # it allows a release that fails
    RAISED = "raised"  # the resolver takes a higher release: the lowest that it allows cannot be installed
    IMPOSSIBLE = "impossible"  # the project does not resolve
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A cell that was tested, or that does not resolve. `versions` are those of the dependencies, as attested."""

    python: str
    outcome: str
    versions: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    tests: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The lower bound of a dependency on one Python; versions are "" where they are not known.

    `declared` is the specifier, `resolvable` what the resolver takes as its lowest, `proven` the lowest that passed.
    The first evidence is the proof, the next one is what is wrong with a lower version; `fails_below`: that was tested.
    """

    name: str
    python: str
    declared: str
    standing: Standing
    resolvable: str = ""
    proven: str = ""
    evidence: tuple[Evidence, ...] = ()
    fails_below: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """A release that breaks the tests, the last one before it, and the cell that fails."""

    name: str
    python: str
    good: str
    bad: str
    evidence: Evidence
    is_direct: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two floors that fail together, with the cell that fails; `others` are at their floors too."""

    python: str
    raised: str
    partner: str
    before: str
    after: str
    evidence: Evidence
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """The cell in which all dependencies are at their floors."""

    python: str
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyBounds:
    """The bounds of one dependency on all Pythons. `lines` are the requirements, `fixed` is why there is no search."""

    name: str
    lines: tuple[str, ...]
    bounds: tuple[Bound, ...] = ()
    fixed: str = ""

    @property
    def standing(self) -> Standing:
        """The verdict over all Pythons. A bound is raised only if no Python reaches it."""
        found = {item.standing for item in self.bounds}
        order = (Standing.TOO_LOW, Standing.IMPOSSIBLE, Standing.UNKNOWN, Standing.PROVEN, Standing.RAISED)
        return next((item for item in order if item in found), Standing.PROVEN)

    @property
    def floor(self) -> str:
        """The lower bound that all Pythons prove together, or "".

        Where lower versions only cannot be installed on a Python, it may be lower than the version proven there.
        """
        proven = [Version(item.proven) for item in self.bounds if item.proven]
        needed = [Version(item.proven) for item in self.bounds if item.proven and item.fails_below]
        return str(max([min(proven), *needed])) if proven else ""

    @property
    def to_write(self) -> str:
        """The lower bound that replaces a wrong one, or "" if the declared one is not wrong."""
        return self.floor if self.standing in {Standing.TOO_LOW, Standing.RAISED} else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The bounds of a project. `problems` are why nothing can be told of a Python; `builds` and the like are counts."""

    project: str
    pythons: tuple[str, ...]
    dependencies: tuple[DependencyBounds, ...]
    joints: tuple[Joint, ...] = ()
    pairs: tuple[Pair, ...] = ()
    caps: tuple[Cap, ...] = ()
    problems: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    notes: tuple[str, ...] = ()
    resolves: int = 0
    builds: int = 0
    tests: int = 0

    @property
    def standing(self) -> Standing:
        """The verdict over all dependencies: wrong, unknown or proven."""
        found = {item.standing for item in self.dependencies if item.bounds}
        if found & {Standing.TOO_LOW, Standing.RAISED, Standing.IMPOSSIBLE}:
            return Standing.TOO_LOW
        return Standing.UNKNOWN if self.problems or Standing.UNKNOWN in found else Standing.PROVEN


def standing(
    floor: Floor, releases: Sequence[str], allows: Callable[[str], bool], *, has_floor: bool, undecided: bool
) -> Standing:
    """Return the verdict of a declared bound from the floor that a search found.

    `releases` are those of the index, `allows` says which of them the declaration allows; `undecided`: of the version
    below the floor, the resolver could not say whether it can be installed.
    """
    if floor.flaky:
        return Standing.UNKNOWN
    if floor.failing is not None and allows(floor.failing.version):
        return Standing.TOO_LOW
    lower = [item for item in releases if allows(item) and Version(item) < Version(floor.version)]
    if not lower:
        return Standing.PROVEN
    below = floor.below
    if floor.skipped or undecided or (below is not None and below.observation.runs and allows(below.version)):
        return Standing.UNKNOWN
    return Standing.RAISED if has_floor else Standing.PROVEN


@dataclass(frozen=True, kw_only=True)
class OnePython:
    """A Python and the dependencies that the project has on it. `cell` is the one of the search."""

    cell: Cell
    interpreter: Interpreter
    dependencies: tuple[Dependency, ...]

    @property
    def python(self) -> str:
        """The value of the python axis."""
        return self.cell.axes["python"]

    def probe(self, pins: Mapping[str, str]) -> Probe:
        """Return the probe of some versions, all else as new as possible."""
        return Probe(cell=self.cell.id, pins=tuple(sorted(pins.items())))


@dataclass(kw_only=True)
class Found:
    """What a search found on one Python: floors; or, of a check, that what is declared passes; or a problem."""

    of: OnePython
    lowest: Probe  # of the lowest versions that are declared
    today: Seen | None = None  # the newest world that passes
    floors: Floors | None = None
    passes: Observation | None = None  # the declared floors, together
    caps: list[tuple[Culprit, Seen]] = field(default_factory=list)  # with a world that fails
    problem: str = ""
    is_impossible: bool = False


@dataclass(kw_only=True)
class Project:
    """The project whose bounds are searched: its Pythons, and why nothing can be told of others."""

    name: str = ""
    values: tuple[str, ...] = ()  # of the python axis
    pythons: list[OnePython] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
