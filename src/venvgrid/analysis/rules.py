"""Explanation of failures: the smallest rule over axes and resolved versions that separates failing cells. Pure.

A rule is a conjunction of one to three conditions. An exact rule holds for all failing cells and for no other cell that
ran the tests. It is a correlation: two versions that always change together cannot be separated. So an explanation has
its support (numbers of cells) and the alternatives (rules of the same size that fit as well).

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

from venvgrid.model import AxisKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from venvgrid.model import CellResult

LARGEST_RULE = 3  # conditions
VERSIONED = {AxisKind.PYTHON, AxisKind.DEPENDENCY}
MAX_CONDITIONS = 50  # in pairs and threes: 50 give 19,600 threes, few enough for every failure of a run
MAX_ALTERNATIVES = 3
MAX_ALIKE = 5  # conditions with equal cells that alternatives name
MIN_FAILING = 2 / 3  # of the cells that meet an inexact rule
Order = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition on a cell, e.g. "numpy ≥ 2.0".

    `subject` is the axis or package. `beyond` is its nearest value in the run that does not meet the condition, or ""
    if its values have no order.
    """

    text: str
    subject: str
    beyond: str = ""
    is_axis: bool
    cost: int  # smaller for simpler conditions
    cells: int  # that meet it, one bit a cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The rule that separates the failing cells, with its support.

    `rule` is empty if there is none. Of the `meeting` cells that meet it `failed` have the failure; of the `others`
    that ran the tests none has. `alternatives` are other rules that fit as well; `more` counts the omitted ones.
    """

    rule: tuple[Condition, ...] = ()
    failed: int = 0
    meeting: int = 0
    others: int = 0
    alternatives: tuple[tuple[Condition, ...], ...] = ()
    more: int = 0

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

    def explain(self, failing: Collection[str], others: Collection[str]) -> Explanation:
        """Return the rule that separates `failing` cells from `others` (ids). Other cells are ignored."""
        cells = [cell for cell in self.cells if cell.id in failing or cell.id in others]
        bad = _union(1 << number for number, cell in enumerate(cells) if cell.id in failing)
        every = (1 << len(cells)) - 1
        if not bad or bad == every:
            return Explanation(failed=bad.bit_count(), meeting=bad.bit_count())
        found = _best_of_each(condition for condition in self._conditions(cells) if condition.cells & bad == bad)
        for size in range(1, LARGEST_RULE + 1):
            rules = sorted(_rules(found, bad, size), key=lambda chosen: sum(map(int.bit_count, chosen)))
            if rules:
                return _explanation(rules, found, bad, every & ~bad)
        return _inexact(found, bad, every & ~bad)

    def _conditions(self, cells: Sequence[CellResult]) -> tuple[Condition, ...]:
        names = tuple(cell.id for cell in cells)
        if names not in self._known:  # most failures of a run concern the same cells
            self._known[names] = tuple(_conditions(cells))
        return self._known[names]


Found = dict[int, list[Condition]]  # set of cells → conditions that exactly these cells meet, best first


def _best_of_each(conditions: Iterable[Condition]) -> Found:
    # Conditions with equal cells are interchangeable: rules combine sets of cells. The simplest of a subject stays.
    found: Found = {}
    for condition in conditions:
        found.setdefault(condition.cells, []).append(condition)
    for cells, alike in found.items():
        best: dict[str, Condition] = {}
        for condition in sorted(alike, key=lambda condition: (not condition.is_axis, condition.cost, condition.text)):
            best.setdefault(condition.subject, condition)
        found[cells] = list(best.values())
    return found


def _rules(found: Found, bad: int, size: int) -> Iterator[tuple[int, ...]]:
    """Yield the combinations of `size` sets of cells whose intersection is the set of failing cells."""
    if size == 1:
        if bad in found:
            yield (bad,)
        return
    # Conditions on axes first, as the user chose these values; then those that exclude most cells.
    masks = sorted(found, key=lambda cells: (not found[cells][0].is_axis, cells.bit_count()))[:MAX_CONDITIONS]
    for chosen in itertools.combinations(masks, size):
        if functools.reduce(int.__and__, chosen) == bad:
            yield chosen


def _explanation(rules: Sequence[tuple[int, ...]], found: Found, bad: int, good: int) -> Explanation:
    every = [rule for chosen in rules for rule in itertools.product(*(found[cells][:MAX_ALIKE] for cells in chosen))]
    every.sort(key=_rule_cost)
    total = sum(math.prod(len(found[cells]) for cells in chosen) for chosen in rules)
    return Explanation(
        rule=_ordered(every[0]),
        failed=bad.bit_count(),
        meeting=bad.bit_count(),
        others=good.bit_count(),
        alternatives=tuple(_ordered(rule) for rule in every[1 : 1 + MAX_ALTERNATIVES]),
        more=max(0, total - 1 - MAX_ALTERNATIVES),
    )


def _inexact(found: Found, bad: int, good: int) -> Explanation:
    """Return the condition that fewest other cells meet, if enough of those that meet it fail; else an empty rule."""
    everything = Explanation(failed=bad.bit_count(), meeting=(bad | good).bit_count())
    best = min(found, key=int.bit_count, default=0)
    if not best or bad.bit_count() < MIN_FAILING * best.bit_count():
        return everything
    others = ((bad | good) & ~best).bit_count()
    return Explanation(rule=(found[best][0],), failed=bad.bit_count(), meeting=best.bit_count(), others=others)


def _rule_cost(rule: tuple[Condition, ...]) -> tuple[int, int, str]:
    named = " ".join(sorted(condition.text for condition in rule))
    return sum(not condition.is_axis for condition in rule), sum(condition.cost for condition in rule), named


def _ordered(rule: tuple[Condition, ...]) -> tuple[Condition, ...]:
    return tuple(sorted(rule, key=lambda condition: (not condition.text.startswith("Python"), condition.text)))


# conditions


def _conditions(cells: Sequence[CellResult]) -> Iterator[Condition]:
    axes = dict.fromkeys(name for cell in cells for name in cell.axes)
    for name in axes:
        values = [cell.axes.get(name, "") for cell in cells]
        yield from _on(
            "Python" if name == "python" else name, values, is_axis=True, is_version=AxisKind.of_axis(name) in VERSIONED
        )
    for name in sorted({name for cell in cells for name in cell.packages}):
        yield from _on(name, [cell.packages.get(name, "") for cell in cells], is_axis=False, is_version=True)


def _on(name: str, values: Sequence[str], *, is_axis: bool, is_version: bool) -> Iterator[Condition]:
    """Yield the conditions on one axis or package. `values` has its value in each cell, "" if not installed."""
    masks: dict[str, int] = {}
    for number, value in enumerate(values):
        masks[value] = masks.get(value, 0) | 1 << number
    if len(masks) == 1:
        return
    condition = functools.partial(Condition, subject=name.lower(), is_axis=is_axis)
    without = 0 if is_axis else masks.pop("", 0)
    if without:
        yield condition(text=f"{name} installed", cost=1, cells=_union(masks.values()))
        yield condition(text=f"{name} not installed", cost=2, cells=without)
        if len(masks) == 1:
            return
    many = len(masks) + bool(without) > 2  # noqa: PLR2004  (of two values "other than a" is "b")
    for value, cells in masks.items():
        yield condition(text=f"{name} {value}" if is_version and value else f"{name} = {value}", cost=1, cells=cells)
        if many and is_axis:
            rest = _union(other for key, other in masks.items() if key != value)
            yield condition(text=f"{name} other than {value}", cost=3, cells=rest)
    if is_version:
        ordered = sorted(masks, key=_version)
        for low, high in itertools.pairwise(range(len(ordered))):
            below, above = (_union(masks[value] for value in half) for half in (ordered[:high], ordered[high:]))
            yield condition(text=f"{name} ≥ {ordered[high]}", cost=0, cells=above, beyond=ordered[low])
            yield condition(text=f"{name} ≤ {ordered[low]}", cost=0, cells=below, beyond=ordered[high])


def _union(masks: Iterable[int]) -> int:
    return functools.reduce(int.__or__, masks, 0)


@functools.cache
def _version(text: str) -> Order:
    """Return a sort key for versions as PEP 440 orders them. Other text comes last."""
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415

    found = re.search(r"\d[\w.+!-]*", text)
    try:
        return (0, text[: found.start()], Version(found[0].rstrip("t"))) if found else (1, text)
    except InvalidVersion:
        return (1, text)


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
    beyond = [f"{_name(item)} {item.beyond}" for item in explanation.rule if item.beyond]
    if beyond:
        lines.append(f"next tried: {', '.join(beyond)}")
    if explanation.alternatives:
        more = f" and {explanation.more} more" if explanation.more else ""
        lines.append(f"fits as well: {'; '.join(map(_joined, explanation.alternatives))}{more}")
    return tuple(lines)


def _joined(rule: Sequence[Condition]) -> str:
    return " and ".join(condition.text for condition in rule)


def _name(condition: Condition) -> str:
    return re.split(" [≥≤] ", condition.text)[0]


def _cells(number: int) -> str:
    return f"{number} cell" if number == 1 else f"{number} cells"
