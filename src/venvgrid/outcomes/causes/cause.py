"""The cause of a command that ended badly, and how exceptions are read from a tool's output. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    Patterns = tuple[tuple[re.Pattern[str], Callable[[re.Match[str], str, str], "Cause"]], ...]

EXCERPT_LINES = 40
MAX_MESSAGE_LENGTH = 300  # characters
UNPARSED = frozenset({"SyntaxError", "IndentationError", "TabError"})  # raised by the parser, not by a line
_ERROR = r"(?:[^\W\d]\w*\.)*[^\W\d]\w*(?:Error|Exception|Exit|Interrupt|Warning|Failure|Failed|Configured|NotFound)"
EXCEPTION = re.compile(rf"^(?P<kind>{_ERROR})(?:: (?P<said>.*))?$", re.MULTILINE)
TRACEBACK = re.compile(r"^Traceback \(most recent call last\):$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The cause: `kind` is an exception's class or a name of this module, `message` one line.

    `hint` is what to type, or "". `excerpt` are the lines of the output that tell more, or "". `key` is the message
    without parts that differ from cell to cell.
    """

    kind: str
    message: str
    hint: str = ""
    excerpt: str = ""
    key: str = ""

    @property
    def text(self) -> str:
        """The cause in one line."""
        is_told = self.kind == "unittest" or re.fullmatch(_ERROR, self.kind) is not None
        return f"{self.kind}: {self.message}".rstrip(": ") if is_told else self.message


def raised(block: str) -> tuple[str, str]:
    """Return class and message of the exception at the end of a traceback, in pytest's format or Python's."""
    marked = [line[1:].strip() for line in block.splitlines() if re.match(r"E\s", line)]
    lines = marked or [line.strip() for line in block.splitlines() if line.strip()]
    for line in reversed(lines):
        if match := EXCEPTION.match(line):
            kind = match["kind"].rpartition(".")[2]
            return kind, one_line(match["said"] or "") + (_parsed(block) if kind in UNPARSED else "")
    return "", one_line(lines[-1]) if lines else ""


def _parsed(block: str) -> str:
    """Return the place of an error of the parser as a suffix."""
    found = re.findall(r'File "(?:[^"\n]*[/\\])?([^"/\\\n]+)", line (\w+)', block)
    return f" ({found[-1][0]}, line {found[-1][1]})" if found and found[-1][1].isdigit() else ""


def traceback_to(said: str, match: re.Match[str]) -> str:
    """Return the traceback that ends with a match, or the match if there is none."""
    starts = [item.start() for item in TRACEBACK.finditer(said, 0, match.start())]
    return said[starts[-1] if starts else match.start() : match.end()]


def excerpt(block: str) -> str:
    """Return the last lines of a block."""
    return "\n".join(block.strip("\n").splitlines()[-EXCERPT_LINES:])


def one_line(text: str) -> str:
    """Return text as one line of limited length."""
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_MESSAGE_LENGTH else f"{flat[: MAX_MESSAGE_LENGTH - 1]}…"


def compiled(*pairs: tuple[str, Callable[[re.Match[str], str, str], Cause]]) -> Patterns:
    """Return patterns whose "^" and "$" are the ends of a line, each with the function that makes its cause.

    The function gets the match, the whole output, and the name of the project.
    """
    return tuple((re.compile(pattern, re.MULTILINE), make) for pattern, make in pairs)
