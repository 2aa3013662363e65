"""How the grid stands while it is watched: which results are of the newest state of the project. Pure."""

from __future__ import annotations

from dataclasses import field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.model import Outcome
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from venvgrid.model import CellResult

NOT_OF_THE_GRID = frozenset({Outcome.IMPOSSIBLE, Outcome.MISSING_INTERPRETER, Outcome.ELSEWHERE})  # they cannot turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The cells of a grid with their newest outcome; `fresh` are those whose outcome is of the newest state.

    `warm` are the fresh ones whose outcome is a preview. `failing` are the tests that failed last, by their cell.
    """

    cells: tuple[str, ...] = ()
    outcomes: Mapping[str, Outcome] = field(default_factory=lambda: MappingProxyType({}))
    fresh: frozenset[str] = frozenset()
    warm: frozenset[str] = frozenset()
    failing: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def planned(self, cells: Iterable[str], *, is_part: bool = False) -> Standing:
        """Return the standing of a grid with these cells, or with these among others; what is known of them stays."""
        ids = tuple(dict.fromkeys((*self.cells, *cells) if is_part else cells))
        kept = frozenset(ids)
        outcomes = {name: outcome for name, outcome in self.outcomes.items() if name in kept}
        return replace(self, cells=ids, outcomes=outcomes, fresh=self.fresh & kept, warm=self.warm & kept)

    def edited(self) -> Standing:
        """Return the standing after an edit: every result is stale."""
        return replace(self, fresh=frozenset(), warm=frozenset())

    def finished(self, result: CellResult) -> Standing:
        """Return the standing with the result of a cell. A cell that was stopped keeps what was known of it."""
        if result.outcome is Outcome.CANCELLED:
            return self
        return replace(
            self,
            outcomes={**self.outcomes, result.id: result.outcome},
            fresh=self.fresh | {result.id},
            warm=self.warm - {result.id},
            failing={**self.failing, result.id: tuple(item.test for item in result.failures if item.test)},
        )

    def previewed(self, cell: str, outcome: Outcome, failing: tuple[str, ...] = ()) -> Standing:
        """Return the standing with the preview of a cell, in which these tests failed."""
        return replace(
            self,
            outcomes={**self.outcomes, cell: outcome},
            fresh=self.fresh | {cell},
            warm=self.warm | {cell},
            failing={**self.failing, cell: failing},
        )

    @property
    def failed(self) -> tuple[str, ...]:
        """The tests that failed last, in any cell."""
        return tuple(dict.fromkeys(test for tests in self.failing.values() for test in tests))

    @property
    def red(self) -> tuple[str, ...]:
        """The cells that are red, or were when they last ran."""
        return tuple(name for name in self.cells if name in self.outcomes and self.outcomes[name].is_red)

    def line(self) -> str:
        """Return "green in 3 of 24, 21 stale": what of the newest state is known."""
        counted = [name for name in self.cells if self.outcomes.get(name) not in NOT_OF_THE_GRID]
        fresh = [name for name in counted if name in self.fresh]
        green = sum(self.outcomes[name].is_green for name in fresh)
        bad = sum(self.outcomes[name].is_red for name in fresh)
        warm = sum(name in self.warm for name in fresh)
        parts = [f"green in {green} of {len(counted)}"]
        parts += [f"red in {bad}"] if bad else []
        parts += [f"{len(counted) - len(fresh)} stale"] if len(fresh) < len(counted) else []
        parts += [f"{warm} warm"] if warm else []
        return ", ".join(parts)
