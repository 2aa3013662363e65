"""Investigations that are kept below `.venvgrid`, for the reports of the runs that they explain."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.analysis.stories import Investigated
from venvgrid.model import serialization
from venvgrid.storage import digests, json_cache, own_folders

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "venvgrid-story-1"
FOLDER = "investigations"
ENDING = ".story.json"
MAX_KEPT = 200  # stories


def save(root: Path, investigated: Investigated) -> None:
    """Keep a story below `root`, that is `.venvgrid`, in place of an earlier one of the same failure of the cell.

    Raises:
        LinkError: the folder is a link.
    """
    if not investigated.signature:
        return
    folder = own_folders.check(root, FOLDER)
    name = f"{digests.of_json([investigated.story.cell, investigated.signature], 16)}{ENDING}"
    json_cache.save(folder / name, {"investigated": serialization.to_plain(investigated)}, format=FORMAT)
    with suppress(OSError):
        files = sorted(folder.glob(f"*{ENDING}"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files[MAX_KEPT:]:
            own_folders.delete(folder, file.name)


def read(root: Path) -> tuple[Investigated, ...]:
    """Return the stories below `root`, the newest first. What cannot be read is left out."""
    found = []
    for file in sorted((root / FOLDER).glob(f"*{ENDING}")):
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            plain = json_cache.read(file, format=FORMAT)["investigated"]
            found.append(serialization.from_plain(Investigated, plain))
    return tuple(sorted(found, key=lambda item: item.when, reverse=True))
