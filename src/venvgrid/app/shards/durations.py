"""How long the tests of cells take: the file that is kept between runs, and by which cells are packed.

A line for each cell, sorted, with an empty line between: so that git merges the changes of two branches to different
cells. A line that is there twice, as after a merge by union, counts with the longer time.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.model import UsageError
from venvgrid.storage.atomic import write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from venvgrid.results.report import Report

HEAD = "# Seconds of the tests of each cell. Written by: venvgrid merge --durations"
DIGITS = 3  # significant: a time that hardly changed is no change


def read(file: Path) -> dict[str, float]:
    """Return the seconds of each cell, by such a file or by a results.json.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        content = file.read_text(encoding="utf-8")
        return _of_results(json.loads(content)) if _is_object(content) else _of_lines(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = getattr(error, "strerror", None) or f"{error!r:.80}"
        raise UsageError(f"--durations {file}: it has no times of cells ({why})") from error


def is_results(file: Path) -> bool:
    """Return whether a file is a results.json, which tells more than times; False if it cannot be read."""
    with suppress(OSError, ValueError):
        return _is_object(file.read_text(encoding="utf-8"))
    return False


def write(file: Path, finished: Report) -> None:
    """Write the times of a run; cells that were not in it keep theirs.

    Raises:
        UsageError: the file is there, and has something else.
        InfrastructureError: it cannot be written.
    """
    known = read(file) if file.exists() else {}
    ran = {cell.id: cell.durations["test"] for cell in finished.cells if cell.durations.get("test") and not cell.cached}
    write_atomic(file, render({**known, **ran}))


def render(seconds: Mapping[str, float]) -> str:
    """Return the text of a file."""
    lines = (f"{cell} {time:.{DIGITS}g}" for cell, time in sorted(seconds.items()))
    return "\n\n".join([HEAD, *lines]) + "\n"


def _is_object(content: str) -> bool:
    return content.lstrip().startswith("{")


def _of_lines(content: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in content.splitlines():
        if line.strip() and not line.startswith("#"):
            cell, time = line.split()
            found[cell] = max(found.get(cell, 0.0), _seconds(time))
    return found


def _of_results(data: Mapping[str, list[dict[str, dict[str, float]]]]) -> dict[str, float]:
    ran = (cell for cell in data["cells"] if "test" in cell["durations"])
    return {str(cell["id"]): _seconds(cell["durations"]["test"]) for cell in ran}


def _seconds(written: str | float) -> float:
    found = float(written)
    if not math.isfinite(found) or found < 0:
        raise ValueError(f"{written} is no time")
    return found
