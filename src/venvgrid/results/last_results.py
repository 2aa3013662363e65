"""When each cell last had a result, its outcome and its seconds then: of the runs of a folder, and of merged runs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from venvgrid.model import LeftOut, Outcome, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from venvgrid.results.report import Earlier

_RUN = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-")  # a run's id begins with its time


def of(history: Mapping[str, Earlier], files: Iterable[Path]) -> dict[str, LeftOut]:
    """Return the newest result of each cell: of the runs of a folder, and in the results.json of merged runs.

    Raises:
        UsageError: a file cannot be read.
    """
    found = [
        LeftOut(id=name, last=time_of(item.run), outcome=item.outcome.value, seconds=item.seconds)
        for name, item in history.items()
        if item.outcome.is_green or item.outcome.is_red or item.outcome is Outcome.IMPOSSIBLE
    ]
    for file in files:
        found += _of_file(file)
    newest: dict[str, LeftOut] = {}
    for item in found:
        if item.id not in newest or newest[item.id].last <= item.last:
            newest[item.id] = item
    return newest


def time_of(run: str) -> str:
    """Return when a run began, by its id, ISO 8601 in UTC; "" if that does not tell."""
    found = _RUN.match(run)
    return "{}-{}-{}T{}:{}:{}+00:00".format(*found.groups()) if found else ""


def _of_file(file: Path) -> list[LeftOut]:
    """Return the results in a results.json, and those that it remembers of cells that its own tier left out."""
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
        started, cells = str(data["started"]), data["cells"]
        found = [
            LeftOut(
                id=str(cell["id"]),
                last=started,
                outcome=Outcome(cell["outcome"]).value,
                seconds=float(cell["durations"].get("test", 0.0)),
            )
            for cell in cells
            if (outcome := Outcome(cell["outcome"])).is_green or outcome.is_red or outcome is Outcome.IMPOSSIBLE
        ]
        return found + [LeftOut.of(item) for item in data.get("left_out", []) if item["last"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"--durations {file}: it is no results.json ({error!r:.80})") from error
