"""Tracebacks as pytest and Python print them: the places that they pass, with their code, and the error. Pure."""

from __future__ import annotations

import re

from venvgrid.model.values import dataclass
from venvgrid.outcomes import signatures
from venvgrid.outcomes.causes.cause import EXCEPTION

MAX_ERROR_LINES = 8
MAX_FRAMES = 3

_PYTEST = re.compile(r"^(?P<file>(?:[A-Za-z]:)?[^\s:>][^:\n]*\.[A-Za-z]\w*):(?P<line>\d+):(?:\s.*)?$")
_PYTHON = re.compile(r'^E?\s*File "(?P<file>[^"\n]+)", line (?P<line>\d+)(?:, in .*)?$')
_FIXTURE = re.compile(r"^file (?P<file>[^\n]+), line (?P<line>\d+)$")
_WATCHERS = re.compile(r"(?:^|[/\\])_venvgrid_\w+\.py$")  # venvgrid's own, which only pass the call on
_IMPORTS = re.compile(r"(?:^|[/\\])importlib[/\\]")
_CARETS = re.compile(r"^[\s^~]*$")
_INSTALLED = re.compile(r"(?:site|dist)-packages[/\\]+")
_LIBRARY = re.compile(r"[/\\]lib(?:64)?[/\\](?:python|pypy)\d[\w.]*[/\\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One place of a traceback: a file as it was printed, with "/", its line, and the code there or ""."""

    file: str
    line: int
    code: str = ""

    @property
    def installed(self) -> str:
        """The path below site-packages, or "" if the file is not installed."""
        return _INSTALLED.split(self.file)[-1] if _INSTALLED.search(self.file) else ""

    @property
    def is_library(self) -> bool:
        """Whether the file belongs to the standard library."""
        return not self.installed and bool(_LIBRARY.search(self.file))

    @property
    def is_own(self) -> bool:
        """Whether the file is the project's or the tests'."""
        return not self.installed and not self.is_library and not self.file.startswith("<")

    @property
    def shown(self) -> str:
        """The file without the path of its environment or interpreter."""
        if self.installed:
            return self.installed
        return _LIBRARY.split(self.file)[-1] if self.is_library else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Traceback:
    """The frames from the outermost to the one that raised, and the lines of the error."""

    frames: tuple[Frame, ...] = ()
    error: tuple[str, ...] = ()

    @property
    def tail(self) -> tuple[Frame, ...]:
        """The end of it: the last frame, those just before it, and the last one of the project.

        What called the project first (a runner, an import, the parser) is no part of it.
        """
        own = [frame for frame in self.frames if frame.is_own]
        begun = self.frames.index(own[0]) if own else 0
        end = list(self.frames[begun:][-MAX_FRAMES:])
        if own and not any(frame.is_own for frame in end):
            end = [own[-1], *end[-(MAX_FRAMES - 1) :]]
        return tuple(end)


def read(longrepr: str) -> Traceback:
    """Read pytest's text of a failure, or a traceback of Python. Text of another kind has no frames."""
    lines = signatures.without_escapes(longrepr).splitlines()
    frames: list[Frame] = []
    begun = 0  # the line after the last frame: pytest prints the code of a function before its place
    for number, text in enumerate(lines):
        match = _PYTEST.match(text) or _PYTHON.match(text) or _FIXTURE.match(text)
        if match is None or _WATCHERS.search(match["file"]) or _IMPORTS.search(match["file"]):
            continue
        frame = Frame(
            file=match["file"].replace("\\", "/"), line=int(match["line"]), code=_code(lines, begun, number, match)
        )
        begun = number + 1
        if not frames or (frame.file, frame.line) != (frames[-1].file, frames[-1].line):
            frames.append(frame)
        elif frame.code and not frames[-1].code:
            frames[-1] = frame
    return Traceback(frames=tuple(frames), error=_error(lines))


def _code(lines: list[str], begun: int, number: int, match: re.Match[str]) -> str:
    """Return the code of a place: pytest marks it with ">" above the place, or prints it below as Python does."""
    marked = [line for line in lines[begun:number] if re.match(r">\s", line)]
    if marked and match.re is _PYTEST:
        return marked[-1][1:].strip()
    below = lines[number + 1] if number + 1 < len(lines) else ""
    if below[:1] == " " and not _CARETS.match(below) and not _PYTHON.match(below):
        return below.strip()
    return ""


def _error(lines: list[str]) -> tuple[str, ...]:
    """Return the lines that pytest marks with "E", those of the last block; of Python's traceback its last lines."""
    found: list[str] = []
    for text in reversed(lines):
        if re.match(r"E(?:\s|$)", text):
            found.append(text[1:].rstrip())
        elif found:
            break
    found = [text for text in reversed(found) if not _PYTHON.match(text)]  # it is a frame already
    if not found and (starts := [number for number, text in enumerate(lines) if EXCEPTION.match(text)]):
        found = lines[starts[-1] :]
    margin = min((len(text) - len(text.lstrip()) for text in found if text.strip()), default=0)
    return tuple(text[margin:] for text in found)
