"""Values of the migration. Pure."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

MAIN_NAMES = ("test", "tests")  # usual names of the session or job that runs the tests


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to install and run.

    `requires` and `constraints` are as in [install]: PEP 508, or files; `named` are the normalised names in the files.
    `install` is as in [project], "" for the default; `before` and `working_directory` are as in [test].
    """

    requires: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    install: str = ""
    resolution: str = ""
    pre_releases: bool = False
    named: tuple[str, ...] = ()
    before: tuple[tuple[str, ...], ...] = ()
    command: tuple[str, ...] = ()  # placeholders as in [test]
    working_directory: str = ""
    env: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    pass_env: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant(Settings):
    """One environment of the source.

    `python` is as in the python axis, "" for any. `grid` is the name of a grid of its own, or "". `label` is its name
    without the Python. `missing` is what it needs and a configuration cannot express: it must not be written.
    """

    name: str
    label: str = ""
    python: str = ""
    axes: Mapping[str, str] = field(default_factory=lambda: EMPTY)  # those that the source names
    may_fail: bool = False
    grid: str = ""
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what differs, and does not change what is tested


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedSource:
    """A parsed source: its variants, names of environments without tests, and what differs.

    `unused` are environments that run only when they are asked for by name. `skip_missing`: a Python that is not there
    is no failure.
    """

    source: str
    variants: tuple[Variant, ...] = ()
    skipped: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    skip_missing: bool = False


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
    """Collects distinct notes: what differs (`lines`), and what makes a grid untrue if it is left out (`lost`)."""

    lines: dict[str, None] = field(default_factory=dict)
    lost: dict[str, None] = field(default_factory=dict)

    def add(self, note: str) -> None:
        """Add a note of what differs."""
        self.lines.setdefault(" ".join(note.split()))

    def lose(self, note: str) -> None:
        """Add a note of what an environment needs and a configuration cannot express."""
        self.lost.setdefault(" ".join(note.split()))
