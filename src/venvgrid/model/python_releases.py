"""The minor versions of CPython: when they were released, when they reach their end of life, and what supports them.

Source: https://devguide.python.org/versions/ and the release schedules (PEP 373, 494, 537, 569, 596, 619, 664, 693,
719, 745), read in November 2026. A month without a day counts as its last day.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

AS_OF = date(2026, 11, 1)


@dataclass(frozen=True, slots=True, order=True)
class Minor:
    """A minor version, such as 3.12."""

    release: tuple[int, int]
    released: date
    end_of_life: date

    @property
    def name(self) -> str:
        """Return the version as text, such as "3.12"."""
        return f"{self.release[0]}.{self.release[1]}"


MINORS = (
    Minor((2, 7), date(2010, 7, 3), date(2020, 1, 1)),
    Minor((3, 6), date(2016, 12, 23), date(2021, 12, 23)),
    Minor((3, 7), date(2018, 6, 27), date(2023, 6, 27)),
    Minor((3, 8), date(2019, 10, 14), date(2024, 10, 7)),
    Minor((3, 9), date(2020, 10, 5), date(2025, 10, 31)),
    Minor((3, 10), date(2021, 10, 4), date(2026, 10, 31)),
    Minor((3, 11), date(2022, 10, 24), date(2027, 10, 31)),
    Minor((3, 12), date(2023, 10, 2), date(2028, 10, 31)),
    Minor((3, 13), date(2024, 10, 7), date(2029, 10, 31)),
    Minor((3, 14), date(2025, 10, 7), date(2030, 10, 31)),
)
NAMES = tuple(minor.name for minor in MINORS)
NEWEST = MINORS[-1].release
# The minor versions that may be asked for, oldest first. Bounded so that no range is endless; some do not exist yet.
ACCEPTED = ((2, 7), *((3, minor) for minor in range(6, 100)))

# The oldest Python that each tool supports, as (major, minor).
OLDEST_FOR_UV = (3, 6)  # to query, to resolve for and to install into; older ones also have no pip with a cut-off date
OLDEST_FOR_UV_DOWNLOADS = (3, 8)  # whatever the implementation
OLDEST_FOR_EDITABLE = (3, 7)  # PEP 660, with setuptools 64; below it venvgrid makes the editable wheel
OLDEST_FREE_THREADED = (3, 13)
OLDEST_FOR_HOMEBREW = (3, 8)
OLDEST_FOR_VIRTUALENV = (3, 8)  # below it the old virtualenv makes the environment
OLDEST_FOR_BUNDLED_PIP = (3, 9)  # below it pip comes with the old virtualenv
OLDEST_FOR_SHARED_BYTECODE = (3, 8)  # whose compiled files are shared

CLASSIFIER = re.compile(r"Programming Language :: Python :: ([23]\.\d+)")


def released(today: date) -> tuple[Minor, ...]:
    """Return the minor versions that are released on a day, oldest first."""
    return tuple(minor for minor in MINORS if minor.released <= today)


def classified(classifiers: Iterable[object]) -> list[str]:
    """Return the minor versions that trove classifiers name, in their order."""
    lines = [item.strip() for item in classifiers if isinstance(item, str)]
    return [match[1] for line in lines if (match := CLASSIFIER.fullmatch(line))]
