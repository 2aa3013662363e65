"""Shards by time."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from venvgrid.model import Cell
from venvgrid.planning import packing

times = st.dictionaries(st.from_regex(r"c[0-9]{1,4}", fullmatch=True), st.floats(0.1, 1000.0), min_size=1, max_size=60)


@given(times, st.integers(1, 70))
def test_every_cell_is_in_one_shard_and_none_is_empty(seconds: dict[str, float], shards: int) -> None:
    """Nothing is lost, nothing runs twice, and no job starts for nothing while there are as many cells."""
    packed = packing.pack(seconds, shards)
    assert len(packed) == shards
    assert sorted(cell for shard in packed for cell in shard) == sorted(seconds)
    assert len(seconds) < shards or all(packed)


@given(times, st.integers(1, 20), st.randoms(use_true_random=False))
def test_the_same_cells_give_the_same_shards(seconds: dict[str, float], shards: int, source: random.Random) -> None:
    """A retried job gets its cells again, in whatever order the plan was read."""
    mixed = list(seconds.items())
    source.shuffle(mixed)
    assert packing.pack(dict(mixed), shards) == packing.pack(seconds, shards)


@given(times, st.integers(1, 20))
def test_no_shards_beat_the_bound(seconds: dict[str, float], shards: int) -> None:
    """The bound is one."""
    bound = packing.lower_bound(list(seconds.values()), shards)
    assert bound <= packing.makespan(packing.pack(seconds, shards), seconds) * (1 + 1e-9)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=7), st.integers(1, 3))
def test_few_cells_are_packed_almost_as_well_as_can_be(times: list[int], shards: int) -> None:
    """Beside all packings there are: never worse than 11/9 of the best one (the guarantee of MULTIFIT is 13/11)."""
    seconds = {f"c{index}": float(time) for index, time in enumerate(times)}
    best = min(
        max(sum(time for time, at in zip(times, places, strict=True) if at == shard) for shard in range(shards))
        for places in itertools.product(range(shards), repeat=len(times))
    )
    assert packing.makespan(packing.pack(seconds, shards), seconds) <= 11 / 9 * best


def _plainly_first_fit(seconds: dict[str, float], shards: int, limit: float) -> list[list[str]] | None:
    """Put each cell into the first shard with room, by a look at every one."""
    packed: list[list[str]] = [[] for _ in range(shards)]
    loads = [0.0] * shards
    for cell, time in seconds.items():
        index = next((at for at, load in enumerate(loads) if load + time <= limit), None)
        if index is None:
            return None
        loads[index] += time
        packed[index].append(cell)
    return packed if all(packed) or len(seconds) < shards else None


def _plainly_together(seconds: dict[str, float], shards: int, alike: dict[str, str], limit: float) -> list[list[str]]:
    """Put each cell where its environment is and room, else into the shard that has least, by a look at every one."""
    packed: list[list[str]] = [[] for _ in range(shards)]
    loads = [0.0] * shards
    for cell, time in seconds.items():
        home = {at for at, some in enumerate(packed) if any(alike[other] == alike[cell] for other in some)}
        known = [at for at in home if loads[at] + time <= limit]
        index = min(known or range(shards), key=lambda at: (loads[at], len(packed[at]), at))
        loads[index] += time
        packed[index].append(cell)
    return packed


few = st.lists(st.sampled_from([0.0, 0.1, 0.2, 1.0, 3.0]) | st.floats(0, 9), min_size=1, max_size=40)


@given(few, st.integers(1, 20), st.floats(0, 40))
def test_the_first_shard_with_room_is_found_as_by_a_look_at_each(times: list[float], shards: int, limit: float) -> None:
    """A tree of the least loads gives the shard that a search from the first to the last gives."""
    seconds = {f"c{index}": time for index, time in enumerate(times)}
    assert packing.first_fit(list(seconds), seconds, shards, limit) == _plainly_first_fit(seconds, shards, limit)


@given(few, st.integers(1, 20), st.integers(1, 9), st.floats(0, 40))
def test_a_home_is_found_as_by_a_look_at_each(times: list[float], shards: int, groups: int, limit: float) -> None:
    """A heap of the loads, old ones among them, gives the shard that has least."""
    seconds = {f"c{index}": time for index, time in enumerate(times)}
    alike = {cell: str(index % groups) for index, cell in enumerate(seconds)}
    packed = packing.together(list(seconds), seconds, shards, alike, limit)
    assert packed == _plainly_together(seconds, shards, alike, limit)


def test_history_makes_shards_equal() -> None:
    """1,000 cells of log-normal times in 16 shards: within 1 % of the bound."""
    source = random.Random(7)
    seconds = {f"c{index}": source.lognormvariate(2, 1) for index in range(1000)}
    shards = packing.pack(seconds, 16)
    assert packing.makespan(shards, seconds) <= 1.01 * packing.lower_bound(list(seconds.values()), 16)


def test_cells_of_one_environment_stay_together_where_it_costs_no_balance() -> None:
    """24 cells of six environments in three shards: no environment is in two of them."""
    seconds = {f"e{index % 6}-{index}": 5.0 for index in range(24)}
    alike = {cell: cell.partition("-")[0] for cell in seconds}
    shards = packing.pack(seconds, 3, alike)
    assert [len(shard) for shard in shards] == [8, 8, 8]
    assert [len({alike[cell] for cell in shard}) for shard in shards] == [2, 2, 2]


def _cell(python: str, numpy: str) -> Cell:
    return Cell(id=f"py{python}-numpy{numpy}", axes={"python": python, "numpy": numpy})


def test_an_unknown_cell_takes_what_its_neighbours_take() -> None:
    """The median of the cells that differ in one axis; of all where there is no such cell."""
    cells = [_cell(python, numpy) for python in ("3.9", "3.10") for numpy in ("1", "2", "3")]
    measured = {"py3.9-numpy1": 10.0, "py3.9-numpy2": 20.0, "py3.10-numpy3": 90.0}
    found = packing.expected_seconds(cells, measured)
    assert found["py3.9-numpy3"] == 20.0
    assert found["py3.10-numpy1"] == 50.0
    assert found["py3.9-numpy1"] == 10.0
    assert packing.expected_seconds(cells, {}) == dict.fromkeys((cell.id for cell in cells), packing.UNKNOWN)
    assert packing.expected_seconds([_cell("3.13", "9")], {"x": 4.0}) == {"py3.13-numpy9": 4.0}
