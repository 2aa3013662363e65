"""Installed distributions of an environment and their files, by the RECORD of each."""

from __future__ import annotations

import base64
import csv
import os
import posixpath
import re
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from venvgrid.environments.manifest import COMPILED
from venvgrid.installers.base import allows_python
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledFiles:
    """A distribution in an environment. All paths are relative to site-packages, with "/".

    `files` maps each file that RECORD lists to its sha256 in hex, or "" if RECORD has none. Compiled files are left
    out, because they were not downloaded.
    """

    name: str
    version: str
    record: str  # path of RECORD itself
    files: dict[str, str]


def distributions(site: Path, names: frozenset[str] | None = None) -> dict[tuple[str, str], InstalledFiles]:
    """Return the installed distributions by normalised name and version; without a readable RECORD one is left out.

    `names` are the normalised names of those that are wanted; all if None.
    """
    found = {}
    for folder in sorted(site.glob("*.dist-info")):
        name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
        rows = _rows(folder / "RECORD") if names is None or normalise(name) in names else {}
        if rows:
            record = f"{folder.name}/RECORD"
            found[normalise(name), version] = InstalledFiles(
                name=normalise(name), version=version, record=record, files={**rows, record: ""}
            )
    return found


def overlaps(site: Path) -> tuple[tuple[str, ...], ...]:
    """Return the files that several distributions list with different hashes, each with their names; sorted."""
    first: dict[str, tuple[str, str]] = {}
    found: dict[str, set[str]] = {}
    for folder in site.glob("*.dist-info"):
        name = normalise(folder.name.removesuffix(".dist-info").rpartition("-")[0])
        for path, digest in _raw_rows(folder / "RECORD"):
            owner, known = first.setdefault(path, (name, digest))
            if known != digest and not path.endswith(COMPILED):
                found.setdefault(path, {owner}).add(name)
    return tuple(sorted((path, *sorted(names)) for path, names in found.items()))


def owned_twice(installed: dict[tuple[str, str], InstalledFiles]) -> frozenset[str]:
    """Return the files that several distributions claim: only the installer knows which one wins."""
    owners = Counter(path for item in installed.values() for path in item.files)
    return frozenset(path for path, number in owners.items() if number > 1)


def is_inside(path: str) -> bool:
    """Return whether a path of a RECORD stays below site-packages on every platform."""
    return bool(path) and not path.startswith("/") and not _is_odd(path) and ".." not in path.split("/")


def below_environment(path: str, depth: int) -> str:
    """Return a path of a RECORD relative to the environment, or "" if it leads out of it.

    `depth` is the number of folders between the environment and site-packages: "../../../bin/x" at 3 is "bin/x".
    """
    if path.startswith("/") or _is_odd(path):
        return ""
    parts = posixpath.normpath("/".join([*("x" * depth), path])).split("/")
    return "" if parts[0] in {"..", "x"} else "/".join(parts)


def _is_odd(path: str) -> bool:
    return "\\" in path or ":" in path or "\0" in path


def _rows(record: Path) -> dict[str, str]:
    return {path: _hex(digest) for path, digest in _raw_rows(record) if not path.endswith(COMPILED)}


def _raw_rows(record: Path) -> Iterator[tuple[str, str]]:
    with suppress(OSError, csv.Error, UnicodeDecodeError), record.open(encoding="utf-8", newline="") as stream:
        for row in csv.reader(stream):
            if len(row) > 1 and row[0]:
                yield row[0], row[1]


def _hex(text: str) -> str:
    """Return a RECORD's "sha256=BASE64" in hex, or "" if there is no hash or another kind."""
    kind, _, value = text.partition("=")
    with suppress(ValueError):
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex() if kind == "sha256" else ""
    return ""


def versions(site: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Return the installed versions of distributions, "" for those that are not installed."""
    known = installed(site) if names else {}
    return {name: known.get(normalise(name), "") for name in names}


def installed(site: Path) -> dict[str, str]:
    """Return the versions of all installed distributions, by normalised name."""
    found = {}
    with os.scandir(site) as entries:
        for item in entries:
            match = re.fullmatch(r"(.+?)-([^-]+)(?:-[^-]*)?\.(?:dist-info|egg-info)", item.name)
            if match:
                found[normalise(match.group(1))] = match.group(2)
    return found


def refused(site: Path, names: frozenset[str], python: str) -> str:
    """Return which of the installed distributions does not allow a version of Python by its metadata, or "".

    pip refuses to install it. uv looks at lower bounds alone, and an index may say nothing.
    """
    from email.parser import BytesHeaderParser  # noqa: PLC0415  (only after an installation)

    for folder in sorted(site.glob("*.dist-info")):
        name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
        if normalise(name) not in names:
            continue
        with suppress(OSError), (folder / "METADATA").open("rb") as stream:
            wanted = str(BytesHeaderParser().parse(stream).get("Requires-Python", ""))
            if wanted and not allows_python(wanted, python):
                return f"{normalise(name)} {version} needs Python {wanted}"
    return ""
