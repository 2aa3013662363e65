"""Reads the JUnit report of a test command (`reports = "junit:FILE"`).

The file comes from the tests and is not trusted. It is streamed, never held as a whole. A document type, and with it
every entity, is refused. Size, depth and numbers are bounded. Each test is counted; claimed totals are ignored.
"""

from __future__ import annotations

import math
import os
import stat
from dataclasses import field
from typing import TYPE_CHECKING
from xml.parsers import expat  # document types, the way to every known attack, are refused below

from venvgrid.model import CaseOutcome, Failure
from venvgrid.model.values import dataclass
from venvgrid.outcomes import signatures
from venvgrid.outcomes.causes import pytest_errors, remedies
from venvgrid.outcomes.observation import ReportFile

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 1 << 16
MEGABYTE = 1_000_000
UNCOLLECTED = "collection failure"  # pytest's message of a file that it could not collect


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits: `bytes` of the file, `failures` that are kept, `characters` of a text, `depth` of elements."""

    bytes: int = 64 * MEGABYTE
    tests: int = 1_000_000
    failures: int = 1_000
    characters: int = 20_000
    depth: int = 100
    elapsed: float = math.inf  # seconds that the command took: no test took longer


DEFAULT_LIMITS = Limits()

Stamp = tuple[int, int, int]


def stamp(path: Path) -> Stamp | None:
    """Return the file's inode, size and mtime, or None if it does not exist. Call before the command runs."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def read(path: Path, before: Stamp | None = None, limits: Limits = DEFAULT_LIMITS) -> ReportFile:
    """Read a report. Nothing is raised: errors are the `problem` of the result.

    `before` is the `stamp` from before the command: an unchanged report is that of an earlier run.
    """
    name = path.name
    if before is not None and stamp(path) == before:
        return ReportFile(problem=f"{name} was not written by this run: it is as it was before", missing=True)
    try:
        with open(path, "rb", opener=_without_blocking) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return ReportFile(problem=f"{name} is not a file")
            if status.st_size > limits.bytes:
                size = f"{status.st_size / MEGABYTE:.0f} MB, more than {limits.bytes / MEGABYTE:.0f}"
                return ReportFile(problem=f"{name} is too big: {size}")
            reader = _Reader(limits)
            left = limits.bytes + 1
            while left > 0 and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                reader.feed(chunk)
            return reader.result(name)
    except FileNotFoundError:
        return ReportFile(problem=f"{name} was not written", missing=True)
    except OSError as error:
        return ReportFile(problem=f"{name} cannot be read: {error.strerror or error}")
    except (_RefusedError, expat.ExpatError, ValueError, LookupError) as error:
        return ReportFile(problem=f"{name} is not a JUnit report: {error}")


def _without_blocking(path: str, flags: int) -> int:
    """Open a file without blocking on a pipe in its place."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class _RefusedError(Exception):
    """The file is no usable report."""


@dataclass(slots=True, kw_only=True)
class _Case:
    name: str
    duration: float
    verdict: CaseOutcome = CaseOutcome.PASSED
    has_element: bool = False  # that tells the verdict
    kind: str = ""
    message: str = ""
    text: list[str] = field(default_factory=list)


# What some tools write into attributes of a test, "status" and "result".
_SAID = {
    **dict.fromkeys(("failed", "failure", "fail", "error", "errored", "broken"), CaseOutcome.FAILED),
    **dict.fromkeys(("notrun", "disabled", "skipped", "suppressed", "ignored", "pending"), CaseOutcome.SKIPPED),
}
_VERDICTS = {"failure": CaseOutcome.FAILED, "error": CaseOutcome.ERROR, "skipped": CaseOutcome.SKIPPED}


class _Reader:
    """An incremental parser that counts test cases."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._counts = dict.fromkeys(CaseOutcome, 0)
        self._uncollected = self._claimed = 0  # claimed: failures and errors of a suite, by its attributes
        self._failures: list[Failure] = []
        self._path: list[str] = []
        self._case: _Case | None = None
        self._room = 0  # characters left for the text of the current failure
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        self._parser = parser

    def feed(self, chunk: bytes) -> None:
        self._parser.Parse(chunk, False)  # noqa: FBT003  (expat takes it by position only)

    def result(self, name: str) -> ReportFile:
        self._parser.Parse(b"", True)  # noqa: FBT003
        if sum(self._counts.values()) > self._limits.tests:
            return ReportFile(problem=f"{name} lists more than {self._limits.tests} tests")
        if self._claimed and not self._counts[CaseOutcome.FAILED] + self._counts[CaseOutcome.ERROR]:
            return ReportFile(problem=f"{name} claims {self._claimed} failures or errors, but lists none")
        return ReportFile(counts=self._counts, uncollected=self._uncollected, failures=tuple(self._failures))

    def _refuse(self, *_arguments: object) -> None:
        raise _RefusedError("it has a document type, which none needs")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2].rpartition("}")[2]
        if not self._path and tag not in {"testsuites", "testsuite"}:
            raise _RefusedError(f"it begins with <{tag[:50]}>")
        self._path.append(tag)
        if len(self._path) > self._limits.depth:
            raise _RefusedError(f"it is nested more than {self._limits.depth} deep")
        if tag == "testcase":
            if self._case is not None:
                raise _RefusedError("a test inside a test")
            said = (_SAID.get(attributes.get(name, "").lower()) for name in ("status", "result"))
            verdict = next(filter(None, said), CaseOutcome.PASSED)
            self._case = _Case(name=_name(attributes), duration=self._duration(attributes), verdict=verdict)
        elif tag in {"testsuites", "testsuite"}:
            claims = (attributes.get(name, "") for name in ("failures", "errors"))
            self._claimed = max(self._claimed, sum(int(text) for text in claims if text.isdecimal()))
        elif self._case is None and tag in {"failure", "error"}:  # of a suite: its preparation failed
            self._claimed = max(self._claimed, 1)
        elif self._case is not None and self._path[-2] == "testcase" and tag in _VERDICTS:
            self._set_verdict(self._case, _VERDICTS[tag], attributes)

    def _set_verdict(self, case: _Case, verdict: CaseOutcome, attributes: dict[str, str]) -> None:
        kind = attributes.get("type", "")
        if verdict is CaseOutcome.SKIPPED and kind == "pytest.xfail":
            verdict = CaseOutcome.XFAILED
        self._room = 0
        if case.has_element and case.verdict in {CaseOutcome.FAILED, CaseOutcome.ERROR}:
            return  # the first one counts; later ones come from the teardown
        case.verdict, case.has_element = verdict, True
        if verdict in {CaseOutcome.FAILED, CaseOutcome.ERROR}:
            case.kind, case.message = kind, attributes.get("message", "")[: self._limits.characters]
            self._room = self._limits.characters

    def _characters(self, text: str) -> None:
        if self._case is not None and self._room > 0 and self._path[-1] in {"failure", "error"}:
            self._case.text.append(text[: self._room])
            self._room -= len(text)

    def _end(self, _tag: str) -> None:
        if self._path.pop() == "testcase" and self._case is not None:
            case, self._case = self._case, None
            self._counts[case.verdict] += 1
            self._uncollected += case.verdict is CaseOutcome.ERROR and case.message == UNCOLLECTED
            if case.verdict in {CaseOutcome.FAILED, CaseOutcome.ERROR} and len(self._failures) < self._limits.failures:
                self._failures.append(_failure(case))

    def _duration(self, attributes: dict[str, str]) -> float:
        """Read seconds, 0 for no valid number, at most those of the command."""
        try:
            seconds = float(attributes.get("time", "0").replace(",", ""))
        except ValueError:
            return 0.0
        return min(seconds, self._limits.elapsed) if 0.0 <= seconds < math.inf else 0.0


def _name(attributes: dict[str, str]) -> str:
    names = [attributes.get("classname", ""), attributes.get("name", "")]
    return "::".join(signatures.stable_id(name[:1000]) for name in names if name) or "a test without a name"


def _failure(case: _Case) -> Failure:
    longrepr = "".join(case.text)
    default = "Failed" if case.verdict is CaseOutcome.FAILED else "Error"
    crash = "" if case.message == UNCOLLECTED else case.message
    kind, message = signatures.kind_and_message(crash, longrepr, default)
    if twice := pytest_errors.file_mismatch(longrepr):
        kind, message = default, twice
    if case.kind and kind == default:
        kind = signatures.kind_and_message(f"{case.kind}: ", "", case.kind)[0]
    where = signatures.last_frame(longrepr)
    return Failure(
        test=case.name,
        kind=kind,
        message=message,
        signature=signatures.signature(kind, message, where, longrepr),
        duration=case.duration,
        longrepr=longrepr,
        hint=remedies.of_failure(message, longrepr),
    )
