"""An explanation as text: rule and support, how sure it is, what else fits. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvgrid.analysis.rules.evidence import is_test_tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from venvgrid.analysis.rules.conditions import Condition
    from venvgrid.analysis.rules.explanation import Explanation

MAX_TOLD = 3  # alternatives, besides those about test tools
MAX_ODD = 3  # odd cells
SURE = 0.95  # confidence that is not told


def describe(explanation: Explanation) -> tuple[str, ...]:
    """Return an explanation as a few lines of text: rule and support, doubts, next values, what else fits."""
    failed = explanation.failed
    if not explanation.rule:
        passed = explanation.meeting - failed
        if not passed:
            return (f"fails in every cell that ran it ({failed})",) if failed > 1 else ()
        none = f"no rule over axes and resolved versions tells {_cells(failed)} from the {passed} without it"
        return (none, *doubts(explanation))
    support = (
        f"fails in {failed} of {_cells(explanation.meeting)} with {either(explanation.rules)}, "
        f"in {explanation.outside} of {explanation.others} without"
    )
    lines = [support, *doubts(explanation)]
    if explanation.blamed:
        lines.append(f"the error or its traceback names {' and '.join(explanation.blamed)}")
    beyond = [f"{_name(item)} {item.beyond}" for rule in explanation.rules for item in rule if item.beyond]
    if beyond:
        lines.append(f"next tried: {', '.join(dict.fromkeys(beyond))}")
    if explanation.alternatives:
        tools = [rule for rule in explanation.alternatives if any(map(is_test_tool, rule))]
        rest = [rule for rule in explanation.alternatives if rule not in tools]
        told = [*tools, *rest[:MAX_TOLD]]
        left = len(explanation.alternatives) - len(told) + explanation.more
        more = f" and {left} more in results.json" if left else ""
        lines.append(f"fits as well: {'; '.join(map(_joined, told))}{more}")
    return tuple(lines)


def doubts(explanation: Explanation) -> tuple[str, ...]:
    """Return what speaks against a rule: cells that it does not fit, a single cell, rivals."""
    lines = []
    if explanation.odd:
        more = f" and {len(explanation.odd) - MAX_ODD} more" if len(explanation.odd) > MAX_ODD else ""
        again = "run it again" if len(explanation.odd) == 1 else "run them again"
        lines.append(f"does not fit {', '.join(explanation.odd[:MAX_ODD])}{more}: {again}")
    if explanation.is_doubtful:
        lines.append("seen in one cell only: run it again before you believe a rule")
    elif explanation.rule and explanation.confidence < SURE:
        rivals = "; ".join(f"{either(rival.rules)} ({_percent(rival.chance)})" for rival in explanation.rivals)
        lines.append(f"about {_percent(explanation.confidence)} sure" + (f"; or {rivals}" if rivals else ""))
        if explanation.apart:
            cell = ", ".join(f"{name} {value}" for name, value in explanation.apart.items())
            lines.append(f"one more cell would tell most: {cell}")
    return tuple(lines)


def either(rules: Iterable[Sequence[Condition]]) -> str:
    """Return one or two conjunctions as text: "Python ≥ 3.12 and six ≤ 1.15, or numpy ≥ 2"."""
    return ", or ".join(map(_joined, rules))


def _percent(chance: float) -> str:
    return f"{max(1, min(99, round(100 * chance)))} %"


def _joined(rule: Sequence[Condition]) -> str:
    return " and ".join(condition.text for condition in rule)


def _name(condition: Condition) -> str:
    return re.split(" [≥≤] ", condition.text)[0]


def _cells(number: int) -> str:
    return f"{number} cell" if number == 1 else f"{number} cells"
