"""The locked distributions of cells, checked against what each cell says: pins, absences, requirements, era. Pure.

The lock is a file that people edit and merge. Its distributions are believed only if they meet what a resolver would
have had to meet. Requirements of dependencies are not in the lock: only those of the project and of the tests count.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from venvgrid.config import axis_values, platforms
from venvgrid.installers.base import Resolved, Unresolvable
from venvgrid.model import InstallMode, LockError
from venvgrid.model.names import normalise
from venvgrid.resolving import lockfile
from venvgrid.resolving.requirements import requirements_of
from venvgrid.resolving.resolver import lock_entry

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
VERSION = re.compile(r"[0-9A-Za-z.!+_-]+")
WORD = re.compile(r"\S+")
HASH = re.compile(r"[a-z0-9_]+:[0-9A-Za-z]+")

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from venvgrid.model import Cell, Config, Distribution, Interpreter, LockEntry
    from venvgrid.project.metadata import Metadata
    from venvgrid.resolving.lockfile import Lock, LockedEnvironment


def answers(
    lock: Lock,
    path: Path,
    config: Config,
    wanted: Iterable[tuple[Cell, Interpreter | str]],
    *,
    metadata: Metadata | None = None,
    groups: tuple[str, ...] = (),
    accept_open: bool = False,
) -> dict[str, LockEntry | Unresolvable]:
    """Return the locked entries of cells, by their ids; a text in place of an interpreter is why it is missing.

    With `accept_open`, cells that could not be locked have none.

    Raises:
        LockError: a cell is not locked, or locked for another interpreter or platform, or with distributions that
            contradict it; or it is called impossible by a lock without a checksum; or the lock was edited.
    """
    found: dict[str, LockEntry | Unresolvable] = {}
    checked: dict[object, LockEntry] = {}  # of cells that differ only in variables, one
    for cell, interpreter in wanted:
        name = cell.id
        if sum(name in table for table in (lock.cells, lock.impossible, lock.open)) > 1:
            raise lockfile.edited(path, f" ({name} is in it twice)")
        if name in lock.impossible and not lock.has_checksum:
            message = f"{path} calls {name} impossible and has no checksum; make it again with: venvgrid lock"
            raise LockError(message)
        if name in lock.impossible:
            found[name] = Unresolvable(reason=lock.impossible[name])
        elif isinstance(interpreter, str) or (accept_open and name in lock.open):
            continue
        elif name not in lock.cells or lock.cells[name] not in lock.environments:
            why = f": {lock.open[name]}" if name in lock.open else ""
            message = f"{path} does not lock {name}{why}; make it again with: venvgrid lock"
            raise LockError(message)
        else:
            same = (lock.cells[name], interpreter.executable, cell.versions)
            if same not in checked:
                checked[same] = _checked(lock, path, config, cell, interpreter, metadata, groups)
            found[name] = checked[same]
    if lock.is_edited:
        raise lockfile.edited(path)
    return found


def _checked(
    lock: Lock,
    path: Path,
    config: Config,
    cell: Cell,
    interpreter: Interpreter,
    metadata: Metadata | None,
    groups: tuple[str, ...],
) -> LockEntry:
    """Return the locked entry of a cell, if it can be believed; see `answers`."""
    name = lock.cells[cell.id]
    locked = lock.environments[name]
    entry = _entry(config, cell, locked, interpreter, path)
    why = _contradiction(config, cell, locked, interpreter, metadata, groups) or malformed(locked.distributions)
    if why := why or _renamed(locked, name):
        raise lockfile.edited(path, f" ({cell.id}: {why})")
    return entry


def first_problem(
    config: Config,
    cell: Cell,
    distributions: Iterable[Distribution],
    markers: Mapping[str, str],
    *,
    metadata: Metadata | None = None,
    groups: tuple[str, ...] = (),
    as_of: str | None = None,
) -> str:
    """Return how locked distributions contradict their cell, in one line, or "".

    `markers` are the PEP 508 markers of the interpreter that was locked. `as_of` is the locked era, None to leave it
    unchecked.
    """
    needs = requirements_of(config, cell, groups)
    locked = {normalise(item.name): item for item in distributions}
    for name in needs.absent:
        if name in locked:
            return f"it holds {name} {locked[name].version}, but the cell says that {name} is absent"
    if as_of is not None and needs.as_of not in {"release", as_of}:
        return f"its distributions are as of {as_of or 'today'}, but the cell says {needs.as_of or 'today'}"
    own = metadata if config.project.install is not InstallMode.NONE else None
    lines = [(line, "the cell says") for line in needs.pins]
    lines += [(line, "the tests require") for line in needs.requires]
    lines += [(line, f"{own.name} requires") for line in _required(own, needs.extras, markers)] if own else []
    for line, who in lines:
        if problem := _broken(line, who, locked, markers):
            return problem
    for line in config.install.constraints:
        requirement = _parsed(line)
        is_locked = requirement is not None and normalise(requirement.name) in locked
        if is_locked and (problem := _broken(line, "the constraints say", locked, markers)):
            return problem
    version = markers.get("python_full_version", "")
    if own and version and own.requires_python and not allows(own.requires_python, version):
        return f"it is for Python {version}, but {own.name} requires Python {own.requires_python}"
    return ""


def malformed(distributions: Iterable[Distribution]) -> str:
    """Return what is wrong with the form of locked distributions, or "": they become lines of a requirements file."""
    seen: set[str] = set()
    for item in distributions:
        if normalise(item.name) in seen:
            return f"it holds {item.name} twice"
        seen.add(normalise(item.name))
        words = (item.name, item.version or "0", item.direct or "-", *item.hashes)
        forms = (NAME, VERSION, WORD, *(HASH for _ in item.hashes))
        if wrong := [text for form, text in zip(forms, words, strict=True) if not form.fullmatch(text)]:
            return f"it holds {wrong[0]!r}"
    return ""


def _renamed(locked: LockedEnvironment, name: str) -> str:
    """Return that an environment does not have a name that follows from its contents, or ""."""
    return "" if name in lockfile.names_of(locked) else f"{name} is the name of other contents"


def allows(specifier: str, version: str) -> bool:
    """Return whether a specifier allows a version, pre-releases included; a version that is none is allowed."""
    try:
        return Version(version) in SpecifierSet(specifier, prereleases=True)
    except InvalidVersion:
        return True


def expected_version(name: str, value: str, locked: Mapping[str, str]) -> str:
    """Return the version that a cell with `value` on the axis `name` must attest, "" for absent.

    It is the locked one, if the cell's pin allows it; else it is the pin itself, which no version equals.
    """
    pin, version = axis_values.version_specifier(value), locked.get(normalise(name), "")
    if pin is None:
        return ""
    return version if version and allows(pin, version) else f"{pin or 'of any version'}"


def _broken(line: str, who: str, locked: Mapping[str, Distribution], markers: Mapping[str, str]) -> str:
    """Return how the locked distributions break a requirement, or ""; direct references are not compared."""
    requirement = _parsed(line)
    if requirement is None or requirement.url or not _applies(requirement, markers):
        return ""
    found = locked.get(normalise(requirement.name))
    wanted = f"{who} {requirement.name}{requirement.specifier}"
    if found is None:
        return f"it holds no {requirement.name}, but {wanted}"
    if found.version and not allows(str(requirement.specifier), found.version):
        return f"it holds {found.name} {found.version}, but {wanted}"
    return ""


def _required(metadata: Metadata, extras: Iterable[str], markers: Mapping[str, str]) -> Iterator[str]:
    """Yield the requirements of the project with extras; an extra may name others of the project's own."""
    waiting, seen = ["", *map(normalise, extras)], set()
    while waiting:
        extra = waiting.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for line in metadata.requires:
            requirement = _parsed(line)
            if requirement is None or not _applies(requirement, markers, extra):
                continue
            if normalise(requirement.name) == normalise(metadata.name):
                waiting += map(normalise, requirement.extras)
            else:
                requirement.marker = None
                yield str(requirement)


def _applies(requirement: Requirement, markers: Mapping[str, str], extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**markers, "extra": extra})


def _parsed(line: str) -> Requirement | None:
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None


def _contradiction(
    config: Config,
    cell: Cell,
    locked: LockedEnvironment,
    interpreter: Interpreter,
    metadata: Metadata | None,
    groups: tuple[str, ...],
) -> str:
    """Return how a locked environment contradicts its cell, or "". Markers are of the Python that was locked."""
    version = {"python_full_version": locked.python, "implementation_version": locked.python}
    is_exact = locked.implementation == "cpython" and locked.python.count(".") > 1  # "3.12" was resolved without it
    markers = {**interpreter.markers, **(version if is_exact else {})}
    no_era = any("as-of was not applied" in note for note in locked.notes)
    return first_problem(
        config,
        cell,
        locked.distributions,
        markers,
        metadata=metadata,
        groups=groups,
        as_of=None if no_era else locked.as_of,
    )


def _platform(cell: Cell, locked: str, interpreter: Interpreter) -> str:
    """Return the locked platform, or that of the interpreter if the cell names its platform and both are of it."""
    machine = interpreter.markers.get("platform_machine", "")
    is_same = platforms.named(locked, machine) == cell.platform == platforms.named(interpreter.platform, machine)
    return interpreter.platform if is_same else locked


def _entry(config: Config, cell: Cell, locked: LockedEnvironment, interpreter: Interpreter, path: Path) -> LockEntry:
    wanted = (locked.implementation, locked.python.split(".")[:2], _platform(cell, locked.platform, interpreter))
    if wanted != (interpreter.implementation, interpreter.version.split(".")[:2], interpreter.platform):
        message = (
            f"{path} locks {cell.id} for {locked.implementation} {locked.python} on {locked.platform}, but this is "
            f"{interpreter.implementation} {interpreter.version} on {interpreter.platform}; make it here: venvgrid lock"
        )
        raise LockError(message)
    answer = Resolved(distributions=locked.distributions, notes=locked.notes)
    return lock_entry(config, cell, interpreter, answer, as_of=locked.as_of)
