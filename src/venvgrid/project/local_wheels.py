"""Wheels of distributions that are folders of this machine: `x @ file:///home/me/x`, built as the project is."""

from __future__ import annotations

import os
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from venvgrid.model import Distribution
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.processes.parallel import mutex
from venvgrid.project.metadata import ProjectError
from venvgrid.project.wheels import metadata_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from venvgrid.model import Interpreter
    from venvgrid.project.wheels import Wheel, WheelCache


@dataclass(frozen=True, kw_only=True)
class LocalWheels:
    """Builds the wheels of folders; `cache_of` makes the wheel cache of one. Each is scanned once a run."""

    cache_of: Callable[[Path], WheelCache]
    may_build: bool = True
    _caches: dict[Path, WheelCache] = field(default_factory=dict)
    _lock: AbstractContextManager[object] = field(default_factory=mutex)

    def wheel(self, folder: Path, interpreter: Interpreter) -> Wheel:
        """Return the wheel of a folder for an interpreter.

        Raises:
            ProjectError: it cannot be built.
        """
        if not self.may_build:
            raise ProjectError(f"only a build of {folder} tells what it requires (--no-build)")
        with self._lock:
            cache = self._caches.setdefault(folder, self.cache_of(folder))
        return cache.wheel(interpreter)


@dataclass(frozen=True, kw_only=True)
class Placing:
    """Replaces the folders that requirements name by wheels; `folders` has what each wheel stands for, by its URL.

    A relative path is that of the first of `bases` that has it.
    """

    local: LocalWheels | None
    bases: tuple[Path, ...]
    interpreter: Interpreter
    extras: tuple[str, ...]
    folders: dict[str, Distribution] = field(default_factory=dict)
    above: tuple[Path, ...] = ()  # folders whose distributions require what is placed

    def lines(self, requirements: tuple[str, ...]) -> tuple[str, ...]:
        """Return requirements for a resolver, without those of local files that their markers exclude."""
        return tuple(filter(None, map(self._line, requirements)))

    def _line(self, line: str) -> str:
        wanted = read(line, self.bases, self.interpreter.markers, self.extras)
        if wanted is None:
            return line
        path = path_of(wanted.url)
        if not wanted.applies or self.local is None or path is None or not path.is_dir():
            return f"{wanted.name} @ {wanted.url}" if wanted.applies else ""
        wheel = self.local.wheel(path, self.interpreter)
        place = self._resolved(wheel, path, wanted).as_uri()
        self.folders[place] = Distribution(
            name=normalise(wheel.metadata.name),
            version=wheel.metadata.version,
            hashes=(f"content:{wheel.digest}",),
            direct=wanted.url,
        )
        return f"{wanted.name} @ {place}"

    def _resolved(self, wheel: Wheel, folder: Path, wanted: LocalRequirement) -> Path:
        """Return the wheel that a resolver gets: one that requires wheels too, where the built one requires folders."""
        if folder in self.above:
            return wheel.path
        inner = replace(self, extras=wanted.extras, above=(*self.above, folder))
        requires = inner.lines(wheel.metadata.requires)
        if requires == wheel.metadata.requires:
            return wheel.path
        return metadata_wheel(wheel.path.parent / "metadata", replace(wheel.metadata, requires=requires))


@dataclass(frozen=True, slots=True)
class LocalRequirement:
    """A requirement of a local file or folder. `name` holds its extras; `applies` is what its marker says."""

    name: str
    url: str
    applies: bool
    extras: tuple[str, ...] = ()


def path_of(url: str) -> Path | None:
    """Return the absolute path in a file URL, or None for any other URL."""
    parts = urlsplit(url)
    path, is_local = Path(unquote(parts.path)), parts.scheme == "file" and parts.netloc in {"", "localhost"}
    return path if is_local and path.is_absolute() else None


def read(
    line: str, bases: Iterable[Path], markers: Mapping[str, str], extras: Iterable[str]
) -> LocalRequirement | None:
    """Return the requirement of a local file, or None if the line is any other requirement.

    A relative path is that of the first base that has it. A file keeps what follows "#": its hash, or a folder in it.
    """
    if "@" not in line or not ("file:" in line or "@ ." in line or "@." in line):
        return None
    from packaging.requirements import Requirement  # noqa: PLC0415  (rarely needed)

    requirement = Requirement(line)
    url = requirement.url or ""
    if not url.startswith(("file:", ".")):
        return None
    place = path_of(url)
    if place is None:
        relative = unquote(url.removeprefix("file:").partition("#")[0])
        found = [Path(os.path.normpath(base / relative)) for base in bases]
        place = next((path for path in found if path.exists()), found[0])
    marker = requirement.marker
    applies = marker is None or any(marker.evaluate({**markers, "extra": extra}) for extra in ("", *extras))
    wanted = tuple(sorted(requirement.extras))
    named = f"[{','.join(wanted)}]" if wanted else ""
    fragment = "" if place.is_dir() else url.partition("#")[2]
    address = f"{place.as_uri()}#{fragment}" if fragment else place.as_uri()
    return LocalRequirement(f"{requirement.name}{named}", address, applies, wanted)
