"""What is believed about a cause after some observations: rules over all worlds, each with its chance. Pure.

The posterior (`analysis.rules.posterior`) works on the worlds that ran. Conditions that are alike there may differ in
those that can be tried. So each form of a rule is spread over its conditions; rules that agree on all worlds are one.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import math
from operator import itemgetter
from typing import TYPE_CHECKING

from venvgrid.analysis.diagnosis import causes
from venvgrid.analysis.diagnosis.ground import LEVELS
from venvgrid.analysis.rules import conditions, evidence, posterior
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from venvgrid.analysis.diagnosis.ground import Ground
    from venvgrid.analysis.rules.conditions import Condition

MOST_FORMS = 3000  # of rules on the worlds that ran
MOST_MEMBERS = {
    1: 1000,
    2: 12,
    3: 6,
    4: 4,
    5: 3,
    6: 2,
}  # conditions that are alike there, by the number of conditions of the rule
MOST_COVERS = 500  # pairs of causes
LEAST = 1e-7  # share of a form


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """A set of worlds that a fault may break, its chance, and its likeliest rule: conjunctions of sets of worlds."""

    cells: int
    chance: float
    parts: posterior.Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """The hypotheses, the likeliest first, and the chance that no rule holds: the failure is flaky.

    `bad` and `seen` are worlds as bits; `found` maps the worlds of conditions to these conditions, the best first.
    `weights` has those of conditions that are alike in the worlds seen, `classes` the worlds of each with its chance.
    """

    hypotheses: tuple[Hypothesis, ...]
    flaky: float
    bad: int
    seen: int
    found: Mapping[int, Sequence[Condition]]
    weights: Mapping[int, float]
    classes: Mapping[int, Sequence[tuple[float, int]]]

    @property
    def best(self) -> Hypothesis | None:
        """The likeliest hypothesis."""
        return self.hypotheses[0] if self.hypotheses else None

    @property
    def odd(self) -> int:
        """The worlds that the likeliest rule does not fit."""
        return (self.best.cells & self.seen) ^ self.bad if self.best else 0


def believe(ground: Ground, through: Sequence[str] = ()) -> Belief:
    """Return what to believe; `through` are distributions that the failure names, the likeliest first."""
    tallies = ground.tallies
    seen = ground.those(number for number, tally in tallies.items() if tally.net)
    bad = ground.those(number for number, tally in tallies.items() if tally.net > 0)
    again = [
        ground.those(number for number, tally in tallies.items() if abs(tally.net) > level)
        for level in range(1, LEVELS)
    ]
    return _posterior(ground, bad, seen, again, through, functools.partial(_flaky, ground))


def hiding(ground: Ground) -> Belief:
    """Return what to believe about the worlds that show nothing: versions that do not resolve, another failure."""
    unknown = ground.those(ground.unknown)
    return _posterior(ground, unknown, unknown | ground.those(ground.tallies), (), (), lambda null, _: null)


def _posterior(
    ground: Ground,
    bad: int,
    seen: int,
    again: Sequence[int],
    through: Sequence[str],
    flaky: Callable[[float, int], float],
) -> Belief:
    """Return the posterior over rules for the worlds `bad` of those `seen`."""
    blame = {name: place for place, name in enumerate(through)}
    found = evidence.best_of_each(ground.conditions(), blame)
    classes: dict[int, list[tuple[float, int]]] = {}
    weights: dict[int, float] = {}
    for cells, alike in found.items():
        weight = sum(map(evidence.weight, alike))
        chance = sum(evidence.weight(item) * (evidence.OF_BLAMED if item.subject in blame else 1) for item in alike)
        weights[cells & seen] = weights.get(cells & seen, 0.0) + weight
        classes.setdefault(cells & seen, []).append((chance, cells))
    for members in classes.values():
        members.sort(reverse=True)
    weights = {cells: weight for cells, weight in weights.items() if cells and cells != seen}
    fits, null, odd = posterior.fits(weights, bad, seen, again)
    if fits and (odd or len(fits[0].parts) > 1):
        fits, null, odd = _covering(fits, null, odd, weights, bad, seen)
    null = flaky(null, odd)
    whole = null + sum(fit.weight for fit in fits)
    made: dict[int, tuple[float, float, posterior.Parts]] = {}
    for weight, parts in _spread(fits, classes, whole):
        cells = conditions.union(map(conditions.common, parts))
        total, best, kept = made.get(cells, (0.0, 0.0, ()))
        made[cells] = (total + weight, max(best, weight), parts if weight > best else kept)
    hypotheses = [
        Hypothesis(cells=cells, chance=total / whole, parts=parts) for cells, (total, _, parts) in made.items()
    ]
    hypotheses.sort(key=lambda item: (-item.chance, item.cells))
    return Belief(
        hypotheses=tuple(hypotheses),
        flaky=null / whole,
        bad=bad,
        seen=seen,
        found=found,
        weights=weights,
        classes=classes,
    )


def _covering(
    fits: Sequence[posterior.Fit], null: float, odd: int, weights: Mapping[int, float], bad: int, seen: int
) -> tuple[list[posterior.Fit], float, int]:
    """Return the fits with all pairs of causes that explain just the failing worlds, in the same unit."""
    found = causes.causes(weights, bad, seen & ~bad)
    forms = [
        (2 * posterior.TWO * one * two, (first, second))
        for _, hits, others in causes.covers(found, bad)
        for (one, first), (two, second) in itertools.product(found[hits].forms, found[others].forms)
    ]
    if not forms:
        return list(fits), null, odd
    forms = heapq.nlargest(MOST_COVERS, forms, key=itemgetter(0))
    scale = posterior.ODDS ** float(odd)
    rest = [
        posterior.Fit(fit.cells, fit.weight * scale, tuple((weight * scale, parts) for weight, parts in fit.forms))
        for fit in fits
        if fit.cells != bad
    ]
    cover = posterior.Fit(bad, sum(weight for weight, _ in forms), tuple(forms))
    return [cover, *rest], null * scale, 0


def _flaky(ground: Ground, null: float, odd: int) -> float:
    """Return the weight of "no rule": a rare accident, or a test that fails everywhere at a rate of at most a half.

    Worlds that passed and failed speak for it: to a rule they are accidents, as are those `odd` ones that the best does
    not fit.
    """
    bad = sum(tally.bad for tally in ground.tallies.values())
    runs = sum(tally.runs for tally in ground.tallies.values())
    mixed = sum(min(tally.bad, tally.good) for tally in ground.tallies.values())
    rate = math.lgamma(bad + 1) + math.lgamma(runs - bad + 1) - math.lgamma(runs + 2)
    rate = rate if 2 * bad < runs else runs * math.log(1 / 2)
    expected = runs * math.log(1 - posterior.NOISE) + (mixed + odd) * math.log(posterior.ODDS)
    return (null + posterior.FLAKE * math.exp(min(rate - expected, 50.0))) / 2


def _spread(
    fits: Sequence[posterior.Fit], classes: Mapping[int, Sequence[tuple[float, int]]], whole: float
) -> Iterator[tuple[float, posterior.Parts]]:
    """Yield rules over all worlds for the likeliest forms of the fits, each with its weight."""
    every = (form for fit in fits for form in fit.forms if form[0] > LEAST * whole)
    for weight, parts in heapq.nlargest(MOST_FORMS, every, key=itemgetter(0)):
        size = sum(map(len, parts))
        members = [classes[cells][: MOST_MEMBERS[size]] for part in parts for cells in part]
        shares = math.prod(sum(chance for chance, _ in alike) for alike in members)
        for chosen in itertools.product(*members):
            rest = iter([cells for _, cells in chosen])
            share = math.prod(chance for chance, _ in chosen) / shares
            yield weight * share, tuple(tuple(itertools.islice(rest, len(part))) for part in parts)
