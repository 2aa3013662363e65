"""What a search and its driver say to each other. Pure.

A search is a generator. It yields probes that may run at once, and is sent what each of them showed, in their order.
Its return value is the answer. It is deterministic: sent the same observations, it asks for the same probes. So a
search that was interrupted goes on where it stopped, when the observations of before are sent to it again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import TypeVar

from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass


class Verdict(StrEnum):
    """What a probe says of the failure that is looked for.

    GOOD: its tests pass. BAD: they fail with its signature. UNKNOWN: all else, such as another failure, versions that
    do not resolve, a build that failed.
    """

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a probe showed. `packages` are the versions that were really installed; `reason` is why it is unknown.

    `runs` and `bad_runs` count how often its tests ran, and how often they failed with the signature. BAD without
    `bad_runs` failed each time.
    """

    verdict: Verdict
    axes: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    packages: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    reason: str = ""
    runs: int = 1
    bad_runs: int = 0


P = TypeVar("P")
A = TypeVar("A")
Search = Generator[Sequence[P], Sequence[Observation], A]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question: what do the tests do in a world that has these versions?

    `cell` is the id of the cell, "" for that of the search. `base` names the world whose versions are kept where that
    is possible, "" for none. `pins` are exact versions, by normalised name. `cutoff` is RFC 3339: of what was uploaded
    until then; "" is now, None is that of the cell. `again` counts repetitions: it is 0 for the first run in a world.
    """

    cell: str = ""
    base: str = ""
    pins: tuple[tuple[str, str], ...] = ()
    cutoff: str | None = None
    again: int = 0


def answer(search: Search[P, A], ask: Callable[[Sequence[P]], Sequence[Observation]]) -> A:
    """Return the answer of a search; `ask` runs the probes that it wants, at once."""
    try:
        wanted = next(search)
        while True:
            wanted = search.send(ask(wanted))
    except StopIteration as stop:
        found: A = stop.value
        return found
