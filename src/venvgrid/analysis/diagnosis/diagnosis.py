"""The search for the cause of a failure by probes: what to run next, and what it proves. Pure.

    again      a failure that one world shows only is run again, and so are the ends that the caller names
    split      probes that tell the likely rules apart, until one is sure
    falsify    worlds that the rule did not meet yet, and worlds that it calls odd, once more
    confirm    the failing and the passing world of the proof, three times each

A search never asks twice for a world, except for these repeats. It ends within its budget, repeats included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.analysis.diagnosis import choice, rivals, told
from venvgrid.analysis.diagnosis.belief import believe, hiding
from venvgrid.analysis.diagnosis.candidates import Candidate, ProbeRequest, Purpose
from venvgrid.analysis.diagnosis.ground import MOST_WORLDS, Ground, spread, thinned
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from venvgrid.analysis.rules.explanation import Explanation
    from venvgrid.analysis.search.protocol import Observation, Search

BUDGET = 24  # probes, repeats included
SURE = 0.95  # chance of a rule that is told as certain
LEAST_BITS = 0.03  # that a probe must tell
REFUTING = 3  # probes that fail to refute a rule before it is certain
MOST_REFUTING = 6  # while there are rivals that one more would show; a rule that has some then is not certain
THRICE = 3  # runs of each side of a proof
TWICE = 2  # runs of an end
LEAST_DOUBT = 0.0005  # chance that a world is an accident and the rule is wrong
MOST_DOUBTED = 4  # of these that are run again
REPEAT = 0.5  # worth of a repeat, of that of a new world
RESERVE = 2  # probes for the proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A world of the proof: how often its failing tests ran, and how often they failed."""

    world: Candidate
    runs: int
    bad_runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What a search found.

    `explanation` has the rule, its chance and its rivals; without a rule, nothing fits. `failing` and `passing` are the
    proof: the nearest worlds on both sides of the rule. `is_certain`: the rule is sure, probes failed to refute it, and
    both sides showed it three times of three. `is_flaky`: the failure comes and goes, so nothing is proven. `apart` is
    the probe that would tell most. `probes` were new worlds, `repeats` were not; `unknown` were neither good nor bad.
    """

    explanation: Explanation
    failing: Shown | None = None
    passing: Shown | None = None
    is_certain: bool = False
    is_flaky: bool = False
    apart: Candidate | None = None
    probes: int = 0
    repeats: int = 0
    unknown: int = 0


def diagnose(
    seen: Mapping[str, Observation],
    candidates: Sequence[Candidate],
    *,
    at_once: int = 1,
    budget: int = BUDGET,
    ends: Sequence[str] = (),
    through: Sequence[str] = (),
    refuting: int = REFUTING,
) -> Search[ProbeRequest, Diagnosis]:
    """Search for the rule behind a failure.

    `seen` are the outcomes so far by name: cells with the failure, and cells in which its tests passed. `ends` are
    names of these that run twice before anything else. `through` are distributions that the failure names. Of
    candidates that tell the same, the first one is probed. Of more than MOST_WORLDS, an even choice is searched.
    """
    return (
        yield from _Search(
            Ground(thinned(seen, ends), spread(candidates, MOST_WORLDS)), at_once, budget, through, refuting
        ).run(ends)
    )


class _Search:
    def __init__(self, ground: Ground, at_once: int, budget: int, through: Sequence[str], refuting: int) -> None:
        self.ground, self.at_once, self.budget = ground, max(1, at_once), budget
        self.through, self.refuting = through, refuting
        self.probes = self.repeats = self.unrefuted = self.doubts = 0
        self.pair: tuple[int, int] | None = None  # the proof, once it was to be confirmed
        self.belief = believe(ground, through)
        self.hidden: dict[int, float] = {}  # chance of a world to show nothing
        self.hide()
        self.rule = self.belief.best.cells if self.belief.best else 0
        self.rivals: choice.Rivals = rivals.rivals(self.belief, SURE)

    @property
    def left(self) -> int:
        """The probes that the budget still allows."""
        return self.budget - self.probes - self.repeats

    def run(self, ends: Sequence[str]) -> Search[ProbeRequest, Diagnosis]:
        """Probe until certain, or until nothing is left to try."""
        if not self.belief.bad or not self.belief.seen & ~self.belief.bad:
            return self.diagnosis()
        yield from self.ask(self.first(ends))
        while self.left > 0 and not self.is_flaky():
            batch = self.next()
            if not batch:
                break
            yield from self.ask(batch)
        return self.diagnosis()

    def ask(self, batch: Sequence[ProbeRequest]) -> Generator[Sequence[ProbeRequest], Sequence[Observation], None]:
        """Run probes, as many at once as allowed, and learn from them."""
        batch = batch[: self.left]
        for start in range(0, len(batch), self.at_once):
            some = batch[start : start + self.at_once]
            shown = yield some
            for probe, item in zip(some, shown, strict=True):
                self.ground.observe(probe.candidate.name, item)
            again = sum(probe.is_repeat for probe in some)
            self.repeats += again
            self.probes += len(some) - again
        if batch:
            self.learn(batch)

    def learn(self, batch: Sequence[ProbeRequest]) -> None:
        """Update what is believed, and count how often the same rule stood a probe that could refute it."""
        self.belief = believe(self.ground, self.through)
        self.rivals = rivals.rivals(self.belief, SURE)
        self.hide()
        rule = self.belief.best.cells if self.belief.best else 0
        tried = sum(
            probe.purpose is Purpose.FALSIFY and self.ground.numbers[probe.candidate.name] in self.ground.tallies
            for probe in batch
        )
        self.unrefuted = 0 if (rule ^ self.rule) & self.ground.every else self.unrefuted + tried
        self.rule = rule

    def hide(self) -> None:
        """Learn which worlds are likely to show nothing: what hides the failure has rules as well."""
        if self.ground.unknown:
            worlds = choice.numbers(self.ground.open)
            self.hidden = dict(zip(worlds, choice.chances(hiding(self.ground), worlds), strict=True))

    def first(self, ends: Sequence[str]) -> list[ProbeRequest]:
        """Return the repeats that come before any rule: the ends, and a failure that was seen once."""
        names = dict.fromkeys(ends)
        if self.belief.bad.bit_count() == 1:
            names[self.ground.worlds[self.belief.bad.bit_length() - 1].name] = None
        tallies = {name: self.ground.tallies.get(self.ground.numbers[name]) for name in names}
        return [
            self.again(self.ground.numbers[name], Purpose.AGAIN, TWICE - 1)
            for name, tally in tallies.items()
            if tally and tally.runs < TWICE
        ]

    def again(self, number: int, purpose: Purpose, runs: int) -> ProbeRequest:
        """Return the repeat of a world."""
        return ProbeRequest(candidate=self.ground.worlds[number], purpose=purpose, runs=runs)

    def is_flaky(self) -> bool:
        """Whether the failure came and went, and chance explains that better than all rules."""
        mixed = sum(tally.is_mixed for tally in self.ground.tallies.values())
        is_known = mixed >= THRICE or (mixed > 0 and not self.fleeting())
        return not self.belief.hypotheses or (is_known and self.belief.flaky > SURE)

    def fleeting(self) -> list[int]:
        """Return the worlds that failed, and did not run three times; those that ran least first."""
        runs = {number: self.ground.tallies[number].runs for number in choice.numbers(self.belief.bad)}
        return sorted((number for number, count in runs.items() if count < THRICE), key=runs.__getitem__)

    def next(self) -> list[ProbeRequest]:
        """Return the probes to run next, none if there is nothing left to learn."""
        best = self.belief.best
        if best is None:
            return []
        if self.left <= RESERVE:
            return self.confirming()
        if self.belief.flaky > best.chance and (some := self.fleeting()):
            return [self.again(number, Purpose.AGAIN, 1) for number in some[: self.at_once]]
        if best.chance < SURE:
            return self.splitting() or self.confirming()
        odd = [number for number in choice.numbers(self.belief.odd) if self.ground.tallies[number].runs < THRICE]
        if not odd:
            odd = self.doubted()
            self.doubts += len(odd)
        again = [self.again(number, Purpose.AGAIN, 1) for number in odd[: self.at_once]]
        return again + self.falsifying(self.at_once - len(again)) or self.confirming()

    def falsifying(self, most: int) -> list[ProbeRequest]:
        """Return probes that could refute the rule, as many as it still has to stand."""
        wanted = self.refuting - self.unrefuted
        if wanted <= 0 and self.unrefuted < MOST_REFUTING:
            wanted = int(self.is_doubtful())
        chosen = choice.refuting(
            self.belief, self.ground.open, min(most, wanted), self.likely, self.unrefuted, self.rivals
        )
        return [ProbeRequest(candidate=self.ground.worlds[number], purpose=Purpose.FALSIFY) for number in chosen]

    def is_doubtful(self) -> bool:
        """Whether one more world would show much of what else could be true."""
        return choice.betrayer(self.belief, self.rivals, self.ground.open, self.likely) is not None

    def doubted(self) -> list[int]:
        """Return the worlds that ran once and on which the rule rests: without them, others would be as likely."""
        once = [number for number, tally in self.ground.tallies.items() if tally.runs == 1]
        doubts = zip(choice.doubts(self.belief, once), once, strict=True)
        left = MOST_DOUBTED - self.doubts
        found = [number for doubt, number in sorted(doubts, reverse=True) if doubt > LEAST_DOUBT]
        return found[: min(left, self.at_once)]

    def splitting(self) -> list[ProbeRequest]:
        """Return the probes that tell most together."""
        worlds = choice.numbers(self.ground.open)
        once = [number for number, tally in self.ground.tallies.items() if tally.runs < THRICE]
        chosen = choice.split(self.belief, [*worlds, *once], self.at_once, self.worth)
        return [
            self.again(number, Purpose.AGAIN, 1)
            if number in self.ground.tallies
            else ProbeRequest(candidate=self.ground.worlds[number], purpose=Purpose.SPLIT)
            for number, gain in chosen
            if gain > LEAST_BITS
        ]

    def worth(self, number: int) -> float:
        """Return what a world is worth: a repeat shows a world that is known, a swap may not resolve."""
        return REPEAT if number in self.ground.tallies else self.likely(number)

    def likely(self, number: int) -> float:
        """Return the chance that a world shows anything, from those that did not."""
        return 1 - self.hidden.get(number, 0.0)

    def proof(self) -> tuple[int, int] | None:
        """Return the failing and the passing world that differ least, on both sides of the rule."""
        best = self.belief.best
        if best is None:
            return None
        inside = self.steady(best.cells & self.belief.bad)
        outside = self.steady(self.belief.seen & ~best.cells & ~self.belief.bad)
        if not inside or not outside:
            return None
        worlds = {
            number: {**self.ground.worlds[number].axes, **self.ground.worlds[number].packages}
            for number in (*inside, *outside)
        }
        return choice.nearest_pair(worlds, inside, outside, self.belief.found)

    def steady(self, cells: int) -> list[int]:
        """Return the worlds whose outcome was always the same; all of these if there are none."""
        return [it for it in choice.numbers(cells) if not self.ground.tallies[it].is_mixed] or choice.numbers(cells)

    def confirming(self) -> list[ProbeRequest]:
        """Return the runs that the proof still needs, once."""
        if self.pair:
            return []
        self.pair = self.proof()
        return [
            self.again(number, Purpose.CONFIRM, THRICE - runs)
            for number in self.pair or ()
            if (runs := self.ground.tallies[number].runs) < THRICE
        ]

    def diagnosis(self) -> Diagnosis:
        """Return what was found."""
        best = self.belief.best
        pair = self.pair or self.proof()
        shown = [
            Shown(world=self.ground.worlds[number], runs=tally.runs, bad_runs=tally.bad)
            for number in pair or ()
            for tally in (self.ground.tallies[number],)
        ]
        explanation = told.explanation(self.ground, self.belief, self.through)
        mixed = any(0 < item.bad_runs < item.runs for item in shown)
        flickers = any(tally.is_mixed for tally in self.ground.tallies.values())
        is_flaky = mixed or (flickers and not explanation.rule)
        is_sure = best is not None and best.chance >= SURE and not (self.falsifying(1) or self.is_doubtful())
        sides = [bool(best and best.cells >> number & 1) for number in pair or ()]
        proven = sides == [True, False] and all(item.runs >= THRICE for item in shown)
        more = self.splitting() if best is not None and best.chance < SURE else []
        return Diagnosis(
            explanation=explanation,
            failing=shown[0] if shown else None,
            passing=shown[1] if shown else None,
            is_certain=is_sure and proven and not is_flaky,
            is_flaky=is_flaky,
            apart=next((probe.candidate for probe in more if not probe.is_repeat), None),
            probes=self.probes,
            repeats=self.repeats,
            unknown=len(self.ground.unknown),
        )
