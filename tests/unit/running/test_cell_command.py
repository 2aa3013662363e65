"""The command of a cell."""

from __future__ import annotations

from types import MappingProxyType

from venvgrid.model import Cell
from venvgrid.running.cell_command import fill


def test_fill_replaces_once() -> None:
    """Placeholders are replaced, doubled braces are literal, and what is put in is not looked at again."""
    cell = Cell(id="the-id", axes=MappingProxyType({"python": "3.9", "env.X": "{python}"}))
    command = ("a{cell}b", "{python}", "{axis:env.X}", "{{cell}}", "{{{cell}}}", '{{"a": 1}}', "}")
    assert fill(command, cell, "/p") == ("athe-idb", "/p", "{python}", "{cell}", "{the-id}", '{"a": 1}', "}")
