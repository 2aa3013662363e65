"""Compares a capsule with what its cell does here: the failures, and what differs between the two machines. Pure."""

from __future__ import annotations

import re
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

from venvgrid.model import Outcome
from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass
from venvgrid.results.capsules.capsule import PERSONAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from venvgrid.model import CellResult
    from venvgrid.results.capsules.capsule import Capsule, Python


class Verdict(StrEnum):
    """What became of the failure of a capsule on this machine."""

    REPRODUCED = "reproduced"
    ANOTHER = "another failure"
    PASSES = "passes here"
    UNKNOWN = "could not be run here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """This machine, in the terms of a capsule. `sources` are notes of how the sources differ."""

    python: Python | None = None
    packages: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    passed: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    names: frozenset[str] = frozenset()  # of all variables that the tests got
    machine: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is not the same on both machines."""

    name: str
    there: str
    here: str


# What differs most likely explains a failure in this order; a word in the failure (see _HINTS) puts a fact first.
_RANKS = (
    *("package", "python", "sources", "python build", "libc", "locale", "encoding", "timezone", "zone", "variable"),
    *("filesystem-encoding", "architecture", "system", "openssl", "sqlite", "zlib", "compiler", "user"),
    *("distribution", "cpus", "cpu", "release", "service"),
)
_HINTS = {
    "locale": r"locale|setlocale|strcoll|LC_",
    "encoding": r"Unicode|codec|encod|decod",
    "filesystem-encoding": r"Unicode|surrogate|filename",
    "timezone": r"time ?zone|tzinfo|utcoffset|localtime|strftime|mktime|datetime|naive",
    "zone": r"time ?zone|tzinfo|utcoffset|localtime|strftime|mktime|datetime|ZoneInfo",
    "user": r"Permission|EACCES|EPERM|root|chmod|getuid",
    "libc": r"GLIBC|SIGSEGV|ImportError|undefined symbol|math",
    "cpu": r"SIGILL|AVX|allclose|rtol|atol|approx|precision|ULP",
    "architecture": r"SIGILL|AVX|allclose|rtol|atol|approx|precision|ULP",
    "cpus": r"timed? ?out|Timeout|worker|thread|deadlock|race",
    "openssl": r"ssl|SSL|certificate|TLS|hashlib",
    "sqlite": r"sqlite|OperationalError",
    "zlib": r"zlib|gzip|deflate",
    "service": r"\bCI\b|GITHUB",
}


def verdict(capsule: Capsule, result: CellResult) -> Verdict:
    """Return what a result here says of the failure of a capsule."""
    if result.outcome is Outcome.PASSED:
        return Verdict.PASSES
    if not result.outcome.is_red:
        return Verdict.UNKNOWN
    found = frozenset(item.signature for item in result.failures)
    if capsule.signatures:
        return Verdict.REPRODUCED if capsule.signatures & found else Verdict.ANOTHER
    return Verdict.REPRODUCED if result.outcome is capsule.outcome else Verdict.ANOTHER


def is_near(capsule: Capsule, result: CellResult) -> bool:
    """Return whether a test fails with the same kind of exception in both, and another message or place."""
    there = {(item.test, item.kind) for item in capsule.failures}
    return any((item.test, item.kind) in there for item in result.failures)


def differences(capsule: Capsule, here: Here) -> tuple[Difference, ...]:
    """Return what differs between the machine of a capsule and this one, the most likely reason first."""
    text = " ".join(f"{item.kind} {item.message} {item.longrepr}" for item in capsule.failures) + capsule.reason

    def rank(item: tuple[str, Difference]) -> tuple[bool, int]:
        kind, found = item
        names = found.name if kind == "variable" else ""
        is_hinted = kind in _HINTS and re.search(_HINTS[kind], text) is not None
        return not (is_hinted or (names and names in text)), _RANKS.index(kind) if kind in _RANKS else len(_RANKS)

    return tuple(found for _, found in sorted(_found(capsule, here), key=rank))


def _found(capsule: Capsule, here: Here) -> Iterator[tuple[str, Difference]]:
    locked = {item.name: item.version for item in capsule.lock.distributions}
    if here.packages:
        for name, there, mine in _unequal(locked, here.packages):
            yield "package", Difference(name=name, there=there or "absent", here=mine or "absent")
    for note in here.sources:
        yield "sources", Difference(name="sources", there=note, here="")
    if here.python is not None:
        for name, there, mine in _unequal(_of_python(capsule.python), _of_python(here.python)):
            yield ("python build" if name == "build" else name), Difference(name=_title(name), there=there, here=mine)
    told = {name: value for name, value in capsule.machine.items() if here.python is not None or name in here.machine}
    for name, there, mine in _unequal(told, here.machine):
        yield name, Difference(name=_title(name), there=there or "not known", here=mine or "not known")
    if here.python is not None:
        yield from (("variable", item) for item in _variables(capsule, here))


def _variables(capsule: Capsule, here: Here) -> Iterable[Difference]:
    """Yield variables with other values; of those without a told value, only whether they are set."""
    for name, there, mine in _unequal(capsule.passed, here.passed):
        if name in capsule.passed:
            shown = mine or ("set" if name in here.names else "not set")
            yield Difference(name=name, there=there, here=shown)
        elif name not in capsule.hidden:
            yield Difference(name=name, there="not set", here=mine)
    for name in sorted(name for name in set(capsule.hidden) - here.names if not PERSONAL.fullmatch(name)):
        yield Difference(name=name, there="set (its value is not told)", here="not set")


def _of_python(python: Python) -> dict[str, str]:
    kind = "free-threaded" if python.free_threaded else ""
    words = (python.implementation, python.version, kind, "debug" if python.debug else "")
    return {"python": " ".join(filter(None, words)), **python.facts}


def _unequal(there: Mapping[str, str], here: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name in sorted({*there, *here}):
        if there.get(name, "") != here.get(name, ""):
            yield name, there.get(name, ""), here.get(name, "")


def _title(name: str) -> str:
    return {
        "python": "Python",
        "build": "build of Python",
        "cpu": "CPU",
        "cpus": "usable CPUs",
        "release": "release of the system",
        "zone": "zone of the system",
        "user": "user",
        "openssl": "OpenSSL",
        "sqlite": "SQLite",
    }.get(name, name)
