"""`venvgrid shell CELL`: the user's shell in a cell's environment."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.cli.tools import exec as execute
from venvgrid.environments import venv_layout
from venvgrid.storage import own_folders

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Open the shell and return its exit status."""
    default = terminal.environ.get("COMSPEC", "cmd.exe") if os.name == "nt" else "/bin/sh"
    shell, cell = terminal.environ.get("SHELL") or default, arguments.cell

    def argv(place: Path, private: Path) -> tuple[str, ...]:
        folder = venv_layout.python_of(place).parent
        pip = "" if shutil.which("pip", path=str(folder)) else f" (no pip; installed: venvgrid env freeze {cell})"
        terminal.message(f"{cell}: leave with `exit`{pip}")  # not before there is a shell to leave
        return prepare(shell, place, private)

    return execute.enter(arguments, terminal, argv)


def prepare(shell: str, place: Path, private: Path) -> tuple[str, ...]:
    """Return the command that opens a shell with an environment activated after the user's own start-up files.

    Those often put other Pythons first on PATH (pyenv does). `place` is the environment, `private` a folder for the
    start-up file. A shell that is not known here gets the environment's variables only.
    """
    activate = place / "bin" / "activate"
    name = Path(shell).name
    if name == "bash":
        startup = private / "bashrc"
        text = f"[ -f ~/.bashrc ] && . ~/.bashrc\n. {shlex.quote(str(activate))}\n"
        own_folders.write(private, startup.name, text)
        return (shell, "--rcfile", str(startup), "-i")
    if name == "zsh":
        lines = [
            'ZDOTDIR="$HOME"',
            '[ -f "$ZDOTDIR/.zshrc" ] && . "$ZDOTDIR/.zshrc"',
            f". {shlex.quote(str(activate))}",
        ]
        own_folders.write(private, ".zshrc", "\n".join(lines) + "\n")
        return ("/usr/bin/env", f"ZDOTDIR={private}", shell, "-i")
    if name == "fish":
        return (shell, "--init-command", f"source {shlex.quote(f'{activate}.fish')}")
    return (shell,)
