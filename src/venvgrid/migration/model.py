"""Values of the migration. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from venvgrid.model.config import EMPTY

if TYPE_CHECKING:
    from collections.abc import Mapping

MAIN_NAMES = ("test", "tests")  # usual names of the session or job that runs the tests


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to install and run.

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
    """One environment of the source.

    `python` is as in the python axis, "" for any. `grid` is the name of a grid of its own, or "". `label` is its name
    without the Python. `missing` are requirements that cannot be carried over.
    """

    name: str
    label: str = ""
    python: str = ""
    axes: Mapping[str, str] = field(default_factory=lambda: EMPTY)  # those that the source names
    may_fail: bool = False
    grid: str = ""
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what could not be carried over


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedSource:
    """A parsed source: its variants, names of environments without tests, and what could not be carried over."""

    source: str
    variants: tuple[Variant, ...] = ()
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantGroup(Settings):
    """A grid: its cells, each with a value of every axis, and their common settings."""

    name: str
    cells: tuple[Mapping[str, str], ...]
    may_fail: tuple[Mapping[str, str], ...] = ()


def subtable(table: Any, key: str) -> dict[str, Any]:
    """Return the table at `key`, or {} if there is none or `table` is none."""
    found = table.get(key) if isinstance(table, dict) else None
    return found if isinstance(found, dict) else {}


@dataclass(slots=True)
class Notes:
    """Collects distinct notes of what cannot be carried over."""

    lines: dict[str, None] = field(default_factory=dict)

    def add(self, note: str) -> None:
        """Add a note."""
        self.lines.setdefault(" ".join(note.split()))
