"""What a probe may try: cells of the grid that did not run, and lock swaps. Pure.

A lock swap is a green lock with some distributions of a red one. What the resolver moves along with them, its company,
is known only afterwards. A swap may not resolve at all.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MOST_SWAPS = 1000
MOST_PAIRS = 20  # distributions that differ, up to which all pairs are candidates


class Purpose(StrEnum):
    """Why a search asks for a probe.

    AGAIN: to run a cell again, as a flaky one looks like a rule. SPLIT: to tell rules apart. FALSIFY: to try the rule
    where it was not tried. CONFIRM: to show the answer three times.
    """

    AGAIN = "again"
    SPLIT = "split"
    FALSIFY = "falsify"
    CONFIRM = "confirm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A world that can be tried. `name` is unique among all candidates and cells that ran.

    `axes` are values as in the plan, `packages` the versions that it is expected to have; without any, those of the
    nearest world that ran. `swapped` are the distributions that a lock swap takes from the red lock; a cell has none.
    """

    name: str
    axes: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    packages: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    swapped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """A request to run the failing tests `runs` times in a world. AGAIN and CONFIRM are about worlds that ran."""

    candidate: Candidate
    purpose: Purpose
    runs: int = 1

    @property
    def is_repeat(self) -> bool:
        """Whether this world ran before."""
        return self.purpose in {Purpose.AGAIN, Purpose.CONFIRM}


def swaps(
    axes: Mapping[str, str],
    green: Mapping[str, str],
    red: Mapping[str, str],
    *,
    first: Sequence[str] = (),
    most: int = MOST_SWAPS,
) -> tuple[Candidate, ...]:
    """Return the lock swaps between two locks of one interpreter; `first` are the likeliest distributions.

    If there are more than `most`, these are chosen: each alone, all but one, the first ones of the order, pairs, and
    random ones of all sizes. Equal locks give equal swaps.
    """
    differ = [name for name in sorted({*green, *red}) if green.get(name) != red.get(name)]
    differ.sort(key=lambda name: first.index(name) if name in first else len(first))
    chosen = dict.fromkeys(itertools.islice(_sets(differ, most), max(0, most)))
    return tuple(_swap(axes, green, red, names) for names in chosen)


def _swap(axes: Mapping[str, str], green: Mapping[str, str], red: Mapping[str, str], names: Sequence[str]) -> Candidate:
    packages = {**green, **{name: red.get(name, "") for name in names}}
    return Candidate(
        name=f"swap {' '.join(names)}",
        axes=axes,
        packages=MappingProxyType({name: version for name, version in packages.items() if version}),
        swapped=tuple(names),
    )


def _sets(differ: Sequence[str], most: int) -> Iterator[tuple[str, ...]]:
    """Yield different proper subsets, at most `most` of many."""
    size = len(differ)
    if 2**size - 2 <= most:
        for count in range(1, size):
            yield from itertools.combinations(differ, count)
        return
    known = set[tuple[str, ...]]()
    source = random.Random("\n".join(differ))  # noqa: S311  (no secret; equal locks give equal swaps)
    for names in itertools.chain(_structured(differ), _random(differ, source)):
        if names not in known:
            known.add(names)
            yield names
        if len(known) >= most:
            return


def _structured(differ: Sequence[str]) -> Iterator[tuple[str, ...]]:
    yield from ((name,) for name in differ)
    yield from (_without(differ, (name,)) for name in differ)
    yield from (tuple(differ[:count]) for count in range(1, len(differ)))
    if len(differ) <= MOST_PAIRS:
        yield from itertools.combinations(differ, 2)


def _without(differ: Sequence[str], names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in differ if name not in set(names))


def _random(differ: Sequence[str], source: random.Random) -> Iterator[tuple[str, ...]]:
    while True:
        chosen = set(source.sample(differ, source.randint(1, len(differ) - 1)))
        yield tuple(name for name in differ if name in chosen)
