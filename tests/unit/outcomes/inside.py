"""The modules of the probe, for tests of their pieces."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from venvgrid.processes.guests import PROBE_FOLDER

NAME = "probe_inside"  # another one than in an environment: the tests may themselves run with the probe


def probe(module: str) -> Any:
    """Return a module of the probe without making it a plugin of this session."""
    if NAME not in sys.modules:
        place = PROBE_FOLDER / "__init__.py"
        spec = importlib.util.spec_from_file_location(NAME, place, submodule_search_locations=[str(PROBE_FOLDER)])
        assert spec
        sys.modules[NAME] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"{NAME}.{module}")
