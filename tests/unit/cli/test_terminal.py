"""What a terminal is known to take."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from venvgrid.cli.output import linked
from venvgrid.cli.terminal import Terminal


class Tty(io.StringIO):
    """A terminal, as far as it says."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "xterm", "TERM_PROGRAM": "vscode"}, True),
        ({"TERM": "xterm", "VTE_VERSION": "6800"}, True),
        ({"TERM": "xterm", "VTE_VERSION": "4800"}, False),
        ({"TERM": "xterm", "VTE_VERSION": "odd"}, False),
        ({"TERM": "xterm", "WT_SESSION": "1"}, True),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/x"}, False),
        ({}, False),
    ],
)
def test_links_only_where_they_are_known(environ: dict[str, str], expected: bool) -> None:  # noqa: FBT001
    """A terminal that says nothing of itself gets plain text."""
    assert Terminal(out=Tty(), err=Tty(), environ=environ).has_links is expected
    assert not Terminal(out=io.StringIO(), err=Tty(), environ=environ).has_links


def test_the_path_of_a_log_becomes_a_link() -> None:
    """To the file itself; what looks a little like one stays text."""
    root = Path("/work/a b").absolute()
    path = ".venvgrid/runs/20260101-120000-abcd/logs/py3.9-numpy2.0.log"
    shown = linked(f"    log: {path}\n.venvgrid/runs/../../etc/passwd.log", root)
    uri = (root / path).as_uri()
    assert shown == f"    log: \x1b]8;;{uri}\x1b\\{path}\x1b]8;;\x1b\\\n.venvgrid/runs/../../etc/passwd.log"
