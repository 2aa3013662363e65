"""The requirements of a cell: what the configuration, the groups and the axes ask for, as PEP 508. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.config import axis_values
from venvgrid.model import AxisKind, Resolution
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from venvgrid.model import Cell, Config, Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """The requirements of one cell, apart from its interpreter, as PEP 508."""

    pins: tuple[str, ...]
    absent: tuple[str, ...]  # normalised names
    extras: tuple[str, ...]
    resolution: Resolution
    as_of: str  # "", "release", or RFC 3339
    requires: tuple[str, ...]  # of the tests: install.requires and the groups
    prefer: tuple[Distribution, ...] = ()  # versions to keep where that is possible
    limits: tuple[str, ...] = ()  # further constraints


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a probe asks for besides its cell: further pins, versions to keep where possible, limits, a cut-off date.

    `limits` are specifiers for what may be installed. `cutoff` is RFC 3339, "" for none; None leaves
    that of the cell.
    """

    pins: tuple[tuple[str, str], ...] = ()  # normalised name, exact version
    prefer: tuple[Distribution, ...] = ()
    limits: tuple[tuple[str, str], ...] = ()  # normalised name, specifier
    cutoff: str | None = None

    def added_to(self, needs: Requirements) -> Requirements:
        """Return the requirements of a cell with what is wished."""
        pinned = dict(self.pins)
        return replace(
            needs,
            pins=(*needs.pins, *(f"{name}=={version}" for name, version in self.pins)),
            prefer=tuple(item for item in self.prefer if item.name not in pinned and not item.direct),
            limits=tuple(f"{name}{specifier}" for name, specifier in self.limits),
            as_of=needs.as_of if self.cutoff is None else self.cutoff,
        )


def requirements_of(config: Config, cell: Cell, groups: tuple[str, ...]) -> Requirements:
    """Return the requirements of a cell; `groups` are those of the dependency groups."""
    pins: list[str] = []
    absent: list[str] = []
    extras, resolution, as_of = config.project.extras, config.install.resolution, config.install.as_of or ""
    for axis in config.axes:
        value = cell.axes[axis.name]
        if axis.kind is AxisKind.DEPENDENCY:
            pin = requirement(axis.name, value)
            (pins if pin else absent).append(pin or normalise(axis.name))
        elif axis.kind is AxisKind.EXTRAS:
            extras = tuple(part for part in value.split(",") if part)
        elif axis.kind is AxisKind.RESOLUTION:
            resolution = Resolution(value)
        elif axis.kind is AxisKind.AS_OF:
            as_of = value
    requires = tuple(line for line in (*config.install.requires, *groups) if name_of(line) not in absent)
    return Requirements(
        pins=tuple(pins),
        absent=tuple(absent),
        extras=extras,
        resolution=resolution,
        as_of="" if as_of == "today" else as_of,
        requires=requires,
    )


def requirement(axis_name: str, value: str) -> str | None:
    """Return the PEP 508 requirement for a value of a dependency axis, or None for "absent"."""
    specifier = axis_values.version_specifier(value)
    return None if specifier is None else f"{axis_name}{specifier}"


def name_of(line: str) -> str:
    """Return the normalised name of the distribution that a requirement is for."""
    from packaging.requirements import Requirement  # noqa: PLC0415  (70 ms, and plans from a lock do without)

    return normalise(Requirement(line).name)
