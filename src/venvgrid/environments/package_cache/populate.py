"""Populates an environment from the package cache: links or copies, scripts with the environment's own path."""

from __future__ import annotations

import hashlib
import os
from base64 import urlsafe_b64encode
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.environments.manifest import entry_at
from venvgrid.environments.package_cache.cache import PREFIX_PLACEHOLDER, has_short_first_line
from venvgrid.environments.package_cache.copying import write_new
from venvgrid.environments.package_cache.links import DamagedError
from venvgrid.environments.venv_layout import prefix_of
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from venvgrid.environments.manifest import Links, Manifest
    from venvgrid.environments.package_cache.cache import CachedPackage, PackageCache


@dataclass(kw_only=True)
class Populated:
    """Files that an environment got from the package cache.

    `packages` are the keys of its packages. `manifest` holds the files that are its own. `links` names, by package,
    the files that are not shared with it, and `compiled` the compiled files; both relative to site-packages.
    """

    packages: list[str] = field(default_factory=list)
    manifest: Manifest = field(default_factory=dict)
    links: Links = field(default_factory=dict)
    compiled: set[str] = field(default_factory=set)


def fits(package: CachedPackage, python: Path) -> bool:
    """Return whether the scripts of a package work with the path of an environment's interpreter."""
    return not package.outside or package.short == has_short_first_line(python)


def populate(
    cache: PackageCache, package: CachedPackage, environment: Path, site: Path, populated: Populated, *, may_link: bool
) -> None:
    """Add a package to an environment, and note in `populated` what was added.

    Raises:
        DamagedError: a cached file was changed; the package is deleted.
        FileExistsError: the environment has one of the files already.
        OSError: a file cannot be written.
    """
    may_link = may_link and cache.should_link(package.path, environment)
    cache.turns.take()
    try:
        _add_site(package, environment, site, populated, may_link=may_link)
    except DamagedError:
        cache.drop(package)
        raise
    populated.packages.append(package.key)
    cache.touched.add(package.path)


def make_folders(target: str, paths: Iterable[str]) -> None:
    """Make the folders of files in few calls; `target` is a prefix of the paths, and ends with a separator.

    Raises:
        FileExistsError: there is a file in the place of a folder.
    """
    made = {""}
    for folder in sorted({path.rpartition("/")[0] for path in paths} - made):
        parents = [folder]
        while (above := parents[-1].rpartition("/")[0]) not in made:
            parents.append(above)
        made.update(parents)
        for name in reversed(parents):
            try:
                os.mkdir(target + name)  # noqa: PTH102  (many)
            except FileExistsError:
                if not os.path.isdir(target + name):  # noqa: PTH112
                    raise


def with_hashes(record: bytes, prefix: str, changed: Mapping[str, bytes]) -> bytes:
    """Return a RECORD with the hashes and sizes of the rewritten files outside of site-packages."""
    up = "../" * prefix.count("/")
    lines = []
    for line in record.decode("utf-8").splitlines(keepends=True):
        path = line.split(",", 1)[0]
        content = changed.get(path.removeprefix(up)) if path.startswith(up) else None
        if content is not None and ",sha256=" in line:
            digest = urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            line = f"{path},sha256={digest},{len(content)}{line[len(line.rstrip()) :]}"  # noqa: PLW2901
        lines.append(line)
    return "".join(lines).encode("utf-8")


def _add_site(package: CachedPackage, environment: Path, site: Path, populated: Populated, *, may_link: bool) -> None:
    prefix = prefix_of(environment, site)
    target = f"{environment}{os.sep}{prefix}"
    make_folders(target, (*package.site, *package.compiled))
    unshared = package.site_files.copy_or_link(target, package.site, may_link=may_link)
    package.site_files.copy_or_link(target, package.compiled, may_link=may_link)
    populated.compiled.update(package.compiled)
    if package.outside:
        _write_scripts(package, environment, prefix, populated)
        unshared = [*(path for path in unshared if path != package.record), package.record]
    if may_link:
        populated.links[package.key] = unshared
    populated.manifest |= {prefix + path: entry_at(target + path) for path in unshared}


def _write_scripts(package: CachedPackage, environment: Path, prefix: str, populated: Populated) -> None:
    """Write scripts and data with the path of the environment, and their new hashes into RECORD."""
    changed = {}
    for path, facts in package.outside.items():
        if not package.script_files.is_unchanged(path, facts):
            raise DamagedError(package.script_files.base + path)
        content = (package.path / "outside" / path).read_bytes().replace(PREFIX_PLACEHOLDER, os.fsencode(environment))
        (environment / path).parent.mkdir(parents=True, exist_ok=True)
        write_new(str(environment / path), content, facts)
        populated.manifest[path] = entry_at(str(environment / path))
        changed[path] = content
    target = environment / (prefix + package.record)
    content = with_hashes(target.read_bytes(), prefix, changed)
    target.unlink()
    write_new(str(target), content, package.site[package.record])
