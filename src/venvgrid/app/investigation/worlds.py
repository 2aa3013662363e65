"""Worlds of probes: versions as distributions, cells with pins, and what tests attest. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from venvgrid.model import Distribution
from venvgrid.model.names import normalise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from venvgrid.analysis.search.protocol import Probe
    from venvgrid.app.context import RunContext
    from venvgrid.model import Cell, LockEntry


def distributions(packages: Mapping[str, str]) -> tuple[Distribution, ...]:
    """Return versions by name as distributions."""
    return tuple(Distribution(name=name, version=version) for name, version in packages.items())


def company(good: Mapping[str, str], bad: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the distributions that differ between two worlds, with both versions; "" is absent."""
    both = ((name, (good.get(name, ""), bad.get(name, ""))) for name in sorted({*good, *bad}))
    return {name: versions for name, versions in both if versions[0] != versions[1]}


def unbounded(requires: Iterable[str], names: Collection[str]) -> tuple[str, ...]:
    """Return requirements in which distributions of these names may have any version."""
    return tuple(_unbounded(line) if normalise(Requirement(line).name) in names else line for line in requires)


def _unbounded(line: str) -> str:
    found = Requirement(line)
    found.specifier = SpecifierSet()
    return str(found)


def pinned(cell: Cell, probe: Probe) -> Cell:
    """Return the cell with the values of its axes that a probe pins: 2.0 is 2.0 there, and not any 2.0.x."""
    pins = {name: version if version.startswith("=") else f"=={version}" for name, version in probe.pins}
    return replace(cell, axes={name: pins.get(normalise(name), value) for name, value in cell.axes.items()})


def undated(probe: Probe, world: LockEntry) -> str:
    """Return why a world is not that of the time that a probe asks for, "" if it is: an old pip knows no dates."""
    if not probe.cutoff or world.as_of:
        return ""
    why = next((note for note in world.notes if note.startswith("as-of was not applied")), "as-of was not applied")
    return f'{why}; install uv: pip install "venvgrid[uv]"'


def attested(context: RunContext, worlds: Iterable[LockEntry], probes: Iterable[Probe]) -> tuple[str, ...]:
    """Return the pinned distributions that all worlds have: the tests have to see the versions that were asked for."""
    axes = {normalise(axis.name) for axis in context.config.axes}
    there = [{item.name for item in world.distributions} for world in worlds]
    pinned = {name for probe in probes for name, _ in probe.pins}
    return tuple(sorted(name for name in pinned - axes if all(name in some for some in there)))
