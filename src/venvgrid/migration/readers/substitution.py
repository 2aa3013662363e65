"""Substitution of braces in the files of tox and hatch, for one environment. Nothing is executed.

`{posargs:DEFAULT}`, `{env:NAME:DEFAULT}` and `{args:DEFAULT}` become their defaults, the name of the environment
becomes `{cell}`; a word with a folder that only the runner has is dropped.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable  # noqa: TC003  (a field of a dataclass)
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from venvgrid.migration.model import Notes

CELL, PYTHON = "\ue000", "\ue001"  # represent our placeholders while braces are literal text
UNAVAILABLE = "\ue002"
MAX_DEPTH = 20
_FLAGS = frozenset({"-q", "-qq", "-v", "-vv", "-x", "-s", "-l", "-ra", "-rA", "--strict-markers"})
MAX_BRACES = 10_000  # braces of an environment
_SAME = {"/": "/", ":": ":", "toxinidir": ".", "tox_root": ".", "root": ".", "envname": CELL, "env_name": CELL}
_SAME |= {"envpython": PYTHON, "env_python": PYTHON, "basepython": PYTHON, "base_python": PYTHON, "home": "~"}


@dataclass(slots=True)
class Substitution:
    """Substitutes braces; `reference` returns the text of a key of a section. Too many braces become UNAVAILABLE."""

    reference: Callable[[str, str], str | None] = lambda _section, _key: None
    left: int = MAX_BRACES

    def substitute(self, text: str, depth: int = 0) -> str:
        """Return a text with all braces substituted."""
        out, position = [], 0
        while position < len(text):
            if text[position] == "\\" and text[position + 1 : position + 2] in {"{", "}", "#"}:
                out.append(text[position + 1])
                position += 2
            elif text[position] == "{" and (end := _closing(text, position)) > 0:
                out.append(self._one(text[position + 1 : end], depth))
                position = end + 1
            else:
                out.append(text[position])
                position += 1
        return "".join(out)

    def _one(self, inner: str, depth: int) -> str:
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            return UNAVAILABLE
        name, colon, default = inner.partition(":")
        if inner in _SAME:
            return _SAME[inner]
        if name == "env":
            _, colon, default = default.partition(":")
        if name in {"posargs", "args", "env", "tty"}:
            return self.substitute(default, depth + 1) if colon and name != "tty" else ""
        found = re.fullmatch(r"(?:\[(?P<section>[^\]]+)\])?(?P<key>[\w-]+)", inner)
        known = self.reference(found["section"] or "", found["key"]) if found else None
        return self.substitute(known, depth + 1) if known is not None else UNAVAILABLE


def _closing(text: str, start: int) -> int:
    """Return the position of the closing brace, or -1."""
    level = 0
    for position in range(start, len(text)):
        level += {"{": 1, "}": -1}.get(text[position], 0)
        if level == 0:
            return position
    return -1


def split_command(line: str, notes: Notes, where: str) -> tuple[str, ...]:
    """Split a command into words; drop those that only the source's runner can resolve."""
    try:
        parts = shlex.split(line, comments=False)
    except ValueError:
        notes.add(f"{where}: the command `{display(line)[:100]}` has an open quote")
        return ()
    while parts and parts[0] in {"-", "!"}:
        parts = parts[1:]
    return drop_unavailable(parts, notes, where)


def drop_unavailable(parts: list[str], notes: Notes, where: str) -> tuple[str, ...]:
    """Drop words that only the source's runner can resolve, and write our placeholders."""
    found: list[str] = []
    for part in parts:
        if UNAVAILABLE not in part:
            found.append(part)
            continue
        # Drop its option as well: that would be left without a value.
        has_option = found[-1:] and found[-1].startswith("-") and "=" not in found[-1] and found[-1] not in _FLAGS
        option = found.pop() if has_option and not part.startswith("-") else ""
        notes.add(f"{where}: {f'{option} {display(part)}'.strip()} (names a folder or setting of its runner)")
    return tuple(escape(part) for part in found)


def escape(text: str) -> str:
    """Escape literal braces, and write our placeholders."""
    return text.replace("{", "{{").replace("}", "}}").replace(CELL, "{cell}").replace(PYTHON, "{python}")


def display(text: str) -> str:
    """Return a text for notes."""
    return text.replace(UNAVAILABLE, "…").replace(CELL, "{cell}").replace(PYTHON, "{python}")
