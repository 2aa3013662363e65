"""Worlds of probes: what they are of."""

from __future__ import annotations

import pytest

from venvgrid import testing
from venvgrid.analysis.search.protocol import Probe
from venvgrid.app.investigation.worlds import company, unbounded, undated
from venvgrid.model import LockEntry

WHY = "as-of was not applied: pip 23.2 knows no cut-off date"


@pytest.mark.parametrize(
    ("cutoff", "as_of", "notes", "expected"),
    [
        ("2023-02-01", "", (WHY,), f'{WHY}; install uv: pip install "venvgrid[uv]"'),
        ("2023-02-01", "2023-02-01", (), ""),
        ("", "", (WHY,), ""),
        (None, "", (WHY,), ""),
    ],
)
def test_a_world_that_is_not_of_its_time_is_none(
    cutoff: str | None, as_of: str, notes: tuple[str, ...], expected: str
) -> None:
    """An installer that knows no dates resolves what is there today: that says nothing of a day in the past."""
    world = LockEntry(key="x", interpreter=testing.interpreter(), distributions=(), as_of=as_of, notes=notes)
    assert undated(Probe(cutoff=cutoff), world) == expected


def test_the_company_is_all_that_differs() -> None:
    """Also what only one of the two worlds has."""
    assert company({"a": "1", "b": "1", "c": "1"}, {"a": "2", "b": "1", "d": "1"}) == {
        "a": ("1", "2"),
        "c": ("1", ""),
        "d": ("", "1"),
    }


def test_only_the_versions_of_the_named_are_free() -> None:
    """Extras and markers stay, and so does every other requirement, as it is written."""
    lines = ('Num_Py[x]>=1,<2; python_version >= "3"', "six >= 1")
    assert unbounded(lines, {"num-py"}) == ('Num_Py[x]; python_version >= "3"', "six >= 1")
