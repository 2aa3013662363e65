"""Reports and progress on the terminal of a command, and where a CI service finds them."""

from __future__ import annotations

import functools
import gc
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.analysis import trend
from venvgrid.reporters import registry
from venvgrid.reporters.manner import Manner, no_link

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from venvgrid.analysis.stories import Investigated
    from venvgrid.cli.terminal import Terminal
    from venvgrid.model import Event
    from venvgrid.results.report import Report
    from venvgrid.results.run_folders import RunFolder

LOG = re.compile(r"\.venvgrid/runs/[0-9a-f-]+/logs/[A-Za-z0-9._+-]+\.log")


def table(
    arguments: argparse.Namespace, finished: Report, terminal: Terminal, project: Path, *, has_keys: bool = False
) -> str:
    """Render the end of a run for this terminal; the commands in it name the configuration as this one did.

    `project` is the folder in which the tests ran. `has_keys`: no commands, since keys do the same.
    """
    manner = Manner(
        options=("-c", arguments.config) if arguments.config else (),
        has_keys=has_keys,
        verbose=getattr(arguments, "verbose", False),
        wrap=terminal.out.isatty(),
        link=functools.partial(_address, project) if terminal.has_links else no_link,
    )
    shown = registry.table(
        finished, width=terminal.width, colour=terminal.is_coloured, encoding=terminal.encoding, manner=manner
    )
    if not finished.config:
        return shown
    root = Path(finished.config).parent
    shown = located(shown, root, Path.cwd())
    return linked(shown, root) if terminal.has_links else shown


def without_collection(command: Callable[..., int]) -> Callable[..., int]:
    """Return the command, run without garbage collection.

    Values form no circles. To search 100,000 results for some takes a third of the time of merging them.
    """

    @functools.wraps(command)
    def run(*arguments: Any) -> int:
        gc.disable()
        try:
            return command(*arguments)
        finally:
            gc.enable()

    return run


def located(shown: str, root: Path, cwd: Path) -> str:
    """Write the paths of logs, which are relative to `root`, as seen from `cwd`."""
    try:
        way = Path(os.path.relpath(root, cwd)).as_posix()
    except ValueError:  # another drive
        return shown
    return shown if way == "." else LOG.sub(lambda match: f"{way}/{match[0]}", shown)


def document(format_: str, finished: Report, folder: RunFolder, inside: str, root: Path) -> str:
    """Render a run for a file. `inside` is the path from the repository to the tests, `root` that of `.venvgrid`."""
    return registry.text(
        format_,
        finished,
        folder.read_log,
        inside,
        past=lambda: trend.past_runs(folder.path.parents[1], finished),
        stories=lambda: _stories(root),
    )


def _stories(root: Path) -> Sequence[Investigated]:
    """Return what `venvgrid why` found."""
    from venvgrid.app.investigation import kept  # noqa: PLC0415  (few formats show them)

    return kept.read(root)


def _address(project: Path, file: str, line: int) -> str:
    """Return the URI of a line of a file that a traceback names, or "" if it does not exist here."""
    try:
        path = (project / file).resolve()
        return f"{path.as_uri()}#{line}" if path.is_file() else ""
    except (OSError, ValueError):
        return ""


def linked(shown: str, root: Path) -> str:
    """Make a hyperlink of every path of a log in what is shown; they are relative to `root`, an absolute path."""

    def link(match: re.Match[str]) -> str:
        return f"\x1b]8;;{(root / match[0]).as_uri()}\x1b\\{match[0]}\x1b]8;;\x1b\\"

    return LOG.sub(link, shown)


def inside_repository(environ: Mapping[str, str], place: Path) -> str:
    """Return the path of a folder relative to the checkout of a CI service: "" or "sub/"."""
    for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        root = Path(environ.get(name) or place.anchor)
        if environ.get(name) and place.is_relative_to(root) and place != root:
            return place.relative_to(root).as_posix() + "/"
    return ""


@contextmanager
def progress(
    arguments: argparse.Namespace, terminal: Terminal, expected: Mapping[str, float]
) -> Iterator[Callable[[Event], None]]:
    """Return a context whose value shows each event: live, as lines, or not at all."""
    if arguments.quiet:
        yield lambda _event: None
    elif terminal.is_live:
        from venvgrid.reporters.terminal.live import LiveReporter  # noqa: PLC0415  (rich takes 100 ms)

        with LiveReporter(terminal.err, expected=expected, verbose=arguments.verbose) as live:
            yield live
    else:
        from venvgrid.reporters.terminal.lines import LinesReporter  # noqa: PLC0415

        yield LinesReporter(terminal.err, verbose=arguments.verbose)
