"""Explanation of failures: the smallest rule over axes and resolved versions that separates failing cells. Pure.

A rule is a conjunction of one to three conditions. An exact rule holds for all failing cells and for no other cell that
ran the tests. It is a correlation: two versions that always change together cannot be separated. So an explanation has
its support (numbers of cells) and the alternatives (rules of the same size that fit as well). Of rules of one size,
those about a distribution that the exception names or its traceback passes come first.

Method: a condition is a set of cells, stored as the bits of an integer. A rule is an intersection that equals the set
of failing cells. All conditions that hold for every failing cell are tried: alone, then in pairs, then in threes.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from venvgrid.analysis import conditions
from venvgrid.analysis.conditions import bits
from venvgrid.outcomes.causes import plugins

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from venvgrid.analysis.conditions import Condition
    from venvgrid.model import CellResult

LARGEST_RULE = 3  # conditions
MAX_CONDITIONS = 50  # in pairs and threes: 50 give 19,600 threes, few enough for every failure of a run
MAX_ALTERNATIVES = 200  # that are kept
MAX_TOLD = 3  # alternatives in text, besides those about test tools
MAX_ALIKE = 5  # conditions with equal cells in rules of several conditions: the best one, then those about test tools
MIN_FAILING = 2 / 3  # of the cells that meet an inexact rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The rule that separates the failing cells, with its support.

    `rule` is empty if there is none. Of the `meeting` cells that meet it `failed` have the failure; of the `others`
    that ran the tests none has. `alternatives` are other rules that fit as well; `more` counts the omitted ones.
    `blamed` are the subjects of the rule that the exception names or its traceback passes.
    """

    rule: tuple[Condition, ...] = ()
    failed: int = 0
    meeting: int = 0
    others: int = 0
    alternatives: tuple[tuple[Condition, ...], ...] = ()
    more: int = 0
    blamed: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether the rule holds for all failing cells and for no other."""
        return bool(self.rule) and self.failed == self.meeting


class Evidence:
    """The cells of a run whose outcome depends on versions, and a cache of their conditions."""

    def __init__(self, cells: Iterable[CellResult]) -> None:
        """Store the cells. Conditions are computed by `explain`."""
        self.cells = tuple(cells)
        self._known: dict[tuple[str, ...], tuple[Condition, ...]] = {}

    def explain(self, failing: Collection[str], others: Collection[str], through: Sequence[str] = ()) -> Explanation:
        """Return the rule that separates `failing` cells from `others` (ids). Other cells are ignored.

        `through` are the distributions that the exception names or its traceback passes, the likeliest first.
        """
        red, counted = frozenset(failing), frozenset([*failing, *others])
        cells = [cell for cell in self.cells if cell.id in counted]
        bad = bits((number for number, cell in enumerate(cells) if cell.id in red), len(cells))
        every = (1 << len(cells)) - 1
        if not bad or bad == every:
            return Explanation(failed=bad.bit_count(), meeting=bad.bit_count())
        blame = {name: place for place, name in enumerate(through)}
        found = _best_of_each((item for item in self._conditions(cells) if item.cells & bad == bad), blame)
        for size in range(1, LARGEST_RULE + 1):
            rules = sorted(_rules(found, bad, size, blame), key=lambda chosen: sum(map(int.bit_count, chosen)))
            if rules:
                return _explanation(rules, found, bad, every & ~bad, blame)
        return _inexact(found, bad, every & ~bad)

    def _conditions(self, cells: Sequence[CellResult]) -> tuple[Condition, ...]:
        names = tuple(cell.id for cell in cells)
        if names not in self._known:  # most failures of a run concern the same cells
            self._known[names] = tuple(conditions.conditions(cells))
        return self._known[names]


Found = dict[int, list["Condition"]]  # set of cells → conditions that exactly these cells meet, best first


def _best_of_each(every: Iterable[Condition], blame: Mapping[str, int]) -> Found:
    # Conditions with equal cells are interchangeable: rules combine sets of cells. The simplest of a subject stays.
    found: Found = {}
    for condition in every:
        found.setdefault(condition.cells, []).append(condition)
    for cells, alike in found.items():
        best: dict[str, Condition] = {}
        for condition in sorted(alike, key=lambda item: (*_rank(item, blame), item.cost, item.text)):
            best.setdefault(condition.subject, condition)
        found[cells] = list(best.values())
    return found


def _rank(condition: Condition, blame: Mapping[str, int]) -> tuple[int, bool]:
    """Return the order of subjects: those that are blamed, then axes, as the user chose their values."""
    return blame.get(condition.subject, len(blame)), not condition.is_axis


def is_test_tool(condition: Condition) -> bool:
    """Whether a condition is about pytest or a plugin."""
    return plugins.is_test_tool(condition.subject)


def _rules(found: Found, bad: int, size: int, blame: Mapping[str, int]) -> Iterator[tuple[int, ...]]:
    """Yield the combinations of `size` sets of cells whose intersection is the set of failing cells."""
    if size == 1:
        if bad in found:
            yield (bad,)
        return
    # Those that are blamed first, then axes, then those that exclude most cells.
    masks = sorted(found, key=lambda cells: (*_rank(found[cells][0], blame), cells.bit_count()))[:MAX_CONDITIONS]
    for chosen in itertools.combinations(masks, size):
        if functools.reduce(int.__and__, chosen) == bad:
            yield chosen


def _explanation(
    rules: Sequence[tuple[int, ...]], found: Found, bad: int, good: int, blame: Mapping[str, int]
) -> Explanation:
    def some(cells: int, size: int) -> list[Condition]:
        best, *rest = found[cells]
        rest.sort(key=lambda item: not is_test_tool(item))
        return [best, *rest] if size == 1 else [best, *rest][:MAX_ALIKE]

    every = [rule for chosen in rules for rule in itertools.product(*(some(cells, len(chosen)) for cells in chosen))]
    every.sort(key=functools.partial(_rule_cost, blame=blame))
    first, *others = every
    others.sort(key=lambda rule: not any(map(is_test_tool, rule)))  # these are never cut off
    kept = others[:MAX_ALTERNATIVES]
    total = sum(math.prod(len(found[cells]) for cells in chosen) for chosen in rules)
    return Explanation(
        rule=_ordered(first),
        failed=bad.bit_count(),
        meeting=bad.bit_count(),
        others=good.bit_count(),
        alternatives=tuple(map(_ordered, kept)),
        more=max(0, total - 1 - len(kept)),
        blamed=tuple(item.subject for item in first if item.subject in blame),
    )


def _inexact(found: Found, bad: int, good: int) -> Explanation:
    """Return the condition that fewest other cells meet, if enough of those that meet it fail; else an empty rule."""
    everything = Explanation(failed=bad.bit_count(), meeting=(bad | good).bit_count())
    best = min(found, key=int.bit_count, default=0)
    if not best or bad.bit_count() < MIN_FAILING * best.bit_count():
        return everything
    others = ((bad | good) & ~best).bit_count()
    return Explanation(rule=(found[best][0],), failed=bad.bit_count(), meeting=best.bit_count(), others=others)


def _rule_cost(rule: tuple[Condition, ...], blame: Mapping[str, int]) -> tuple[int, int, int, str]:
    named = " ".join(sorted(condition.text for condition in rule))
    likeliest = min(blame.get(condition.subject, len(blame)) for condition in rule)
    other = sum(not condition.is_axis and condition.subject not in blame for condition in rule)
    return likeliest, other, sum(condition.cost for condition in rule), named


def _ordered(rule: tuple[Condition, ...]) -> tuple[Condition, ...]:
    return tuple(sorted(rule, key=lambda condition: (not condition.text.startswith("Python"), condition.text)))


# text


def describe(explanation: Explanation) -> tuple[str, ...]:
    """Return an explanation as a few lines of text: rule and support, nearest values beyond it, alternatives."""
    failed, others = explanation.failed, explanation.others
    if not explanation.rule:
        passed = explanation.meeting - failed
        if not passed:
            return (f"fails in every cell that ran it ({failed})",) if failed > 1 else ()
        return (f"no rule over axes and resolved versions tells {_cells(failed)} from the {passed} without it",)
    rule = _joined(explanation.rule)
    support = f"fails in {failed} of {_cells(explanation.meeting)} with {rule}, in 0 of {others} without"
    if not explanation.is_exact:
        return (f"{support}; no rule over axes and resolved versions fits exactly",)
    lines = [support]
    if explanation.blamed:
        lines.append(f"the error or its traceback names {' and '.join(explanation.blamed)}")
    beyond = [f"{_name(item)} {item.beyond}" for item in explanation.rule if item.beyond]
    if beyond:
        lines.append(f"next tried: {', '.join(beyond)}")
    if explanation.alternatives:
        tools = [rule for rule in explanation.alternatives if any(map(is_test_tool, rule))]
        rest = [rule for rule in explanation.alternatives if rule not in tools]
        told = [*tools, *rest[:MAX_TOLD]]
        left = len(explanation.alternatives) - len(told) + explanation.more
        more = f" and {left} more in results.json" if left else ""
        lines.append(f"fits as well: {'; '.join(map(_joined, told))}{more}")
    return tuple(lines)


def _joined(rule: Sequence[Condition]) -> str:
    return " and ".join(condition.text for condition in rule)


def _name(condition: Condition) -> str:
    return re.split(" [≥≤] ", condition.text)[0]


def _cells(number: int) -> str:
    return f"{number} cell" if number == 1 else f"{number} cells"
