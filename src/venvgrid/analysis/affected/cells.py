"""Which cells an edit can reach: those whose tests use the edited files. Pure; it orders cells and leaves none out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.analysis.affected.tests import affected

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from venvgrid.analysis.affected.reach import Reach

UNKNOWN = 500  # steps; a cell that may be affected goes behind those that are, before those that are not known to be


def distances(maps: Mapping[str, Reach], edited: Collection[str]) -> dict[str, int]:
    """Return the distance of each cell that an edit can reach: that of its nearest test module.

    A cell without a map, or whose map does not know an edited file, has UNKNOWN at most. Cells that are missing in the
    answer are not known to be reached.
    """
    found = {}
    known = {id(reach): affected(reach, edited) for reach in maps.values()}  # many cells share one map
    for cell, reach in maps.items():
        here = known[id(reach)]
        steps = list(here.distances.values())
        steps += [UNKNOWN] if here.unknown or not reach.tests else []
        if edited and steps:
            found[cell] = min(steps)
    return found
