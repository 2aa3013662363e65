"""A session of watch: edits and keys begin rounds, an edit ends the one before. One thread decides.

    waiting ──edit, key──▶ a round ──ended──▶ waiting
                            │    ▲
                            └edit┘  it is killed, the next one begins

What is told of a round that is over (an older number) is ignored.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field, replace
from typing import TYPE_CHECKING, Protocol

from venvgrid.analysis.watching.standing import Standing
from venvgrid.app.watching.holding import Holding
from venvgrid.app.watching.messages import Ended, Finished, Planned, Prepared, Pressed, Previewed, Touched
from venvgrid.model import VenvgridError
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from venvgrid.app.options import RunOptions
    from venvgrid.app.watching.messages import Message
    from venvgrid.app.watching.watched import Watched
    from venvgrid.project.inputs import Inputs


QUESTIONS = {
    "c": "cells (as for -k, such as py3.13; empty: all)",
    "p": "tests (as for pytest -k; empty: all)",
}


class Screen(Protocol):
    """What a session shows."""

    def began(self, why: str, filters: Filters) -> None:
        """Show that a round begins, and what it does not run."""

    def ended(self, ended: Ended, standing: Standing) -> None:
        """Show how the grid stands after a round; or why there was none."""

    def prepared(self, cells: int) -> None:
        """Show that so many cells are warm."""

    def ask(self, question: str) -> str | None:
        """Return a line that the user typed; None if it was left."""

    def note(self, text: str) -> None:
        """Show a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a user chose: `cells` as for -k, `tests` as for -k of pytest; `failed`: only red cells, in one round."""

    cells: str = ""
    tests: str = ""
    failed: bool = False

    def of(self, options: RunOptions) -> RunOptions:
        """Return the options with these filters."""
        both = " and ".join(f"({text})" for text in (options.cells, self.cells) if text)
        wanted = both if options.cells and self.cells else options.cells or self.cells
        arguments = (*options.arguments, "-k", self.tests) if self.tests else options.arguments
        return replace(options, cells=wanted, arguments=arguments, failed=self.failed, is_round=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A round that is to begin. `again`: cells run although nothing has changed since they passed.

    `red` cells go first, `sides` are pairs of cells at the two sides of known rules. `edited` are the files that
    changed since a round ended whole, `failed` the ids of the tests that failed last.
    """

    number: int
    filters: Filters
    again: bool
    red: tuple[str, ...]
    sides: tuple[tuple[str, str], ...]
    inputs: Inputs
    edited: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class Running(Protocol):
    """A round that runs; see `rounds.Round`."""

    def cancel(self) -> None:
        """End it at once, with nothing left."""


class Folders(Protocol):
    """What follows folders; see `waking.Waker`."""

    def follow(self, folders: Iterable[str]) -> bool:
        """Follow these folders; return whether they are others than before."""


@dataclass(kw_only=True)
class Session:
    """One session. `inbox` waits for the next message.

    `actions` are keys that the command line answers itself while nothing runs; they return whether they left something
    to read. `glances` are those that disturb nothing.
    `begin` starts a round, which posts its messages.
    """

    inbox: Callable[[], Message]
    post: Callable[[Message], None]
    begin: Callable[[Wanted], Running]
    screen: Screen
    waker: Folders
    take: Callable[[], Watched]  # the state of what wakes
    actions: Mapping[str, Callable[[Standing], bool]]
    glances: Mapping[str, Callable[[Standing], None]] = field(default_factory=dict)
    standing: Standing = field(default_factory=Standing)
    _filters: Filters = field(default_factory=Filters)
    _round: Running | None = None
    _is_busy: bool = False  # whether the tests of a round run; afterwards it only prepares the next one
    _number: int = 0  # of the newest round
    _sides: tuple[tuple[str, str], ...] = ()
    _since: set[str] = field(default_factory=set)  # files that changed since a round ended whole
    _holding: Holding = field(default_factory=Holding)
    _has_new_configuration: bool = False

    def run(self) -> None:
        """Go on until the user quits.

        Raises:
            KeyboardInterrupt: Ctrl-C; nothing is left running.
        """
        try:
            self._watched = self.take()
            self.waker.follow(self._watched.folders())
            self._begin("start")
            while not isinstance(message := self.inbox(), Pressed) or self._key(message.key):
                self._heard(message)
        finally:
            self._stop()

    def _heard(self, message: Message) -> None:
        match message:
            case Touched():
                self._touched(message.paths)
            case Planned() if self._is_current(message.round):
                self._look_again()
                is_part = bool(self._filters.cells) or self._filters.failed
                self.standing = self.standing.planned(message.cells, is_part=is_part)
            case Previewed() if self._is_current(message.round):
                found = message.preview
                self.standing = self.standing.previewed(found.cell, found.outcome, found.failing)
            case Finished() if self._is_current(message.round):
                self.standing = self.standing.finished(message.result)
                if free := self._holding.after_cell(message.result):
                    self._edited(free)
            case Ended() if self._is_current(message.round):
                self._over(message)
            case Prepared() if self._is_current(message.round):
                self.screen.prepared(message.cells)
            case _:
                pass  # of a round that is over

    def _is_current(self, number: int) -> bool:
        return self._round is not None and self._number == number

    # Edits.

    def _touched(self, paths: frozenset[str]) -> None:
        """Begin a round if something changed that results depend on, and that is not of the tests that run."""
        known = self._watched.inputs.contents
        now, changed = self._watched.now(paths)
        self._follow(now)
        if edits := self._holding.edits(changed, known) if self._is_busy else changed:
            self._edited(edits)

    def _follow(self, watched: Watched) -> None:
        self._watched = watched
        if self.waker.follow(watched.folders()):
            self.post(Touched(paths=frozenset()))  # what happened in a new folder before it was watched

    def _look_again(self) -> None:
        """Find out what wakes from now on, if the configuration has changed: it may name other interpreters."""
        if self._has_new_configuration:
            self._has_new_configuration = False
            with suppress(VenvgridError):
                self._follow(self.take())

    def _edited(self, changed: tuple[str, ...]) -> None:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        self.standing = self.standing.edited()
        self._since.update(changed)
        self._has_new_configuration |= not self._watched.configuration.isdisjoint(changed)
        self._begin(f"{changed[0]}{more}")

    # Rounds.

    def _begin(self, why: str, *, again: bool = False) -> None:
        """Stop the round that runs, if one does, and begin another."""
        self._stop()
        self._holding.clear()
        self.screen.began(why, self._filters)
        self._number += 1
        self._is_busy = True
        self._round = self.begin(
            Wanted(
                number=self._number,
                filters=self._filters,
                again=again,
                red=self.standing.red,
                sides=self._sides,
                inputs=self._watched.inputs,
                edited=tuple(sorted(self._since)),
                failed=self.standing.failed,
            )
        )

    def _stop(self) -> None:
        if self._round is not None:
            self._round.cancel()
            self._round, self._is_busy = None, False

    def _over(self, ended: Ended) -> None:
        """Show the end of a round; files that only tests have made begin no other."""
        self._is_busy = False
        if ended.done is not None:
            self._sides = ended.sides
            if self._filters == Filters():
                self._since = set()
            self._filters = replace(self._filters, failed=False)
        new = self._holding.after_round(is_whole=ended.done is not None)
        self.screen.ended(ended, self.standing)
        if new:
            self._edited(new)

    # Keys.

    def _key(self, key: str) -> bool:
        """Do what a key says; return whether the session goes on."""
        match key:
            case "q" | "":
                return False
            case "a":
                self.standing = self.standing.edited()
                self._filters = Filters()
                self._begin("all", again=True)
            case "\r" | "\n":
                self._begin("again", again=True)
            case "f":
                self._filters = replace(self._filters, failed=True)
                self._begin("failed")
            case "c" | "p":
                self._choose(key)
            case _ if key in self.glances:
                self.glances[key](self.standing)
            case _ if key in self.actions:
                was_busy = self._is_busy
                self._stop()
                is_read = self.actions[key](self.standing)
                if was_busy:
                    if is_read:
                        self.screen.ask("Enter goes on with the round")
                    self._begin("again")
            case _:
                pass
        return True

    def _choose(self, key: str) -> None:
        """Ask which cells or tests to run from now on."""
        self._stop()
        text = self.screen.ask(QUESTIONS[key])
        if text is not None:
            wanted = text.strip()
            chosen = self._filters
            part = {"cells": wanted} if key == "c" else {"tests": wanted}
            self._filters = replace(chosen, failed=False, **part)
            if chosen.tests != self._filters.tests:  # what other tests said tells nothing of these
                self.standing = self.standing.edited()
        self._begin(text or "all")
