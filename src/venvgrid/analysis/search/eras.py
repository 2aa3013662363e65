"""Search for a time at which the tests passed, back from now. Pure.

    now    1      2         4                  8 weeks ago
     ✗     ✗      ✗         ✗        ✓         ?          8 weeks ago nothing resolves: the time between is halved

What a project requires exactly did not exist before its release: such a time is unknown. The green time then lies
between the last unknown and the first bad one, and the longer the way back was, the likelier it was jumped over.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from venvgrid.analysis.search.protocol import Probe, Search, Verdict
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

WEEKS = tuple(2**power for power in range(10))  # to walk back: 1 to 512
NEAR = timedelta(weeks=1)  # a gap that is not halved any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Era:
    """A time at which the tests passed, and the oldest known one after it at which they failed; "" is now."""

    time: str
    until: str = ""


def walk_back(now: datetime, ago: Sequence[int] = WEEKS) -> Search[Probe, Era | None]:
    """Return a time before `now` at which the tests passed: so many weeks ago, or between two of these times."""
    bad, unknown = now, now
    for time in (now - timedelta(weeks=weeks) for weeks in ago):
        (seen,) = yield [at(time)]
        if seen.verdict is Verdict.GOOD:
            return _era(time, bad, now)
        if seen.verdict is Verdict.BAD:
            bad = unknown = time
        elif unknown == bad:  # the first unknown one beyond the oldest bad one
            unknown = time
    while bad - unknown > NEAR:
        middle = _day(unknown + (bad - unknown) / 2)
        (seen,) = yield [at(middle)]
        if seen.verdict is Verdict.GOOD:
            return _era(middle, bad, now)
        if seen.verdict is Verdict.BAD:
            bad = middle
        else:
            unknown = middle
    return None


def at(time: datetime) -> Probe:
    """Return the probe of the world of a time."""
    return Probe(cutoff=_rfc3339(time))


def _era(time: datetime, bad: datetime, now: datetime) -> Era:
    return Era(time=_rfc3339(time), until=_rfc3339(bad) if bad < now else "")


def _day(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0)


def _rfc3339(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
