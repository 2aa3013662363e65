"""Builds environments: populated from the package cache, and by the installer for what is not cached.

Installers copy and never link here, because they do not verify files that other environments share. What they install
into the first environment is added to the cache, from which later environments are populated without them.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.environments import legacy_editable, venv_layout
from venvgrid.environments.creator import SkeletonError
from venvgrid.environments.integrity import still_shared
from venvgrid.environments.manifest import take
from venvgrid.environments.package_cache import ingest, record
from venvgrid.environments.package_cache.links import DamagedError
from venvgrid.environments.package_cache.populate import Populated, fits, populate
from venvgrid.installers.base import InstallRequest, built_from_source
from venvgrid.model import Distribution, InfrastructureError, InstallMode, python_releases
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.project.local_wheels import path_of
from venvgrid.project.metadata import ProjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from venvgrid.environments.creator import Creator
    from venvgrid.environments.guest_files import GuestFiles
    from venvgrid.environments.manifest import Links, Manifest
    from venvgrid.environments.package_cache.cache import CachedPackage, PackageCache
    from venvgrid.installers.base import Installer
    from venvgrid.model import Config, Interpreter, LockEntry
    from venvgrid.project.local_wheels import LocalWheels
    from venvgrid.project.wheels import Wheel


class BuildError(InfrastructureError):
    """An environment cannot be built; the message is for the cells that need it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """A built environment: the manifest of its own files, and what it shares (see `Populated`).

    `overlaps` are files that several distributions own with different contents (see `record.overlaps`).
    """

    manifest: Manifest
    links: Links
    cached_packages: tuple[str, ...] = ()
    compiled: frozenset[str] = frozenset()
    overlaps: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Builds the environments of one configuration; each of them gets the `guests`."""

    config: Config
    installer_for: Callable[[Interpreter], Installer]
    creator: Creator
    packages: PackageCache
    guests: GuestFiles
    local: LocalWheels | None = None  # builds the folders that are required
    offline: bool = False

    def build(
        self,
        path: Path,
        entry: LockEntry,
        wheel: Wheel | None,
        *,
        prompt: str,
        may_link: bool,
        wipe: Callable[[], None],
    ) -> BuildResult:
        """Build an environment at `path`; `wipe` deletes what is there, also before a second try.

        Raises:
            BuildError: it cannot be built.
            OSError: a file cannot be written.
        """
        wipe()
        wanted = [*entry.distributions, *own(wheel)]
        known = [self._cached(path, entry.interpreter, item) for item in wanted]
        empty = self._create(path, entry.interpreter, prompt)
        try:
            populated = self._populate(path, entry, known, may_link=may_link)
            self.packages.share_seals()
        except (DamagedError, FileExistsError):  # damaged, or two packages own one file: the installer decides
            wipe()
            empty = self._create(path, entry.interpreter, prompt)
            populated, known = Populated(), [None for _ in wanted]
        missing = [item for item, package in zip(wanted, known, strict=True) if package is None]
        populated.manifest |= empty
        return self._install(path, entry, wheel, populated, missing, may_link=may_link)

    def reinstall(self, path: Path, entry: LockEntry, wheel: Wheel | None, links: Links) -> BuildResult:
        """Install the project again into an environment that is whole otherwise.

        Raises:
            BuildError: it cannot be installed.
            OSError: a file cannot be written.
        """
        self._install_project(path, entry, wheel, reinstall=True)
        site = venv_layout.site_of(path, entry.interpreter)
        links = still_shared(site, links, self.packages)
        manifest = self._manifest(path, site, links)
        return BuildResult(manifest=manifest, links=links, overlaps=record.overlaps(site))

    def _create(self, path: Path, interpreter: Interpreter, prompt: str) -> Manifest:
        """Create the empty environment and return its manifest."""
        try:
            self.creator.make(path, interpreter, prompt)
        except SkeletonError as error:
            raise BuildError(str(error)) from error
        return take(path)

    def _cached(self, path: Path, interpreter: Interpreter, distribution: Distribution) -> CachedPackage | None:
        package = self.packages.find(interpreter, distribution)
        is_fit = package is not None and fits(package, venv_layout.python_of(path))
        return package if is_fit else None

    def _populate(
        self, path: Path, entry: LockEntry, packages: Iterable[CachedPackage | None], *, may_link: bool
    ) -> Populated:
        populated = Populated()
        site = venv_layout.site_of(path, entry.interpreter)
        for package in filter(None, packages):
            populate(self.packages, package, path, site, populated, may_link=may_link)
        return populated

    def _install(
        self,
        path: Path,
        entry: LockEntry,
        wheel: Wheel | None,
        populated: Populated,
        missing: list[Distribution],
        *,
        may_link: bool,
    ) -> BuildResult:
        """Install what is not cached, and add it to the cache."""
        site = venv_layout.site_of(path, entry.interpreter)
        if missing:
            ours = {item.name for item in own(wheel)}
            folders = {item.name: folder for item in missing if (folder := self._folder(item)) is not None}
            local = [self._local(folder, entry.interpreter) for folder in folders.values()]
            python = venv_layout.python_of(path)
            request = InstallRequest(
                python=python,
                interpreter=entry.interpreter,
                distributions=tuple(item for item in missing if item.name not in ours | folders.keys()),
                wheels=(*local, *([wheel.path] if wheel and any(item.name in ours for item in missing) else [])),
            )
            self._request(request)
            self._check_python(site, missing, entry.interpreter)
            added = ingest.add_installed(self.packages, path, site, python, entry.interpreter, missing)
            populated.packages += added.packages
            populated.links |= added.links
        is_editable = self.config.project.install is InstallMode.EDITABLE
        if is_editable:  # last: its build may need the other distributions
            self._install_project(path, entry, None, reinstall=False)
        guests = self.guests.add(path, site, entry.interpreter, may_link=may_link)
        links = {**populated.links, **guests.links}
        if missing or is_editable:
            manifest = self._manifest(path, site, links)
        else:
            manifest = populated.manifest | guests.manifest
            manifest.pop(venv_layout.prefix_of(path, site), None)  # the guests are in it: it was an empty folder
        return BuildResult(
            manifest=manifest,
            links=links,
            cached_packages=tuple(populated.packages),
            compiled=frozenset(populated.compiled),
            overlaps=record.overlaps(site) if missing or is_editable else (),  # no two cached ones fit into one place
        )

    def _check_python(self, site: Path, installed: Iterable[Distribution], interpreter: Interpreter) -> None:
        """Check what new distributions require of Python, before the cache gets them.

        Raises:
            BuildError: one of them is not for this Python.
        """
        names = frozenset(normalise(item.name) for item in installed)
        if why := record.refused(site, names, interpreter.version):
            name, version = why.split()[:2]
            way_out = f'choose another version, as with install.constraints = ["{name}!={version}"]'
            raise BuildError(f"{why}, and this is {interpreter.version}: pip does not install it; {way_out}")

    def _folder(self, item: Distribution) -> Path | None:
        """Return the folder of this machine that a distribution is built from, or None."""
        path = path_of(item.direct) if item.direct.startswith("file:") else None
        return path if path is not None and path.is_dir() and self.local is not None else None

    def _local(self, folder: Path, interpreter: Interpreter) -> Path:
        """Return the wheel of a folder that is required.

        Raises:
            BuildError: it cannot be built.
        """
        try:
            return self.local.wheel(folder, interpreter).path if self.local is not None else folder
        except ProjectError as error:
            raise BuildError(str(error)) from error

    def _manifest(self, path: Path, site: Path, links: Links) -> Manifest:
        """Return the manifest of all files that the environment does not share."""
        shared = {
            venv_layout.prefix_of(path, site) + name
            for key, unshared in links.items()
            if (package := self.packages.by_key(key)) is not None
            for name in package.site.keys() - set(unshared)
        }
        return {name: entry for name, entry in take(path).items() if name not in shared}

    def _install_project(self, path: Path, entry: LockEntry, wheel: Wheel | None, *, reinstall: bool) -> None:
        request = InstallRequest(
            python=venv_layout.python_of(path),
            interpreter=entry.interpreter,
            wheels=(wheel.path,) if wheel else (),
            editable=self.config.project.path if wheel is None else None,
            reinstall=reinstall,
        )
        if request.editable is None or entry.interpreter.release >= python_releases.OLDEST_FOR_EDITABLE:
            self._request(request)
            return
        built = self._local(request.editable, entry.interpreter)
        with tempfile.TemporaryDirectory(prefix="venvgrid-editable-") as folder:
            try:
                made = legacy_editable.make(built, request.editable, Path(folder))
            except legacy_editable.NotEditableError as error:
                way_out = 'set project.install = "wheel"'
                python = f"Python {entry.interpreter.version}"
                raise BuildError(f"the project cannot be editable on {python}: {error}; {way_out}") from error
            self._request(replace(request, editable=None, wheels=(made,)))

    def _request(self, request: InstallRequest) -> None:
        if not (request.distributions or request.wheels or request.editable):
            return
        wanted = replace(
            request,
            only_binary=self.config.install.only_binary and request.editable is None,
            source_builds=(
                *self.config.install.source_builds,
                *built_from_source(f"{item.name} @ {item.direct}" for item in request.distributions if item.direct),
            ),
            offline=self.offline,
        )
        if problem := self.installer_for(request.interpreter).install(wanted):
            raise BuildError(problem)


def own(wheel: Wheel | None) -> tuple[Distribution, ...]:
    """Return the project's wheel as a distribution; the digest of its content stands for the hash of its file."""
    if wheel is None:
        return ()
    digest = f"content:{wheel.digest}"
    return (Distribution(name=normalise(wheel.metadata.name), version=wheel.metadata.version, hashes=(digest,)),)
