"""Writes the manual page from the parser: `python docs/scripts/manual.py venvgrid.1`."""
# ruff: noqa: INP001  (a script)

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from argparse_manpage import cli

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def main(target: str) -> None:
    """Write the page to a file."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    about = {
        "module": "venvgrid.cli.parser",
        "function": "build",
        "prog": project["name"],
        "project-name": project["name"],
        "version": project["version"],
        "description": project["description"],
        "author": project["authors"][0]["name"],
        "url": project["urls"]["Homepage"],
        "manual-title": "venvgrid manual",
        "output": target,
    }
    sys.argv = ["argparse-manpage", *(f"--{name}={value}" for name, value in about.items())]
    cli.main()


if __name__ == "__main__":
    main(sys.argv[1])
