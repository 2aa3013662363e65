"""Copies the capsules of records into the folder of a merged report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.model.result import RED
from venvgrid.results.capsules import capsule
from venvgrid.storage.atomic import write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


def write(cells: Iterable[tuple[str, str, Callable[[str], bytes]]], folder: Path) -> None:
    """Write the capsules of red cells; each is told by its id, its outcome, and what reads a file of its record.

    Raises:
        InfrastructureError, OSError: one cannot be written.
    """
    for cell, outcome, read in cells:
        name = f"{capsule.FOLDER}/{capsule.file_name(cell)}"
        if outcome in RED and capsule.is_cell(cell) and (content := read(name)):
            (folder / capsule.FOLDER).mkdir(exist_ok=True)
            write_atomic(folder / name, content)
