"""The project under test: what it declares, which files make it up, and what a built wheel says of it.

Nothing of the project is executed here. Where its metadata are dynamic, only a wheel knows them: `wheels.py` builds it.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# What other tools keep in a project: never part of its sources. The second set only at the top of the project,
# where a folder of that name is no package (src/build is the source of pypa/build).
NOT_SOURCES = {
    ".venvgrid",
    ".git",
    ".hg",
    ".svn",
    ".tox",
    ".nox",
    ".venv",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
}
NOT_SOURCES |= {".ruff_cache", ".hypothesis", ".eggs", "node_modules", ".idea", ".vscode"}
NOT_SOURCES_AT_THE_TOP = frozenset(("build", "dist", "venv", "env", "htmlcov"))
# Configuration that pytest and others find in the folders above.
READ_ABOVE = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", "conftest.py")
# Build requirements that read the version from the history: their builds need the repository.
VERSION_FROM_HISTORY = ("scm", "vcs", "versioningit", "versioneer", "dunamai", "pbr", "dynamic-versioning", "git")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a resolver needs to know of the project. `requires` are PEP 508 with the extras in their markers."""

    name: str
    version: str
    requires_python: str = ""
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


class ProjectError(Exception):
    """The project cannot be read or built; the message is for every cell that needs it."""


def read_pyproject(path: Path) -> dict[str, Any]:
    """Give pyproject.toml of the folder `path`, or {} where there is none.

    Raises:
        ConfigError: it is not TOML.
    """
    file = path / "pyproject.toml"
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError([f"{file}: cannot be read: {error}"]) from error


def check_installable(path: Path) -> None:
    """Make sure that there is something to build.

    Raises:
        ConfigError: the folder has neither pyproject.toml nor setup.py.
    """
    if not any((path / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg")):
        message = (
            f'project.path: "{path}" has no pyproject.toml, setup.py or setup.cfg, so there is nothing to install; '
            'set project.path to the project, or project.install = "none" to test without installing it'
        )
        raise ConfigError([message])


def static_metadata(path: Path) -> Metadata | None:
    """Give what `[project]` declares, or None where any of it is dynamic or missing: then a wheel has to be built."""
    table = read_pyproject(path).get("project", {})
    dynamic = set(table.get("dynamic", ()))
    needed = {"version", "dependencies", "optional-dependencies", "requires-python"}
    if not isinstance(table.get("name"), str) or not isinstance(table.get("version"), str) or dynamic & needed:
        return None
    optional: dict[str, list[str]] = table.get("optional-dependencies", {})
    requires = list(table.get("dependencies", ()))
    for extra, lines in optional.items():
        requires += [_with_extra(line, extra) for line in lines]
    return Metadata(
        name=table["name"],
        version=table["version"],
        requires_python=table.get("requires-python", ""),
        requires=tuple(requires),
        extras=tuple(optional),
    )


def wheel_metadata(wheel: Path) -> Metadata:
    """Read the METADATA of a built wheel.

    Raises:
        ProjectError: it is not a wheel.
    """
    from packaging.metadata import parse_email  # noqa: PLC0415  (only where metadata are dynamic)

    try:
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            raw, _ = parse_email(archive.read(member))
    except (OSError, zipfile.BadZipFile, StopIteration, KeyError) as error:
        message = f"{wheel.name} is not a wheel: {error}"
        raise ProjectError(message) from error
    return Metadata(
        name=raw.get("name", ""),
        version=raw.get("version", ""),
        requires_python=raw.get("requires_python", ""),
        requires=tuple(raw.get("requires_dist", ())),
        extras=tuple(raw.get("provides_extra", ())),
    )


def direct_requirements(metadata: Metadata, extras: Iterable[str], markers: dict[str, str]) -> tuple[str, ...]:
    """Give the project's own requirements for an environment, without markers: what `lowest-direct` calls direct."""
    from packaging.requirements import Requirement  # noqa: PLC0415

    chosen: list[str] = []
    for line in metadata.requires:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({**markers, "extra": extra}) for extra in ("", *extras)):
            requirement.marker = None
            chosen.append(str(requirement))
    return tuple(chosen)


def group_requirements(path: Path, groups: Iterable[str]) -> tuple[str, ...]:
    """Give the requirements of PEP 735 dependency groups, includes followed.

    Raises:
        ConfigError: a group does not exist, or includes itself.
    """
    wanted = tuple(groups)
    if not wanted:
        return ()
    from packaging.dependency_groups import resolve_dependency_groups  # noqa: PLC0415

    table = read_pyproject(path).get("dependency-groups", {})
    found: list[str] = []
    for group in wanted:
        try:
            found += resolve_dependency_groups(table, group)
        except (LookupError, ValueError, TypeError, ExceptionGroup) as error:
            declared = ", ".join(sorted(table)) or "none"
            message = f'project.groups: the dependency group "{group}" cannot be used: {error} (declared: {declared})'
            raise ConfigError([message]) from error
    return tuple(dict.fromkeys(found))


def source_files(path: Path) -> Iterator[Path]:
    """Give the files of the project in a stable order, without what tools leave behind."""
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if _is_source(here, name, top=here == path))
        yield from (here / name for name in sorted(files) if not name.endswith((".pyc", ".pyo")))


def snapshot(path: Path) -> dict[str, str]:
    """Map every file of the project, by its path in it, to a digest of its contents, in a stable order."""
    return {str(file.relative_to(path)): _content(file).hex() for file in source_files(path)}


def above(path: Path) -> dict[str, str]:
    """Map the files of the folders above the project that test runners read to digests of their contents."""
    places = (folder / name for folder in path.absolute().parents for name in READ_ABOVE)
    return {str(place): _content(place).hex() for place in places if place.is_file()}


def source_digest(path: Path, files: Mapping[str, str] | None = None) -> str:
    """Digest the contents of the project's files, and the state of its history where its version comes from there.

    `files` is a snapshot, where one was taken already.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name, content in (snapshot(path) if files is None else files).items():
        digest.update(f"{name}\0{content}\0".encode("utf-8", "surrogateescape"))
    if reads_history(path):
        for name in ("HEAD", "packed-refs"):
            digest.update(_content(path / ".git" / name))
        for reference in sorted((path / ".git" / "refs").rglob("*")):
            digest.update(str(reference).encode() + _content(reference))
    return digest.hexdigest()


def reads_history(path: Path) -> bool:
    """Whether the build takes the version from version control, so that the repository is an input of it."""
    build = read_pyproject(path).get("build-system", {}).get("requires", ())
    return any(word in str(line).lower() for line in build for word in VERSION_FROM_HISTORY)


def _is_source(folder: Path, name: str, *, top: bool) -> bool:
    if name in NOT_SOURCES or name.endswith(".egg-info") or (folder / name / "pyvenv.cfg").exists():
        return False
    return not (top and name in NOT_SOURCES_AT_THE_TOP and not (folder / name / "__init__.py").exists())


def _content(file: Path) -> bytes:
    try:
        if file.is_symlink():
            return b"link:" + os.fsencode(file.readlink())
        return hashlib.blake2b(file.read_bytes(), digest_size=16).digest() if file.is_file() else b"-"
    except OSError as error:
        return f"unreadable:{error.errno}".encode()


def _with_extra(line: str, extra: str) -> str:
    from packaging.requirements import Requirement  # noqa: PLC0415

    requirement = Requirement(line)
    marker = f'extra == "{extra}"'
    requirement_text, _, existing = str(requirement).partition(";")
    if existing:
        return f"{requirement_text.strip()} ; ({existing.strip()}) and {marker}"
    return f"{requirement_text.strip()} ; {marker}"
