"""Records of the probe: a frozen value for each line of its stream. Paths are real paths."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.model import CaseOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class FromProcess:
    """A record of a process: all records of one process share their `source`."""

    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(FromProcess):
    """A pytest process began. `worker` is "" or a pytest-xdist worker's name; `prefix` is a real path.

    `variables` are those of the cell that had another value there, None for none.
    """

    worker: str = ""
    pid: int = 0
    executable: str = ""
    prefix: str = ""
    version: str = ""
    implementation: str = ""
    pytest: str = ""
    variables: Mapping[str, str | None] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected(FromProcess):
    """The session, or one worker of it, collected this many tests."""

    ids: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Same(FromProcess):
    """This many tests of the session share an id."""

    id: str
    tests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deselected(FromProcess):
    """The session, or one worker of it, left out this many tests so far; `last_failed`: because of --lf."""

    tests: int
    last_failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Left(FromProcess):
    """A preview left out this many tests, because only those that go first were asked for; or it is none: `why`."""

    tests: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(FromProcess):
    """A test began."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported(FromProcess):
    """A test ended, or (`collecting`) a file failed to be collected or skipped itself as a whole."""

    id: str
    verdict: CaseOutcome
    duration: float = 0.0
    kind: str = ""
    message: str = ""
    where: str = ""  # "tests/test_a.py:12", where it was raised
    longrepr: str = ""
    collecting: bool = False
    lost: bool = False  # its process died: another one made the report
    ran: bool = True  # its body was executed
    reruns: int = 0  # by a plugin, before this result


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried(FromProcess):
    """The body of a test failed, whatever plugins make of it: they may run it again."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(FromProcess):
    """The session was stopped: `why` is "internal error", "interrupt", or "exec" (another program replaced pytest)."""

    why: str
    kind: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested(FromProcess):
    """The attestation of a process at its end. "" stands for absent; `imported` are names of distributions."""

    worker: str = ""
    packages: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    origins: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    imported: tuple[str, ...] = ()
    project_version: str = ""
    project_origin: str = ""
    project_imported: bool = False
    seed: str = ""  # of a plugin that shuffles the tests
    error: str = ""  # why nothing could be attested


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(FromProcess):
    """A session ended normally. `exitstatus` is pytest's, or None if it ran no session (`pytest --help`)."""

    exitstatus: int | None
    worker: str = ""


OfSession = Collected | Same | Deselected | Started | Tried | Reported | Stopped | Attested | Finished
Record = Session | Left | OfSession
