"""Whether a cell is truly impossible, and why: what a resolver's proof blames is asked of the index, and checked.

Each cause of the proof is a candidate. The index must give a valid page of its distribution: of a doubtful answer
nothing is believed. A reason is told if the index proves it (no such release, yanked, another Python), or if the
requirement is impossible alone; for dependencies and conflicts, if the cell becomes possible without it.
"""

from __future__ import annotations

import re
from dataclasses import field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from venvgrid.installers import resolver_errors
from venvgrid.installers.base import METADATA, CauseKind, Resolved, ResolveFailed, Unresolvable
from venvgrid.model import InfrastructureError, UsageError
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from venvgrid.installers.base import Cause, ResolveRequest, ResolveResult
    from venvgrid.resolving.version_policies import Release

UNKNOWN = frozenset({CauseKind.BROKEN, CauseKind.UNREADABLE})  # what such a distribution requires is not known
MAX_CHECKED = 3  # causes of a proof that are checked by a resolve


class StaleError(Exception):
    """The index has files of a distribution that the resolver did not see."""


def _is_open(cause: Cause, broken: Cause) -> bool:
    """Return whether a cause may be none, if it were known what a broken distribution requires."""
    left_out = cause.kind is CauseKind.ONLY and cause.name == broken.name
    return left_out or cause.kind in {*UNKNOWN, CauseKind.CONFLICT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examiner:
    """Examines the proofs of one configuration.

    `releases` asks the index, or returns None if there is none to ask; () if no index has the distribution. `written`
    maps the distributions that the configuration itself requires to their places in it, for messages. `confirmed` are
    the reasons that were checked, by interpreter.
    """

    releases: Callable[[str], Sequence[Release] | None]
    resolve: Callable[[ResolveRequest], ResolveResult]
    written: Mapping[str, str] = field(default_factory=dict)
    confirmed: set[tuple[str, str]] = field(default_factory=set)

    def examine(
        self, request: ResolveRequest, found: Unresolvable, *, is_fresh: bool = True
    ) -> Unresolvable | ResolveFailed:
        """Return the checked reason, or why the index cannot be believed.

        Raises:
            UsageError: the configuration asks for a release that is nowhere.
            StaleError: the resolver's copy of the index is old, unless `is_fresh`.
        """
        candidates: list[tuple[Cause, Fact]] = []
        for cause in found.causes:
            try:
                fact = self._asked(cause, request, is_fresh=is_fresh)
            except InfrastructureError as error:
                return ResolveFailed(reason=f"index failure: {error}")
            if fact.doubt:
                return ResolveFailed(reason=fact.doubt)
            candidates.append((cause, fact))
        broken = next((cause for cause in found.causes if cause.kind in UNKNOWN), None)
        for number, (cause, fact) in enumerate(candidates):
            python = request.interpreter
            key = (f"{python.executable} {python.version} {python.platform}", fact.reason)
            # What a broken file would have required is not known: only what is impossible alone is a reason then.
            is_open = number >= MAX_CHECKED if broken is None else _is_open(cause, broken)
            known = fact.reason if fact.is_proved or key in self.confirmed else ""
            if reason := known or ("" if is_open else self._checked(cause, fact.reason, request, is_fresh=is_fresh)):
                self.confirmed.update({key} if reason == fact.reason else ())
                return Unresolvable(reason=reason, may_keep=not fact.is_nowhere)
        if broken:
            failure = "index failure: " if broken.kind is CauseKind.BROKEN else ""
            return ResolveFailed(reason=f"{failure}{broken.reason}")
        if not is_fresh and found.causes:
            raise StaleError
        return Unresolvable(reason=found.proof or found.reason)

    def _asked(self, cause: Cause, request: ResolveRequest, *, is_fresh: bool) -> Fact:
        """Return what the index says of a cause.

        Raises:
            InfrastructureError: it cannot be believed.
            StaleError, UsageError: see `examine`.
        """
        known = self._known(cause, request)
        if known == () and cause.kind is CauseKind.GONE:
            if cause.name in self.written:
                where = self.written[cause.name]
                raise UsageError(f"{where}no index has a distribution named {cause.name}; correct the name")
            raise InfrastructureError(f"no index has a distribution named {cause.name}")
        if known and cause.kind is CauseKind.GONE and not is_fresh:
            raise StaleError
        return self._fact(cause, request, known or ())

    def _known(self, cause: Cause, request: ResolveRequest) -> Sequence[Release] | None:
        """Return the releases in the index; None if no index is asked: a local wheel, or nothing is said to lack."""
        if any(" @ " in line for line in _lines(request, cause.name)):
            return None
        if cause.kind is CauseKind.CONFLICT and cause.name not in self.written:
            return None
        return self.releases(cause.name)

    def _fact(self, cause: Cause, request: ResolveRequest, known: Sequence[Release]) -> Fact:
        """Return the reason of a cause, and whether the index proves that it is one.

        Raises:
            UsageError: the configuration asks for a release that is nowhere.
        """
        request = replace(request, requirements=tuple(line for line in request.requirements if _applies(line, request)))
        lines = _lines(request, cause.name)
        where = self.written.get(cause.name, "")
        if len(lines) > 1 and any(" @ " in line for line in lines):
            return Fact(reason=f"the cell requires both {' and '.join(map(_shown, lines))}")
        if known and (why := contradiction(cause.name, lines, known, where)):
            return Fact(reason=why, is_proved=True)
        fact = found_in_index(cause, request, known, _specifier(lines) or cause.range)
        if fact.is_nowhere and lines and cause.name in self.written:
            raise UsageError(f"{where}{fact.reason}; write one that there is")
        if not fact.doubt and (cause.kind is CauseKind.CONFLICT or not fact.reason):
            return Fact(reason=cause.reason)
        return replace(fact, is_proved=fact.is_proved and bool(lines))

    def _checked(self, cause: Cause, reason: str, request: ResolveRequest, *, is_fresh: bool) -> str:
        """Return the reason if the requirement is impossible alone, and the cell is possible without it; else "".

        A requirement that the configuration wrote need not be checked without: alone, it is enough. What else it needs
        to be impossible, a constraint or a date, becomes part of the reason.

        Raises:
            StaleError: the resolver finds the files when it asks the index again.
        """
        lines = _lines(request, cause.name)
        limits = tuple(line for line in request.constraints if _name(line) == cause.name)
        if cause.kind is not CauseKind.CONFLICT and not any(" @ " in line for line in lines):
            wanted = lines or (f"{cause.name}{cause.range}",)
            alone = replace(request, requirements=wanted, constraints=limits, dependencies=False, refresh=not is_fresh)
            if not isinstance(answer := self.resolve(alone), Unresolvable):
                if isinstance(answer, Resolved) and lines and not is_fresh:
                    raise StaleError
                return ""
            if limits and isinstance(self.resolve(replace(alone, constraints=())), Resolved):
                return f"the cell has {_readable(cause, request)}, but the constraints say {' and '.join(limits)}"
            if request.cutoff and isinstance(self.resolve(replace(alone, cutoff="")), Resolved):
                reason = reason if "as of" in reason else f"{reason} as of {request.cutoff[:10]}"
            if lines:
                return reason
        requirements = tuple(line for line in request.requirements if line not in lines)
        constraints = tuple(line for line in request.constraints if line not in limits)
        fewer = replace(request, requirements=requirements, constraints=constraints)
        if not (lines or limits):
            fewer = replace(fewer, without=(*request.without, cause.name))
        # An answer that the installer cannot give refutes nothing.
        is_enough = not requirements or isinstance(self.resolve(fewer), Resolved | ResolveFailed)
        return reason if is_enough or self._is_impossible_alone(cause, request) else ""

    def _is_impossible_alone(self, cause: Cause, request: ResolveRequest) -> bool:
        """Whether both sides of a conflict are impossible together without the rest of the cell.

        So it is a reason also if the cell has a second, independent one.
        """
        lines, others = _lines(request, cause.name), _lines(request, cause.who)
        limits = tuple(line for line in request.constraints if _name(line) == cause.name)
        if not others or not (lines or limits):
            return False
        alone = replace(request, requirements=(*others, *lines), constraints=limits)
        return isinstance(self.resolve(alone), Unresolvable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What the releases of an index say about a requirement; `reason` "" if nothing."""

    reason: str = ""
    is_proved: bool = False  # nothing but the index is needed to see that the requirement cannot be met
    is_nowhere: bool = False  # no index has such a release
    doubt: str = ""  # why nothing can be said of it


def found_in_index(cause: Cause, request: ResolveRequest, known: Sequence[Release], specifier: str) -> Fact:
    """Return why no release in the index meets a requirement."""
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415  (70 ms, and few cells are impossible)
    from packaging.version import Version  # noqa: PLC0415

    if not known:
        return Fact()
    pins = resolver_errors.readable_pins(request)
    bound = "" if resolver_errors.PRE_RELEASE.search(cause.range) else cause.range
    shown = pins.get(cause.name, f"{cause.name}{bound}")
    wanted = shown.partition(" ")[2] or specifier
    allowed, python = SpecifierSet(specifier, prereleases=True), request.interpreter.version
    ordered = sorted(known, key=lambda item: Version(item.version))
    matching = [item for item in ordered if Version(item.version) in allowed]
    if not matching:
        finals = [item for item in ordered if not Version(item.version).is_prerelease] or ordered
        return Fact(
            reason=f"{cause.name} has no release {wanted}; the newest is {finals[-1].version}",
            is_proved=True,
            is_nowhere=True,
        )
    if request.cutoff:
        end = datetime.fromisoformat(request.cutoff)
        undated = [item for item in matching if item.uploaded is None]
        matching = [item for item in matching if item.uploaded and item.uploaded.timestamp() < end.timestamp()]
        if undated and not matching:
            return Fact(doubt=f"as-of cannot be applied: the index does not tell when {cause.name} was uploaded")
        if not matching:
            reason = f"no release of {cause.name} matches {wanted} as of {request.cutoff[:10]}"
            return Fact(reason=reason, is_proved=True)
    kept = [item for item in matching if not item.yanked]
    if not kept:
        return Fact(reason=f"{shown} was yanked from the index", is_proved=True)
    fits = [item for item in kept if not item.requires_python or _is_in(python, item.requires_python)]
    if not fits:
        return Fact(reason=f"{shown} needs Python {kept[-1].requires_python}", is_proved=True)
    if cause.kind not in {CauseKind.NO_WHEEL, CauseKind.GONE}:
        return Fact()
    reason = f"{shown} has no wheel for {resolver_errors.target_of(request)}"
    finals = [item for item in fits if request.pre_releases or not Version(item.version).is_prerelease] or fits
    may_build = not request.only_binary or cause.name in map(normalise, request.source_builds)
    if not may_build and all(item.has_sdist and not item.has_wheel for item in finals):
        reason += f', only a source distribution: build it with install.source-builds = ["{cause.name}"]'
    return Fact(reason=reason)


def _applies(line: str, request: ResolveRequest) -> bool:
    """Whether a requirement is one of this interpreter: it has no marker, or a true one."""
    from packaging.requirements import Requirement  # noqa: PLC0415

    marker = Requirement(line).marker if ";" in line else None
    return marker is None or marker.evaluate({**request.interpreter.markers, "extra": ""})


def contradiction(name: str, lines: Sequence[str], known: Sequence[Release], where: str = "") -> str:
    """Return that requirements of one distribution exclude each other, or "".

    Raises:
        UsageError: one of several is met by no release: it is that one which is wrong.
    """
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415
    from packaging.version import Version  # noqa: PLC0415

    each = dict.fromkeys(specifier for line in lines if (specifier := _specifier([line])))
    if len(each) < 2:  # noqa: PLR2004  (nothing that could contradict)
        return ""
    versions = {Version(item.version) for item in known}
    common = set(versions)
    for specifier in each:
        allowed = {version for version in versions if version in SpecifierSet(specifier, prereleases=True)}
        if not allowed:
            raise UsageError(f"{where}{name} has no release {specifier}; the newest is {max(versions)}")
        common &= allowed
    return "" if common else f"no release of {name} is {' and '.join(each)}: the cell asks for both"


def _is_in(version: str, specifier: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415

    try:
        return Version(version) in SpecifierSet(specifier, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True


def _lines(request: ResolveRequest, name: str) -> tuple[str, ...]:
    return tuple(line for line in request.requirements if _name(line) == name)


def _name(line: str) -> str:
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line)
    return normalise(found[0]) if found else ""


def _readable(cause: Cause, request: ResolveRequest) -> str:
    return resolver_errors.readable_pins(request).get(cause.name, f"{cause.name}{cause.range}")


def _shown(line: str) -> str:
    """Return a requirement for a reason; the metadata of the project are a file of venvgrid."""
    name, _, url = line.partition(" @ ")
    return f"{name}, the project" if METADATA in url else line


def _specifier(lines: Sequence[str]) -> str:
    """Return the specifier of requirements of one distribution."""
    parts = [re.sub(r"^[A-Za-z0-9._-]+\s*(?:\[[^\]]*\])?\s*|\s*;.*$", "", line) for line in lines]
    return ",".join(part for part in parts if part and not part.startswith("@"))
