"""`venvgrid schema`: the JSON Schema of the configuration, for editors; or of what venvgrid writes, for programs."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print a schema."""
    place = files("venvgrid") / "model" / "schemas" / f"{arguments.format}.schema.json"
    terminal.data(place.read_text(encoding="utf-8"))
    return 0
