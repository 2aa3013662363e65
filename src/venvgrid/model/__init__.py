"""The nouns that every package speaks in: values, events, errors. Nothing here reads, writes or starts anything.

All of them can be imported from here; inside venvgrid each is imported from its own module, which costs less.
"""

import importlib

_MODULES = {
    "config": "Axis AxisKind Config InstallMode InstallOptions Planning ProjectOptions Resolution Rule SuiteOptions",
    "plan": "Cell Certificate Conflict Plan PlannedCell Status",
    "environment": "Distribution Interpreter LockEntry",
    "result": "Attestation CaseOutcome CellResult Failure Outcome",
    "events": (
        "CellFinished CellPlanned Event Message RunFinished RunStarted Stage StageFinished StageProgress StageStarted "
        "TestFinished TestsCollected"
    ),
    "errors": (
        "ConfigError ExitStatus InfrastructureError LockError NothingToRunError PolicyError UsageError VenvgridError"
    ),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(_HOMES)  # noqa: PLE0605  (a list of names)


def __getattr__(name: str) -> object:
    """Import a name from its module when it is first used: the command line must start fast."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"venvgrid.model.{_HOMES[name]}"), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
