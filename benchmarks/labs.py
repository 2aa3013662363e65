"""Simulated worlds that can be probed, from a seed: grids with planted faults, and lock swaps between two cells.

A fault is a conjunction of one to three conditions on axes or resolved versions, or two of them. Its truth is known
for every cell of the grid and for every mix of a green and a red lock. Conditions of a fault are made here, not by the
code that is measured.
"""

from __future__ import annotations

import functools
import itertools
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import worlds
from packaging.version import Version

from venvgrid.analysis.diagnosis.candidates import Candidate, swaps
from venvgrid.analysis.diagnosis.ground import Ground
from venvgrid.analysis.search.protocol import Observation, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from venvgrid.analysis.rules.conditions import Condition

KINDS = {  # conditions of the fault; None for a random number
    "one cause": (None,),
    "one condition": (1,),
    "two conditions": (2,),
    "three conditions": (3,),
    "conflicts": (None,),
    "two causes": (None, None),
    "flaky failure": (None,),
    "flaky pass": (None,),
    "masked": (None,),
    "flake alone": (),
    "flaky test": (),
}
SIZES = (0.25, 0.5, 0.25)  # share of faults with one, two and three conditions, where the number is random
CONFLICT = 0.25  # share of swapped distributions that need another one, or do not go with it
MOVED = 0.5  # share of them that the resolver moves along; the others do not resolve
RARELY, OFTEN = 0.05, 0.3  # rate at which a flake fails again; rate of a flaky test
UNSEEN = 1000  # mixes of the two locks that are no candidates: a rule must be true there as well
MOST_TRIES = 200

Row = dict[str, str]  # values of axes and versions of packages


@dataclass(frozen=True, slots=True)
class Term:
    """A condition of a fault."""

    name: str
    sign: str
    value: str

    def holds(self, row: Mapping[str, str]) -> bool:
        """Whether a world meets it."""
        have = row.get(self.name)
        if have is None:
            return False
        if self.sign == "=":
            return have == self.value
        return _version(have) >= _version(self.value) if self.sign == "≥" else _version(have) <= _version(self.value)


@functools.cache
def _version(text: str) -> Version:
    return Version(text)


Fault = tuple[Term, ...]


@dataclass(kw_only=True)
class Lab:
    """A world with what its plan showed, the candidates, and the outcome of every probe."""

    source: random.Random
    kind: str
    faults: tuple[Fault, ...]
    hidden: Fault | None = None
    seen: dict[str, Observation] = field(default_factory=dict)
    odd: str = ""  # the planned cell whose outcome was an accident
    candidates: tuple[Candidate, ...] = ()
    unseen: tuple[Candidate, ...] = ()
    needs: dict[str, tuple[str, bool]] = field(default_factory=dict)  # swapped → what it needs; whether that is moved
    green: Mapping[str, str] = field(default_factory=dict)
    red: Mapping[str, str] = field(default_factory=dict)

    def really(self, world: Candidate) -> Candidate | None:
        """Return a world as it is installed; None for a swap that does not resolve."""
        if not world.swapped:
            return world
        packages, taken = dict(world.packages), list(world.swapped)
        for name in taken:
            other, is_moved = self.needs.get(name, ("", True))
            if not other or packages.get(other) == self.red.get(other):
                continue
            if not is_moved:
                return None
            packages[other] = self.red[other]
            taken.append(other)
        return Candidate(name=world.name, axes=world.axes, packages=packages)

    def broken(self, world: Candidate) -> bool:
        """Whether the fault breaks a world, as it is installed."""
        row = _row(world)
        return any(all(term.holds(row) for term in fault) for fault in self.faults)

    def is_hidden(self, world: Candidate) -> bool:
        """Whether another failure hides whether the fault breaks a world."""
        row = _row(world)
        return self.hidden is not None and all(term.holds(row) for term in self.hidden)

    def run(self, world: Candidate, runs: int = 1) -> Observation:
        """Return what a probe shows."""
        real = self.really(world)
        if real is None or self.is_hidden(real):
            return Observation(verdict=Verdict.UNKNOWN, axes=world.axes, packages=world.packages)
        bad = sum(self._fails(real) for _ in range(runs))
        verdict = Verdict.BAD if bad else Verdict.GOOD
        return Observation(verdict=verdict, axes=real.axes, packages=real.packages, runs=runs, bad_runs=bad)

    def _fails(self, world: Candidate) -> bool:
        rate = {"flake alone": RARELY, "flaky test": OFTEN}.get(self.kind, RARELY if world.name == self.odd else 0.0)
        return self.broken(world) != (self.source.random() < rate)

    def judge(self, rules: Sequence[Sequence[Condition]]) -> tuple[bool, bool]:
        """Return whether rules hold for just the worlds that the fault breaks: of all, and of those not hidden."""
        ran = [Candidate(name=name, axes=item.axes, packages=item.packages) for name, item in self.seen.items()]
        every = [real for item in (*ran, *self.candidates, *self.unseen) if (real := self.really(item))]
        known = {item.text: item.cells for item in Ground({}, every).conditions()}
        told = 0
        for rule in rules:
            cells = (1 << len(every)) - 1
            for condition in rule:
                cells &= known.get(condition.text, 0)
            told |= cells
        wrong = [world for number, world in enumerate(every) if (told >> number & 1) != self.broken(world)]
        return not wrong, all(map(self.is_hidden, wrong))


def _row(world: Candidate) -> Row:
    return {**{name: value for name, value in world.axes.items() if name == "python"}, **world.packages}


def lab(seed: str, strategy: str, kind: str, *, most_swaps: int) -> Lab:
    """Return a world whose plan shows the failure, and cells without it."""
    source = random.Random(f"{seed}-{kind}-{strategy}")  # noqa: S311  (a simulation)
    while True:
        made = worlds.cells_of(source)
        cells = [Candidate(name=cell.id, axes=cell.axes, packages=cell.packages) for cell in made]
        planned = [cells[number] for number in worlds.plan(source, made, strategy)]
        rows = list(map(_row, planned))
        faults = tuple(fault for size in KINDS[kind] if (fault := _fault(source, rows, size)))
        if len(faults) < len(KINDS[kind]):
            continue
        found = Lab(source=source, kind=kind, faults=faults)
        if kind == "masked":
            found.hidden = _fault(source, rows, None)
        bad = [world for world in planned if found.broken(world) and not found.is_hidden(world)]
        good = [world for world in planned if not found.broken(world) and not found.is_hidden(world)]
        if kind == "two causes" and not _both(rows, faults):
            continue
        if kind in {"flaky failure", "flake alone", "flaky pass"} and (bad or kind == "flake alone") and good:
            found.odd = source.choice(bad if kind == "flaky pass" else good).name
        found.seen = {world.name: _first(found, world) for world in planned}
        shown = {item.verdict for item in found.seen.values()}
        if shown >= {Verdict.GOOD, Verdict.BAD}:
            rest = [world for world in cells if world.name not in found.seen]
            _add_candidates(found, rest, most_swaps)
            return found


def _first(lab: Lab, world: Candidate) -> Observation:
    """Return what the plan showed in a cell: an odd one has its accident."""
    if lab.kind == "flaky test":
        return lab.run(world)
    if lab.is_hidden(world):
        return Observation(verdict=Verdict.UNKNOWN, axes=world.axes, packages=world.packages)
    bad = lab.broken(world) != (world.name == lab.odd)
    verdict = Verdict.BAD if bad else Verdict.GOOD
    return Observation(verdict=verdict, axes=world.axes, packages=world.packages, bad_runs=int(bad))


def _both(rows: Sequence[Row], faults: Sequence[Fault]) -> bool:
    """Whether each of two faults breaks a cell that the other one does not."""
    one, two = ([all(term.holds(row) for term in fault) for row in rows] for fault in faults)
    return any(a and not b for a, b in zip(one, two, strict=True)) and any(
        b and not a for a, b in zip(one, two, strict=True)
    )


def _fault(source: random.Random, rows: Sequence[Row], size: int | None) -> Fault:
    """Return a random conjunction that some planned cells meet and others do not, none of whose terms is idle."""
    names = [name for name in sorted(set().union(*rows)) if len({row.get(name) for row in rows}) > 1]
    size = size or source.choices((1, 2, 3), SIZES)[0]
    for _ in range(MOST_TRIES):
        if len(names) < size:
            break
        fault = tuple(_term(source, rows, name) for name in source.sample(names, size))
        met = [all(term.holds(row) for term in fault) for row in rows]
        less = ([all(term.holds(row) for term in fault if term != idle) for row in rows] for idle in fault)
        if any(met) and not all(met) and all(other != met for other in less):
            return fault
    return ()


def _term(source: random.Random, rows: Sequence[Row], name: str) -> Term:
    values = sorted({row[name] for row in rows if name in row}, key=_version)
    sign = source.choice("≥≥≤≤=")
    value = source.choice(values if sign == "=" else values[1:] if sign == "≥" else values[:-1])
    return Term(name, sign, value)


def _add_candidates(lab: Lab, rest: Sequence[Candidate], most_swaps: int) -> None:
    """Add the cells that did not run, and the swaps between the nearest failing and passing cell of one Python."""
    lab.candidates = tuple(rest)
    pairs = [
        (one, other)
        for one, other in itertools.product(lab.seen.values(), repeat=2)
        if one.verdict is Verdict.BAD and other.verdict is Verdict.GOOD and one.axes["python"] == other.axes["python"]
    ]
    if not pairs or not most_swaps:
        return
    bad, good = min(pairs, key=lambda pair: len(pair[0].packages.items() ^ pair[1].packages.items()))
    lab.green, lab.red = good.packages, bad.packages
    made = swaps(bad.axes, good.packages, bad.packages, most=most_swaps + UNSEEN)
    order = made if len(made) <= most_swaps else _shuffled(lab.source, made)
    lab.candidates += tuple(order[:most_swaps])
    lab.unseen = tuple(order[most_swaps:])
    if lab.kind == "conflicts":
        differ = sorted({name for item in made for name in item.swapped})
        for name in differ:
            if len(differ) > 1 and lab.source.random() < CONFLICT:
                other = lab.source.choice([item for item in differ if item != name])
                lab.needs[name] = (other, lab.source.random() < MOVED)


def _shuffled(source: random.Random, made: Sequence[Candidate]) -> list[Candidate]:
    """Return swaps of one distribution and of all but one first, the others in random order."""
    most = max(len(item.swapped) for item in made)
    simple: Callable[[Candidate], bool] = lambda item: len(item.swapped) in {1, most}  # noqa: E731
    rest = [item for item in made if not simple(item)]
    return [*filter(simple, made), *source.sample(rest, len(rest))]
