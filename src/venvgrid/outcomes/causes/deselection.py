"""The options of a command that choose tests, where they choose none. Pure."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePath
from typing import TYPE_CHECKING

from venvgrid.outcomes.causes.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Sequence

_OPTIONS = frozenset({"-k", "-m", "--deselect"})
_JOINED = re.compile(r"-[km]=?(?!$).+|--deselect=.+", re.DOTALL)
_ALL = re.compile(r"^(?:=+ )?(?P<number>\d+) deselected(?:, \d+ \w+)* in \d", re.MULTILINE)
NAMES = "see the names of all with: venvgrid exec CELL -- pytest --collect-only -q"


def options(command: Sequence[str]) -> str:
    """Return the options of pytest that choose tests, as they are typed; "" if there are none."""
    found = []
    for before, word, after in zip(["", *command], command, [*command[1:], ""], strict=False):
        is_of_python = word.startswith("-m") and re.fullmatch(r"python[\d.]*|\{python\}", PurePath(before).name)
        if is_of_python or before in _OPTIONS:
            continue
        if word in _OPTIONS and after:
            found.append(shlex.join((word, after)))
        elif _JOINED.fullmatch(word):
            found.append(shlex.quote(word))
    return " ".join(found)


def find(said: str, chosen: str) -> Cause | None:
    """Return the cause of a session all of whose tests were deselected; `chosen` is what `options` returned."""
    found = list(_ALL.finditer(said))
    if not found:
        return None
    number = int(found[-1]["number"])
    told = "the only test" if number == 1 else f"any of {number} tests"
    who = chosen or "the settings of pytest (addopts)"
    verb = "does" if len(shlex.split(chosen)) <= 2 and chosen else "do"  # noqa: PLR2004  (an option and its value)
    return Cause(kind="no-tests", message=f"{who} {verb} not select {told}", hint=NAMES, key="no test is selected")
