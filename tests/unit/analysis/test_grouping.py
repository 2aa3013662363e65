"""Groups of failures: one failure is one group, wherever its environment is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import factories as make
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis import grouping
from venvgrid.model import CaseOutcome, CellResult, Outcome
from venvgrid.outcomes import observation, records, signatures

if TYPE_CHECKING:
    from random import Random

STORE = "/home/me/p/.venvgrid/store/0123456789abcdef"
FAILURES = (  # test, message, where, longrepr; {site} is site-packages of the cell's environment
    ("{site}/inn/tests/test_inn.py::test_a", "cannot import name 'x' from 'y' ({site}/y.py)", "{site}/y.py:3", "E x"),
    ("{site}/inn/tests/test_inn.py::test_b[{site}/inn]", "no file {site}/inn/data.txt", "", "{site}/y.py:3: E"),
    ("tests/test_own.py::test_c", "Command '{store}/bin/python -m pip' failed", "tests/test_own.py:7", ""),
    ("tests/test_own.py::test_d", "assert 1 == 2", "tests/test_own.py:9", "tests/test_own.py:9: AssertionError"),
)


def cell(number: int, store: str, python: str, chosen: set[int]) -> CellResult:
    """Make a cell in whose environment some of the failures happened."""
    words = {"store": store, "site": f"{store}/lib/python{python}/site-packages"}
    found = []
    for test, message, where, longrepr in (FAILURES[index] for index in sorted(chosen)):
        reported = records.Reported(
            source="1",
            id=signatures.stable_id(test.format(**words)),
            verdict=CaseOutcome.FAILED,
            kind="OSError",
            message=message.format(**words),
            where=where.format(**words),
            longrepr=longrepr.format(**words),
        )
        found.append(observation.failure_of(reported))
    return make.result(make.cell(f"c{number}", {"python": python}), Outcome.FAILED, failures=tuple(found))


stores = st.from_regex(r"/[a-z]{1,9}(/[a-z0-9_.-]{1,9}){0,3}/\.venvgrid/store/[0-9a-f]{16}", fullmatch=True)
drawn = st.lists(
    st.tuples(stores, st.sampled_from(["3.8", "3.12", "3.13t"]), st.sets(st.integers(0, 3), min_size=1)), max_size=5
)


@given(drawn, st.randoms(use_true_random=False))
def test_grouping_knows_neither_the_store_nor_the_order(cells: list[tuple[str, str, set[int]]], order: Random) -> None:
    """Law: each failure is one group, of all its cells, whatever the store, the Python and the order of the cells."""

    def groups(results: list[CellResult]) -> dict[str, tuple[object, ...]]:
        order.shuffle(results)
        found = grouping.by_signature(results)
        assert len({group.signature for group in found}) == len(found)
        return {group.signature: (group.message, set(group.cells), group.count) for group in found}

    moved = groups([cell(number, *item) for number, item in enumerate(cells)])
    assert moved == groups([cell(number, STORE, "3.12", item[2]) for number, item in enumerate(cells)])
    assert len(moved) == len(set().union(*(chosen for _, _, chosen in cells)))
    for text, *_ in moved.values():
        assert ".venvgrid" not in str(text)
