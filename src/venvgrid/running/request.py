"""What a run is asked to do: the plan, the interpreters, the options."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.analysis.prioritisation import Order
from venvgrid.model import Stage
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.model import Config, Interpreter, Plan
    from venvgrid.project.metadata import Metadata
    from venvgrid.running.tasks import CellAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A run that was asked for. `metadata` is None where only a wheel knows them; `locked` holds known answers.

    `definition` is a digest of what an editable installation is made from.
    """

    config: Config
    plan: Plan
    interpreters: Mapping[str, Interpreter | str]  # by the value of the python axis; a text is the reason for none
    surrogates: Mapping[str, Interpreter] = field(default_factory=dict)  # to resolve with, for missing interpreters
    download: bool = False  # whether uv may download missing interpreters
    metadata: Metadata | None
    depends_on_python: bool = False  # whether each interpreter needs metadata and a wheel of its own
    definition: str = ""
    run: str
    time: str
    version: str
    command: tuple[str, ...] = ()
    workers: int = 1
    locked: Mapping[str, CellAnswer] = field(default_factory=dict)
    given: frozenset[str] = frozenset()  # of the locked cells, those that no lock holds: the caller resolved them
    until: Stage = Stage.TEST  # BUILD: no cell is tested
    fail_fast: bool = False
    strict: bool = False
    skip_missing: bool = False
    order: Order = field(default_factory=Order)
    recorded: frozenset[str] = frozenset()  # cells that may have a result of an earlier run: they are resolved last
