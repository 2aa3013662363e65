"""`venvgrid merge`: one report of the records of all shards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.shards import durations
from venvgrid.app.shards import merged as merging
from venvgrid.cli import output
from venvgrid.model import ExitStatus, UsageError
from venvgrid.reporters import text
from venvgrid.results import plan_file, records

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal


MAX_SHOWN = 10_000  # cells: no terminal shows more
MAX_LINE = 2000  # characters; a line holds the name of a file and a reason


@output.without_collection
def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Write the merged report; the exit status says whether every record counted, not whether cells are green."""
    found = list(records.find(map(Path, arguments.records)))
    whole = [item for item in found if isinstance(item, records.Record)]
    if arguments.plan:
        plan = plan_file.read(Path(arguments.plan))
    elif whole:
        plan = max(whole, key=lambda item: (item.header.began, item.place)).plan()
    else:
        refused = [f"{item.place}: {item.why}" for item in found if isinstance(item, records.Unusable)]
        told = "; ".join(refused) or f"none is in {', '.join(arguments.records)}"
        made = "a record is made by: venvgrid run --plan plan.json --record shard-1.record"
        raise UsageError(text.guard(text.line(f"there is no record to merge: {told}; {made}", MAX_LINE)))
    plan = replace(plan, text="")  # for records, of which none is made here: a large plan has 20 MB
    merged = merging.collect(plan, found)
    finished = merging.write(merged, Path(arguments.output).absolute())
    shown = replace(finished, folder=Path(arguments.output).as_posix())
    if len(finished.cells) <= MAX_SHOWN:
        terminal.data(output.table(arguments, shown, terminal, Path.cwd()))
    if arguments.durations:
        durations.write(Path(arguments.durations).absolute(), finished)
    for item in merged.refused:
        terminal.error(text.guard(text.line(f"venvgrid: refused: {item.place}: {item.why}", MAX_LINE)))
    cells, read = text.count(len(plan.cells), "cell"), text.count(len(merged.records), "record")
    terminal.message(f"{len(merged.chosen)} of {cells}, from {read}")
    return ExitStatus.INCOMPLETE if merged.refused else ExitStatus.PASSED
