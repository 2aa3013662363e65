"""`venvgrid watch`: the grid follows the edits of the project."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.context import RunContext
from venvgrid.app.plan import make_plan
from venvgrid.app.request import interpreters_for
from venvgrid.app.run import load_merged, read_config
from venvgrid.app.watching import watched
from venvgrid.app.watching.rounds import Round
from venvgrid.app.watching.session import Session
from venvgrid.app.watching.waking import Waker
from venvgrid.app.watching.warming import Warmth
from venvgrid.cli import options, output, signals
from venvgrid.cli.watching.keyboard import Inbox
from venvgrid.cli.watching.screen import WatchScreen
from venvgrid.model import ExitStatus, UsageError
from venvgrid.processes import runner
from venvgrid.processes.command import Command
from venvgrid.storage.atomic import write_atomic

if TYPE_CHECKING:
    import argparse

    from venvgrid.analysis.watching.standing import Standing
    from venvgrid.app.options import FrontEnd, RunOptions
    from venvgrid.app.watching.session import Wanted
    from venvgrid.app.watching.watched import Watched
    from venvgrid.cli.terminal import Terminal
    from venvgrid.config.config_file import Source
    from venvgrid.environments.package_cache.cache import Trees

PAGE = "report.html"  # in .venvgrid


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Watch until the user quits; return 0, or the status of a signal."""
    chosen = options.select_grids(arguments, terminal)
    if len(chosen.grids) > 1:
        raise UsageError(f"watch follows one grid; name it: venvgrid watch {chosen.grids[0] or chosen.grids[1]}")
    front = replace(
        options.front_end(arguments, terminal), progress=lambda expected: output.progress(arguments, terminal, expected)
    )
    usual, warmth = options.run_options(arguments, terminal), Warmth()
    inbox = Inbox(sys.stdin, marks_pastes=terminal.is_live)
    trees: Trees = {}
    screen = WatchScreen(arguments=arguments, terminal=terminal, inbox=inbox)
    actions = Actions(arguments, terminal, inbox, screen, chosen.source)

    def begin(wanted: Wanted) -> Round:
        filtered = wanted.filters.of(usual)
        started = Round(
            wanted=wanted,
            find=lambda: options.find(arguments, terminal),
            options=replace(filtered, run_unchanged=wanted.again or filtered.run_unchanged),
            front=front,
            grid=chosen.grids[0],
            warmth=warmth,
            trees=trees,
            warmed=screen.warmed,
            post=inbox.post,
        )
        started.start()
        return started

    with closing(warmth), Waker(inbox.post) as waker, inbox.single_keys():
        session = Session(
            inbox=inbox.next,
            post=inbox.post,
            begin=begin,
            screen=screen,
            waker=waker,
            take=lambda: state(chosen.source, usual, front, chosen.grids[0]),
            actions={"w": actions.why, "s": actions.shell},
            glances={"o": actions.page},
        )
        try:
            with signals.listening(stop):
                session.run()
        except KeyboardInterrupt:
            terminal.message("")
            return signals.exit_status()
    return ExitStatus.PASSED


def stop() -> None:
    """Raise KeyboardInterrupt, for every signal that ends a session."""
    raise KeyboardInterrupt


def state(source: Source, wanted: RunOptions, front: FrontEnd, grid: str) -> Watched:
    """Return the state of what wakes the session, as it is now."""
    config = read_config(source, wanted, front, grid=grid).config
    context = RunContext(config=config, options=wanted, front=front)
    chosen, _ = interpreters_for(context, make_plan(context).values("python"))
    executables = sorted({item.executable for item in chosen.values() if not isinstance(item, str)})
    return watched.take(config.project.path, context.project.written, (source.file, context.lock_file), executables)


class Actions:
    """The keys that leave the session for a while."""

    def __init__(
        self, arguments: argparse.Namespace, terminal: Terminal, inbox: Inbox, screen: WatchScreen, source: Source
    ) -> None:
        self._arguments, self._terminal, self._inbox, self._screen = arguments, terminal, inbox, screen
        self._root = source.file.parent / ".venvgrid"

    def why(self, standing: Standing) -> bool:
        """Find the cause of the first red cell; return whether there was one."""
        if not standing.red:
            self._screen.note("nothing is red")
        else:
            self._started("why", standing.red[0])
        self._screen.standing(standing)
        return bool(standing.red)

    def shell(self, standing: Standing) -> bool:
        """Open a shell in a cell: the one that the user names, else the first red one. Nothing is left to read."""
        default = (*standing.red, *standing.cells, "")[0]
        cell = self._screen.ask(f"shell in which cell (empty: {default})")
        if cell is not None and (cell.strip() or default):
            self._started("shell", cell.strip() or default)
        self._screen.standing(standing)
        return False

    def page(self, _standing: Standing) -> None:
        """Write the page of the newest results, and open it in a browser."""
        loaded = load_merged(self._root)
        if loaded is None:
            self._screen.note("no run has ended yet")
        else:
            import webbrowser  # noqa: PLC0415  (for this key)

            report, folder = loaded
            file = self._root / PAGE
            write_atomic(file, output.document("html", report, folder, "", self._root))
            opened = webbrowser.open(file.as_uri())
            self._screen.note(f"{'opened' if opened else 'no browser was found; open'} {file}")

    def _started(self, *words: str) -> None:
        """Run a command of venvgrid on this terminal."""
        named = ("-c", str(Path(self._arguments.config).absolute())) if self._arguments.config else ()
        argv = (sys.executable, "-m", "venvgrid", words[0], *named, *words[1:])
        with self._inbox.lines():
            runner.attach(Command(argv=argv, cwd=Path.cwd(), env=self._terminal.environ), replaces=False)
