"""Errors of Python, unittest, shells and make. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvgrid.outcomes.causes import remedies
from venvgrid.outcomes.causes.cause import Cause, compiled, excerpt, one_line, raised

if TYPE_CHECKING:
    from venvgrid.outcomes.causes.cause import Patterns

_PYTEST = '"-m", "pytest"'


def _no_module(match: re.Match[str], _said: str, _package: str) -> Cause:
    return Cause(kind="ModuleNotFoundError", message=f"No module named {match[1]}", hint=remedies.of_module(match[1]))


def _no_file(match: re.Match[str], _said: str, _package: str) -> Cause:
    message = f"there is no file {match[1].replace(chr(92), '/').rsplit('/', 1)[-1]}"
    hint = "the path in test.command is relative to [project] path"
    return Cause(kind="usage error", message=message, hint=hint)


def _not_found(match: re.Match[str], _said: str, _package: str) -> Cause:
    return Cause(kind="start", message=f"{match[1]}: not found", hint=remedies.of_program(match[1]))


def _unittest(match: re.Match[str], said: str, _package: str) -> Cause:
    blocks = re.findall(
        r"^((?:ERROR|FAIL): \S.*\n[\s\S]*?)\n(?:={70}|-{70}\nRan )", said[: match.start()], re.MULTILINE
    )
    first = blocks[0] if blocks else ""
    kind, message = raised(first)
    what = f"{first.splitlines()[0]}: {kind}: {message}".rstrip(": ") if first else ""
    hint = "" if _PYTEST in remedies.of_failure(message) else remedies.of_failure(message)
    message = one_line("; ".join(filter(None, (match[1].replace("=", " "), what))))
    return Cause(kind="unittest", message=message, hint=hint, excerpt=excerpt(first), key=re.sub(r" \(.*?\)", "", what))


def _empty(_match: re.Match[str], _said: str, _package: str) -> Cause:
    hint = 'name the folder of the tests: command = ["python", "-m", "unittest", "discover", "-s", "tests"]'
    return Cause(kind="no-tests", message="unittest found no tests", hint=hint)


def _make(match: re.Match[str], _said: str, _package: str) -> Cause:
    return Cause(kind="usage error", message=one_line(f"make: {match[1]}"))


_SHELL = r"(?:\S*/)?(?:ba|da|z|k|a)?sh: (?:line )?(?:\d+: )?"
_QUOTED = "[\u2018'\"]?(.+?)[\u2019'\"]?"
BEFORE: Patterns = compiled(
    (r"^\S*python[\w.]*(?:\.exe)?: No module named (\S+?)[.;]?$", _no_module),
    (r"^\S*python[\w.]*(?:\.exe)?: can't open file u?'?([^'\n]+?)'?: \[Errno 2\]", _no_file),
    (rf"^{_SHELL}(\S+): (?:command )?not found$", _not_found),
    (r"^\S+: (?:line )?\d+: (\S+): (?:command )?not found$", _not_found),  # of a script
    (r"^zsh:\d+: command not found: (\S+)$", _not_found),
    (rf"^(?:\S*/)?env: {_QUOTED}: No such file or directory$", _not_found),
    (r"^make(?:\[\d+\])?: (\S+): No such file or directory$", _not_found),
    (r"^make(?:\[\d+\])?: \*\*\* (No rule to make target .*?)\.\s+Stop\.$", _make),
    (r"^FAILED \(((?:failures|errors|unexpected successes)=.*)\)$", _unittest),
    (r"^NO TESTS RAN$|^Ran 0 tests in ", _empty),
)
