"""The nouns that every package speaks in: values, events, errors. Nothing here reads, writes or starts anything.

All of them are imported from here. A module is imported when one of its names is first used: a start must be fast.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from venvgrid.model.config import *
    from venvgrid.model.environment import *
    from venvgrid.model.errors import *
    from venvgrid.model.events import *
    from venvgrid.model.plan import *
    from venvgrid.model.result import *

_MODULES = {
    "config": (
        "Axis AxisKind Config FrozenPolicy InstallMode InstallOptions Planning ProjectOptions Resolution Rule SuiteOptions"
    ),
    "environment": "Distribution Environment Interpreter LockEntry",
    "errors": "ConfigError ExitStatus InfrastructureError LockError NothingToRunError PolicyError UsageError VenvgridError",
    "events": (
        "CellFinished CellPlanned Event Message RunFinished RunStarted Stage StageFinished StageProgress StageStarted "
        "TestFinished TestsCollected"
    ),
    "plan": "Cell Certificate Conflict LeftOut Mark Plan PlannedCell Product ProductAxis Status",
    "result": "Attestation CaseOutcome CellResult Failure Outcome",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(_HOMES)  # noqa: PLE0605  (a list of names)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found
