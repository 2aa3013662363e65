"""Metadata of the project under test, from pyproject.toml or from a built wheel.

No code of the project runs here. Dynamic metadata need a wheel: `project/wheels.py` builds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from venvgrid.config.config_file import read_pyproject
from venvgrid.model import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The metadata that a resolver needs. `requires` are PEP 508 with the extras in their markers."""

    name: str
    version: str
    requires_python: str = ""
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


class ProjectError(Exception):
    """The project cannot be read or built; every cell that needs it fails with the message."""


def check_installable(path: Path) -> None:
    """Check that there is something to build.

    Raises:
        ConfigError: the folder has no pyproject.toml, setup.py or setup.cfg.
    """
    if not any((path / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg")):
        message = (
            f'project.path: "{path}" has no pyproject.toml, setup.py or setup.cfg, so there is nothing to install; '
            'set project.path to the project, or project.install = "none" to test without installing it'
        )
        raise ConfigError([message])


def static_metadata(path: Path) -> Metadata | None:
    """Return the metadata of [project], or None if any of it is dynamic or missing: a wheel has to be built."""
    table = read_pyproject(path).get("project", {})
    dynamic = set(table.get("dynamic", ()))
    needed = {"version", "dependencies", "optional-dependencies", "requires-python"}
    if not isinstance(table.get("name"), str) or not isinstance(table.get("version"), str) or dynamic & needed:
        return None
    optional: dict[str, list[str]] = table.get("optional-dependencies", {})
    of_extras = (_with_extra(line, extra) for extra, lines in optional.items() for line in lines)
    return Metadata(
        name=table["name"],
        version=table["version"],
        requires_python=table.get("requires-python", ""),
        requires=(*table.get("dependencies", ()), *of_extras),
        extras=tuple(optional),
    )


def wheel_metadata(wheel: Path) -> Metadata:
    """Read the METADATA of a built wheel.

    Raises:
        ProjectError: it is not a wheel.
    """
    import zipfile  # noqa: PLC0415  (only where a wheel was built)

    from packaging.metadata import parse_email  # noqa: PLC0415

    try:
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            raw, _ = parse_email(archive.read(member))
    except (OSError, zipfile.BadZipFile, StopIteration, KeyError) as error:
        raise ProjectError(f"{wheel.name} is not a wheel: {error}") from error
    return Metadata(
        name=raw.get("name", ""),
        version=raw.get("version", ""),
        requires_python=raw.get("requires_python", ""),
        requires=tuple(raw.get("requires_dist", ())),
        extras=tuple(raw.get("provides_extra", ())),
    )


def direct_requirements(metadata: Metadata, extras: Iterable[str], markers: dict[str, str]) -> tuple[str, ...]:
    """Return the project's own requirements for an environment, without markers: the direct ones of `lowest-direct`."""
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
    """Return the requirements of PEP 735 dependency groups, with those of included groups.

    Raises:
        ConfigError: a group does not exist, or includes itself.
    """
    names = tuple(groups)
    if not names:
        return ()
    from packaging.dependency_groups import resolve_dependency_groups  # noqa: PLC0415

    table = read_pyproject(path).get("dependency-groups", {})
    found: list[str] = []
    for group in names:
        try:
            found += resolve_dependency_groups(table, group)
        except (LookupError, ValueError, TypeError, ExceptionGroup) as error:
            declared = ", ".join(sorted(table)) or "none"
            message = f'project.groups: the dependency group "{group}" cannot be used: {error} (declared: {declared})'
            raise ConfigError([message]) from error
    return tuple(dict.fromkeys(found))


def _with_extra(line: str, extra: str) -> str:
    from packaging.requirements import Requirement  # noqa: PLC0415

    requirement, _, marker = str(Requirement(line)).partition(";")
    others = f"({marker.strip()}) and " if marker else ""
    return f'{requirement.strip()} ; {others}extra == "{extra}"'
