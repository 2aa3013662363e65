"""The store of environments: each is built once for its lock entry, used only when whole, and never repaired.

    .venvgrid/store/KEY/                    the environment itself; KEY is the key of its lock entry
    .venvgrid/store/KEY/venvgrid.json       the marker, written last and durably: the key and a manifest of every file
    .venvgrid/envs/CELL                     a link to the environment of a cell

States of an environment:

    absent -----> building -----> marked whole <-----> in use
      ^              |                 |                  |
      |              | killed          | check fails      | changed by a test
      |     wipe     v                 v                  v
      +---------- without marker <---- dropped: the marker is deleted

`ensure` builds, or checks and hands out. `inspect` checks after the tests. `drop` deletes the marker.

A virtual environment holds its own path, so it cannot be built elsewhere and renamed. An environment without a marker,
or with files that differ from its manifest, is wiped and built again. Only folders of the store that are named by a
key are ever deleted.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.environments import compiled, venv_layout
from venvgrid.environments.builder import BuildError, BuildResult, own
from venvgrid.environments.integrity import IntegrityReport, check, link_above
from venvgrid.environments.manifest import MARKER, Marker, read_marker, write_marker
from venvgrid.interpreters.identity import identity
from venvgrid.model import Environment, InstallMode
from venvgrid.model.values import dataclass
from venvgrid.storage import own_folders

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from venvgrid.environments.builder import Builder
    from venvgrid.environments.package_cache.cache import PackageCache
    from venvgrid.model import Config, LockEntry
    from venvgrid.project.wheels import Wheel

KEY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentStore:
    """The environments of one configuration. `root` is its `.venvgrid`."""

    root: Path
    folder: Path  # of the environments, see `directories.of_environments`
    config: Config
    builder: Builder
    packages: PackageCache

    def ensure(
        self,
        entry: LockEntry,
        wheel: Wheel | None,
        *,
        project: str,
        prompt: str,
        fresh: bool = False,
        may_link: bool = True,
    ) -> Environment:
        """Return the whole environment of a lock entry with the project in it; build it if there is none.

        `project` is the digest of the project as it is installed; with another one, it is installed again. With
        `may_link` False the environment shares no file with another.

        Raises:
            InfrastructureError: it cannot be built; most often `BuildError`.
        """
        path = self.folder / entry.key
        marker = None if fresh else self._usable(path, entry, may_link=may_link)
        if marker and marker.project == project:
            return self._with_compiled(self._environment(path, entry, "reused", marker), entry, wheel)
        try:
            if marker:
                self._unmark(path)
                result = self.builder.reinstall(path, entry, wheel, marker.links)
                finished = self._finish(path, entry, wheel, project, "project reinstalled", result)
                return self._with_compiled(finished, entry, wheel)
            result = self.builder.build(
                path, entry, wheel, prompt=prompt, may_link=may_link, wipe=lambda: self.wipe(entry.key)
            )
            return self._finish(path, entry, wheel, project, "built", result)
        except OSError as error:
            raise BuildError(f"{error.filename or path}: {error.strerror or error}") from error

    def link(self, cell: str, environment: Environment) -> Path:
        """Link `.venvgrid/envs/CELL` to an environment.

        Raises:
            BuildError: the path is taken by something other than a link.
        """
        place = own_folders.check(self.root, "envs") / cell
        if not venv_layout.link(environment.path, place):
            raise BuildError(f"{place} is not a link of venvgrid: move it away")
        return place

    def inspect(self, environment: Environment, *, is_plain: bool = False) -> IntegrityReport:
        """Check an environment after its tests, and delete what they left in `__pycache__` (see `compiled`)."""
        marker = read_marker(environment.path)
        if marker is None:
            return IntegrityReport(changed=(MARKER,))
        report = check(environment.path, environment.site, marker.manifest, marker.links, self.packages)
        compiled.clean(environment.path, report.left_over, is_plain=is_plain, is_used=True)
        return report

    def exists(self, environment: Environment) -> bool:
        """Return whether an environment has not been dropped since it was built."""
        return (environment.path / MARKER).exists()

    def drop(self, environment: Environment, poisoned: Iterable[str] = ()) -> None:
        """Delete the marker, so that the environment is built again, and quarantine the `poisoned` packages."""
        self._unmark(environment.path)
        for key in poisoned:
            self.packages.quarantine(key)

    def wipe(self, key: str) -> None:
        """Delete an environment of the store.

        Raises:
            ValueError: `key` is not the key of an environment.
            OSError: it cannot be moved out of the way.
        """
        if not KEY.fullmatch(key):
            raise ValueError(f"not an environment's key: {key!r}")
        path = own_folders.check(self.folder.parent, self.folder.name) / key
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            self._give_back(path)
            self._unmark(path)
            # Renamed first: a process that a killed run left behind may still write into it for a moment.
            trash = self.folder / f"{own_folders.TRASH}{key}-{os.getpid()}-{time.monotonic_ns()}"
            path.rename(trash)
            shutil.rmtree(trash, ignore_errors=True)

    def all_keys(self) -> tuple[str, ...]:
        """Return the keys of all environments in the store, whole or not."""
        with suppress(OSError):
            return tuple(sorted(path.name for path in self.folder.iterdir() if KEY.fullmatch(path.name)))
        return ()

    def linked(self) -> dict[str, str]:
        """Return the key of each cell's environment."""
        found = {}
        with suppress(OSError):
            for place in sorted((self.root / "envs").iterdir()):
                key = place.resolve().name
                if KEY.fullmatch(key) and place.name[:1] != ".":
                    found[place.name] = key
        return found

    def _give_back(self, path: Path) -> None:
        """Delete the links of an environment to cached files, and damaged packages: its files are the evidence."""
        marker = read_marker(path)
        if marker is None or not marker.links or link_above(path, path / marker.site):
            return
        if os.unlink in os.supports_dir_fd:
            self.packages.unlink(path / marker.site, marker.links)
            return
        for key in check(path, path / marker.site, marker.manifest, marker.links, self.packages).poisoned:
            package = self.packages.by_key(key)
            if package is not None and not package.is_whole():
                self.packages.drop(package)

    def _usable(self, path: Path, entry: LockEntry, *, may_link: bool) -> Marker | None:
        """Return the marker of an environment that is whole, except perhaps for the project; or None."""
        marker = None if path.is_symlink() else read_marker(path)
        if (
            marker is None
            or marker.key != entry.key
            or marker.path != str(path)  # it was moved: its scripts name the old path
            or marker.interpreter != identity(entry.interpreter.executable)
            or marker.guests != self.builder.guests.digest  # those of another venvgrid saw other things
            or (marker.links and not may_link)
        ):
            return None
        site = venv_layout.site_of(path, entry.interpreter)
        report = check(path, site, marker.manifest, marker.links, self.packages)
        compiled.clean(path, report.left_over, is_plain=False, is_used=False)
        return marker if not report.changed else None

    def _finish(
        self, path: Path, entry: LockEntry, wheel: Wheel | None, project: str, detail: str, result: BuildResult
    ) -> Environment:
        is_editable = self.config.project.install is InstallMode.EDITABLE
        marker = Marker(
            key=entry.key,
            path=str(path),
            project=project,
            name=wheel.metadata.name if wheel else "",
            wheel=str(wheel.path) if wheel else "",
            editable=str(self.config.project.path) if is_editable else "",
            python=entry.interpreter.version,
            interpreter=identity(entry.interpreter.executable),
            distributions=[[item.name, item.version, list(item.hashes), item.direct] for item in entry.distributions],
            guests=self.builder.guests.digest,
            site=venv_layout.site_of(path, entry.interpreter).relative_to(path).as_posix(),
            manifest=result.manifest,
            links=result.links,
            overlaps=[list(item) for item in result.overlaps],
        )
        write_marker(path, marker)
        environment = self._environment(path, entry, detail, marker)
        return replace(environment, cached_packages=result.cached_packages, compiled=result.compiled)

    def _environment(self, path: Path, entry: LockEntry, detail: str, marker: Marker) -> Environment:
        if marker.links:
            self.packages.turns.take()
        for key in marker.links:
            package = self.packages.by_key(key)
            if package is not None:
                package.site_files.in_use = True
        return Environment(
            key=entry.key,
            path=path,
            python=venv_layout.python_of(path),
            site=venv_layout.site_of(path, entry.interpreter),
            interpreter=entry.interpreter,
            detail=detail,
            linked=frozenset(marker.links),
            overlaps=tuple(tuple(item) for item in marker.overlaps),
        )

    def _with_compiled(self, environment: Environment, entry: LockEntry, wheel: Wheel | None) -> Environment:
        """Add the compiled files of the package cache that an environment lacks."""
        found = (self.packages.find(entry.interpreter, item) for item in (*entry.distributions, *own(wheel)))
        packages = [package for package in found if package is not None]
        compiled.add(environment.site, packages, environment.linked, self.packages)
        return replace(environment, cached_packages=tuple(package.key for package in packages))

    def _unmark(self, path: Path) -> None:
        own_folders.delete(path, MARKER)
