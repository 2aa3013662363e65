"""The modules that a cell's tests imported in its last full run: what a server imports for it.

The probe writes them into the private folder of the cell, when pytest has collected the tests (see `_venvgrid_probe`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 1 << 22  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Modules to import, each with whether pytest rewrites its asserts. `refused`: why it cannot be warm."""

    modules: tuple[tuple[str, bool], ...] = ()
    refused: str = ""
    note: str = ""

    def serves(self, wanted: Imported) -> bool:
        """Return whether a server with these imports serves a cell that wants others.

        Tests that could not be collected import little: a server that imported more stays, or the preview of the
        corrected tests would have to import all of it again.
        """
        if wanted in {UNKNOWN, self}:
            return True
        return not wanted.refused and wanted.note == self.note and set(wanted.modules) <= set(self.modules)


UNKNOWN = Imported(note="no full run of this cell says yet what its tests import: only pytest is warm")


def read(file: Path, prefix: str) -> Imported:
    """Return what the file of a cell says; nothing but pytest if it is missing, or not of the environment `prefix`.

    A library may read a variable when it is imported. If the tests had changed variables, only the modules count that
    pytest had imported before.
    """
    try:
        with file.open("rb") as stream:
            found = json.loads(stream.read(LIMIT))
        if found["prefix"] != prefix:
            return UNKNOWN
        return _of(found)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return UNKNOWN


def _of(found: dict[str, Any]) -> Imported:
    if found["patching"]:
        return Imported(refused=f"{found['patching'][0]} changes modules that were imported before")
    variables = found["variables"]
    lines = [line.split(" ") for line in found["modules"]]
    wanted = [line for line in lines if line[1] == "1" or not variables]  # whether rewritten, whether early, name
    modules = tuple((name, is_rewritten == "1") for is_rewritten, _, name in wanted)
    if not variables:
        return Imported(modules=modules)
    note = f"the tests set {variables[0]} before they import: libraries are imported in each run"
    return Imported(modules=modules, note=note)
