"""Values of a plan: cells, their status, and what the plan covers."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, overload

from venvgrid.model.config import VARIABLE_PREFIX
from venvgrid.model.values import dataclass

MAX_PRODUCT = 1_000_000  # cells: for so many was measured what a run needs


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
class ProductAxis:
    """An axis of a product: its values, and the part of each in the ids of cells, "" for none."""

    name: str
    values: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the cells of a product with some values of some axes have for a status, and why."""

    values: Mapping[str, tuple[str, ...]]  # by axis
    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product(Sequence[PlannedCell]):
    """All combinations of the values of axes, the first axis slowest. A cell is made each time it is looked at.

    A million cells would fill the memory; their axes do not. An id is `prefix` and the parts of its values, in the
    `order` of the axes (places; those that are not there have one value). No part of an axis begins another one of it,
    so that an id belongs to one cell. The status of a cell is that of the first of the `marks` that fits; without one
    it is to run.

    Raises:
        ValueError: it is too large, or its parts do not fit together.
    """

    axes: tuple[ProductAxis, ...]
    order: tuple[int, ...]
    prefix: str = ""
    marks: tuple[Mark, ...] = ()

    def __post_init__(self) -> None:
        """Check what a file may have told."""
        rest = [axis for place, axis in enumerate(self.axes) if place not in self.order]
        fits = all(len(axis.values) == len(axis.parts) for axis in self.axes) and all(len(a.values) == 1 for a in rest)
        if not fits or len({*self.order}) != len(self.order) or len(rest) + len(self.order) != len(self.axes):
            raise ValueError("the axes of a product do not fit together")
        if math.prod(len(axis.values) for axis in self.axes) > MAX_PRODUCT:
            raise ValueError(f"a product has at most {MAX_PRODUCT:,} cells")

    def __len__(self) -> int:
        """Return the number of cells."""
        return math.prod(len(axis.values) for axis in self.axes)

    @overload
    def __getitem__(self, index: int) -> PlannedCell: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[PlannedCell, ...]: ...
    def __getitem__(self, index: int | slice) -> PlannedCell | tuple[PlannedCell, ...]:
        """Return a cell by its place, or some of them."""
        if isinstance(index, slice):
            return tuple(map(self._at, range(*index.indices(len(self)))))
        return self._at(range(len(self))[index])

    def __iter__(self) -> Iterator[PlannedCell]:
        """Yield the cells in order."""
        return map(self._cell, itertools.product(*(range(len(axis.values)) for axis in self.axes)))

    def marked(self, marks: Sequence[Mark]) -> Product:
        """Return the product in which cells without a mark get one of `marks`, the first that fits."""
        return Product(axes=self.axes, order=self.order, prefix=self.prefix, marks=(*self.marks, *marks))

    def find(self, cell: str) -> int | None:
        """Return the place of the cell with an id, or None if there is none."""
        return self.finder()(cell)

    def finder(self) -> Callable[[str], int | None]:
        """Return `find` for many cells: the parts of ids are looked up."""
        known = [(place, {part: number for number, part in enumerate(self.axes[place].parts)}) for place in self.order]

        def find(cell: str) -> int | None:
            if not cell.startswith(self.prefix):
                return None
            rest, numbers = f"{cell.removeprefix(self.prefix)}-", [0] * len(self.axes)
            for place, parts in known:
                end = rest.find("-")
                while end >= 0 and rest[:end] not in parts:
                    end = rest.find("-", end + 1)
                if end < 0:
                    return None
                numbers[place], rest = parts[rest[:end]], rest[end + 1 :]
            return None if rest else self.place(numbers)

        return find

    def place(self, numbers: Sequence[int]) -> int:
        """Return the place of the cell with the values of these numbers, one for each axis."""
        place = 0
        for axis, number in zip(self.axes, numbers, strict=True):
            place = place * len(axis.values) + number
        return place

    def counts(self, name: str) -> Counter[tuple[Status, str]]:
        """Count the cells by their status and their value of an axis: only the axes of the marks are looked at."""
        marked = {name, *(axis for mark in self.marks for axis in mark.values)}
        looked_at = [axis for axis in self.axes if axis.name in marked]
        times = math.prod(len(axis.values) for axis in self.axes if axis.name not in marked)
        found = Counter[tuple[Status, str]]()
        for values in itertools.product(*(axis.values for axis in looked_at)):
            some = {axis.name: value for axis, value in zip(looked_at, values, strict=True)}
            found[self._status(some)[0], some.get(name, "")] += times
        return found

    def _at(self, place: int) -> PlannedCell:
        numbers = []
        for axis in reversed(self.axes):
            place, number = divmod(place, len(axis.values))
            numbers.append(number)
        return self._cell(numbers[::-1])

    def _cell(self, numbers: Sequence[int]) -> PlannedCell:
        axes = {axis.name: axis.values[number] for axis, number in zip(self.axes, numbers, strict=True)}
        parts = "-".join([self.axes[place].parts[numbers[place]] for place in self.order])
        status, reason = self._status(axes)
        cell = Cell(id=f"{self.prefix}{parts}", axes=MappingProxyType(axes))
        return PlannedCell(cell=cell, status=status, reason=reason)

    def _status(self, axes: Mapping[str, str]) -> tuple[Status, str]:
        for mark in self.marks:
            if all(axes[name] in values for name, values in mark.values.items()):
                return mark.status, mark.reason
        return Status.RUNNABLE, ""


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

    cells: Sequence[PlannedCell]  # a tuple, or a Product
    strategy: str = "full"
    warnings: tuple[str, ...] = ()
    certificate: Certificate | None = None
    learnt: tuple[Conflict, ...] = ()
    combinations: int = 0  # of the values of all axes, where not all of them are cells
    tier: str = ""
    left_out: tuple[LeftOut, ...] = ()

    def values(self, name: str, *, status: Status = Status.RUNNABLE) -> dict[str, int]:
        """Count the cells of a status by their value of an axis, "" if they have none; in the order of the cells."""
        if isinstance(self.cells, Product):
            found = self.cells.counts(name)
            return {value: number for (of, value), number in found.items() if of is status}
        return dict(Counter(item.cell.axes.get(name, "") for item in self.cells if item.status is status))
