"""Metadata of the project under test, from pyproject.toml or from a built wheel.

No code of the project runs here. Dynamic metadata need a wheel: `project/wheels.py` builds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvgrid.config.config_file import PYPROJECT, read_pyproject
from venvgrid.config.values import nearest
from venvgrid.model import ConfigError
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
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
        ConfigError: the folder has no setup.py, no [metadata] or [options] in setup.cfg, and no [project] or
            [build-system] in pyproject.toml: any backend would build a project without a name from it.
    """
    if (path / "setup.py").is_file() or _has_metadata(path / "setup.cfg"):
        return
    if (path / PYPROJECT).is_file():
        if {"project", "build-system"} & read_pyproject(path).keys():
            return
        what = f"{path / PYPROJECT} has neither [project] nor [build-system]"
        add = "add [project] with name and version"
    else:
        what = f'"{path}" has no {PYPROJECT}, setup.py or setup.cfg'
        add = "set project.path to the folder of the project"
    way_out = f'{add}, or project.install = "none" to test without installing it'
    raise ConfigError([f"project.path: {what}, so there is nothing to install; {way_out}"])


def _has_metadata(setup_cfg: Path) -> bool:
    """Whether a setup.cfg is one of setuptools, not only of linters; one that cannot be read is left to the build."""
    if not setup_cfg.is_file():
        return False
    import configparser  # noqa: PLC0415  (few projects have the file)

    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(setup_cfg, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError):
        return True
    return bool({"metadata", "options"} & {*parser.sections()})


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
    mistakes: list[str] = []
    for group in names:
        if normalise(group) not in map(normalise, table):
            known = ", ".join(sorted(table))
            there = f"its groups: {known}" if known else "it has no [dependency-groups]"
            where = path / PYPROJECT
            mistakes.append(
                f"project.groups: {where} has no group '{group}'{nearest(group, table)} ({there}); correct the name"
            )
            continue
        try:
            found += resolve_dependency_groups(table, group)
        except (LookupError, ValueError, TypeError, ExceptionGroup) as error:
            why = "; ".join(map(str, _causes(error)))
            mistakes.append(f"project.groups: the group '{group}' of {path / PYPROJECT} is wrong: {why}")
    if mistakes:
        raise ConfigError(mistakes)
    return tuple(dict.fromkeys(found))


def _causes(error: Exception) -> Iterator[Exception]:
    """Yield the exceptions inside of a group, without the groups."""
    for inner in error.exceptions if isinstance(error, ExceptionGroup) else ():
        yield from _causes(inner)
    if not isinstance(error, ExceptionGroup):
        yield error


def _with_extra(line: str, extra: str) -> str:
    from packaging.requirements import Requirement  # noqa: PLC0415

    requirement, _, marker = str(Requirement(line)).partition(";")
    others = f"({marker.strip()}) and " if marker else ""
    return f'{requirement.strip()} ; {others}extra == "{extra}"'
