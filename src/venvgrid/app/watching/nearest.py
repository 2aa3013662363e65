"""What an edit can reach in the cells of a round: which cells go first, and which of their tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.analysis.affected import cells as affected_cells
from venvgrid.analysis.affected import reach
from venvgrid.analysis.affected.tests import affected, joined
from venvgrid.model.values import dataclass
from venvgrid.storage import own_folders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from venvgrid.model import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """What is known of an edit: the cells that it can reach, and its test modules, nearest first.

    `unknown` are edited files that no run has recorded: they may affect all tests.
    """

    cells: tuple[Cell, ...] = ()
    tests: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def nearest(root: Path, cells: Sequence[Cell], edited: Sequence[str]) -> Nearest:
    """Return what an edit can reach; `root` is `.venvgrid`. Without a map, or an edit, all cells and no tests.

    Raises:
        LinkError: a folder of a cell is not real.
    """
    if not edited:
        return Nearest(cells=tuple(cells))
    maps = reach.load_all({cell.id: own_folders.check(root, "cells", cell.id) for cell in cells})
    reached = affected_cells.distances(maps, edited)
    found = affected(joined({id(one): one for one in maps.values()}.values()), edited)
    hit = tuple(cell for cell in cells if cell.id in reached)
    return Nearest(cells=hit or tuple(cells), tests=found.modules, unknown=found.unknown)
