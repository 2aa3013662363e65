"""Queries an interpreter: starts it with a script by which it describes itself, and checks the answer."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.interpreters.candidates import base_executable, canonical
from venvgrid.model import Interpreter
from venvgrid.model.serialization import from_plain
from venvgrid.model.values import dataclass
from venvgrid.processes.command import Command, Completed, Runner
from venvgrid.processes.guests import QUERY

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGIN = "<<venvgrid-python:"
END = ":venvgrid-python>>"
TIMEOUT = 10.0  # seconds; a Python answers in 20 ms, on a busy machine in 1 s
GRACE_PERIOD = 1.0

# Variables that a Python or a shim needs to start; none that changes imports or the version that a shim starts.
NEEDED = re.compile(
    r"""
    PATH | HOME | LD_LIBRARY_PATH | DYLD_LIBRARY_PATH | DYLD_FALLBACK_LIBRARY_PATH | LANG | LC_ALL | TMPDIR | TEMP
    | TMP | SYSTEMROOT | SYSTEMDRIVE | WINDIR | COMSPEC | PATHEXT | USERPROFILE | APPDATA | LOCALAPPDATA
    | PROGRAMFILES | PROGRAMDATA | PYENV_ROOT | ASDF_DIR | ASDF_DATA_DIR | MISE_DATA_DIR | RYE_HOME | JAVA_HOME
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """Answer of a query: an interpreter, its source still "", or the reason why there is none."""

    interpreter: Interpreter | None = None
    prefix: str = ""  # folder of its installation
    reason: str = ""
    lasting: bool = True  # depends on the file alone; the answer of a script depends on what it starts
    asked: float = 0.0  # time of the query, in seconds since the epoch


def ask(path: Path, *, run: Runner, environ: Mapping[str, str], timeout: float = TIMEOUT) -> QueryResult:
    """Start `path` and return its description of itself.

    A script that starts a Python elsewhere (a shim) returns that Python, a virtual environment its base.
    """
    asked = path
    lasting = not is_script(path)
    for _ in range(3):
        answer, reported = _ask_once(path, run=run, environ=environ, timeout=timeout)
        if answer.interpreter is None:
            reason = f"it starts {path}: {answer.reason}" if path != asked else answer.reason
            return dataclasses.replace(answer, reason=reason, lasting=lasting and answer.lasting)
        if not reported or not Path(reported).exists() or _same(reported, path):
            return dataclasses.replace(answer, lasting=lasting)
        lasting = lasting and not is_script(path)
        path = base_executable(Path(reported)) or Path(reported)
        if _same(reported, path):  # not a virtual environment: the answer is valid for that file
            interpreter = dataclasses.replace(answer.interpreter, executable=str(canonical(path)))
            return dataclasses.replace(answer, interpreter=interpreter, lasting=lasting)
    return QueryResult(reason="it starts a Python that starts yet another one", lasting=False)


def is_script(path: Path) -> bool:
    """Return whether another program runs the file, as its "#!" line says."""
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:  # such as the aliases of the Microsoft Store, which can be started but not read
        return False


def _ask_once(path: Path, *, run: Runner, environ: Mapping[str, str], timeout: float) -> tuple[QueryResult, str]:
    argv = (str(path), "-B", "-E", "-s", "-S", str(QUERY))
    needed = {name: value for name, value in environ.items() if NEEDED.fullmatch(name)}
    completed = run(Command(argv=argv, cwd=QUERY.parent, env=needed, timeout=timeout, grace_period=GRACE_PERIOD))
    if not completed.ok:
        return QueryResult(reason=_failure(completed, timeout), lasting=not completed.cancelled), ""
    text = completed.stdout
    start, end = text.rfind(BEGIN), text.rfind(END)
    if start < 0 or end < start:
        return QueryResult(reason=f"it does not answer as a Python does{_first_line(text)}"), ""
    try:
        data: dict[str, Any] = json.loads(text[start + len(BEGIN) : end])
        reported, prefix = str(data.pop("executable")), str(data.pop("prefix"))
        interpreter: Interpreter = from_plain(Interpreter, {**data, "executable": str(path), "source": ""})
        _ = interpreter.release
    except (ValueError, TypeError, KeyError) as error:
        return QueryResult(reason=f"its answer cannot be read: {error}"), ""
    return QueryResult(interpreter=interpreter, prefix=prefix), reported


def _failure(completed: Completed, timeout: float) -> str:
    if completed.error:
        return completed.error
    if completed.timed_out:
        return f"no answer in {timeout:g} s"
    if completed.cancelled:
        return "interrupted"
    if completed.signal:
        return f"ended by {completed.signal}"
    return f"exit status {completed.exit_code}{_first_line(completed.stderr or completed.stdout)}"


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return f": {line:.200}" if line else ""


def _same(one: str | Path, other: str | Path) -> bool:
    return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))
