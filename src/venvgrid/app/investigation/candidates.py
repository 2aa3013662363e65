"""The releases that a bisection may try, those that it leaves out as they cannot be installed, and local wheels."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from venvgrid.app.investigation.timeline import utc
from venvgrid.config.values import nearest
from venvgrid.installers.base import allows_python
from venvgrid.model import UsageError
from venvgrid.model.config import EMPTY
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.storage import digests, own_folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from venvgrid.model import Interpreter
    from venvgrid.resolving.version_policies import Release

NAMED = 5  # versions in a message
PRE_RELEASE = "pre-release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Versions in order, and the reason for each release that is left out."""

    versions: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a release must be like. `declared` are requirements of the project and the configuration, PEP 508.

    `cutoff` is RFC 3339, "" for none. `pre` and `yanked`: such releases are wanted too.
    """

    interpreter: Interpreter
    declared: tuple[str, ...] = ()
    cutoff: str = ""
    only_binary: bool = True
    pre: bool = False
    yanked: bool = False

    def refuses(self, name: str, release: Release) -> str:
        """Return why a release cannot be tried, or ""; PRE_RELEASE is no problem, but not asked for."""
        version, python = Version(release.version), self.interpreter.version
        if version.is_prerelease and not self.pre:
            return PRE_RELEASE
        if release.yanked and not self.yanked:
            return "yanked"
        if not allows_python(release.requires_python or "", python):
            return f"needs Python {release.requires_python}"
        if self.only_binary and not release.has_wheel:
            return "no wheel"
        if self.cutoff and release.uploaded and utc(release.uploaded) >= utc(datetime.fromisoformat(self.cutoff)):
            return f"released after {self.cutoff[:10]}"
        return self._undeclared(name, version)

    def _undeclared(self, name: str, version: Version) -> str:
        for line in self.declared:
            wanted = Requirement(line)
            if normalise(wanted.name) != name or wanted.url:
                continue
            applies = wanted.marker is None or wanted.marker.evaluate({**self.interpreter.markers, "extra": ""})
            if applies and not wanted.specifier.contains(version, prereleases=True):
                return f"required is {wanted.name}{wanted.specifier}"
        return ""


def candidates(
    name: str, releases: Iterable[Release], wanted: Filter, *, local: Sequence[str] = (), ends: Sequence[str] = ()
) -> Candidates:
    """Return the versions between `ends` that can be tried; the ends, and local wheels, always can.

    With two ends, only what lies between them counts; with one, it is the newest.
    """
    known = {Version(item.version): item for item in releases}
    always = {Version(version): version for version in (*ends, *local)}
    refused = {version: wanted.refuses(name, item) for version, item in known.items() if version not in always}
    kept = {**{version: known[version].version for version, reason in refused.items() if not reason}, **always}
    low = Version(ends[0]) if len(ends) > 1 else min(known.keys() | kept.keys())
    high = Version(ends[-1]) if ends else max(known.keys() | kept.keys())
    return Candidates(
        versions=tuple(kept[version] for version in sorted(kept) if low <= version <= high),
        left_out={
            known[version].version: refused[version]
            for version in sorted(refused)
            if refused[version] not in {"", PRE_RELEASE} and low <= version <= high
        },
    )


def existing(name: str, text: str, there: Iterable[str]) -> str:
    """Return the release that a user means.

    Raises:
        UsageError: there is none; the message has those that are near.
    """
    by_version = {Version(version): version for version in there}
    try:
        wanted = Version(text)
    except ValueError as error:
        if len(ends := re.split(r"\.\.+|,|:", text)) == 2 and all(ends):  # noqa: PLR2004  (a range has two)
            hint = f"; write its ends as two words: venvgrid bisect {name} {' '.join(ends)}"
        else:
            hint = nearest(text, by_version.values())
        raise UsageError(f"{text!r} is no version of {name}{hint}") from error
    if wanted in by_version:
        return by_version[wanted]
    order = sorted(by_version)
    place = sum(version < wanted for version in order)
    near = ", ".join(by_version[version] for version in order[max(0, place - NAMED // 2) : place + NAMED // 2 + 1])
    told = f"near it are {near}" if near else "the index has none of its releases"
    raise UsageError(f"there is no {name} {text}: {told}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenWheels:
    """Wheels of one package that are files of this machine: versions in order, and variables by which tools find them.

    They stand beside the index: a release of the same version is replaced.
    """

    versions: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=lambda: EMPTY)

    def version_of(self, text: str) -> str:
        """Return a version as it is, or that of a wheel; of a folder, the newest one."""
        if not is_path(text):
            return text
        return max((str(_read(file)[1]) for file in _files(text)), key=Version)


def is_path(text: str) -> bool:
    """Return whether a version is given as a wheel or a folder of wheels."""
    return text.endswith(".whl") or "/" in text or os.sep in text


def local_wheels(package: str, places: Iterable[str], root: Path, environ: Mapping[str, str]) -> GivenWheels:
    """Copy the wheels of a package that files and folders hold below `root`, `.venvgrid`; return them.

    Raises:
        UsageError: a place has none.
    """
    found: dict[Version, Path] = {}
    for place in places:
        own = {_read(file)[1]: file for file in _files(place) if normalise(_read(file)[0]) == normalise(package)}
        if not own:
            raise UsageError(f"{place} holds no wheel of {package}")
        found.update(own)
    if not found:
        return GivenWheels()
    states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in found.values()]
    folder = own_folders.make(root, "investigations", f"wheels-{digests.of_json(states, 16)}")
    for file in found.values():
        if not (folder / file.name).exists():
            shutil.copy2(file, folder / file.name)
    url = folder.as_uri()
    variables = {
        "UV_FIND_LINKS": ",".join(filter(None, (environ.get("UV_FIND_LINKS"), url))),
        "PIP_FIND_LINKS": " ".join(filter(None, (environ.get("PIP_FIND_LINKS"), url))),
    }
    return GivenWheels(versions=tuple(map(str, sorted(found))), variables=variables)


def _files(place: str) -> list[Path]:
    """Return the wheels at a place: a file, or a folder."""
    path = Path(place).expanduser().absolute()
    found = [file for file in sorted(path.glob("*.whl")) if file.is_file()] if path.is_dir() else [path]
    if not found or not all(file.is_file() and file.suffix == ".whl" for file in found):
        raise UsageError(f"{place} is no wheel, and no folder with wheels")
    return found


def _read(file: Path) -> tuple[str, Version]:
    try:
        name, version, *_ = parse_wheel_filename(file.name)
    except InvalidWheelFilename as error:
        raise UsageError(f"{file}: {error}") from error
    return name, version
