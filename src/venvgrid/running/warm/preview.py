"""The values of previews. A preview is no result: it is never kept, and no cell is green by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model import Failure, Outcome
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_ABOUT_TESTS = frozenset({Outcome.CANCELLED, Outcome.MISMATCH, Outcome.NO_TESTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """A cell of which there is no preview: `reason`, one line. It is run as usual."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the tests of a cell said in a warm run; `outcome` is what a full run would probably say.

    `left_out` is the number of tests that were not to run. `seconds` is from the request to the end, `first` to the
    first result of a test, None without one.
    """

    cell: str
    outcome: Outcome
    reason: str
    tests: Mapping[str, int]
    failures: tuple[Failure, ...]
    left_out: int
    seconds: float
    first: float | None
    notes: tuple[str, ...] = ()

    @property
    def is_green(self) -> bool:
        """Whether the tests that ran passed."""
        return self.outcome.is_green

    @property
    def is_red(self) -> bool:
        """Whether a test failed, or the tests did not come to their end. Else the preview says nothing of them."""
        return self.outcome.is_red and self.outcome not in NOT_ABOUT_TESTS

    @property
    def failing(self) -> tuple[str, ...]:
        """The ids of the tests that failed."""
        return tuple(dict.fromkeys(failure.test for failure in self.failures if failure.test))
