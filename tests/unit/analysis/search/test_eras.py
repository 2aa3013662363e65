"""The way back in time to a world in which the tests pass, in simulated pasts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from venvgrid.analysis.search.eras import walk_back
from venvgrid.analysis.search.protocol import Observation, Probe, Verdict, answer

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DAYS = 7 * 512


@dataclass
class Past:
    """What a project requires was released `born` days ago, and it broke `broke` days ago."""

    born: int
    broke: int
    asked: list[str] = field(default_factory=list)

    def ask(self, probes: Sequence[Probe]) -> list[Observation]:
        """Return what the tests do at each time."""
        self.asked += [probe.cutoff or "" for probe in probes]
        return [Observation(verdict=self.at(probe.cutoff or "")) for probe in probes]

    def at(self, time: str) -> Verdict:
        """Return what the tests do at a time."""
        age = (NOW - datetime.fromisoformat(time)) / timedelta(days=1)
        return Verdict.UNKNOWN if age > self.born else Verdict.GOOD if age > self.broke else Verdict.BAD


@given(broke=st.integers(0, DAYS - 8), green=st.integers(8, DAYS))
def test_a_green_time_of_more_than_a_week_is_found(broke: int, green: int) -> None:
    """However long ago it was, and however short beside the way back; what is told of the time after it is true."""
    past = Past(born=broke + green, broke=broke)

    found = answer(walk_back(NOW), past.ask)

    assert found is not None
    assert past.at(found.time) is Verdict.GOOD
    assert not found.until or past.at(found.until) is Verdict.BAD
    assert len(past.asked) == len(set(past.asked))
    assert len(past.asked) <= 10 + 9


@given(st.integers(0, DAYS))
def test_where_nothing_was_green_nothing_is_found(born: int) -> None:
    """A project that failed from its first day on, or never resolved, was never green."""
    assert answer(walk_back(NOW), Past(born=born, broke=born).ask) is None
