"""What else would be true if the likeliest rule were wrong: rules that no world seen refutes. Pure.

They are far less likely than the rule, so that no split asks for them. But where two causes are at work, each may hide
behind a rule that fits all worlds seen. That two causes are rare counts nothing here: given that the rule is wrong,
which world would show it? A rival adds a cause, narrows the rule by a condition and lets another cause explain what is
lost, divides it by two conditions, or explains all by two other causes.
"""

from __future__ import annotations

import heapq
import itertools
import math
from operator import itemgetter
from typing import TYPE_CHECKING

from venvgrid.analysis.diagnosis import causes
from venvgrid.analysis.rules.conditions import common, union

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvgrid.analysis.diagnosis.belief import Belief
    from venvgrid.analysis.diagnosis.causes import Causes, Conjunction

MOST_FORMS = 400  # of rivals of one kind
MOST_SETS = 4000
MOST_ALIKE = {1: 200, 2: 10, 3: 5, 4: 3, 5: 2, 6: 2}  # conditions that are alike in the worlds seen, by their number
IN_COMMON = 0.15  # chance that two causes have a condition in common
LONGEST = 3  # conditions of a conjunction


def rivals(belief: Belief, sure: float) -> list[tuple[float, int]]:
    """Return the weight of each rival, relative to the likeliest rule, and the worlds that it says the rule gets wrong.

    There are none before the rule has the chance `sure`: until then, splits tell more.
    """
    rule = belief.best
    if rule is None or rule.chance < sure:
        return []
    made: dict[int, float] = {}
    for weight, cells in heapq.nlargest(MOST_SETS, _Search(belief).every(), key=itemgetter(0)):
        if wrong := cells ^ rule.cells:
            made[wrong] = made.get(wrong, 0.0) + weight
    return [(weight, wrong) for wrong, weight in made.items()]


class _Search:
    """What could be right instead of the likeliest rule, and the causes that this is made of."""

    def __init__(self, belief: Belief) -> None:
        self.belief = belief
        self.parts = belief.hypotheses[0].parts
        self.explained = belief.bad & belief.hypotheses[0].cells
        self.weights = belief.weights
        good = belief.seen & ~belief.bad & ~belief.hypotheses[0].cells
        self.found: Causes = causes.causes(self.weights, belief.bad, good)
        self.whole = sum(self.weights.values())
        self.known: dict[int, Sequence[tuple[float, Conjunction]]] = {}

    def weight(self, part: Sequence[int]) -> float:
        """Return the weight of a conjunction of the rule."""
        return math.prod(self.weights[cells & self.belief.seen] / self.whole for cells in part)

    def every(self) -> Iterator[tuple[float, int]]:
        """Yield the weight and the worlds of rivals."""
        for number, part in enumerate(self.parts):
            others = self.parts[:number] + self.parts[number + 1 :]
            yield from self.replaced(part, others)
            if len(part) < LONGEST:
                yield from self.narrowed(part, others)
        if len(self.parts) == 1 and len(self.parts[0]) < LONGEST:
            yield from self.divided(self.parts[0])
        yield from self.pairs()

    def replaced(self, part: Conjunction, others: Sequence[Conjunction]) -> Iterator[tuple[float, int]]:
        """Yield rivals with another cause: besides a rule of one, instead of one of two."""
        kept, lost = (others[0], self.weight(part)) if others else (part, 1.0)
        for weight, form in self.explaining(self.explained & ~common(kept)):
            for share, cells in self.spread((form,)):
                yield weight * share / lost, cells | common(kept)

    def narrowed(self, part: Conjunction, others: Sequence[Conjunction]) -> Iterator[tuple[float, int]]:
        """Yield rivals with one more condition; the other cause explains the rest, or a new one does."""
        inside, other = common(part), union(map(common, others))
        lost = math.prod(map(self.weight, others))
        forms: list[tuple[float, tuple[Conjunction, ...]]] = []
        idle = self.belief.classes.get(self.belief.seen, ())  # what holds in all worlds seen may be needed, too
        for cells in (*self.weights, *([self.belief.seen] if idle else [])):
            own = self.weights.get(cells, sum(chance for chance, _ in idle)) / self.whole
            left = self.explained & ~(inside & cells)
            if not left & ~other:
                forms.append((own, ((cells,),)))
            if left:
                forms += [(own * more / lost, ((cells,), form)) for more, form in self.explaining(left)]
        for weight, both in heapq.nlargest(MOST_FORMS, forms, key=itemgetter(0)):
            for share, chosen in self.members(both):
                narrow = inside & common(chosen[0])
                yield weight * share, narrow | (common(chosen[1]) if len(chosen) > 1 else other)

    def divided(self, part: Conjunction) -> Iterator[tuple[float, int]]:
        """Yield rivals with one of two more conditions: causes that have the rule in common."""
        inside = common(part)
        some = [(weight / self.whole, cells) for cells, weight in self.weights.items() if self.explained & ~cells]
        forms = [
            (IN_COMMON * one * two, ((first,), (second,)))
            for (one, first), (two, second) in itertools.combinations(some, 2)
            if not self.explained & ~(first | second)
        ]
        for weight, both in heapq.nlargest(MOST_FORMS, forms, key=itemgetter(0)):
            for share, cells in self.spread(both):
                yield weight * share, inside & cells

    def pairs(self) -> Iterator[tuple[float, int]]:
        """Yield two causes that explain all failing worlds."""
        own = math.prod(map(self.weight, self.parts))
        forms = [
            (one * two / own, (first, second))
            for _, hits, others in causes.covers(self.found, self.explained)
            for (one, first), (two, second) in itertools.product(self.found[hits].forms, self.found[others].forms)
        ]
        for weight, both in heapq.nlargest(MOST_FORMS, forms, key=itemgetter(0)):
            for share, cells in self.spread(both):
                yield weight * share, cells

    def explaining(self, left: int) -> Sequence[tuple[float, Conjunction]]:
        """Return the likeliest conjunctions that hold for these failing worlds at least."""
        if left not in self.known:
            every = (form for hits, cause in self.found.items() if not left & ~hits for form in cause.forms)
            self.known[left] = heapq.nlargest(MOST_FORMS, every, key=itemgetter(0))
        return self.known[left]

    def spread(self, forms: Sequence[Conjunction]) -> Iterator[tuple[float, int]]:
        """Yield the worlds of conjunctions with "or", over the conditions that are alike in the worlds seen."""
        for share, chosen in self.members(forms):
            yield share, union(map(common, chosen))

    def members(self, forms: Sequence[Conjunction]) -> Iterator[tuple[float, tuple[Conjunction, ...]]]:
        """Yield the conjunctions of conditions that are alike in the worlds seen, each with its share."""
        size = sum(map(len, forms))
        every = [self.belief.classes[cells][: MOST_ALIKE[size]] for form in forms for cells in form]
        whole = math.prod(sum(chance for chance, _ in alike) for alike in every)
        for chosen in itertools.product(*every):
            rest = iter([cells for _, cells in chosen])
            share = math.prod(chance for chance, _ in chosen) / whole
            yield share, tuple(tuple(itertools.islice(rest, len(form))) for form in forms)
