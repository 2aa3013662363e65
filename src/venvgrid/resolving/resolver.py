"""Which distributions a cell gets: project, extras, groups, pins, requires and constraints resolved together, once.

Answers are kept in the user's cache for a while; a failure of the network is never kept, and never called impossible.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from venvgrid.config import axis_values
from venvgrid.installers.base import Resolved, ResolveFailed, ResolveRequest, ResolveResult, Unresolvable
from venvgrid.model import serialization, tool_support
from venvgrid.model.config import AxisKind, InstallMode, Resolution
from venvgrid.model.environment import LockEntry
from venvgrid.model.names import normalise
from venvgrid.model.version import __version__
from venvgrid.project import metadata as project
from venvgrid.project import wheels
from venvgrid.storage.atomic import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from venvgrid.installers.base import Installer
    from venvgrid.model.config import Config
    from venvgrid.model.environment import Interpreter
    from venvgrid.model.plan import Cell
    from venvgrid.project.metadata import Metadata

# Seconds that an answer is good for: the index changes all the time, the past hardly.
AGAIN = ".again"  # in place of ".json": what was kept turned out to be wrong
_LACKS = re.compile(r"(?:no distribution named|no release of|no versions? of) (?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)")
FRESH_TODAY = 3600.0
FRESH_PAST = 7 * 86400.0
# An era ends a week after its newest pin was released: what its authors fixed at once belongs to it.
AFTER_RELEASE = timedelta(days=7)
NO_NOTES: tuple[str, ...] = ()
TEST_REQUIREMENTS = "venvgrid-test-requirements"  # a distribution that exists only while resolving


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What one cell asks of the resolver, apart from its interpreter. All requirements are PEP 508."""

    pins: tuple[str, ...]
    absent: tuple[str, ...]  # normalised names
    extras: tuple[str, ...]
    resolution: Resolution
    as_of: str  # "", "release", or RFC 3339
    requires: tuple[str, ...]  # of the tests: install.requires and the groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Resolves cells of one configuration. `metadata` is None where the project is not installed.

    `cache` is a folder of the user's cache; `clock` gives seconds since the epoch; `refresh` passes the cache over.
    """

    config: Config
    metadata: Metadata | None
    groups: tuple[str, ...]
    installer_for: Callable[[Interpreter], Installer]
    cache: Path
    clock: Callable[[], float] = time.time
    refresh: bool = False
    offline: bool = False
    # Says why it cannot be believed that the index does not have what it is said not to have; "" if it can.
    verify_missing: Callable[[str], str] = lambda _name: ""
    answer_files: dict[str, Path] = field(default_factory=dict)  # by entry: where the answer is kept

    def invalidate(self, key: str) -> None:
        """Do not believe the answer for an entry again, nor what the installer keeps of the index."""
        file = self.answer_files.get(key)
        if file is not None:
            with suppress(OSError):
                file.unlink(missing_ok=True)
                file.with_suffix(AGAIN).touch()

    def resolve(self, cell: Cell, interpreter: Interpreter) -> LockEntry | Unresolvable | ResolveFailed:
        """Give the lock entry of a cell, or why there is none."""
        wants = requirements_of(self.config, cell, self.groups)
        cutoff, notes = wants.as_of, NO_NOTES
        if wants.as_of == "release":
            era = self._era(wants, interpreter)
            if isinstance(era, Unresolvable | ResolveFailed):
                return era
            cutoff, notes = era
        answer = self._ask(self._request(wants, interpreter, cutoff), interpreter)
        if not isinstance(answer, Resolved):
            return answer
        unwanted = [item.name for item in answer.distributions if item.name in wants.absent]
        if unwanted:
            return Unresolvable(reason=f"{', '.join(unwanted)} must be absent, but the project or the tests need it")
        entry = lock_entry(
            self.config,
            interpreter,
            replace(answer, notes=(*notes, *answer.notes)),
            as_of="" if any("as-of was not applied" in note for note in answer.notes) else cutoff,
            own=self.metadata.name if self.metadata else "",
        )
        self.answer_files[entry.key] = self._file(self._request(wants, interpreter, cutoff), interpreter)
        return entry

    def _era(
        self, wants: Requirements, interpreter: Interpreter
    ) -> tuple[str, tuple[str, ...]] | Unresolvable | ResolveFailed:
        """Give the end of the era of a cell's pins: a week after the newest of them was released."""
        if not wants.pins:
            return "", ("as-of was not applied: no axis pins a distribution, so there is no release to go by",)
        installer = self.installer_for(interpreter)
        if interpreter.release < tool_support.UV:
            note = f"as-of was not applied: {installer.name} on Python {interpreter.version} knows no cut-off date"
            return "", (note,)
        request = replace(self._request(wants, interpreter, ""), requirements=wants.pins, dependencies=False)
        answer = self._ask(request, interpreter)
        if not isinstance(answer, Resolved):
            return answer
        uploaded = [item.uploaded for item in answer.distributions]
        if not all(uploaded):
            undated = ", ".join(item.name for item in answer.distributions if not item.uploaded)
            reason = f'as-of = "release" cannot be applied: {installer.name} does not tell when {undated} was uploaded'
            return ResolveFailed(reason=f"{reason} (pip never does: install uv; a private index may not: give a date)")
        newest = max(datetime.fromisoformat(text) for text in uploaded)
        end = (newest.astimezone(UTC) + AFTER_RELEASE).date() + timedelta(days=1)
        return f"{end.isoformat()}T00:00:00Z", ()

    def _request(self, wants: Requirements, interpreter: Interpreter, cutoff: str) -> ResolveRequest:
        install = self.config.install
        return ResolveRequest(
            interpreter=interpreter,
            requirements=self._requirements(wants, interpreter),
            constraints=install.constraints,
            only_binary=install.only_binary,
            source_builds=install.source_builds,
            resolution=wants.resolution,
            cutoff=cutoff,
            offline=self.offline,
        )

    def _requirements(self, wants: Requirements, interpreter: Interpreter) -> tuple[str, ...]:
        lines = list(wants.pins)
        if self.metadata is not None:
            wheel = wheels.metadata_wheel(self.cache / "metadata", self.metadata)
            extras = f"[{','.join(wants.extras)}]" if wants.extras else ""
            lines.append(f"{self.metadata.name}{extras} @ {wheel.as_uri()}")
        if wants.resolution is Resolution.HIGHEST:
            return (*lines, *wants.requires)
        # "Direct" is what the project itself declares. What only the tests need stays at its highest: it comes in
        # through a distribution in between, so that no resolver takes it for direct.
        if self.metadata is not None and wants.resolution is Resolution.LOWEST_DIRECT:
            lines += project.direct_requirements(self.metadata, wants.extras, dict(interpreter.markers))
        if wants.requires:
            tests = project.Metadata(name=TEST_REQUIREMENTS, version="0", requires=wants.requires)
            lines.append(f"{TEST_REQUIREMENTS} @ {wheels.metadata_wheel(self.cache / 'metadata', tests).as_uri()}")
        return tuple(lines)

    def _ask(self, request: ResolveRequest, interpreter: Interpreter) -> ResolveResult:
        installer, file = self.installer_for(interpreter), self._file(request, interpreter)
        again = file.with_suffix(AGAIN)
        past = bool(request.cutoff) and datetime.fromisoformat(request.cutoff).timestamp() < self.clock()
        if not self.refresh and (
            known := _read_answer(file, newer_than=self.clock() - (FRESH_PAST if past else FRESH_TODAY))
        ):
            return known
        answer = installer.resolve(replace(request, refresh=again.exists()))
        if isinstance(answer, Unresolvable) and not self.offline:
            doubts = filter(None, (self.verify_missing(name) for name in _said_to_lack(answer.reason)))
            answer = next((ResolveFailed(reason=verify_missing) for verify_missing in doubts), answer)
        if not isinstance(answer, ResolveFailed):
            _write_answer(file, answer, self.clock())
            with suppress(OSError):
                again.unlink(missing_ok=True)
        return answer

    def _file(self, request: ResolveRequest, interpreter: Interpreter) -> Path:
        key = _digest([__version__, self.installer_for(interpreter).name, serialization.to_plain(request)])
        return self.cache / "resolutions" / f"{key}.json"


def requirements_of(config: Config, cell: Cell, groups: tuple[str, ...]) -> Requirements:
    """Read off a cell what it asks of the resolver; `groups` are the requirements of the dependency groups."""
    pins: list[str] = []
    absent: list[str] = []
    extras, resolution, as_of = config.project.extras, config.install.resolution, config.install.as_of or ""
    for axis in config.axes:
        value = cell.axes[axis.name]
        if axis.kind is AxisKind.DEPENDENCY:
            pin = requirement(axis.name, value)
            (pins if pin else absent).append(pin or normalise(axis.name))
        elif axis.kind is AxisKind.EXTRAS:
            extras = tuple(part for part in value.split(",") if part)
        elif axis.kind is AxisKind.RESOLUTION:
            resolution = Resolution(value)
        elif axis.kind is AxisKind.AS_OF:
            as_of = value
    requires = tuple(line for line in (*config.install.requires, *groups) if _name_of(line) not in absent)
    return Requirements(
        pins=tuple(pins),
        absent=tuple(absent),
        extras=extras,
        resolution=resolution,
        as_of="" if as_of == "today" else as_of,
        requires=requires,
    )


def requirement(axis_name: str, value: str) -> str | None:
    """Return the PEP 508 requirement for a value of a dependency axis, or None for "absent"."""
    specifier = axis_values.version_specifier(value)
    return None if specifier is None else f"{axis_name}{specifier}"


def lock_entry(
    config: Config, interpreter: Interpreter, answer: Resolved, *, as_of: str = "", own: str = ""
) -> LockEntry:
    """Make a lock entry; equal contents give equal keys. `own` names the project, which is no part of it."""
    ours = {normalise(own), TEST_REQUIREMENTS}
    distributions = tuple(
        sorted((item for item in answer.distributions if item.name not in ours), key=lambda item: item.name)
    )
    editable = str(config.project.path) if config.project.install is InstallMode.EDITABLE else ""
    contents = [
        [interpreter.executable, interpreter.version, interpreter.implementation],
        [config.project.install.value, editable],
        [[item.name, item.version, sorted(item.hashes), item.direct] for item in distributions],
    ]
    return LockEntry(
        key=_digest(contents)[:16],
        interpreter=interpreter,
        distributions=distributions,
        as_of=as_of,
        notes=answer.notes,
    )


def _said_to_lack(reason: str) -> Iterator[str]:
    """Name the distributions of which an index is said to have nothing, or no fitting release."""
    for match in _LACKS.finditer(reason):
        yield match["name"].rstrip(".,")


def _read_answer(file: Path, *, newer_than: float) -> ResolveResult | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        data = json.loads(read_sealed(file))
        if data["created"] > newer_than:
            kind = Resolved if data["kind"] == "resolved" else Unresolvable
            answer: ResolveResult = serialization.from_plain(kind, data["answer"])
            return answer
    return None


def _write_answer(file: Path, answer: ResolveResult, now: float) -> None:
    """Keep an answer; a cache that cannot be written costs time, nothing else."""
    kind = "resolved" if isinstance(answer, Resolved) else "unresolvable"
    text = json.dumps({"created": now, "kind": kind, "answer": serialization.to_plain(answer)})
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_sealed(file, text)


def _digest(data: object) -> str:
    text = json.dumps(data, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def _name_of(line: str) -> str:
    from packaging.requirements import Requirement  # noqa: PLC0415  (70 ms, and plans from a lock do without)

    return normalise(Requirement(line).name)
