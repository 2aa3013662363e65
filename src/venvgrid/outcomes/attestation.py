"""Attestation: compares what was tested with the definition of the cell. Pure.

A run on another interpreter, with another version, or with code from another place proves nothing about the cell,
whether its tests passed or failed.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model import Attestation
from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvgrid.outcomes.observation import Observation, SessionLog
    from venvgrid.outcomes.records import Attested, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the cell defines. All paths are real paths (`os.path.realpath`), as are those of the probe."""

    prefix: str  # of the environment
    python_version: str  # "3.9.18"
    implementation: str = "cpython"
    packages: Mapping[str, str] = field(default_factory=lambda: EMPTY)  # of every dependency axis; "" for absent
    project: str = ""  # its name, "" where none is installed
    tested: str = ""  # a package of the project that has tests inside, for a hint
    project_version: str = ""  # "" for any
    project_origin: str = ""  # the folder that it must be imported from, "" for any
    reports: str = "pytest"  # as in `[test] reports`
    variables: Mapping[str, str] = field(default_factory=lambda: EMPTY)  # of the axes `env.NAME`
    chosen: str = ""  # the options of its command that choose tests


def first_difference(
    observed: Observation, expected: Expectation, before: Mapping[str, str] = EMPTY, after: Mapping[str, str] = EMPTY
) -> str:
    """Return the first deviation from the cell in one line, or "" if there is none.

    `before` and `after` are the versions in the environment before and after the command; empty if not checked.
    """
    return next(_differences(observed, expected, before, after), "")


def attestation(observed: Observation, before: Mapping[str, str] = EMPTY) -> Attestation:
    """Summarise the attestations. A process that imported the project takes precedence over others."""
    seen = [item for item in observed.sessions.values() if item.attested is not None and not item.attested.error]
    seen.sort(key=lambda item: not (item.attested and item.attested.project_imported))
    best = seen[0].attested if seen else None
    session = next((item.session for item in (*seen, *observed.main)), None)
    return Attestation(
        python=_python(session) if session else "",
        packages=dict(best.packages) if best else dict(before),
        project_origin=best.project_origin if best else "",
        collected=observed.collected,
        seed=best.seed if best else "",
    )


def same_version(one: str, other: str) -> bool:
    """Whether two versions are equal, as "1.0" and "1.0.0" are."""
    if one == other or not (one and other):
        return one == other
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415  (seldom needed)

    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False


def is_below(path: str, folder: str) -> bool:
    """Whether a path is in a folder. Both are absolute, of POSIX or Windows."""
    inner, outer = _comparable(path), _comparable(folder)
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def _comparable(path: str) -> str:
    if re.match(r"[A-Za-z]:[\\/]|\\\\", path):
        return path.removeprefix("\\\\?\\").replace("\\", "/").casefold()
    return path


def _differences(
    observed: Observation, expected: Expectation, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[str]:
    for seen in observed.sessions.values():
        yield from _of_interpreter(seen.session, expected)
    for name, wanted in expected.packages.items():
        if before and not same_version(before.get(name, ""), wanted):
            yield f"the environment holds {_named(name, before.get(name, ''))}, but {_expected(name, wanted)}"
        elif after and not same_version(after.get(name, ""), wanted):
            left = _named(name, after.get(name, ""))
            yield f"the tests left {left} in the environment, but {_expected(name, wanted)}"
    for seen in observed.sessions.values():
        yield from _of_attestation(seen, expected)


def _of_interpreter(session: Session, expected: Expectation) -> Iterator[str]:
    if _comparable(session.prefix) != _comparable(expected.prefix):
        yield (
            f"the tests ran on {_python(session)}, not on the Python of the environment: "
            "the command starts another interpreter (write `pytest` or `{python} -m pytest`)"
        )
    wanted = (expected.implementation.lower(), expected.python_version)
    if (session.implementation.lower(), session.version.rstrip("+")) != wanted:
        yield f"the tests ran on {session.implementation} {session.version}, but the cell says {' '.join(wanted)}"
    for name, found in session.variables.items():
        was = f"without {name}" if found is None else f"with {name}={found}"
        yield f"the tests were started {was}, but the cell says {name}={expected.variables.get(name, '')}"


def _of_attestation(seen: SessionLog, expected: Expectation) -> Iterator[str]:
    attested = seen.attested
    if attested is None or attested.error:
        if seen.finished is not None and seen.finished.exitstatus is not None:
            detail = f": {attested.error}" if attested else ""
            yield f"what ran could not be attested at the end of the tests{detail}"
        return
    for name, wanted in expected.packages.items():
        yield from _of_package(name, wanted, attested, expected.prefix)
    name, wanted = expected.project, expected.project_version
    if name and wanted and not same_version(attested.project_version, wanted):
        yield f"{_named(name, attested.project_version)} was there, but {_expected(name, wanted)}"
    if expected.project_origin and attested.project_imported and attested.project_origin:
        yield from _of_project(attested.project_origin, expected)


def _of_package(name: str, wanted: str, attested: Attested, prefix: str) -> Iterator[str]:
    found = attested.packages.get(name, "")
    if not same_version(found, wanted):
        yield f"{_named(name, found)} was there, but {_expected(name, wanted)}"
    origin = attested.origins.get(name, "")
    if name in attested.imported and origin:
        if not wanted:
            yield f"{name} was imported from {origin}, but the cell says absent"
        elif not is_below(origin, prefix):
            yield f"{name} was imported from {origin}, not from the environment"


def _of_project(origin: str, expected: Expectation) -> Iterator[str]:
    installed = is_below(origin, expected.prefix)
    if _comparable(expected.project_origin) == _comparable(expected.prefix):
        if not installed:
            yield (
                f"{expected.project} was imported from {origin}, not from the environment: what is installed did not "
                "run (use a src layout, pytest's --import-mode=importlib, "
                'or install = "editable" in [project])'
            )
    elif installed or not is_below(origin, expected.project_origin):
        yield f"{expected.project} was imported from {origin}, not from {expected.project_origin}"


def _named(name: str, version: str) -> str:
    return f"{name} {version}" if version else f"no {name}"


def _expected(name: str, version: str) -> str:
    return f"the cell says {name} {version}" if version else f"the cell says that {name} is absent"


def _python(session: Session) -> str:
    return f"{session.implementation} {session.version} {session.executable}".strip()
