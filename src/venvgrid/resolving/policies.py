"""Resolves the policies of axes to values, from the lock, or from the index and the project's metadata."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from venvgrid.config import loading
from venvgrid.config.config_file import read_pyproject
from venvgrid.model import AxisKind, ConfigError, FrozenPolicy, InfrastructureError, LockError, PolicyError
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.processes import variables
from venvgrid.resolving import lockfile
from venvgrid.storage import directories

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from venvgrid.config.config_file import Source
    from venvgrid.model import Axis, Config
    from venvgrid.resolving.index import Index
    from venvgrid.resolving.version_policies import PolicyVersions


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedConfig:
    """A configuration whose axes all have values; `frozen` are those of policies, `notes` are for the user."""

    config: Config
    frozen: Mapping[str, FrozenPolicy]
    notes: tuple[str, ...] = ()


def resolve_config(
    source: Source,
    environ: Mapping[str, str],
    *,
    grid: str = "",
    lock_file: Path | None = None,
    update: bool = False,
    remake: bool = False,
    offline: bool = False,
) -> ResolvedConfig:
    """Check a configuration, and resolve its policies with its lock, and the index and cache of the user.

    `remake`: a lock that is damaged or edited is passed over.

    Raises:
        ConfigError, PolicyError, InfrastructureError: see `loading.build` and `settle`.
    """
    loaded, ignored = loading.build(source, grid=grid), ", ".join(variables.constraining(environ))
    notes = (f"cells are installed without {ignored}: [install] says which versions they get",) if ignored else ()
    if not any(axis.policy for axis in loaded.axes):
        return ResolvedConfig(config=loaded, frozen={}, notes=notes)
    from venvgrid.resolving.index_settings import from_environ as index_of_user  # noqa: PLC0415  (most configurations need none)

    path = lock_file or lockfile.path_for(loaded)
    index = index_of_user(environ, directories.cache_folder(environ), offline=offline, refresh=update)
    known: Mapping[str, FrozenPolicy] = {}
    if path.is_file():
        with suppress(LockError) if remake else nullcontext():
            known = lockfile.read(path).frozen
    frozen, more = settle(loaded, index, known, update=update, today=datetime.now(UTC).date())
    config = loading.build(source, grid=grid, settled=frozen)
    return ResolvedConfig(config=config, frozen=frozen, notes=(*notes, *more))


def settle(
    loaded: Config, index: Index, known: Mapping[str, FrozenPolicy], *, update: bool, today: date
) -> tuple[Mapping[str, FrozenPolicy], tuple[str, ...]]:
    """Return the values of each axis with a policy, and notes for the user.

    Values that are `known` from a lock stay, unless `update` is set.

    Raises:
        PolicyError: a policy has no value.
        InfrastructureError: the index cannot be read, and no lock has the values.
    """
    declared = _Declared(loaded.project.path)
    frozen: dict[str, FrozenPolicy] = {}
    notes: list[str] = []
    for axis in loaded.axes:
        if not axis.policy:
            continue
        before = known.get(axis.name)
        if before is not None and before.policy != axis.policy:
            before = None
        if before is not None and not update:
            frozen[axis.name] = before
            continue
        try:
            versions = _versions(axis, index, declared, today)
            frozen[axis.name] = FrozenPolicy(policy=axis.policy, values=versions.values, pre=versions.pre)
        except InfrastructureError as error:
            if before is None:
                raise
            notes.append(f"{axis.name}: {error}; the versions are those of the lock")
            frozen[axis.name] = before
    return frozen, tuple(notes)


def _versions(axis: Axis, index: Index, declared: _Declared, today: date) -> PolicyVersions:
    from venvgrid.resolving import version_policies  # noqa: PLC0415  (most configurations need none)

    try:
        if axis.kind is AxisKind.PYTHON:
            return version_policies.of_python(
                axis.policy, requires=declared.requires_python, classifiers=declared.classifiers, today=today
            )
        return version_policies.of_package(
            axis.name, axis.policy, index.releases(axis.name), declared=declared.specifier(axis.name), today=today
        )
    except PolicyError as error:
        raise PolicyError(f"axes.{axis.name}: {error}") from error


class _Declared:
    """The static metadata of pyproject.toml; a file that cannot be read declares nothing."""

    def __init__(self, folder: Path) -> None:
        self._project: dict[str, Any] = {}
        with suppress(ConfigError):
            found = read_pyproject(folder).get("project")
            self._project = found if isinstance(found, dict) else {}

    @property
    def requires_python(self) -> str:
        return str(self._project.get("requires-python") or "")

    @property
    def classifiers(self) -> list[str]:
        return [str(line) for line in self._project.get("classifiers", []) if isinstance(line, str)]

    def specifier(self, name: str) -> str | None:
        """Return the specifier of a distribution, or None if the project does not depend on it."""
        from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415  (policies are rare)

        optional = self._project.get("optional-dependencies", {})
        lines = [*self._project.get("dependencies", []), *(line for lines in optional.values() for line in lines)]
        found = None
        for line in lines:
            with suppress(InvalidRequirement):
                requirement = Requirement(str(line))
                if normalise(requirement.name) == normalise(name):
                    found = ",".join(filter(None, (found, str(requirement.specifier))))
        return found
