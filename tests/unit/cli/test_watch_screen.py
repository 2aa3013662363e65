"""The screen of watch: what it says of a round."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import factories

from venvgrid.analysis.watching.standing import Standing
from venvgrid.app.watching.messages import Ended
from venvgrid.app.watching.previews import Warmed
from venvgrid.app.watching.session import Filters
from venvgrid.cli.terminal import Terminal
from venvgrid.cli.watching.keyboard import Inbox
from venvgrid.cli.watching.screen import WatchScreen
from venvgrid.model import Outcome


def shown(filters: Filters, *, ended: bool = True, warmed: Warmed | None = None) -> list[str]:
    """Return the lines of a round in which nothing happened but this."""
    out = io.StringIO()
    terminal = Terminal(out=out, err=io.StringIO(), environ={})
    arguments = argparse.Namespace(config=None, verbose=False, quiet=False)
    screen = WatchScreen(arguments=arguments, terminal=terminal, inbox=Inbox(None))
    screen.began("src/a.py", filters)
    if warmed:
        screen.warmed(warmed)
    if ended:
        screen.ended(Ended(round=1), Standing().planned(["a", "b"]).finished(factories.result("a", Outcome.PASSED)))
    return out.getvalue().splitlines()


def test_the_last_line_tells_what_was_not_run() -> None:
    """A choice of cells or tests is told beside the counts, which are of these tests alone."""
    assert shown(Filters())[-1] == "green in 1 of 2, 1 stale; waiting for a change"
    chosen = shown(Filters(cells="py3.12", tests="fitting"))
    assert chosen[0] == "watch: src/a.py  (only cells py3.12, tests fitting; a: all)"
    assert chosen[-1] == "green in 1 of 2, 1 stale; only cells py3.12, tests fitting; waiting for a change"


def test_a_preview_says_how_many_cells_have_none() -> None:
    """Of cells that are not warm yet nothing is known; they are counted."""
    report = factories.report(factories.result("a", Outcome.PASSED))
    some = Warmed(report=report, cold={}, left_out=0, project=Path(), cells=3)
    assert shown(Filters(), ended=False, warmed=some)[-1] == "warm: a preview of 1 of 3 cells; the full run follows"
