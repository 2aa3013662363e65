"""`venvgrid ci issues`: one issue for each failure of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.filing import issues, trackers
from venvgrid.app.filing.filing import file
from venvgrid.model import ExitStatus, UsageError
from venvgrid.processes import runner
from venvgrid.processes.redaction import Redactor
from venvgrid.reporters import text

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """File the issues, print what was done, and return 0 only if nothing failed."""
    place = Path(arguments.results)
    place = place / "results.json" if place.is_dir() else place
    try:
        data = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no results.json"
        raise UsageError(f"{place}: {why}; make one of records with: venvgrid merge RECORDS -o merged") from error
    run, redactor = issues.read(data, str(place)), Redactor.from_environ(terminal.environ)
    tracker: trackers.Tracker
    try:
        tracker = trackers.find(arguments.repo or "", terminal.environ, runner.run, terminal.message)
    except UsageError as error:
        if not arguments.dry_run:
            raise
        terminal.message(f"note: the issues that are there are not known: {error}")
        tracker = trackers.Unknown()
    filed = file(run, tracker, terminal.environ, redactor, dry=arguments.dry_run)
    for line in filed.done:
        terminal.data(text.safe(redactor.text(line)))
    for line in filed.failed:
        terminal.error(text.safe(redactor.text(f"venvgrid: not filed: {line}")))
    if not filed.done and not filed.failed:
        terminal.message("no failure, and no issue that is open")
    return ExitStatus.INCOMPLETE if filed.failed else ExitStatus.PASSED
