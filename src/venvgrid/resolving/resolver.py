"""Resolves the distributions of a cell: project, extras, groups, pins, requires and constraints together.

Results are cached in the user's cache for a while. A network failure is never cached and never makes a cell impossible.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import field, replace
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
    allows_python,
    built_from_source,
)
from venvgrid.model import AxisKind, InstallMode, LockEntry, Resolution, python_releases, serialization
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.model.version import __version__
from venvgrid.project import metadata as project
from venvgrid.project import wheels
from venvgrid.project.local_wheels import Placing
from venvgrid.resolving import index_digest
from venvgrid.resolving.requirements import Wish, name_of, requirements_of
from venvgrid.storage import digests, json_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from venvgrid.installers.base import Installer
    from venvgrid.model import Cell, Config, Distribution, Interpreter
    from venvgrid.project.local_wheels import LocalWheels
    from venvgrid.project.metadata import Metadata
    from venvgrid.resolving.requirements import Requirements
    from venvgrid.resolving.version_policies import Release

INVALID = ".again"  # suffix in place of ".json": the cached result was wrong
# Age limits of cached results, in seconds: the index of today changes often, that of a past date hardly.
FRESH_TODAY = 3600.0
FRESH_PAST = 7 * 86400.0
# An era ends a week after the release of its newest pin: immediate fixes belong to it.
AFTER_RELEASE = timedelta(days=7)
NO_WISH = Wish()
TEST_REQUIREMENTS = "venvgrid-test-requirements"  # a distribution that exists only while resolving


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
    newest: Callable[[str], Sequence[Release]] = lambda _name: ()  # of the index, for axes with "latest"
    local: LocalWheels | None = None  # builds `x @ file:///folder`

    def invalidate(self, key: str) -> None:
        """Delete the cached result of an entry; its next resolve also refreshes the installer's cache."""
        file = self.answer_files.get(key)
        if file is not None:
            with suppress(OSError):
                file.unlink(missing_ok=True)
                file.with_suffix(INVALID).touch()

    def resolve(
        self, cell: Cell, interpreter: Interpreter, wish: Wish = NO_WISH
    ) -> LockEntry | Unresolvable | ResolveFailed:
        """Return the lock entry of a cell, or why there is none. ProjectError: a required folder cannot be built."""
        needs = wish.added_to(requirements_of(self.config, cell, self.groups))
        bases = (self.config.root, self.config.project.path)
        own = self.metadata  # uv ignores upper bounds of what it requires of Python
        if own and own.requires_python and not allows_python(own.requires_python, interpreter.version):
            return Unresolvable(reason=f"{own.name} needs Python {own.requires_python}")
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
            who = self._who_requires(unwanted, request, interpreter)
            return Unresolvable(reason=f"{', '.join(unwanted)} must be absent, but {who} it")
        entry = lock_entry(
            self.config,
            cell,
            interpreter,
            Resolved(
                distributions=tuple(folders.get(item.direct, item) for item in result.distributions),
                notes=(*notes, *result.notes, *self._behind(cell, needs, result, interpreter.version, cutoff)),
            ),
            as_of="" if any("as-of was not applied" in note for note in result.notes) else cutoff,
            own=self.metadata.name if self.metadata else "",
        )
        self.answer_files[entry.key] = self._file(request, interpreter)
        return entry

    def _behind(self, cell: Cell, needs: Requirements, found: Resolved, python: str, cutoff: str) -> Iterator[str]:
        if needs.resolution is Resolution.HIGHEST and axis_values.LATEST in cell.axes.values():
            from venvgrid.resolving.version_policies import not_newest  # noqa: PLC0415  (few axes have this value)

            own = self.metadata.requires if self.metadata else ()
            lines = (*own, *needs.requires, *self.config.install.constraints)
            locked = {item.name: item.version for item in found.distributions}
            yield from not_newest(cell.axes, locked, lines, self.newest, python, cutoff)

    def _era(
        self, needs: Requirements, interpreter: Interpreter
    ) -> tuple[str, tuple[str, ...]] | Unresolvable | ResolveFailed:
        """Return the end of the era of a cell's pins, a week after the release of the newest, and notes."""
        if not needs.pins:
            return "", ("as-of was not applied: no axis pins a distribution, so there is no release to go by",)
        installer = self.installer_for(interpreter)
        if interpreter.release < python_releases.OLDEST_FOR_UV:
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

    def _who_requires(self, names: list[str], request: ResolveRequest, interpreter: Interpreter) -> str:
        """Return which requirement of a cell brings distributions, with its verb."""
        from venvgrid.installers.resolver_errors import readable_pins  # noqa: PLC0415  (patterns of errors)

        pins = readable_pins(request)
        for line in request.requirements:
            result = self._resolve_or_read(replace(request, requirements=(line,)), interpreter)
            if isinstance(result, Resolved) and any(item.name in names for item in result.distributions):
                name = name_of(line)
                return "the tests require" if name == TEST_REQUIREMENTS else f"{pins.get(name, name)} requires"
        return "other distributions of the cell require"

    def _request(self, needs: Requirements, interpreter: Interpreter, cutoff: str) -> ResolveRequest:
        requirements = self._requirements(needs, interpreter)
        return ResolveRequest(
            interpreter=interpreter,
            requirements=requirements,
            constraints=(*self.config.install.constraints, *needs.limits),
            only_binary=self.config.install.only_binary,
            source_builds=(*self.config.install.source_builds, *built_from_source(requirements)),
            pre_releases=self.config.install.pre_releases,
            resolution=needs.resolution,
            cutoff=cutoff,
            offline=self.offline,
            prefer=needs.prefer,
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
            if not _may_keep(result):  # the installer may have kept the answer of an ill index
                with suppress(OSError):
                    invalid.parent.mkdir(parents=True, exist_ok=True)
                    invalid.touch()
        if _may_keep(result):
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
        from venvgrid.resolving.impossibility import Examiner, StaleError  # noqa: PLC0415  (as seldom as its patterns)

        if found.notes:  # the cut-off date was not applied, so it is no reason
            request = replace(request, cutoff="")
        file = self.config.file.name
        places = {name_of(line): f"{file}: project.groups: " for line in self.groups}
        places |= {name_of(line): f"{file}: install.requires: " for line in self.config.install.requires}
        pinned = (axis.name for axis in self.config.axes if axis.kind is AxisKind.DEPENDENCY)
        places |= {normalise(name): f"{file}: axes.{name}: " for name in pinned}
        examiner = Examiner(
            releases=self.releases,
            resolve=installer.resolve,
            written=places,
            confirmed=self.confirmed,
        )
        try:
            return replace(examiner.examine(request, found, is_fresh=is_fresh), words=found.words)
        except StaleError:
            again = installer.resolve(replace(request, refresh=True))
            if not isinstance(again, Unresolvable):
                return again
            return replace(examiner.examine(request, again), words=again.words)

    def _file(self, request: ResolveRequest, interpreter: Interpreter) -> Path:
        name = self.installer_for(interpreter).name
        here = index_digest.of_requirements((*request.requirements, *(self.metadata.requires if self.metadata else ())))
        key = digests.of_json([__version__, name, self.index(), here, serialization.to_plain(request)], 40)
        return self.cache / "resolutions" / f"{key}.json"


def lock_entry(
    config: Config, cell: Cell, interpreter: Interpreter, result: Resolved, *, as_of: str = "", own: str = ""
) -> LockEntry:
    """Make a lock entry; equal contents have equal keys. `own` is the name of the project, which is left out.

    The key holds the kind of the interpreter and not its place: it is the same on another machine. Only a cell that
    asks for an interpreter by its path has the path in its key, so that two equal ones are not taken for each other.
    """
    ours = {normalise(own), TEST_REQUIREMENTS}
    kept = (item for item in result.distributions if item.name not in ours)
    distributions = tuple(sorted(kept, key=lambda item: item.name))
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


def _may_keep(result: ResolveResult) -> bool:
    return isinstance(result, Resolved) or (isinstance(result, Unresolvable) and result.may_keep)


def _read_cached(file: Path, now: float, limit: float) -> ResolveResult | None:
    """Return a cached result of at most `limit` seconds, or None; one from the future is of a clock that was wrong."""
    with suppress(ValueError, KeyError, TypeError):
        data = json_cache.read(file)
        if 0 <= now - data["created"] < limit:
            kind = Resolved if data["kind"] == "resolved" else Unresolvable
            return serialization.from_plain(kind, data["answer"])  # type: ignore[no-any-return]
    return None
