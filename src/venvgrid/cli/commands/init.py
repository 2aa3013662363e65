"""`venvgrid init`: write a first matrix.toml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.pipelines.vendors import VENDORS
from venvgrid.config import config_file
from venvgrid.interpreters.provider import InterpreterProvider
from venvgrid.migration import initial, scaffold, translate
from venvgrid.model import UsageError
from venvgrid.processes import runner
from venvgrid.storage.directories import cache_folder

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal

STDOUT = "-"


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Write matrix.toml into this folder, or to stdout, and say what to type next."""
    folder, output = Path.cwd(), arguments.output or config_file.FILE_NAME
    if output != STDOUT and (folder / output).is_dir():
        raise UsageError(f"{folder / output} is a folder. Type: venvgrid init -o {output.rstrip('/')}/matrix.toml")
    if output != STDOUT and os.path.lexists(folder / output) and not arguments.force:
        option = "" if output == config_file.FILE_NAME else f" -o {output}"
        hint = f"Edit it, remove it first, or type: venvgrid init{option} --force"
        raise UsageError(f"{folder / output} is there already; nothing was written. {hint}")
    if not arguments.source and not arguments.force and (why := initial.wrong_folder(folder)):
        raise UsageError(f"nothing was written: {why}")
    if arguments.source:
        made = translate.translate(arguments.source, folder)
    else:
        made = initial.make(folder, pythons(terminal))
    if output == STDOUT:
        terminal.data(made.text.rstrip("\n"))
    else:
        path = scaffold.write(folder, made.text, name=output, force=arguments.force)
    for line in made.lost:
        terminal.message(f"not written: {line}")
    for line in made.notes:
        terminal.message(f"note: {line}")
    if output != STDOUT:
        option = "" if output == config_file.FILE_NAME else f" -c {output}"
        source = f" from {made.source}" if made.source else ""
        terminal.message(f"{path} written{source}; look at it, then type: venvgrid run{option}")
        terminal.message(f"a whole pipeline for CI, with one job to require: venvgrid ci {_vendor(folder)}{option}")
    return 0


def _vendor(folder: Path) -> str:
    """Return the vendor of CI whose file lies in the repository, else GitHub."""
    top = next((place for place in (folder, *folder.parents) if os.path.lexists(place / ".git")), folder)
    there = [vendor.name for vendor in VENDORS.values() if vendor.name != "github" and (top / vendor.file).exists()]
    return (there or ["github"])[0]


def pythons(terminal: Terminal) -> frozenset[str]:
    """Return the Pythons of this machine, as values of the python axis."""
    cache = cache_folder(terminal.environ) / "interpreters"
    found = InterpreterProvider(environ=terminal.environ, run=runner.run, cache=cache, root=Path.cwd()).found()
    names = set()
    for item in found.interpreters:
        minor = ".".join(item.version.split(".")[:2])
        prefix = "" if item.implementation == "cpython" else item.implementation
        names.add(f"{prefix}{minor}{'t' if item.free_threaded else ''}")
    return frozenset(names)
