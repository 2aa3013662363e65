"""What a server imports, as the last full run of the cell said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from venvgrid.running.warm.imported import UNKNOWN, Imported, read

if TYPE_CHECKING:
    from pathlib import Path

SAID = {
    "prefix": "/env",
    "modules": ["1 1 plugin", "0 0 numpy"],
    "variables": [],
    "patching": [],
}


def of(folder: Path, **changes: object) -> Imported:
    """Return what is read of a file with these parts."""
    file = folder / "imported.json"
    file.write_text(json.dumps({**SAID, **changes}), encoding="utf-8")
    return read(file, "/env")


def test_all_modules_in_their_order(tmp_path: Path) -> None:
    """All modules count, with whether pytest rewrites them."""
    assert Imported(modules=(("plugin", True), ("numpy", False))) == of(tmp_path)


def test_variables_that_the_tests_set(tmp_path: Path) -> None:
    """If a conftest.py sets a variable, a library may read it: only what came before is imported once for all."""
    found = of(tmp_path, variables=["MPLBACKEND"])
    assert found.modules == (("plugin", True),)
    assert found.note == "the tests set MPLBACKEND before they import: libraries are imported in each run"


def test_libraries_that_patch(tmp_path: Path) -> None:
    """What patches modules must be imported before them: such a cell is cold."""
    assert of(tmp_path, patching=["gevent.monkey"]).refused == "gevent.monkey changes modules that were imported before"


NUMPY, SIX = ("numpy", False), ("six", False)
BOTH = Imported(modules=(NUMPY, SIX))


@pytest.mark.parametrize(
    ("has", "wanted", "expected"),
    [
        (BOTH, Imported(modules=(SIX, NUMPY)), True),
        (BOTH, UNKNOWN, True),
        (UNKNOWN, BOTH, False),
        (BOTH, Imported(modules=(("six", True),)), False),  # pytest rewrites it now
        (BOTH, Imported(modules=(SIX,), note="the tests set A"), False),  # libraries may read it
        (BOTH, Imported(refused="it patches"), False),
    ],
)
def test_a_server_serves_those_that_want_no_more(has: Imported, wanted: Imported, *, expected: bool) -> None:
    """What a server has imported beside that does no harm, unless tests change what libraries read."""
    assert has.serves(wanted) is expected


DAMAGED = [{**SAID, "prefix": "/other"}, {**SAID, "modules": ["x"]}, {**SAID, "modules": [1]}, {"prefix": "/env"}, []]


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, *map(json.dumps, DAMAGED)])
def test_what_is_damaged_or_of_another_environment(tmp_path: Path, text: str) -> None:
    """Without a record of this environment, only pytest is imported."""
    file = tmp_path / "imported.json"
    assert read(file, "/env") is UNKNOWN
    file.write_text(text, encoding="utf-8")
    assert read(file, "/env") is UNKNOWN
