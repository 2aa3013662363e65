"""Whether downloaded distributions fit each other's requirements: the last pip of Python 2.7 does not ask.

Its own resolver takes the first requirement of a name that it meets. Its newer one asks, but takes minutes where this
takes milliseconds.
"""

from __future__ import annotations

import zipfile
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from packaging.version import Version


def is_consistent(files: Iterable[Path], requirements: Iterable[str], markers: Mapping[str, str]) -> bool:
    """Return whether every version meets what the request and the wheels require; an sdist's requirements are unknown.

    `markers` are those of the interpreter (PEP 508).
    """
    every = tuple(files)
    chosen = {name: version for name, version in map(_named, every) if version is not None}
    wanted = list(_parsed(requirements))
    extras = {canonicalize_name(item.name): item.extras for item in wanted}
    for file in every:
        if file.suffix == ".whl":
            asked = extras.get(canonicalize_name(file.name.split("-")[0]), set())
            wanted += [item for item in _parsed(_required(file)) if _applies(item, markers, asked)]
    return all(
        item.specifier.contains(chosen[name], prereleases=True)
        for item in wanted
        if (name := canonicalize_name(item.name)) in chosen
    )


def _named(file: Path) -> tuple[str, Version | None]:
    try:
        name, version = (
            parse_wheel_filename(file.name)[:2] if file.suffix == ".whl" else parse_sdist_filename(file.name)
        )
    except (InvalidWheelFilename, InvalidSdistFilename):
        return file.name, None
    return name, version


def _parsed(lines: Iterable[str]) -> Iterator[Requirement]:
    for line in lines:
        try:
            yield Requirement(line)
        except InvalidRequirement:  # of an old distribution, or an option
            continue


def _required(wheel: Path) -> list[str]:
    """Return what the metadata of a wheel require; nothing if they cannot be read."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = next(item for item in archive.namelist() if item.endswith(".dist-info/METADATA"))
            return BytesHeaderParser().parsebytes(archive.read(name)).get_all("Requires-Dist", [])
    except (OSError, zipfile.BadZipFile, StopIteration):
        return []


def _applies(item: Requirement, markers: Mapping[str, str], extras: Iterable[str]) -> bool:
    return item.marker is None or any(item.marker.evaluate({**markers, "extra": extra}) for extra in ("", *extras))
