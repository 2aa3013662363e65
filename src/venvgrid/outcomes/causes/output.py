"""The cause of a command that ended badly without a failed test: the tool's own last error, in its output. Pure.

The patterns fit pytest 4.6 to 9, pytest-cov, coverage, unittest, Python, shells and make; tests/unit/outcomes/said has
what each of them printed. Of other tools the last error is told, or else the last line.
"""

from __future__ import annotations

import re

from venvgrid.outcomes import signatures
from venvgrid.outcomes.causes import deselection, other_errors, pytest_errors, remedies
from venvgrid.outcomes.causes.cause import EXCEPTION, EXCERPT_LINES, TRACEBACK, Cause, excerpt, one_line

_LAST_ERROR = re.compile(
    r"^(?:FAILED|ERROR)\b[: ].*|^(?:\S+: )?(?:fatal |fatal: )?[Ee]rror:? .*|^E   .*|^FAIL\b.*", re.MULTILINE
)
_SUMMARY = re.compile(r"^(?:FAILED|ERROR) \S+.*$", re.MULTILINE)  # pytest's, of each test

ANY = pytest_errors.BEFORE + other_errors.BEFORE + pytest_errors.AFTER


def find(output: str, *, ran: bool, failed: bool = True, package: str = "", chosen: str = "") -> Cause | None:
    """Return the cause of a bad end, or None if the output tells none.

    `ran`: tests ran, and all of them passed. `failed`: the command failed; else only what is known is looked for.
    `package` is one of the project that has tests inside, for the hint; `chosen` are the options that choose tests.
    """
    said = re.sub(r"\r\n?", "\n", signatures.without_escapes(output))
    for pattern, make in pytest_errors.AFTER if ran else ANY if failed else ANY + pytest_errors.NOTHING:
        found = list(pattern.finditer(said))
        if found:
            return make(found[-1], said, package)
    if not failed:
        return deselection.find(said, chosen)
    return (None if ran else _of_traceback(said)) or _of_tail(said, ran=ran)


def of_start(error: str) -> Cause:
    """Return the cause of a command that could not be started: "could not start uv: there is no such command …"."""
    match = re.match(r"could not start (.+?): (?:No such file or directory|there is no such command)", error)
    return Cause(kind="start", message=error, hint=remedies.of_program(match[1]) if match else "")


def _of_traceback(said: str) -> Cause | None:
    """Return the exception that ended a program, if the last lines of the output are its traceback."""
    starts = list(TRACEBACK.finditer(said))
    if not starts:
        return None
    block = said[starts[-1].start() :]
    found = list(EXCEPTION.finditer(block))
    if not found or len(block[found[-1].end() :].strip().splitlines()) > EXCERPT_LINES // 4:
        return None
    kind, message = found[-1]["kind"], found[-1]["said"] or ""
    hint = remedies.of_failure(message, block)
    # What follows belongs to the message, or is what another tool says about it.
    return Cause(kind=kind.rpartition(".")[2], message=one_line(message), hint=hint, excerpt=excerpt(block))


def _of_tail(said: str, *, ran: bool) -> Cause | None:
    """Return the last error that a tool printed; its last line if there is none, unless tests ran."""
    lines = [line for line in said.splitlines() if line.strip()]
    if not lines:
        return None
    summary = _SUMMARY.search(said)
    errors = [line for line in lines[-EXCERPT_LINES:] if _LAST_ERROR.match(line)]
    if ran and not errors:
        return None
    told = summary[0] if summary else errors[-1] if errors else lines[-1]
    return Cause(
        kind="", message=one_line(told), hint=remedies.of_failure(told), excerpt=excerpt("\n".join(lines[-10:]))
    )
