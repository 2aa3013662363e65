"""`venvgrid init`: write a first matrix.toml."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.migration import scaffold

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Write matrix.toml into this folder and say what to type next."""
    text: str | None = None
    lost: list[str] = []
    if arguments.source:
        from venvgrid.migration import translate  # noqa: PLC0415

        text, lost = translate.translate(arguments.source, Path.cwd())
    path = scaffold.write(Path.cwd(), text)
    for note in lost:
        terminal.message(f"not carried over: {note}")
    terminal.message(f"{path} written; look at it, then type: venvgrid run")
    return 0
