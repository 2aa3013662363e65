"""The witness of a cell's command."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from venvgrid.environments.manifest import MARKER
from venvgrid.outcomes.provenance import CLOCK_STEP
from venvgrid.running.witnessing import start_time

if TYPE_CHECKING:
    from pathlib import Path


def test_a_build_that_just_ended_is_no_edit(tmp_path: Path) -> None:
    """The command starts so late that no file of the build counts as changed by it; without a marker at once."""
    environment = cast("Any", SimpleNamespace(path=tmp_path))
    assert start_time(environment) > 0
    marker = tmp_path / MARKER
    marker.touch()
    assert marker.stat().st_ctime <= start_time(environment) - CLOCK_STEP
