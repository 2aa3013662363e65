"""Resolves the distributions of a cell: project, extras, groups, pins, requires and constraints together.

Results are cached in the user's cache for a while. A network failure is never cached and never makes a cell impossible.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.config import axis_values
from venvgrid.installers.base import (
    Resolved,
    ResolveFailed,
    ResolveRequest,
    ResolveResult,
    Unresolvable,
    built_from_source,
)
from venvgrid.model import AxisKind, InstallMode, LockEntry, Resolution, serialization, tool_support
from venvgrid.model.names import normalise
from venvgrid.model.version import __version__
from venvgrid.project import metadata as project
from venvgrid.project import wheels
from venvgrid.project.local_wheels import Placing
from venvgrid.resolving.impossibility import Examiner, StaleError
from venvgrid.storage import digests, json_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venvgrid.installers.base import Installer
    from venvgrid.model import Cell, Config, Distribution, Interpreter
    from venvgrid.project.local_wheels import LocalWheels
    from venvgrid.project.metadata import Metadata
    from venvgrid.resolving.version_policies import Release

INVALID = ".again"  # suffix in place of ".json": the cached result was wrong
# Age limits of cached results, in seconds: the index of today changes often, that of a past date hardly.
FRESH_TODAY = 3600.0
FRESH_PAST = 7 * 86400.0
# An era ends a week after the release of its newest pin: immediate fixes belong to it.
AFTER_RELEASE = timedelta(days=7)
TEST_REQUIREMENTS = "venvgrid-test-requirements"  # a distribution that exists only while resolving


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """The requirements of one cell, apart from its interpreter, as PEP 508."""

    pins: tuple[str, ...]
    absent: tuple[str, ...]  # normalised names
    extras: tuple[str, ...]
    resolution: Resolution
    as_of: str  # "", "release", or RFC 3339
    requires: tuple[str, ...]  # of the tests: install.requires and the groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Resolves cells of one configuration. `metadata` is None if the project is not installed.

    `cache` is a folder of the user's cache; `clock` returns seconds since the epoch; `refresh` ignores cached results.
    `index` returns a digest of the settings of the package index (see `index_digest`).
    """

    config: Config
    metadata: Metadata | None
    groups: tuple[str, ...]
    installer_for: Callable[[Interpreter], Installer]
    cache: Path
    clock: Callable[[], float] = time.time
    refresh: bool = False
    offline: bool = False
    index: Callable[[], str] = lambda: ""
    releases: Callable[[str], Sequence[Release] | None] = lambda _name: None  # asks the index, see `Examiner`
    confirmed: set[tuple[str, str]] = field(default_factory=set)  # reasons that were checked, by interpreter
    answer_files: dict[str, Path] = field(default_factory=dict)  # path of the cached result, by key of the entry
    local: LocalWheels | None = None  # builds `x @ file:///folder`

    def invalidate(self, key: str) -> None:
        """Delete the cached result of an entry; its next resolve also refreshes the installer's cache."""
        file = self.answer_files.get(key)
        if file is not None:
            with suppress(OSError):
                file.unlink(missing_ok=True)
                file.with_suffix(INVALID).touch()

    def resolve(self, cell: Cell, interpreter: Interpreter) -> LockEntry | Unresolvable | ResolveFailed:
        """Return the lock entry of a cell, or why there is none. ProjectError: a required folder cannot be built."""
        needs = requirements_of(self.config, cell, self.groups)
        bases = (self.config.root, self.config.project.path)
        here = Placing(local=self.local, bases=bases, interpreter=interpreter, extras=needs.extras)
        metadata = self.metadata and replace(self.metadata, requires=here.lines(self.metadata.requires))
        needs = replace(needs, requires=here.lines(needs.requires))
        return replace(self, metadata=metadata)._resolve(cell, needs, interpreter, here.folders)  # noqa: SLF001

    def _resolve(
        self, cell: Cell, needs: Requirements, interpreter: Interpreter, folders: dict[str, Distribution]
    ) -> LockEntry | Unresolvable | ResolveFailed:
        era = self._era(needs, interpreter) if needs.as_of == "release" else (needs.as_of, ())
        if isinstance(era, Unresolvable | ResolveFailed):
            return era
        cutoff, notes = era
        request = self._request(needs, interpreter, cutoff)
        result = self._resolve_or_read(request, interpreter)
        if not isinstance(result, Resolved):
            return result
        unwanted = [item.name for item in result.distributions if item.name in needs.absent]
        if unwanted:
            return Unresolvable(reason=f"{', '.join(unwanted)} must be absent, but the project or the tests need it")
        entry = lock_entry(
            self.config,
            cell,
            interpreter,
            Resolved(
                distributions=tuple(folders.get(item.direct, item) for item in result.distributions),
                notes=(*notes, *result.notes),
            ),
            as_of="" if any("as-of was not applied" in note for note in result.notes) else cutoff,
            own=self.metadata.name if self.metadata else "",
        )
        self.answer_files[entry.key] = self._file(request, interpreter)
        return entry

    def _era(
        self, needs: Requirements, interpreter: Interpreter
    ) -> tuple[str, tuple[str, ...]] | Unresolvable | ResolveFailed:
        """Return the end of the era of a cell's pins, a week after the release of the newest, and notes."""
        if not needs.pins:
            return "", ("as-of was not applied: no axis pins a distribution, so there is no release to go by",)
        installer = self.installer_for(interpreter)
        if interpreter.release < tool_support.UV:
            note = f"as-of was not applied: {installer.name} on Python {interpreter.version} knows no cut-off date"
            return "", (note,)
        request = replace(self._request(needs, interpreter, ""), requirements=needs.pins, dependencies=False)
        result = self._resolve_or_read(request, interpreter)
        if not isinstance(result, Resolved):
            return result
        uploaded = [item.uploaded for item in result.distributions]
        if not all(uploaded):
            undated = ", ".join(item.name for item in result.distributions if not item.uploaded)
            reason = f'as-of = "release" cannot be applied: {installer.name} does not tell when {undated} was uploaded'
            return ResolveFailed(reason=f"{reason} (pip never does: install uv; a private index may not: give a date)")
        newest = max(datetime.fromisoformat(text) for text in uploaded)
        end = (newest.astimezone(UTC) + AFTER_RELEASE).date() + timedelta(days=1)
        return f"{end.isoformat()}T00:00:00Z", ()

    def _request(self, needs: Requirements, interpreter: Interpreter, cutoff: str) -> ResolveRequest:
        requirements = self._requirements(needs, interpreter)
        return ResolveRequest(
            interpreter=interpreter,
            requirements=requirements,
            constraints=self.config.install.constraints,
            only_binary=self.config.install.only_binary,
            source_builds=(*self.config.install.source_builds, *built_from_source(requirements)),
            resolution=needs.resolution,
            cutoff=cutoff,
            offline=self.offline,
        )

    def _requirements(self, needs: Requirements, interpreter: Interpreter) -> tuple[str, ...]:
        lines = list(needs.pins)
        if self.metadata is not None:
            wheel = wheels.metadata_wheel(self.cache / "metadata", self.metadata)
            extras = f"[{','.join(needs.extras)}]" if needs.extras else ""
            lines.append(f"{self.metadata.name}{extras} @ {wheel.as_uri()}")
        if needs.resolution is Resolution.HIGHEST:
            return (*lines, *needs.requires)
        # "Direct" are the declarations of the project itself. Requirements of the tests stay at their highest versions:
        # a distribution in between requires them, so that no resolver takes them for direct.
        if self.metadata is not None and needs.resolution is Resolution.LOWEST_DIRECT:
            lines += project.direct_requirements(self.metadata, needs.extras, dict(interpreter.markers))
        if needs.requires:
            tests = project.Metadata(name=TEST_REQUIREMENTS, version="0", requires=needs.requires)
            lines.append(f"{TEST_REQUIREMENTS} @ {wheels.metadata_wheel(self.cache / 'metadata', tests).as_uri()}")
        return tuple(lines)

    def _resolve_or_read(self, request: ResolveRequest, interpreter: Interpreter) -> ResolveResult:
        installer, file = self.installer_for(interpreter), self._file(request, interpreter)
        invalid = file.with_suffix(INVALID)
        past = bool(request.cutoff) and datetime.fromisoformat(request.cutoff).timestamp() < self.clock()
        if not self.refresh and (known := _read_cached(file, self.clock(), FRESH_PAST if past else FRESH_TODAY)):
            return known
        result = installer.resolve(replace(request, refresh=invalid.exists()))
        if isinstance(result, Unresolvable) and not self.offline:
            result = self._examined(request, result, installer, is_fresh=invalid.exists())
            if isinstance(result, ResolveFailed):  # the installer may have kept the answer of an ill index
                with suppress(OSError):
                    invalid.parent.mkdir(parents=True, exist_ok=True)
                    invalid.touch()
        if not isinstance(result, ResolveFailed):
            kind = "resolved" if isinstance(result, Resolved) else "unresolvable"
            data = {"created": self.clock(), "kind": kind, "answer": serialization.to_plain(result)}
            json_cache.save(file, data)
            with suppress(OSError):
                invalid.unlink(missing_ok=True)
        return result

    def _examined(
        self, request: ResolveRequest, found: Unresolvable, installer: Installer, *, is_fresh: bool
    ) -> ResolveResult:
        """Return the checked reason of an impossible cell; resolve again if the installer saw an old index."""
        needs = (*self.config.install.requires, *self.groups)
        pinned = (axis.name for axis in self.config.axes if axis.kind is AxisKind.DEPENDENCY)
        examiner = Examiner(
            releases=self.releases,
            resolve=installer.resolve,
            written=frozenset((*map(normalise, pinned), *map(_name_of, needs))),
            confirmed=self.confirmed,
        )
        try:
            return examiner.examine(request, found, is_fresh=is_fresh)
        except StaleError:
            again = installer.resolve(replace(request, refresh=True))
            return examiner.examine(request, again) if isinstance(again, Unresolvable) else again

    def _file(self, request: ResolveRequest, interpreter: Interpreter) -> Path:
        name = self.installer_for(interpreter).name
        key = digests.of_json([__version__, name, self.index(), serialization.to_plain(request)], 40)
        return self.cache / "resolutions" / f"{key}.json"


def requirements_of(config: Config, cell: Cell, groups: tuple[str, ...]) -> Requirements:
    """Return the requirements of a cell; `groups` are those of the dependency groups."""
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
    config: Config, cell: Cell, interpreter: Interpreter, result: Resolved, *, as_of: str = "", own: str = ""
) -> LockEntry:
    """Make a lock entry; equal contents have equal keys. `own` is the name of the project, which is left out.

    The key holds the kind of the interpreter and not its place: it is the same on another machine. Only a cell that
    asks for an interpreter by its path has the path in its key, so that two equal ones are not taken for each other.
    """
    ours = {normalise(own), TEST_REQUIREMENTS}
    distributions = tuple(
        sorted((item for item in result.distributions if item.name not in ours), key=lambda item: item.name)
    )
    editable = str(config.project.path) if config.project.install is InstallMode.EDITABLE else ""
    python = cell.axes["python"]
    contents = [
        [interpreter.version, interpreter.implementation, interpreter.free_threaded, interpreter.debug],
        [interpreter.bits, interpreter.platform, python if Path(python).is_absolute() else ""],
        [config.project.install.value, editable],
        [[item.name, item.version, sorted(item.hashes), item.direct] for item in distributions],
    ]
    return LockEntry(
        key=digests.of_json(contents, 40)[:16],
        interpreter=interpreter,
        distributions=distributions,
        as_of=as_of,
        notes=result.notes,
    )


def _read_cached(file: Path, now: float, limit: float) -> ResolveResult | None:
    """Return a cached result of at most `limit` seconds, or None; one from the future is of a clock that was wrong."""
    with suppress(ValueError, KeyError, TypeError):
        data = json_cache.read(file)
        if 0 <= now - data["created"] < limit:
            kind = Resolved if data["kind"] == "resolved" else Unresolvable
            result: ResolveResult = serialization.from_plain(kind, data["answer"])
            return result
    return None


def _name_of(line: str) -> str:
    from packaging.requirements import Requirement  # noqa: PLC0415  (70 ms, and plans from a lock do without)

    return normalise(Requirement(line).name)
