"""The scripts in `guest/`, which other Pythons run: where each of them is."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).with_name("guest")
PROBE_FOLDER = FOLDER / "_venvgrid_probe"  # a package
WITNESS_FILE = FOLDER / "_venvgrid_witness.py"
OLD_WITNESS_FILE = FOLDER / "_venvgrid_witness_old.py"
ANCESTOR_FILE = FOLDER / "_venvgrid_witness_ancestor.py"
START_FILE = WITNESS_FILE.with_suffix(".pth")
OPENED_FILE = FOLDER / "_venvgrid_opened.py"
OLD_OPENED_FILE = FOLDER / "_venvgrid_opened_old.py"
NETWORK_FILE = FOLDER / "_venvgrid_network.py"
STARTED_FILE = FOLDER / "_venvgrid_started.py"
COMPILED_FILE = FOLDER / "_venvgrid_compiled.py"
DISTRIBUTIONS_FILE = FOLDER / "_venvgrid_distributions.py"
# Into every environment.
COPIED = (
    *(PROBE_FOLDER, WITNESS_FILE, OLD_WITNESS_FILE, ANCESTOR_FILE, START_FILE),
    *(OPENED_FILE, OLD_OPENED_FILE, NETWORK_FILE, STARTED_FILE, COMPILED_FILE, DISTRIBUTIONS_FILE),
)
COMPILER = FOLDER / "compile.py"
QUERY = FOLDER / "query.py"
FACTS = FOLDER / "facts.py"
WARM = FOLDER / "_venvgrid_warm"  # a folder that Python runs


def files_of(guests: tuple[Path, ...]) -> Mapping[str, Path]:
    """Return the files of guests, of packages their modules, by their path in site-packages."""
    return {
        file.relative_to(guest.parent).as_posix(): file
        for guest in guests
        for file in (sorted(guest.glob("*.py")) if guest.is_dir() else [guest])
    }


@functools.cache
def digest_of(guests: tuple[Path, ...] = COPIED) -> str:
    """Return the digest of guests. An environment with others is not used, nor is a result that others attested."""
    contents = {name: file.read_text(encoding="utf-8") for name, file in files_of(guests).items()}
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()
