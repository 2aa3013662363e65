"""`venvgrid env`: list environments, give a path or a requirements.txt, prune."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.app.context import RunContext
from venvgrid.cli import options
from venvgrid.environments import freeze
from venvgrid.environments.manifest import read_marker
from venvgrid.model import UsageError
from venvgrid.storage import directories, locks, own_folders

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from venvgrid.cli.terminal import Terminal
    from venvgrid.environments.store import EnvironmentStore

MEGABYTE = 1_000_000


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Perform the action and return the exit status."""
    loaded = options.load(arguments, terminal)
    arguments.offline = True
    context = RunContext(
        config=loaded, options=options.run_options(arguments, terminal), front=options.front_end(arguments, terminal)
    )
    store = context.store
    if arguments.action in {"path", "freeze"}:
        path = built(store, arguments.cell)
        terminal.data(str(store.root / "envs" / arguments.cell) if arguments.action == "path" else freeze.freeze(path))
    elif arguments.action == "prune":
        _prune(store, terminal)
    else:
        _list(store, terminal)
    return 0


def built(store: EnvironmentStore, cell: str) -> Path:
    """Return the environment of a cell.

    Raises:
        UsageError: it has none, or it is not whole.
    """
    key = store.linked().get(cell)
    if key is None:
        there = list(store.linked())
        close = options.with_parts(cell, there)
        make = f"all cells: venvgrid list; make it with: venvgrid run -k {cell}"
        hint = f"did you mean {' or '.join(close[:3])}?" if close else make
        raise UsageError(f"{cell} has no environment (there are: {', '.join(there) or 'none'}); {hint}")
    path = store.folder / key
    if read_marker(path) is None:
        raise UsageError(f"the environment of {cell} is not whole; make it anew with: venvgrid run -k {cell}")
    return path


def _list(store: EnvironmentStore, terminal: Terminal) -> None:
    cells: dict[str, list[str]] = {}
    for cell, key in store.linked().items():
        cells.setdefault(key, []).append(cell)
    for key in store.all_keys():
        path = store.folder / key
        marker = read_marker(path)
        python = f"Python {marker.python}" if marker else "not whole"
        size = directories.size(path) / MEGABYTE
        terminal.data(f"{key}  {python:14}  {size:7.1f} MB  {', '.join(cells.get(key, ())) or '(no cell: prune)'}")


def _prune(store: EnvironmentStore, terminal: Terminal) -> None:
    freed = 0
    if not store.root.is_dir():
        return
    own_folders.check_all(store.root)
    with locks.run_lock(store.root, terminal.message):
        linked = set(store.linked().values())
        for key in store.all_keys():
            if key not in linked or read_marker(store.folder / key) is None:
                freed += directories.size(store.folder / key)
                store.wipe(key)
        store.packages.settle()
        for place in sorted((store.root / "envs").iterdir()):
            if place.is_symlink() and not place.exists():
                with suppress(OSError):
                    place.unlink()
    terminal.message(f"{freed / MEGABYTE:.1f} MB freed")
