"""What a terminal is known to take."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from venvgrid.cli.output import linked, located
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


def test_paths_of_logs_are_those_of_the_current_folder(tmp_path: Path) -> None:
    """From a subfolder the path leads up; a link covers the part that it is made for."""
    path = ".venvgrid/runs/20261121-143005-ab12/logs/py3.9.log"
    assert located(f"log: {path}", tmp_path, tmp_path) == f"log: {path}"
    assert located(f"log: {path}", tmp_path, tmp_path / "a" / "b") == f"log: ../../{path}"
    assert (tmp_path / path).as_uri() in linked(located(path, tmp_path, tmp_path / "a"), tmp_path)
