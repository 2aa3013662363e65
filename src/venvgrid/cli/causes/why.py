"""`venvgrid why`: the releases that broke a cell, with the proof."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from venvgrid.analysis import grouping
from venvgrid.analysis.stories import Investigated
from venvgrid.app.context import RunContext
from venvgrid.app.investigation import ends, kept
from venvgrid.app.investigation.story import tell
from venvgrid.app.run import load_merged, read_config
from venvgrid.cli import options
from venvgrid.model import ExitStatus, NothingToRunError, UsageError
from venvgrid.reporters import text

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Find the cause, keep it for reports, print it, and return the exit status."""
    investigated = _investigated(arguments, terminal)
    terminal.data(_rendered(investigated, arguments, terminal))
    return ExitStatus.PASSED if investigated.story.is_proven else ExitStatus.CANNOT_TELL


def _investigated(arguments: argparse.Namespace, terminal: Terminal) -> Investigated:
    wanted, front = options.run_options(arguments, terminal), options.front_end(arguments, terminal)
    source = options.find(arguments, terminal)
    loaded = load_merged(source.file.parent / ".venvgrid")
    report = loaded[0] if loaded else None
    red = ends.find_red(report, arguments.cell or "")
    if red is None:
        red = ends.make_red(RunContext(config=read_config(source, wanted, front).config, options=wanted, front=front))
    try:
        config, plan = options.one_cell(source, red.cell, wanted, front)
    except UsageError as error:
        if report is None or red.result is not None:
            raise
        raise UsageError(f"no failure of run {report.run} has the words {red.cell!r}, and {error}") from error
    context = RunContext(config=config, options=wanted, front=front)
    story = tell(context, plan.cells[0].cell, red, report, good=arguments.good or "", at_once=arguments.workers or 1)
    told = grouping.failures_of(red.result) if red.result else ()
    signatures = (*(item.signature for item in told), *(item.signature for item in story.findings))
    investigated = Investigated(
        story=story,
        signature=red.target.signature or next(iter(signatures), ""),
        command=_command(arguments, red.cell),
        when=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    kept.save(context.root, investigated)
    return investigated


def _command(arguments: argparse.Namespace, cell: str) -> str:
    """Return the command that finds the same again, whatever the last run is."""
    config = ("-c", arguments.config) if arguments.config else ()
    good = ("--good", arguments.good) if arguments.good else ()
    return text.command("venvgrid", "why", *config, arguments.cell or cell, *good)


def _rendered(investigated: Investigated, arguments: argparse.Namespace, terminal: Terminal) -> str:
    story = investigated.story
    if arguments.json:
        from venvgrid.reporters.documents.why import as_json  # noqa: PLC0415  (one of the three is needed)

        return json.dumps(as_json.document(story), indent=1)
    if arguments.upstream and not story.findings:
        raise NothingToRunError(f"there is nobody to report to: {story.problem}")
    if arguments.upstream:
        from venvgrid.reporters.documents.why import tracker  # noqa: PLC0415

        return text.encodable(tracker.upstream(story), terminal.encoding)
    from venvgrid.reporters.documents.why import screen  # noqa: PLC0415

    return screen.render(
        story,
        investigated.command,
        width=terminal.width,
        colour=terminal.is_coloured,
        encoding=terminal.encoding,
    )
