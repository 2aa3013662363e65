"""What is known of the cause of a failure: the likeliest rule, its support, its doubts and its rivals."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.analysis.rules.conditions import Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A less likely rule, one or two conjunctions, and its chance."""

    rules: tuple[tuple[Condition, ...], ...]
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The rule that separates the failing cells, with its support.

    `rule` is empty if there is none; `either` is a second conjunction, with "or". Of the `meeting` cells that meet them
    `failed` have the failure; of the `others` that ran the tests `outside` have it. `odd` names the cells that the rule
    does not fit. `alternatives` are other rules that fit as well; `more` counts the omitted ones. `blamed` are the
    subjects of the rule that the exception names or its traceback passes. `confidence` is the chance that the rule is
    right, if versions are the cause. `is_doubtful`: a flaky failure is likelier than any rule. `apart` are the axes of
    the cell that did not run and about which the rules disagree most.
    """

    rule: tuple[Condition, ...] = ()
    either: tuple[Condition, ...] = ()
    failed: int = 0
    meeting: int = 0
    others: int = 0
    outside: int = 0
    odd: tuple[str, ...] = ()
    alternatives: tuple[tuple[Condition, ...], ...] = ()
    more: int = 0
    blamed: tuple[str, ...] = ()
    confidence: float = 0.0
    rivals: tuple[Rival, ...] = ()
    is_doubtful: bool = False
    apart: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_exact(self) -> bool:
        """Whether the rule holds for all failing cells and for no other."""
        return bool(self.rule) and not self.odd

    @property
    def rules(self) -> tuple[tuple[Condition, ...], ...]:
        """The one or two conjunctions."""
        return tuple(filter(None, (self.rule, self.either)))
