"""The whole search of `bisect`: finds the good end, narrows, proves both sides, and notices what is not in order. Pure.

    bad end, good end: twice ──▶ a good end is searched for: in doubled steps ──▶ narrow ──▶ both sides: three times
                                                                                        ▲               │
                                                    a place that contradicts ───────────┴── two more places, if the
                                                                                            budget is not used up

A result that changes from run to run is run three times more. If these are not all alike, the tests are too flaky to
tell.
"""

from __future__ import annotations

import itertools
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

from venvgrid.analysis.search.narrowing import NO_EDGE, PLAIN, Series, narrow, rounds
from venvgrid.analysis.search.protocol import Verdict
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from venvgrid.analysis.search.protocol import Observation, Search

P = TypeVar("P")
TWICE, THRICE = 2, 3
MAX_CHANGES = 3  # that are searched for, where a result is not monotone
MAX_CHECKS = 2  # places that might contradict the result


class Problem(StrEnum):
    """Why a search cannot tell."""

    FLAKY = "flaky"  # the same place is good and bad
    NOT_BAD = "not-bad"  # the bad end is good: the ends are alike
    NOT_GOOD = "not-good"  # the good end is bad
    NO_GOOD = "no-good"  # no place before the bad end is good
    UNKNOWN = "unknown"  # an end cannot be told


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A place that is good, and the next one that is known to be bad. `skipped` are the places between them."""

    good: int
    bad: int
    skipped: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisected:
    """What a search found. `changes` from good to bad, the latest last; () if there is a `problem`.

    `at` is the place of the problem. `seen` has the observations of each place, in the order of its runs.
    """

    changes: tuple[Change, ...] = ()
    problem: Problem | None = None
    at: int = 0
    seen: Mapping[int, Sequence[Observation]]

    @property
    def verdicts(self) -> dict[int, Verdict]:
        """The verdict of each place that was probed; unknown where its runs differ."""
        return {place: _verdict(some) for place, some in sorted(self.seen.items())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(Generic[P]):
    """Places from 0 to `bad`, oldest first, of which `bad` is the bad end; `good` is the good end, None if unknown.

    `probe` makes the probe of a place; its second argument counts repetitions.
    """

    bad: int
    probe: Callable[[int, int], P]
    good: int | None = None
    series: Series = PLAIN


def bisected(line: Line[P], at_once: int = 1) -> Search[P, Bisected]:
    """Return where good becomes bad. One at a time, it takes at most log2 n + 2 places between two ends that are known.

    Without a good end, the way back to one takes log2 of the distance more.
    """
    work = _Work(line=line, at_once=at_once)
    problem = yield from work.ends()
    if problem is None:
        yield from work.narrow()
        problem = yield from work.confirm()
    if problem is not None:
        return Bisected(problem=problem, at=work.at, seen=work.seen)
    return Bisected(changes=tuple(work.changes()), seen=work.seen)


def ends(line: Line[P]) -> list[P]:
    """Return the probes that each search of a line begins with: its ends, each twice, the bad one first."""
    places = [line.bad, *([] if line.good is None else [line.good])]
    return [line.probe(place, again) for place in places for again in range(TWICE)]


def is_flaky(runs: Sequence[Observation]) -> bool:
    """Return whether runs of one place differ."""
    return len({item.verdict for item in runs}) > 1


def _verdict(runs: Sequence[Observation]) -> Verdict:
    """Return what all runs of one place say, or the last three of them."""
    last = {item.verdict for item in (runs if len(runs) < THRICE * 2 - 1 else runs[-THRICE:])}
    return last.pop() if len(last) == 1 else Verdict.UNKNOWN


@dataclass(slots=True, kw_only=True)
class _Work(Generic[P]):
    """The state of a search; `at` is where a problem is."""

    line: Line[P]
    at_once: int
    seen: dict[int, list[Observation]] = field(default_factory=dict)
    at: int = 0
    spent: int = 0  # places that were probed between the ends
    checked: bool = False
    done: set[tuple[int, int]] = field(default_factory=set)  # ends between which nothing is left to try

    def changes(self) -> list[Change]:
        """Return the changes from good to bad, as far as is known."""
        told = [(place, verdict) for place, verdict in self._told() if verdict is not Verdict.UNKNOWN]
        return [
            Change(good=one, bad=other, skipped=tuple(range(one + 1, other)))
            for (one, before), (other, after) in itertools.pairwise(told)
            if (before, after) == (Verdict.GOOD, Verdict.BAD)
        ]

    def _told(self) -> list[tuple[int, Verdict]]:
        return [(place, _verdict(runs)) for place, runs in sorted(self.seen.items())]

    def ends(self) -> Search[P, Problem | None]:
        """Check the ends, each twice; search for a good one if none is known."""
        self.at, good = self.line.bad, self.line.good
        yield from self._settle([self.line.bad, *([] if good is None else [good])])
        problem = self._problem(self.line.bad, Verdict.BAD)
        if problem is not None:
            return problem
        if good is None:
            good = yield from self._walk_back()
            if good is None:
                return Problem.NO_GOOD
            yield from self._settle([good])
        self.at = good
        return self._problem(good, Verdict.GOOD)

    def _problem(self, place: int, wanted: Verdict) -> Problem | None:
        verdict = _verdict(self.seen[place])
        if verdict is wanted:
            return None
        if is_flaky(self.seen[place]):
            return Problem.FLAKY
        if verdict is Verdict.UNKNOWN:
            return Problem.UNKNOWN
        return Problem.NOT_BAD if wanted is Verdict.BAD else Problem.NOT_GOOD

    def _walk_back(self) -> Search[P, int | None]:
        """Return a good place before the bad end, or None if there is none."""
        places = self._way_back()
        for start in range(0, len(places), self.at_once):
            yield from self._ask([(place, 0) for place in places[start : start + self.at_once]])
            if good := self._are(Verdict.GOOD):
                return max(good)
        low, high = max(self._are(Verdict.UNKNOWN), default=-1), min(self._are(Verdict.BAD))
        while high - low > 1 and low >= 0:  # the good places may be few, and those before them unknown
            middle = (low + high) // 2
            yield from self._ask([(middle, 0)])
            verdict = _verdict(self.seen[middle])
            if verdict is Verdict.GOOD:
                return middle
            low, high = (middle, high) if verdict is Verdict.UNKNOWN else (low, middle)
        return None

    def _way_back(self) -> list[int]:
        """Return the places to try, in doubled steps: ends of major series, else of minor ones, else places.

        The oldest place is the last.
        """
        before = range(self.line.bad, 0, -1)
        ranks = {place: self.line.series.rank(place) for place in before}
        best = min(ranks.values(), default=NO_EDGE)
        ends = [place - 1 for place in before if ranks[place] == best]
        doubled = [2**power - 1 for power in range(len(ends).bit_length())]
        return list(dict.fromkeys([*(ends[step] for step in doubled), *([0] if self.line.bad else [])]))

    def _are(self, verdict: Verdict) -> list[int]:
        oldest = min((place for place, known in self._told() if known is Verdict.BAD), default=0)
        return [
            place
            for place, known in self._told()
            if known is verdict and (place < oldest or known is not Verdict.UNKNOWN)
        ]

    def narrow(self) -> Search[P, None]:
        """Search between the latest good place and the bad one after it."""
        for _ in range(MAX_CHANGES):
            left = [(item.good, item.bad) for item in self.changes() if item.bad - item.good > 1]
            left = [ends for ends in left if ends not in self.done]
            if not left:
                return
            low, high = left[-1]
            known = {place: self.seen[place][-1] for place in range(low + 1, high) if place in self.seen}
            found = yield from narrow(
                low, high, lambda place: self.line.probe(place, 0), self.at_once, self.line.series, known
            )
            new = {place: item for place, item in found.seen.items() if place not in self.seen}
            self.spent += len(new)
            self.seen.update({place: [item] for place, item in new.items()})
            self.done.add((found.low, found.high))

    def confirm(self) -> Search[P, Problem | None]:
        """Run both sides of each change until each has three runs that agree, and look for contradictions."""
        sides: set[int] = set()
        while True:
            found = {place for item in self.changes() for place in (item.good, item.bad)}
            more = self._checks() if not self.checked else []
            self.checked = True
            if not found - sides and not more:
                return None
            sides |= found
            yield from self._settle(sorted(found), THRICE, more)
            shaky = [place for place in found if _verdict(self.seen[place]) is Verdict.UNKNOWN]
            if shaky or not self.changes():
                self.at = max(shaky, default=self.line.bad)
                return Problem.FLAKY
            yield from self.narrow()

    def _checks(self) -> list[int]:
        """Return places in the middle of what was not probed, outside of the change: they might contradict it."""
        room = rounds(self.line.bad - min(self.seen) + 1) - self.spent
        known = sorted(self.seen)
        change = self.changes()[-1]
        outside = [
            (one, other) for one, other in itertools.pairwise(known) if other <= change.good or one >= change.bad
        ]
        widest = sorted((gap for gap in outside if gap[1] - gap[0] > 1), key=lambda gap: gap[0] - gap[1])
        return [sum(gap) // 2 for gap in widest[: max(0, min(room, MAX_CHECKS))]]

    def _settle(self, places: Sequence[int], times: int = TWICE, more: Sequence[int] = ()) -> Search[P, None]:
        """Run places until each has some runs, and three more where these differ; `more` are run once."""
        missing = [(place, again) for place in places for again in range(len(self.seen.get(place, ())), times)]
        yield from self._ask([*missing, *((place, 0) for place in more)])
        shaky = [
            place for place in places if is_flaky(self.seen[place]) and _verdict(self.seen[place]) is Verdict.UNKNOWN
        ]
        yield from self._ask([(place, len(self.seen[place]) + number) for place in shaky for number in range(THRICE)])

    def _ask(self, wanted: Sequence[tuple[int, int]]) -> Search[P, None]:
        if wanted:
            seen = yield [self.line.probe(place, again) for place, again in wanted]
            for (place, _), item in zip(wanted, seen, strict=True):
                self.seen.setdefault(place, []).append(item)
