"""The scripts in `guest/`, which other Pythons run: where each of them is."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name("guest")
PROBE_FILE = FOLDER / "_venvgrid_probe.py"
WITNESS_FILE = FOLDER / "_venvgrid_witness.py"
START_FILE = WITNESS_FILE.with_suffix(".pth")
OPENED_FILE = FOLDER / "_venvgrid_opened.py"
OF_ENVIRONMENTS = (PROBE_FILE, WITNESS_FILE, OPENED_FILE, START_FILE)  # placed into every environment
COMPILER = FOLDER / "compile.py"
QUERY = FOLDER / "query.py"
