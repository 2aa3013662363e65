"""The scripts in `guest/`, which other Pythons run: where each of them is."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name("guest")
PROBE_FOLDER = FOLDER / "_venvgrid_probe"  # a package
WITNESS_FILE = FOLDER / "_venvgrid_witness.py"
OLD_WITNESS_FILE = FOLDER / "_venvgrid_witness_old.py"
ANCESTOR_FILE = FOLDER / "_venvgrid_witness_ancestor.py"
START_FILE = WITNESS_FILE.with_suffix(".pth")
OPENED_FILE = FOLDER / "_venvgrid_opened.py"
OLD_OPENED_FILE = FOLDER / "_venvgrid_opened_old.py"
# Into every environment.
COPIED = (PROBE_FOLDER, WITNESS_FILE, OLD_WITNESS_FILE, ANCESTOR_FILE, OPENED_FILE, OLD_OPENED_FILE, START_FILE)
COMPILER = FOLDER / "compile.py"
QUERY = FOLDER / "query.py"
FACTS = FOLDER / "facts.py"
WARM = FOLDER / "_venvgrid_warm"  # a folder that Python runs
