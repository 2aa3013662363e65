"""What a session learns from builds: which warm processes still fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import factories
import pytest

from venvgrid import testing
from venvgrid.app.watching.warming import _Servers
from venvgrid.running.tasks import TestTask


@dataclass
class Fake:
    """A pool, and overlays, that note what is done to them."""

    closed: int = 0
    learnt: int = 0

    def close(self) -> None:
        """Count it."""
        self.closed += 1

    def learn(self, _task: TestTask, _contents: Any) -> None:
        """Count it."""
        self.learnt += 1


def servers(fake: Fake) -> _Servers:
    """Make servers of which none is real."""
    return _Servers(key=None, pool=cast("Any", fake), overlays=cast("Any", fake), inputs=cast("Any", None))


def task(detail: str, place: str = "/nowhere/a") -> TestTask:
    """Make the task of a cell whose environment was made so."""
    entry = testing.FakeWorker().entry(factories.cell("a"), testing.interpreter())
    environment = replace(testing.environment(entry), path=Path(place), detail=detail)
    return TestTask(cell=factories.cell("a"), entry=entry, environment=environment, project=None)


@pytest.mark.parametrize(
    ("detail", "place", "is_ready", "closed"),
    [
        ("project reinstalled", "/nowhere/a", True, 0),
        ("reused", "/nowhere/a", True, 0),
        ("built", "/nowhere/a", False, 1),
        ("reused", "/nowhere/b", False, 0),
    ],
)
def test_processes_of_another_environment_serve_no_more(detail: str, place: str, is_ready: bool, closed: int) -> None:  # noqa: FBT001
    """A process serves as long as its environment is the same; the project in it may be installed anew."""
    fake = Fake()
    known = servers(fake)
    known.learn(task("built"), {})
    known.ready.add("a")
    known.learn(task(detail, place), {})
    assert ("a" in known.ready, fake.closed, fake.learnt) == (is_ready, closed, 2)
