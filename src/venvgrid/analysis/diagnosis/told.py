"""What is believed, as an explanation: the rule, its support, what fits as well, its rivals. Pure."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from venvgrid.analysis.diagnosis import choice
from venvgrid.analysis.rules import evidence
from venvgrid.analysis.rules.explanation import Explanation, Rival

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venvgrid.analysis.diagnosis.belief import Belief
    from venvgrid.analysis.diagnosis.ground import Ground
    from venvgrid.analysis.rules.conditions import Condition
    from venvgrid.analysis.rules.posterior import Parts


def explanation(ground: Ground, belief: Belief, through: Sequence[str]) -> Explanation:
    """Return the likeliest rule, or none if nothing fits better than chance."""
    best = belief.best
    bad, seen = belief.bad, belief.seen
    if best is None or belief.flaky > best.chance:
        return Explanation(failed=bad.bit_count(), meeting=seen.bit_count(), is_doubtful=bad.bit_count() == 1)
    first, *more = rules(belief, best.parts)
    ways = [belief.found[cells][: evidence.MAX_ALIKE] for cells in best.parts[0]] if not more else []
    forms = [evidence.ordered(form) for form in itertools.product(*ways)] if ways else []
    others = [form for form in forms if form != first]
    inside = best.cells & seen
    return Explanation(
        rule=first,
        either=more[0] if more else (),
        failed=(inside & bad).bit_count(),
        meeting=inside.bit_count(),
        others=(seen & ~best.cells).bit_count(),
        outside=(bad & ~best.cells).bit_count(),
        odd=tuple(ground.worlds[number].name for number in choice.numbers(belief.odd)),
        alternatives=tuple(others),
        more=max(0, math.prod(len(belief.found[cells]) for part in best.parts for cells in part) - 1 - len(others)),
        blamed=tuple(item.subject for rule in (first, *more) for item in rule if item.subject in through),
        confidence=best.chance,
        rivals=tuple(
            Rival(rules=rules(belief, item.parts), chance=item.chance)
            for item in belief.hypotheses[1 : 1 + evidence.MAX_RIVALS]
            if item.chance >= evidence.MIN_RIVAL
        ),
    )


def rules(belief: Belief, parts: Parts) -> tuple[tuple[Condition, ...], ...]:
    """Return the conditions of a rule, the best of those that no world tells apart."""
    return evidence.in_order(evidence.ordered([belief.found[cells][0] for cells in part]) for part in parts)
