"""What a session of watch hears of: edits, keys, and the progress of its rounds."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from venvgrid.app.context import RunContext
    from venvgrid.model import CellResult
    from venvgrid.results.report import Report
    from venvgrid.results.run_folders import RunFolder
    from venvgrid.running.warm.preview import Preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """The system says that something happened to these paths; whether they changed is not known yet."""

    paths: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A key, as a character; "" for the end of the keys: the terminal is gone."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A round knows its cells."""

    round: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A cell has its result."""

    round: int
    result: CellResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """The tests of a cell ran warm: what they said is no result yet."""

    round: int
    preview: Preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """After a round, so many cells have a warm process that waits for the next edit."""

    round: int
    cells: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A round is over: with a report, or with an error for the user, or, if it was stopped, with neither.

    `sides` are pairs of cells inside and outside of the rules that are known now.
    """

    round: int
    error: str = ""
    done: tuple[RunContext, Report, RunFolder] | None = None
    sides: tuple[tuple[str, str], ...] = field(default=())


Message = Touched | Pressed | Planned | Previewed | Finished | Ended | Prepared
