"""`venvgrid why`: the releases that broke a cell, with the proof."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from venvgrid.app.context import RunContext
from venvgrid.app.investigation import ends
from venvgrid.app.investigation.story import tell
from venvgrid.app.run import load_merged, read_config
from venvgrid.cli import options
from venvgrid.model import ExitStatus, NothingToRunError, UsageError

if TYPE_CHECKING:
    import argparse

    from venvgrid.analysis.search.story import Story
    from venvgrid.cli.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Find the cause, print it, and return the exit status."""
    story = _story(arguments, terminal)
    terminal.data(_rendered(story, arguments))
    return ExitStatus.PASSED if story.is_proven else ExitStatus.CANNOT_TELL


def _story(arguments: argparse.Namespace, terminal: Terminal) -> Story:
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
    return tell(context, plan.cells[0].cell, red, report, good=arguments.good or "", at_once=arguments.workers or 1)


def _rendered(story: Story, arguments: argparse.Namespace) -> str:
    if arguments.json:
        from venvgrid.reporters.documents import why_json  # noqa: PLC0415  (one of the two is needed)

        return json.dumps(why_json.document(story), indent=1)
    from venvgrid.reporters.documents import why  # noqa: PLC0415

    if arguments.upstream and not story.findings:
        raise NothingToRunError(f"there is nobody to report to: {story.problem}")
    return why.upstream(story) if arguments.upstream else why.screen(story)
