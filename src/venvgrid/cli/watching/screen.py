"""The screen of `venvgrid watch`: what woke it, the progress of a round, its report, how the grid stands, the keys."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.cli import output
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from venvgrid.analysis.watching.standing import Standing
    from venvgrid.app.watching.messages import Ended
    from venvgrid.app.watching.previews import Warmed
    from venvgrid.app.watching.session import Filters
    from venvgrid.cli.terminal import Terminal
    from venvgrid.cli.watching.keyboard import Inbox
    from venvgrid.results.report import Report

KEYS = "a all  f failed  c cells  p tests  w why  s shell  o page  Enter again  q quit"
CLEAR = "\x1b[2J\x1b[H"  # what was on the screen stays above it, in terminals that scroll


@dataclass(slots=True, kw_only=True)
class WatchScreen:
    """See `session.Screen`. On a terminal each round has the screen for itself; elsewhere all lines stay."""

    arguments: argparse.Namespace
    terminal: Terminal
    inbox: Inbox
    _head: str = ""
    _choice: str = ""  # what the round runs, "" for all

    def began(self, why: str, filters: Filters) -> None:
        """Clear the screen, and show what the round is for."""
        self._clear()
        only = [f"cells {filters.cells}"] if filters.cells else []
        only += [f"tests {filters.tests}"] if filters.tests else []
        only += ["cells that are red"] if filters.failed else []
        self._choice = f"only {', '.join(only)}" if only else ""
        self._head = f"watch: {why}" + (f"  ({self._choice}; a: all)" if only else "")
        self._line(self._head)

    def warmed(self, warmed: Warmed) -> None:
        """Show the previews as a report, or why there is none."""
        if warmed.report.cells:
            self._table(warmed.report, warmed.project)
            left = f", {warmed.left_out} tests left out" if warmed.left_out else ""
            seen = len(warmed.report.cells)
            some = f"{seen} of {warmed.cells}" if seen < warmed.cells else str(seen)
            self._line(f"warm: a preview of {some} cells{left}; the full run follows")
        for cell, reason in list(warmed.cold.items())[:1]:
            more = f" and {len(warmed.cold) - 1} more" if len(warmed.cold) > 1 else ""
            self._line(f"without a preview: {cell}{more}: {reason}")

    def ended(self, ended: Ended, standing: Standing) -> None:
        """Show the report of a round, or why there is none, and what can be typed."""
        self._clear()
        self._line(self._head)
        if ended.done is not None:
            context, report, _ = ended.done
            self._table(report, context.project.path)
        elif ended.error:
            for line in ended.error.splitlines():
                self._line(line if line.startswith("  ") else f"venvgrid: {line}")
        self.standing(standing)

    def prepared(self, cells: int) -> None:
        """Show that so many cells are warm."""
        if cells:
            self._line(f"{cells} {'cells are' if cells > 1 else 'cell is'} warm: previews of them come at once")

    def standing(self, standing: Standing) -> None:
        """Show how the grid stands, and the keys."""
        known = [standing.line(), self._choice] if standing.cells else [self._choice]
        self._line("; ".join([*filter(None, known), "waiting for a change"]))
        if self.inbox.has_keys:
            self._line(KEYS)

    def ask(self, question: str) -> str | None:
        """Return a line that the user typed; None if it was left by Ctrl-C or Ctrl-D."""
        with self.inbox.lines(), suppress(KeyboardInterrupt, EOFError):
            self.terminal.out.write(f"{question}: ")
            self.terminal.flush()
            return self.inbox.line()
        self._line("")
        return None

    def note(self, words: str) -> None:
        """Show a message."""
        self.terminal.message(f"note: {words}")

    def _clear(self) -> None:
        if self.terminal.is_live and self.terminal.out.isatty():
            self.terminal.out.write(CLEAR)

    def _table(self, report: Report, project: Path) -> None:
        keys = self.inbox.has_keys
        self.terminal.data(output.table(self.arguments, report, self.terminal, project, has_keys=keys))

    def _line(self, words: str) -> None:
        self.terminal.data(words)
        self.terminal.flush()
