"""Worlds of probes: what they are of."""

from __future__ import annotations

import pytest

from venvgrid import testing
from venvgrid.analysis.search.protocol import Probe
from venvgrid.app.investigation.worlds import undated
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
