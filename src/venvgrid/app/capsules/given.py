"""Where the tests of a cell run, their variables from the machine, and which of those values may be told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.capsules import plain
from venvgrid.processes import redaction, variables
from venvgrid.results.capsules.capsule import PERSONAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.model import Cell, Config, Interpreter
    from venvgrid.processes.redaction import Redactor

MAX_VALUE = 1_000  # characters
TMP = "{tmp}"


def given(config: Config, environ: Mapping[str, str], cell: Cell, interpreter: Interpreter) -> dict[str, str]:
    """Return the variables of the tests of a cell, but those that venvgrid makes for each run."""
    extra = {**config.test.env, **cell.variables}
    prefix = Path(interpreter.executable).parent.parent
    found = variables.child_environment(environ, pass_env=config.test.pass_env, extra=extra, prefix=prefix)
    return {name: value for name, value in found.items() if name != "VIRTUAL_ENV"}


def hides(name: str, value: str, redactor: Redactor) -> bool:
    """Return whether the value of a variable is not told: it may be a secret, is personal, or very long."""
    is_secret = redaction.is_secret_name(name) or redactor.text(value) != value or redaction.may_hold_secret(value)
    return is_secret or PERSONAL.fullmatch(name) is not None or len(value) > MAX_VALUE


def folder(config: Config) -> tuple[str, str]:
    """Return the folder of the tests, seen from that of the project, and the way back; "" twice if they are one.

    A folder below {tmp} is one in the folder that stands for it in the lines without venvgrid.
    """
    name = config.test.working_directory
    if name.startswith(TMP):
        below = f"{plain.FILES}{name.removeprefix(TMP)}"
        return below, "/".join([".."] * (below.count("/") + 1))
    place, project = os.path.normpath(config.root / name), config.project.path
    if not name or place == os.path.normpath(project):
        return "", ""
    return Path(os.path.relpath(place, project)).as_posix(), Path(os.path.relpath(project, place)).as_posix()
