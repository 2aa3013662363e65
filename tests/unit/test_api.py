"""The public names: what other programs may import, and nothing else by accident."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import venvgrid
from venvgrid import model, testing

PUBLIC = {
    "venvgrid": {"Report", "__version__", "run"},
    "venvgrid.model": {
        *("Axis", "AxisKind", "Config", "InstallMode", "InstallOptions", "Planning", "ProjectOptions", "Resolution"),
        *(
            "Rule",
            "SuiteOptions",
            "Cell",
            "Certificate",
            "Conflict",
            "LeftOut",
            "Mark",
            "Plan",
            "PlannedCell",
            "Product",
            "ProductAxis",
            "Status",
            "Distribution",
            "Environment",
            "FrozenPolicy",
        ),
        *("Interpreter", "LockEntry", "Attestation", "CaseOutcome", "CellResult", "Failure", "Outcome"),
        *("CellFinished", "CellPlanned", "Event", "Message", "RunFinished", "RunStarted", "Stage", "StageFinished"),
        *("StageProgress", "StageStarted", "TestFinished", "TestsCollected"),
        *("ConfigError", "ExitStatus", "InfrastructureError", "LockError", "NothingToRunError", "PolicyError"),
        *("UsageError", "VenvgridError"),
    },
    "venvgrid.testing": {"FakeExecutor", "FakeInstaller", "FakeWorker", "distribution", "environment", "interpreter"},
}


@pytest.mark.parametrize("module", PUBLIC)
def test_the_public_names_are_these(module: str) -> None:
    """A name that is added or removed is a decision: it is written down here and in docs/how-to/python.md."""
    assert set(importlib.import_module(module).__all__) == PUBLIC[module]


def test_every_public_name_exists() -> None:
    """Each exported name can be had, and is where its class says; another name is an AttributeError."""
    for owner in (venvgrid, model, testing):
        assert all(getattr(owner, name) is not None for name in owner.__all__)
        with pytest.raises(AttributeError):
            owner.nothing_of_this_name  # noqa: B018  (the access is what is tested)


def test_importing_the_interface_imports_nothing_that_a_use_needs() -> None:
    """`import venvgrid` is cheap: no library, and of venvgrid only its version."""
    code = "import sys, venvgrid; print(*sorted(name for name in sys.modules if name.startswith('venvgrid')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["venvgrid", "venvgrid.model", "venvgrid.model.version"]
