"""Reads the releases of a project from a package index: the simple API (PEP 503, 691, 700), and the JSON API for dates.

The first index in order that has the project counts, as in uv: no public project can replace a private one. Results
are cached for an hour, failures never. No address is written to disk.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from venvgrid.model import InfrastructureError
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.resolving.version_policies import Release
from venvgrid.storage import digests, json_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

FRESH = 3600.0  # seconds: age limit of a cached result
ATTEMPTS = 3
REFUSED = 401  # HTTP's "unauthorized"
FORMAT = "venvgrid-releases-3"
_HTML = re.compile(r"<(?:!doctype|html|body|a)\b", re.IGNORECASE)


class NotThereError(Exception):
    """An index does not have the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Response of an index; `kind` is the media type."""

    status: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The indexes of a user, and folders with files. `get` fetches an address with an Accept header."""

    addresses: tuple[str, ...]
    cache: Path
    get: Callable[[str, str], Page]
    offline: bool = False
    clock: Callable[[], float] = time.time
    wait: Callable[[float], None] = time.sleep
    refresh: bool = False
    folders: tuple[Path, ...] = ()
    known: dict[str, tuple[Release, ...]] = field(default_factory=dict)

    def releases(self, name: str) -> tuple[Release, ...]:
        """Return the releases of a distribution that have a file and are not yanked, or () if no index has it.

        Raises:
            InfrastructureError: an index failed or gave a page without files, or offline and not cached.
        """
        return tuple(item for item in self.all_releases(name) if not item.yanked)

    def all_releases(self, name: str) -> tuple[Release, ...]:
        """Return the releases of a distribution with yanked ones; see `releases`."""
        name = normalise(name)
        if name not in self.known:
            self.known[name] = self._cached(name) or self._fetched(name)
        return self.known[name]

    def everywhere(self, name: str) -> tuple[Release, ...]:
        """Return the releases of a distribution in all indexes and folders, asked now, with yanked ones.

        Raises:
            InfrastructureError: an index failed or gave a page without files.
        """
        found: dict[str, Release] = {}
        for address in self.addresses:
            with suppress(NotThereError):
                for item in self._from(address, normalise(name)):
                    found.setdefault(item.version, item)
        for folder in self.folders:
            files = [{"filename": file.name} for file in folder.iterdir()]
            for item in _releases(normalise(name), files):  # to which no cut-off date applies
                found[item.version] = replace(item, uploaded=datetime.fromtimestamp(0, UTC))
        return tuple(found.values())

    def _fetched(self, name: str) -> tuple[Release, ...]:
        if self.offline:
            raise InfrastructureError(f"offline, and the releases of {name} are not in the cache")
        for address in self.addresses:
            try:
                found = self._from(address, name)
            except NotThereError:
                continue
            self._store(name, found)
            return found
        return ()

    def _from(self, address: str, name: str) -> tuple[Release, ...]:
        from mousebender import simple  # noqa: PLC0415  (only policies need it)

        place = urljoin(address.rstrip("/") + "/", f"{name}/")
        page = self._page(place, simple.ACCEPT_SUPPORTED)
        try:
            details = simple.parse_project_details(page.text, page.kind, name)
        except (ValueError, KeyError, simple.UnsupportedMIMEType, simple.UnsupportedAPIVersion) as error:
            raise InfrastructureError(f"{_host(address)} gave no page of {name} that can be read: {error}") from error
        found = tuple(_releases(name, details["files"]))
        if not found and "html" in page.kind and not _HTML.search(page.text):
            raise InfrastructureError(f"{_host(address)} gave no page of {name} that can be read")
        if not found:
            raise InfrastructureError(f"{_host(address)} gave a page of {name} without any of its files")
        if any(item.uploaded is None for item in found):
            found = self._with_dates(address, name, found)
        return found

    def _with_dates(self, address: str, name: str, found: tuple[Release, ...]) -> tuple[Release, ...]:
        """Add the upload dates of the JSON API of PyPI; without one they stay unknown."""
        root = address.rstrip("/").removesuffix("/simple")
        try:
            data = json.loads(self._page(f"{root}/pypi/{name}/json", "application/json").text)["releases"]
            days = {
                version: min(datetime.fromisoformat(file["upload_time_iso_8601"]) for file in files)
                for version, files in data.items()
                if files
            }
        except (NotThereError, InfrastructureError, ValueError, KeyError, TypeError):
            return found
        return tuple(replace(item, uploaded=item.uploaded or days.get(item.version)) for item in found)

    def _page(self, address: str, accept: str) -> Page:
        problem = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self.wait(0.2 * 2**attempt)
            try:
                page = self.get(address, accept)
            except OSError as error:  # the errors of requests are OSErrors
                problem = type(error).__name__
                continue
            if page.status in {404, 410}:
                raise NotThereError
            if page.status < 400:  # noqa: PLR2004  (HTTP's errors begin there)
                return page
            problem = f"status {page.status}"
            if page.status == REFUSED:
                problem += " (it needs credentials: netrc, UV_INDEX_NAME_USERNAME and _PASSWORD, or a keyring)"
            if page.status < 500 and page.status != 429:  # noqa: PLR2004  (asking again does not help)
                break
        raise InfrastructureError(f"{_host(address)} did not answer: {problem}")

    def _file(self, name: str) -> Path:
        return self.cache / "releases" / digests.of_json(self.addresses, 16) / f"{name}.json"

    def _cached(self, name: str) -> tuple[Release, ...] | None:
        with suppress(ValueError, KeyError, TypeError):
            data = json_cache.read(self._file(name), format=FORMAT)
            is_fresh = 0 <= self.clock() - data["asked"] < FRESH and not self.refresh
            if is_fresh or self.offline:
                return tuple(
                    Release(
                        version=version,
                        uploaded=datetime.fromisoformat(day) if day else None,
                        requires_python=requires,
                        has_wheel=has_wheel,
                        has_sdist=has_sdist,
                        yanked=yanked,
                    )
                    for version, day, requires, has_wheel, has_sdist, yanked in data["releases"]
                )
        return None

    def _store(self, name: str, found: Iterable[Release]) -> None:
        rows = [
            [
                *(item.version, item.uploaded.isoformat() if item.uploaded else "", item.requires_python),
                *(item.has_wheel, item.has_sdist, item.yanked),
            ]
            for item in found
        ]
        json_cache.save(self._file(name), {"asked": self.clock(), "releases": rows}, format=FORMAT)


def _releases(name: str, files: Iterable[Any]) -> Iterable[Release]:
    """Group files by version, without those without a version in their name. A yanked file counts if all are."""
    from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename  # noqa: PLC0415

    found: dict[str, Release] = {}
    for file in files:
        is_yanked = bool(file.get("yanked"))
        is_wheel = str(file["filename"]).endswith(".whl")
        try:
            read = parse_wheel_filename if is_wheel else parse_sdist_filename
            owner, version = read(file["filename"])[:2]
        except (InvalidWheelFilename, InvalidSdistFilename):
            continue
        if owner != name:
            continue
        day = datetime.fromisoformat(file["upload-time"]) if file.get("upload-time") else None
        known = found.get(str(version))
        if known and known.yanked and not is_yanked:
            known = None
        if known and is_yanked and not known.yanked:
            continue
        days = [value for value in (day, known.uploaded if known else None) if value]
        found[str(version)] = Release(
            version=str(version),
            uploaded=min(days) if days else None,
            requires_python=str(file.get("requires-python") or (known.requires_python if known else "")),
            has_wheel=is_wheel or bool(known and known.has_wheel),
            has_sdist=not is_wheel or bool(known and known.has_sdist),
            yanked=is_yanked,
        )
    return found.values()


def _host(address: str) -> str:
    """Return the host of an index, without credentials."""
    return address.rsplit("//", maxsplit=1)[-1].rpartition("@")[2].split("/")[0]
