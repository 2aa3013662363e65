"""Values of a plan: cells, their status, and what the plan covers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from venvgrid.model.config import VARIABLE_PREFIX
from venvgrid.model.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One value of every axis, in the order of the axes. `id` is stable and safe in a shell and as a file name."""

    id: str
    axes: Mapping[str, str]
    allow_failure: bool = False
    named: bool = False  # an include asked for it by name: if it is impossible, that is a failure
    labels: tuple[str, ...] = ()  # that includes gave it, to select it by

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that the cell's `env.` axes set."""
        return {
            name.removeprefix(VARIABLE_PREFIX): value
            for name, value in self.axes.items()
            if name.startswith(VARIABLE_PREFIX)
        }

    @property
    def platform(self) -> str:
        """The platform that the cell runs on, "" for any."""
        return self.axes.get("platform", "")

    @property
    def versions(self) -> tuple[tuple[str, str], ...]:
        """The axes that a resolver sees, all but the variables: equal for cells that are resolved alike."""
        return tuple(item for item in self.axes.items() if not item[0].startswith(VARIABLE_PREFIX))


class Status(StrEnum):
    """What the plan knows of a cell before it runs."""

    RUNNABLE = "runnable"
    IMPOSSIBLE = "impossible"
    MISSING_INTERPRETER = "missing-interpreter"
    ELSEWHERE = "elsewhere"  # on a machine of another platform
    EXCLUDED = "excluded"
    FAILED = "failed"  # it could not be found out: network, index, a build backend that fails


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """A cell and whether it will run; `reason` says why not, `words` are the resolver's own."""

    cell: Cell
    status: Status
    reason: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Values that cannot be together, as a resolver found, and why."""

    values: Mapping[str, str]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the cells of a plan cover, checked apart from what chose them: combinations of `strength` values.

    `feasible` can be, `covered` of them are in a cell that runs; `infeasible` counts those that cannot be, by who says
    so; `missing` names combinations that can be and are in no cell that runs (the first of them). `lost` counts those
    of them that are in other cells, by the reason why these do not run. `elsewhere` of the covered ones are only in
    cells of other platforms. `axes` are the values that are combined.
    """

    strength: int
    feasible: int
    covered: int
    infeasible: Mapping[str, int]
    missing: tuple[Mapping[str, str], ...] = ()
    lost: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    elsewhere: int = 0
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A cell that a tier leaves out: when it last had a result, ISO 8601 in UTC, its outcome and its seconds then.

    `last` is "" if no result is known.
    """

    id: str
    last: str = ""
    outcome: str = ""
    seconds: float = 0.0

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> LeftOut:
        """Return what `plain` has written; raises KeyError, TypeError or ValueError for anything else."""
        seconds = float(data["seconds"])
        return cls(id=str(data["id"]), last=str(data["last"]), outcome=str(data["outcome"]), seconds=seconds)

    def plain(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {"id": self.id, "last": self.last, "outcome": self.outcome, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The cells in order. `warnings` are about the plan as a whole (an exclude that matches nothing).

    `tier` is the name of the tier that chose the cells, "" for none; `left_out` are the cells that it leaves out.
    """

    cells: tuple[PlannedCell, ...]
    strategy: str = "full"
    warnings: tuple[str, ...] = ()
    certificate: Certificate | None = None
    learnt: tuple[Conflict, ...] = ()
    combinations: int = 0  # of the values of all axes, where not all of them are cells
    tier: str = ""
    left_out: tuple[LeftOut, ...] = ()
