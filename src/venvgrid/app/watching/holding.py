"""Changes that the tests themselves may have made: they are held back until a round tells. Pure, but for its own state.

Tests that write into the project must not wake watch for ever, and no edit of the user may be lost. So what happens
while tests run is an edit, except for: files that tests wrote before, new files before any round has ended, and what
ended many rounds in a row.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvgrid.model import CellResult

PATIENCE = 5  # rounds in a row that changes of one file end; the next round is asked whether its tests write it


@dataclass(slots=True)
class Holding:
    """What is held back in a session."""

    _of_tests: set[str] = field(default_factory=set)  # files that tests made or wrote
    _held: dict[str, bool] = field(default_factory=dict)  # whether each file is new
    _rounds: Counter[str] = field(default_factory=Counter)  # that ended, in a row, when this file changed
    _has_ended: bool = False  # a round: it is known what tests write

    def edits(self, changed: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
        """Return what of the files that changed while tests ran is an edit; `known` are the files that were there."""
        before = frozenset(known)
        held = {name: name not in before for name in changed if self._may_be_of_tests(name, is_new=name not in before)}
        self._held.update(held)
        return tuple(name for name in changed if name not in held)

    def _may_be_of_tests(self, name: str, *, is_new: bool) -> bool:
        place = name.rpartition("/")[0] if is_new else name  # tests may give each file another name
        self._rounds[place] += 1
        return name in self._of_tests or self._rounds[place] >= PATIENCE or (is_new and not self._has_ended)

    def after_cell(self, result: CellResult) -> tuple[str, ...]:
        """Return the held files, except for new ones, that no tests have written; those of a cell have just run."""
        self._of_tests.update(result.footprint.made, result.footprint.wrote)
        if result.cached:
            return ()
        free = tuple(sorted(name for name, is_new in self._held.items() if not is_new and name not in self._of_tests))
        for name in free:
            del self._rounds[name], self._held[name]
        return free

    def after_round(self, *, is_whole: bool) -> tuple[str, ...]:
        """Return the held files that no test has written; nothing is held any more."""
        if is_whole:
            self._has_ended = True
            self._rounds.clear()
        free = tuple(sorted(self._held.keys() - self._of_tests))
        self._held = {}
        return free

    def clear(self) -> None:
        """Hold nothing: a round begins that sees all of it."""
        self._held = {}
