"""What stands in braces in the files of tox and hatch, for one environment. Nothing of it is executed.

`{posargs:DEFAULT}`, `{env:NAME:DEFAULT}` and `{args:DEFAULT}` become their defaults, the name of the environment
becomes `{cell}`; a word with a folder that only the runner has is lost.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable  # noqa: TC003  (a field of a dataclass)
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from venvgrid.migration.model import Lost

CELL, PYTHON = "\ue000", "\ue001"  # stand for our placeholders while braces are literal text
GONE = "\ue002"
MAX_DEPTH = 20
_FLAGS = frozenset({"-q", "-qq", "-v", "-vv", "-x", "-s", "-l", "-ra", "-rA", "--strict-markers"})
MAX_BRACES = 10_000  # braces of an environment
_SAME = {"/": "/", ":": ":", "toxinidir": ".", "tox_root": ".", "root": ".", "envname": CELL, "env_name": CELL}
_SAME |= {"envpython": PYTHON, "env_python": PYTHON, "basepython": PYTHON, "base_python": PYTHON, "home": "~"}


@dataclass(slots=True)
class Filling:
    """Fills in what is in braces; `reference` gives the text of a key of a section. What takes too long is GONE."""

    reference: Callable[[str, str], str | None]
    left: int = MAX_BRACES

    def fill(self, text: str, depth: int = 0) -> str:
        """Fill in a text."""
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
            return GONE
        name, colon, default = inner.partition(":")
        if inner in _SAME:
            return _SAME[inner]
        if name == "env":
            _, colon, default = default.partition(":")
        if name in {"posargs", "args", "env", "tty"}:
            return self.fill(default, depth + 1) if colon and name != "tty" else ""
        found = re.fullmatch(r"(?:\[(?P<section>[^\]]+)\])?(?P<key>[\w-]+)", inner)
        known = self.reference(found["section"] or "", found["key"]) if found else None
        return self.fill(known, depth + 1) if known is not None else GONE


def _closing(text: str, start: int) -> int:
    """Give where the brace is closed, -1 for nowhere."""
    level = 0
    for position in range(start, len(text)):
        level += {"{": 1, "}": -1}.get(text[position], 0)
        if level == 0:
            return position
    return -1


def words(line: str, lost: Lost, where: str) -> tuple[str, ...]:
    """Split a command; words that name what only the source's runner has are lost."""
    try:
        parts = shlex.split(line, comments=False)
    except ValueError:
        lost.add(f"{where}: the command `{shown(line)[:100]}` has an open quote")
        return ()
    while parts and parts[0] in {"-", "!"}:
        parts = parts[1:]
    return kept(parts, lost, where)


def kept(parts: list[str], lost: Lost, where: str) -> tuple[str, ...]:
    """Leave out words that name what only the source's runner has, and write our placeholders."""
    found: list[str] = []
    for part in parts:
        if GONE not in part:
            found.append(part)
            continue
        # The option that it is the value of would be left without one.
        has_option = found[-1:] and found[-1].startswith("-") and "=" not in found[-1] and found[-1] not in _FLAGS
        option = found.pop() if has_option and not part.startswith("-") else ""
        lost.add(f"{where}: {f'{option} {shown(part)}'.strip()} (names a folder or setting of its runner)")
    return tuple(placed(part) for part in found)


def placed(text: str) -> str:
    """Write braces as literal ones, and our placeholders."""
    return text.replace("{", "{{").replace("}", "}}").replace(CELL, "{cell}").replace(PYTHON, "{python}")


def shown(text: str) -> str:
    """Give what a note can say."""
    return text.replace(GONE, "…").replace(CELL, "{cell}").replace(PYTHON, "{python}")
