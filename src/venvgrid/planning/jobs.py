"""How many jobs a plan needs, and what they cost: before any of them starts. Pure.

Cells of a platform go to the jobs of that platform. The seconds are those of the tests: what a job needs before them
comes on top.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass
from venvgrid.planning import packing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MINUTE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """The jobs of one platform, "" without that axis.

    `seconds` are those of the longest job, `minutes` the sum of all, each rounded up as services bill them, and `cost`
    that sum times the price of a minute.
    """

    platform: str
    shards: int
    cells: int
    seconds: float
    minutes: int
    cost: float


Cells = dict[str, float]  # seconds by cell


def counts_for_target(platforms: Mapping[str, Cells], alike: Mapping[str, str], target: float) -> dict[str, int]:
    """Return the smallest number of shards by platform with which no shard takes longer than `target` seconds.

    A cell that takes longer alone sets the limit of its platform.
    """
    found = {}
    for name, cells in platforms.items():
        limit = max(target, *cells.values())
        count = max(1, math.ceil(sum(cells.values()) / limit))
        while count < len(cells) and packing.makespan(packing.pack(cells, count, alike), cells) > limit:
            count += 1
        found[name] = min(count, len(cells))
    return found


def missed(jobs: Iterable[Jobs], target: float) -> str:
    """Return that jobs made for a target of so many seconds take longer, or "": then a cell does so alone."""
    late = [
        f"{job.seconds:.3g} s{f' on {job.platform}' if job.platform else ''}" for job in jobs if job.seconds > target
    ]
    return f"no number of jobs reaches --target {target:g} s: one cell takes {' and '.join(late)}" if late else ""


def counts_for_jobs(platforms: Mapping[str, Cells], jobs: int) -> dict[str, int]:
    """Return numbers of shards by platform, `jobs` together: the next one goes where the longest shard is.

    No platform is without a shard, and no shard is empty: there may be more or fewer than `jobs`.
    """
    found = dict.fromkeys(platforms, 1)
    for _ in range(jobs - len(found)):
        open_ = [name for name, cells in platforms.items() if found[name] < len(cells)]
        if not open_:
            break
        found[max(open_, key=lambda name: packing.lower_bound(list(platforms[name].values()), found[name]))] += 1
    return found


def estimate(
    platforms: Mapping[str, Cells], alike: Mapping[str, str], counts: Mapping[str, int], prices: Mapping[str, float]
) -> tuple[Jobs, ...]:
    """Return what the jobs take and cost; `prices` are of a minute, by platform, 1 for those that are not named."""
    found = []
    for name, cells in platforms.items():
        shards = packing.pack(cells, counts[name], alike)
        minutes = sum(max(1, math.ceil(sum(cells[cell] for cell in shard) / MINUTE)) for shard in shards)
        found.append(
            Jobs(
                platform=name,
                shards=len(shards),
                cells=len(cells),
                seconds=round(packing.makespan(shards, cells), 3),
                minutes=minutes,
                cost=round(minutes * prices.get(name, 1.0), 6),
            )
        )
    return tuple(found)
