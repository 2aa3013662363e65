"""Explanation of failures: the likeliest rule over axes and resolved versions, how sure it is, and its rivals. Pure.

A rule is a conjunction of one to three conditions, or two of them with "or" (see `posterior`). It may have odd cells:
those that it does not fit, as one flaky cell hides no cause. A rule is a correlation: two versions that always change
together cannot be separated. So an explanation has its support (numbers of cells), the alternatives (rules of the same
size for the same cells) and the rivals (rules for other cells, less likely). Of rules for the same cells, those about a
distribution that the exception names or its traceback passes come first.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING

from venvgrid.analysis.rules import apart, conditions, posterior
from venvgrid.analysis.rules.explanation import Explanation, Rival
from venvgrid.outcomes.causes import plugins

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from venvgrid.analysis.rules.apart import Rows
    from venvgrid.analysis.rules.conditions import Condition
    from venvgrid.analysis.rules.posterior import Fit
    from venvgrid.model import CellResult

MAX_CONDITIONS = 50  # in alternatives of two and three: 50 give 19,600 threes, few enough for every failure of a run
MAX_ALTERNATIVES = 200  # that are kept
MAX_ALIKE = 5  # conditions with equal cells in rules of several conditions: the best one, then those about test tools
MAX_RIVALS = 2
MOST_FITS, MOST_FORMS = 30, 20  # that a cell is to tell apart
MIN_RIVAL = 0.02  # chance of a rival that is told
MAX_ODD = 0.5  # odd cells for each failing one
WEIGHT = (2.0, 1.0, 1.0, 0.5)  # of a condition in the prior, by its cost
OF_AXIS = 2.0  # factor of the weight
OF_BLAMED = 20.0  # factor of the chance, among rules for the same cells


class Evidence:
    """The cells of a run whose outcome depends on versions, and a cache of their conditions."""

    def __init__(self, cells: Iterable[CellResult]) -> None:
        """Store the cells. Conditions are computed by `explain`."""
        self.cells = tuple(cells)
        self._places = {cell.id: place for place, cell in enumerate(self.cells)}
        self._known: dict[tuple[str, ...], tuple[Rows, tuple[Condition, ...]]] = {}
        self._explained: dict[tuple[int, int, tuple[str, ...], tuple[str, ...]], Explanation] = {}

    def explain(self, failing: Collection[str], others: Collection[str], through: Sequence[str] = ()) -> Explanation:
        """Return the rule that separates `failing` cells from `others` (ids). Other cells are ignored.

        `through` are the distributions that the exception names or its traceback passes, the likeliest first.
        """
        failing = frozenset(failing)
        wanted = self._places.keys() & failing.union(others)
        cells = [self.cells[place] for place in sorted(map(self._places.__getitem__, wanted))]
        those = [number for number, cell in enumerate(cells) if cell.id in failing]
        bad = conditions.bits(those, len(cells))
        every = (1 << len(cells)) - 1
        if not bad or bad == every:
            return Explanation(failed=bad.bit_count(), meeting=bad.bit_count())
        again = conditions.bits((number for number in those if cells[number].attempts > 1), len(cells))
        key = (bad, again, names := tuple(cell.id for cell in cells), tuple(through))
        if key not in self._explained:  # most failures of a run concern the same cells
            if names not in self._known:
                columns = conditions.columns_of(cells)
                self._known[names] = apart.Rows(cells, columns), tuple(conditions.conditions(cells, columns))
            self._explained[key] = _Explaining(*self._known[names], bad, again, through).explanation()
        return self._explained[key]


class _Explaining:
    """The explanation of one failure."""

    def __init__(self, rows: Rows, known: Sequence[Condition], bad: int, again: int, through: Sequence[str]) -> None:
        self.rows, self.cells, self.bad, self.every = rows, rows.cells, bad, (1 << len(rows.cells)) - 1
        self.blame = {name: place for place, name in enumerate(through)}
        self.found = best_of_each(known, self.blame)
        self.atoms: dict[int, float] = {}
        for condition in known:
            self.atoms[condition.cells] = self.atoms.get(condition.cells, 0.0) + weight(condition)
        self.fits, self.null, _ = posterior.fits(self.atoms, bad, self.every, (again,))
        self.total = self.null + sum(fit.weight for fit in self.fits)

    def explanation(self) -> Explanation:
        """Return the likeliest rule, or none if nothing fits well enough."""
        bad = self.bad.bit_count()
        none = Explanation(failed=bad, meeting=len(self.cells), is_doubtful=bad == 1)
        if not self.fits:
            return none
        best = self.fits[0]
        odd = best.cells ^ self.bad
        is_doubtful = best.best < self.null
        if odd.bit_count() > MAX_ODD * bad or (is_doubtful and bad > 1):
            return none
        first, either, others, more = self._forms(best)
        return Explanation(
            rule=first,
            either=either,
            failed=(best.cells & self.bad).bit_count(),
            meeting=best.cells.bit_count(),
            others=(self.every & ~best.cells).bit_count(),
            outside=(self.bad & ~best.cells).bit_count(),
            odd=tuple(self.cells[place].id for place in conditions.places(odd)),
            alternatives=others,
            more=more,
            blamed=tuple(item.subject for item in (*first, *either) if item.subject in self.blame),
            confidence=self._confidence(best, (*first, *either)),
            rivals=tuple(self._rivals()),
            is_doubtful=is_doubtful,
            apart=apart.cell(self.rows, self._weighted()),
        )

    def _confidence(self, best: Fit, told: Sequence[Condition]) -> float:
        """Return the chance of a rule. If cells are missing in the grid, what coincides here may differ there."""
        if self.rows.is_full:
            return best.weight / self.total
        share = math.prod(
            self._chance(condition) / sum(map(self._chance, self.found[condition.cells])) for condition in told
        )
        return best.best * share / self.total

    def _chance(self, condition: Condition) -> float:
        return weight(condition) * (OF_BLAMED if condition.subject in self.blame else 1.0)

    def _rivals(self) -> Iterator[Rival]:
        for fit in self.fits[1 : 1 + MAX_RIVALS]:
            if fit.weight >= MIN_RIVAL * self.total:
                rules = in_order(ordered([self.found[cells][0] for cells in part]) for part in fit.parts)
                yield Rival(rules=rules, chance=fit.weight / self.total)

    def _weighted(self) -> Iterator[apart.Weighted]:
        """Yield the likeliest rules on axes, each with its weight."""
        for fit in self.fits[:MOST_FITS]:
            every = [
                [item for item in self.found[cells] if item.is_axis][:MAX_ALIKE] for part in fit.parts for cells in part
            ]
            forms = math.prod(map(len, every))
            for chosen in itertools.islice(itertools.product(*every), MOST_FORMS):
                rest = iter(chosen)
                yield fit.weight / forms, tuple(tuple(itertools.islice(rest, len(part))) for part in fit.parts)

    def _forms(
        self, best: Fit
    ) -> tuple[tuple[Condition, ...], tuple[Condition, ...], tuple[tuple[Condition, ...], ...], int]:
        """Return the rule for the cells of a fit, its second conjunction, the alternatives, and how many more."""
        if len(best.parts) > 1:
            one, two = in_order(ordered([self.found[cells][0] for cells in part]) for part in best.parts)
            return one, two, (), math.prod(len(self.found[cells]) for part in best.parts for cells in part) - 1
        around = {cells: alike for cells, alike in self.found.items() if cells & best.cells == best.cells}
        for size in range(1, len(best.parts[0])):
            chosen = list(_rules(around, best.cells, size, self.blame))
            if chosen:
                break
        else:
            chosen = list(_rules(around, best.cells, len(best.parts[0]), self.blame)) or [best.parts[0]]
        chosen.sort(key=lambda parts: sum(map(int.bit_count, parts)))
        every = [rule for parts in chosen for rule in itertools.product(*(self._some(cells, parts) for cells in parts))]
        every.sort(key=functools.partial(_rule_cost, blame=self.blame))
        first, *others = every
        others.sort(key=lambda rule: not any(map(is_test_tool, rule)))  # these are never cut off
        kept = tuple(map(ordered, others[:MAX_ALTERNATIVES]))
        total = sum(math.prod(len(self.found[cells]) for cells in parts) for parts in chosen)
        return ordered(first), (), kept, max(0, total - 1 - len(kept))

    def _some(self, cells: int, parts: Sequence[int]) -> list[Condition]:
        best, *rest = self.found[cells]
        rest.sort(key=lambda item: not is_test_tool(item))
        return [best, *rest] if len(parts) == 1 else [best, *rest][:MAX_ALIKE]


Found = dict[int, list["Condition"]]  # set of cells → conditions that exactly these cells meet, best first


def weight(condition: Condition) -> float:
    """Return the weight of a condition in the prior."""
    return WEIGHT[condition.cost] * (OF_AXIS if condition.is_axis else 1.0)


def best_of_each(every: Iterable[Condition], blame: Mapping[str, int]) -> Found:
    """Return the conditions by their cells, the best first, of each subject the simplest one."""
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


def _rules(found: Found, wanted: int, size: int, blame: Mapping[str, int]) -> Iterator[tuple[int, ...]]:
    """Yield the combinations of `size` sets of cells whose intersection is `wanted`."""
    if size == 1:
        if wanted in found:
            yield (wanted,)
        return
    # Those that are blamed first, then axes, then those that exclude most cells.
    masks = sorted(found, key=lambda cells: (*_rank(found[cells][0], blame), cells.bit_count()))[:MAX_CONDITIONS]
    for chosen in itertools.combinations(masks, size):
        if functools.reduce(int.__and__, chosen) == wanted:
            yield chosen


def _rule_cost(rule: tuple[Condition, ...], blame: Mapping[str, int]) -> tuple[int, int, int, str]:
    named = " ".join(sorted(condition.text for condition in rule))
    likeliest = min(blame.get(condition.subject, len(blame)) for condition in rule)
    other = sum(not condition.is_axis and condition.subject not in blame for condition in rule)
    return likeliest, other, sum(condition.cost for condition in rule), named


def ordered(rule: Iterable[Condition]) -> tuple[Condition, ...]:
    """Return a conjunction in the order of its text, Python first."""
    return tuple(sorted(rule, key=_place))


def in_order(rules: Iterable[tuple[Condition, ...]]) -> tuple[tuple[Condition, ...], ...]:
    """Return conjunctions in the order of their text."""
    return tuple(sorted(rules, key=lambda rule: tuple(map(_place, rule))))


def _place(condition: Condition) -> tuple[bool, str]:
    return not condition.text.startswith("Python"), condition.text
