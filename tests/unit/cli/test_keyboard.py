"""The keys of watch, on a terminal of its own."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from venvgrid.app.watching.messages import Pressed
from venvgrid.cli.watching.keyboard import NO_PASTES, PASTES, Inbox

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """Return both ends of a terminal: the user's, and the program's."""
    master, slave = os.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def read(terminal: int, count: int) -> bytes:
    """Read so many bytes, which may come in parts."""
    found = b""
    while len(found) < count:
        found += os.read(terminal, count - len(found))
    return found


@pytest.mark.parametrize(
    "typed",
    [
        b"\x1b[200~equal, a quote\x1b[201~",
        b"\x1b[200~\x1b[A\x1b[201~",
        b"\x1b[A",  # an arrow
        b"\x1bOP",  # F1
        b"\x1b[15~",  # F5
        b"\x1b[1;5C",  # Ctrl and an arrow
        b"\x1ba",  # Alt-a
        b"",
    ],
)
def test_what_is_no_key_is_passed_over(ends: tuple[int, int], typed: bytes) -> None:
    """A pasted text and the sequences of other keys do nothing, whatever letters they have; the next key counts."""
    master, slave = ends
    with open(slave, encoding="utf-8", closefd=False) as stream:
        inbox = Inbox(stream, marks_pastes=True)
        with inbox.single_keys():
            os.write(master, typed + b"f")
            assert inbox.next() == Pressed(key="f")


def test_a_terminal_marks_pastes_while_keys_are_read(ends: tuple[int, int]) -> None:
    """It is told to, and told to stop where lines are typed and at the end."""
    master, slave = ends
    with open(slave, encoding="utf-8", closefd=False) as stream:
        inbox = Inbox(stream, marks_pastes=True)
        with inbox.single_keys(), inbox.lines():
            assert read(master, len(PASTES + NO_PASTES)) == PASTES + NO_PASTES
        assert read(master, len(PASTES + NO_PASTES)) == PASTES + NO_PASTES
