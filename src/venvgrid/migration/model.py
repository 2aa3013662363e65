"""The values of this package. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from venvgrid.model.config import EMPTY

if TYPE_CHECKING:
    from collections.abc import Mapping

MAIN = ("test", "tests")  # how people name the session or job that runs their tests


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is installed and run.

    `requires` are PEP 508 requirements; `install` is as in [project], "" for the default.
    """

    requires: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    install: str = ""
    resolution: str = ""
    command: tuple[str, ...] = ()  # placeholders as in [test]
    env: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    pass_env: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant(Settings):
    """What one environment of the source installs and runs.

    `python` is as in the python axis, "" for any; `part` names a part of its own. `label` is what its name says besides
    the Python. `missing` are requirements that cannot be carried over.
    """

    name: str
    label: str = ""
    python: str = ""
    axes: Mapping[str, str] = field(default_factory=lambda: EMPTY)  # that the source names itself
    may_fail: bool = False
    part: str = ""
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what could not be carried over of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What was read of a source: its variants, what runs no tests, and what could not be carried over, a line each."""

    source: str
    variants: tuple[Variant, ...] = ()
    skipped: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantGroup(Settings):
    """A grid: cells, each with a value of every axis, and what is the same in all of them."""

    name: str
    cells: tuple[Mapping[str, str], ...]
    may_fail: tuple[Mapping[str, str], ...] = ()


@dataclass(slots=True)
class Lost:
    """Takes notes of what cannot be carried over; the same note once."""

    notes: dict[str, None] = field(default_factory=dict)

    def add(self, note: str) -> None:
        """Take a note."""
        self.notes.setdefault(" ".join(note.split()))
