"""What testing a cell needs, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from venvgrid.model.result import CellResult, Outcome

if TYPE_CHECKING:
    from venvgrid.environments.store import Environment
    from venvgrid.model.environment import LockEntry
    from venvgrid.model.plan import Cell
    from venvgrid.project.metadata import Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledProject:
    """What is known of the installed project: its metadata and the top-level modules that it installs."""

    metadata: Metadata
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellJob:
    """Everything that testing one cell needs."""

    cell: Cell
    entry: LockEntry
    environment: Environment
    project: InstalledProject | None
    alone: bool = False  # whether nothing else can write into its environment


@dataclass(frozen=True, slots=True, kw_only=True)
class TestDone:
    """What testing a cell gives. `is_changed`: its environment is no longer what it was, and it was not alone in it.

    `is_poisoned`: files that it shares with other environments are among those that changed. `imported` names the
    compiled files that a new environment did not begin with, relative to site-packages.
    """

    result: CellResult
    is_changed: bool = False
    is_poisoned: bool = False
    imported: frozenset[str] = frozenset()


def base_result(cell: Cell, entry: LockEntry | None) -> CellResult:
    """Give what a result of the cell always holds; the outcome is to be replaced."""
    return CellResult(
        id=cell.id,
        axes=cell.axes,
        outcome=Outcome.CANCELLED,
        allow_failure=cell.allow_failure,
        named=cell.named,
        interpreter=entry.interpreter if entry else None,
        packages={item.name: item.version for item in entry.distributions} if entry else {},
        notes=entry.notes if entry else (),
    )
