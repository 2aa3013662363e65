"""The worlds of a search: those that ran, those that can be tried, and what is known of them. Pure.

Worlds are numbered. What a probe really installed replaces what it was expected to have, and teaches something about
lock swaps: the company of a swap comes with every larger one too.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from venvgrid.analysis.diagnosis.candidates import Candidate
from venvgrid.analysis.rules import conditions
from venvgrid.analysis.search.protocol import Observation, Verdict
from venvgrid.model import AxisKind, CellResult, Outcome
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from venvgrid.analysis.rules.conditions import Condition

MOST_WORLDS = 2000  # that failed, that did not, that can be tried
LEVELS = 3  # outcomes of one world that count, if they are alike

T = TypeVar("T")


@dataclass(slots=True)
class Tally:
    """How often the failing tests of a world passed, and how often they failed."""

    good: int = 0
    bad: int = 0

    @property
    def net(self) -> int:
        """Failures less passes."""
        return self.bad - self.good

    @property
    def runs(self) -> int:
        """How often they ran."""
        return self.good + self.bad

    @property
    def is_mixed(self) -> bool:
        """Whether they did both."""
        return bool(self.good and self.bad)


class Ground:
    """All worlds, and the outcomes so far. Worlds that ran come first."""

    def __init__(self, seen: Mapping[str, Observation], candidates: Iterable[Candidate]) -> None:
        """Number the worlds and count what was seen."""
        ran = [Candidate(name=name, axes=item.axes, packages=item.packages) for name, item in seen.items()]
        self.worlds = [*ran, *(_predicted(item, ran) for item in candidates if item.name not in seen)]
        self.numbers = {world.name: number for number, world in enumerate(self.worlds)}
        if len(self.numbers) != len(self.worlds):
            message = "two candidates have the same name"
            raise ValueError(message)
        self.tallies: dict[int, Tally] = {}
        self.unknown: set[int] = set()
        self._columns: dict[str, tuple[tuple[str, ...], tuple[Condition, ...]]] = {}
        self._conditions: tuple[Condition, ...] = ()  # until the packages of a world change
        for name, item in seen.items():
            self._count(self.numbers[name], item)

    @property
    def every(self) -> int:
        """All worlds, as bits."""
        return (1 << len(self.worlds)) - 1

    @property
    def open(self) -> int:
        """The worlds that were not tried, as bits."""
        return self.every & ~self.those({*self.tallies, *self.unknown})

    def those(self, numbers: Iterable[int]) -> int:
        """Return worlds as bits."""
        return conditions.bits(numbers, len(self.worlds))

    def observe(self, name: str, item: Observation) -> None:
        """Count what a probe showed."""
        number = self.numbers[name]
        self._count(number, item)
        world = self.worlds[number]
        if item.verdict is Verdict.UNKNOWN:
            return
        if item.packages and item.packages != world.packages:
            self.worlds[number] = replace(world, packages=item.packages)
            self._conditions = ()
            if world.swapped:
                self._learn(world, item.packages)

    def _count(self, number: int, item: Observation) -> None:
        if item.verdict is Verdict.UNKNOWN:
            if number not in self.tallies:
                self.unknown.add(number)
            return
        tally = self.tallies.setdefault(number, Tally())
        runs = max(item.runs, 1)
        bad = min(runs, item.bad_runs or runs) if item.verdict is Verdict.BAD else 0
        tally.bad += bad
        tally.good += runs - bad

    def _learn(self, swap: Candidate, packages: Mapping[str, str]) -> None:
        """Expect the company of a swap in each swap that has more distributions."""
        names = {*swap.packages, *packages}.difference(swap.swapped)
        company = {name: packages.get(name, "") for name in names if packages.get(name) != swap.packages.get(name)}
        for number, world in enumerate(self.worlds):
            if number not in self.tallies and set(swap.swapped) <= set(world.swapped):
                moved = {name: version for name, version in company.items() if name not in world.swapped}
                expected = {**world.packages, **moved}
                kept = MappingProxyType({name: version for name, version in expected.items() if version})
                self.worlds[number] = replace(world, packages=kept)

    def conditions(self) -> tuple[Condition, ...]:
        """Return the conditions that tell worlds apart.

        An axis of a distribution counts by the version that it resolved to: a swap changes that, and not the axis.
        """
        self._conditions = self._conditions or tuple(self._made_conditions())
        return self._conditions

    def _made_conditions(self) -> Iterator[Condition]:
        names = sorted(set[str]().union(*(world.packages for world in self.worlds)))
        installed = {normalise(name) for name in names}
        axes = dict.fromkeys(name for world in self.worlds for name in world.axes)
        own = {normalise(name) for name in axes if AxisKind.of_axis(name) is AxisKind.DEPENDENCY}
        dropped = {name for name in axes if normalise(name) in own & installed}
        rows = [
            CellResult(
                id="",
                axes={name: value for name, value in world.axes.items() if name not in dropped},
                outcome=Outcome.PASSED,
            )
            for world in self.worlds
        ]
        yield from conditions.on_axes(rows, conditions.columns_of(rows))
        for name in names:
            column = tuple([world.packages.get(name, "") for world in self.worlds])
            if self._columns.get(name, ((), ()))[0] != column:
                is_axis = normalise(name) in own
                self._columns[name] = (column, tuple(conditions.on_package(name, column, is_axis=is_axis)))
            yield from self._columns[name][1]


def _predicted(candidate: Candidate, ran: Sequence[Candidate]) -> Candidate:
    """Return a candidate with the packages of the nearest world that ran, if it has none."""
    if candidate.packages or not ran:
        return candidate
    nearest = max(ran, key=lambda world: sum(world.axes.get(name) == value for name, value in candidate.axes.items()))
    return replace(candidate, packages=nearest.packages)


def thinned(seen: Mapping[str, Observation], kept: Iterable[str] = ()) -> dict[str, Observation]:
    """Return an even choice of the worlds that failed, and of the others, if there are very many; and those `kept`."""
    bad = [name for name, item in seen.items() if item.verdict is Verdict.BAD]
    rest = [name for name, item in seen.items() if item.verdict is not Verdict.BAD]
    names = {*spread(bad, MOST_WORLDS), *spread(rest, MOST_WORLDS), *kept}
    return {name: item for name, item in seen.items() if name in names}


def spread(items: Sequence[T], most: int) -> list[T]:
    """Return at most `most` items, evenly chosen."""
    return [items[place * len(items) // most] for place in range(most)] if len(items) > most else list(items)
