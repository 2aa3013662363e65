"""Where environments live: made once for each lock entry, used only when whole, never repaired.

    .venvgrid/store/KEY/                    the environment itself; KEY is that of its lock entry
    .venvgrid/store/KEY/venvgrid.json       the marker, written last and durably: the key and a manifest of every file
    .venvgrid/envs/CELL                     a link to the environment of a cell

A virtual environment holds its own path, so it cannot be built beside and renamed: what is without a marker, or differs
from its manifest, is wiped and made anew. Only folders of the store with a name of ours are ever deleted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from venvgrid.environments import venv_layout
from venvgrid.environments.builder import BuildError, BuildResult
from venvgrid.environments.integrity import IntegrityReport, check
from venvgrid.environments.manifest import MARKER
from venvgrid.interpreters.identity import identity
from venvgrid.model.config import InstallMode
from venvgrid.model.errors import InfrastructureError
from venvgrid.storage import atomic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from venvgrid.environments.builder import Builder
    from venvgrid.environments.package_cache.cache import PackageCache
    from venvgrid.model.config import Config
    from venvgrid.model.environment import Interpreter, LockEntry
    from venvgrid.project.wheels import Wheel

FORMAT = "venvgrid-environment-3"
TRASH = "trash-"
KEY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A whole environment. `detail` says what was done: "built", "project reinstalled" or "reused".

    `cached_packages` are the keys of its distributions in the package cache. `compiled` names the compiled files that
    it began with, relative to site-packages. Both are set only after a build. `linked` are the keys of the packages
    whose files it shares with other environments.
    """

    key: str
    path: Path
    python: Path
    site: Path
    interpreter: Interpreter
    detail: str
    cached_packages: tuple[str, ...] = ()
    compiled: frozenset[str] = frozenset()
    linked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentStore:
    """The environments of one folder of configuration. `root` is its `.venvgrid`; see `places` for `folder`."""

    root: Path
    folder: Path  # of the environments themselves
    config: Config
    builder: Builder
    packages: PackageCache
    platform: str = os.name

    def ensure(
        self, entry: LockEntry, wheel: Wheel | None, *, prompt: str, fresh: bool = False, may_link: bool = True
    ) -> Environment:
        """Give the whole environment of a lock entry with the project in it, built where it is not there.

        `may_link` False: it shares no file with another environment.

        Raises:
            BuildError: it cannot be made.
        """
        path = self.folder / entry.key
        digest = wheel.digest if wheel else ""
        marker = None if fresh else self._usable(path, entry, may_link=may_link)
        if marker and marker["project"] == digest:
            return self._environment(path, entry, "reused", linked=frozenset(marker["links"]))
        try:
            if marker:
                self._unmark(path)
                filled = self.builder.reinstall(path, entry, wheel, marker["links"])
                return self._finish(path, entry, wheel, "project reinstalled", filled)
            filled = self.builder.build(
                path, entry, wheel, prompt=prompt, may_link=may_link, wipe=lambda: self.wipe(entry.key)
            )
            return self._finish(path, entry, wheel, "built", filled)
        except OSError as error:
            message = f"{error.filename or path}: {error.strerror or error}"
            raise BuildError(message) from error
        except InfrastructureError as error:
            raise BuildError(str(error)) from error

    def link(self, cell: str, environment: Environment) -> Path:
        """Make `.venvgrid/envs/CELL` lead to an environment.

        Raises:
            BuildError: something that is not ours is in the way.
        """
        place = self.root / "envs" / cell
        if not venv_layout.link(environment.path, place, self.platform):
            message = f"{place} is in the way: it is no link of venvgrid's; move it"
            raise BuildError(message)
        return place

    def inspect(self, environment: Environment) -> IntegrityReport:
        """Look at an environment after its tests; `compiled` names what a new one did not begin with."""
        marker = read_marker(environment.path)
        if marker is None:
            return IntegrityReport(changed=(MARKER,))
        seen = check(environment.path, environment.site, marker["manifest"], marker["links"], self.packages)
        is_new = environment.detail == "built"
        return replace(seen, compiled=seen.compiled - environment.compiled if is_new else frozenset())

    def exists(self, environment: Environment) -> bool:
        """Whether an environment that was built has not been given up since."""
        return (environment.path / MARKER).exists()

    def drop(self, environment: Environment, poisoned: Iterable[str] = ()) -> None:
        """Give up an environment: it is built anew before its next use. `poisoned` packages are given up as well."""
        self._unmark(environment.path)
        for key in poisoned:
            self.packages.quarantine(key)

    def wipe(self, key: str) -> None:
        """Delete one environment of the store."""
        if not KEY.fullmatch(key):
            message = f"not an environment's key: {key!r}"
            raise ValueError(message)
        path = self.folder / key
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            self._check_links(path)
            self._unmark(path)
            # Out of the way first: what a killed run left behind may still be written to for a moment.
            trash = self.folder / f"{TRASH}{key}-{os.getpid()}-{time.monotonic_ns()}"
            path.rename(trash)
            shutil.rmtree(trash, ignore_errors=True)

    def sweep(self) -> None:
        """Delete what a killed run had begun to delete."""
        for trash in self.folder.glob(f"{TRASH}*"):
            if not trash.is_symlink():
                shutil.rmtree(trash, ignore_errors=True)

    def all_keys(self) -> tuple[str, ...]:
        """Name all environments of the store, whole or not."""
        with suppress(OSError):
            return tuple(sorted(path.name for path in self.folder.iterdir() if KEY.fullmatch(path.name)))
        return ()

    def linked(self) -> dict[str, str]:
        """Map the cells that have an environment to its key."""
        found = {}
        with suppress(OSError):
            for place in sorted((self.root / "envs").iterdir()):
                key = place.resolve().name
                if KEY.fullmatch(key) and place.name[:1] != ".":
                    found[place.name] = key
        return found

    def _check_links(self, path: Path) -> None:
        """Make sure of what an environment shares, before it is gone and nobody can tell that it was written into."""
        marker = read_marker(path)
        if marker is not None and marker["links"]:
            for key in check(path, path / marker["site"], marker["manifest"], marker["links"], self.packages).poisoned:
                package = self.packages.by_key(key)
                if package is not None and not package.is_whole():
                    self.packages.drop(package)

    def _usable(self, path: Path, entry: LockEntry, *, may_link: bool) -> dict[str, Any] | None:
        """Give the marker of an environment that is whole, but perhaps for the project."""
        marker = read_marker(path)
        if (
            marker is None
            or marker["key"] != entry.key
            or marker.get("path") != str(path)  # its scripts name their old place
            or marker["interpreter"] != identity(entry.interpreter.executable)
            or (marker["links"] and not may_link)
        ):
            return None
        site = venv_layout.site_of(path, entry.interpreter, self.platform)
        return marker if not check(path, site, marker["manifest"], marker["links"], self.packages).changed else None

    def _finish(
        self, path: Path, entry: LockEntry, wheel: Wheel | None, detail: str, filled: BuildResult
    ) -> Environment:
        marker = {
            "format": FORMAT,
            "key": entry.key,
            "path": str(path),
            "project": wheel.digest if wheel else "",
            "name": wheel.metadata.name if wheel else "",
            "wheel": str(wheel.path) if wheel else "",
            "editable": str(self.config.project.path) if self.config.project.install is InstallMode.EDITABLE else "",
            "python": entry.interpreter.version,
            "interpreter": identity(entry.interpreter.executable),
            "distributions": [
                [item.name, item.version, list(item.hashes), item.direct] for item in entry.distributions
            ],
            "site": venv_layout.site_of(path, entry.interpreter, self.platform).relative_to(path).as_posix(),
            "manifest": filled.manifest,
            "links": filled.links,
        }
        atomic.write_atomic(path / MARKER, json.dumps(marker))
        environment = self._environment(path, entry, detail, linked=frozenset(filled.links))
        return replace(environment, cached_packages=filled.cached_packages, compiled=filled.compiled)

    def _environment(self, path: Path, entry: LockEntry, detail: str, *, linked: frozenset[str]) -> Environment:
        return Environment(
            key=entry.key,
            path=path,
            python=venv_layout.python_of(path, self.platform),
            site=venv_layout.site_of(path, entry.interpreter, self.platform),
            interpreter=entry.interpreter,
            detail=detail,
            linked=linked,
        )

    def _unmark(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            (path / MARKER).unlink()


def read_marker(path: Path) -> dict[str, Any] | None:
    """Read the marker of an environment; None where it is missing, damaged, or of another format."""
    with suppress(OSError, ValueError, AttributeError):
        marker: dict[str, Any] = json.loads((path / MARKER).read_text(encoding="utf-8"))
        if marker.get("format") == FORMAT and marker.keys() >= {"key", "interpreter", "project", "site", "links"}:
            return marker
    return None
