"""Finds the files of a folder that may be Pythons, by names, links and `pyvenv.cfg`. Nothing is started."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.interpreters.locations import PYTHON_LIKE, Lookup, Machine, shim_owner
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LINK_DEPTH = 5  # links followed inside a folder, environments made from environments


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A path with the name of a Python that is not usable, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Result of a lookup. `exists` is False if its folder does not."""

    lookup: Lookup
    exists: bool
    executables: tuple[Path, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def collect(lookup: Lookup, machine: Machine) -> Candidates:
    """Return the candidates of a lookup: each executable once, by its most specific name."""
    if lookup.files:
        names = list(lookup.files)
        exists = any(os.path.lexists(name) for name in names)
    else:
        exists = lookup.folder.is_dir()
        if owner := shim_owner(lookup.folder):
            reason = f"shims of {owner}, whose Pythons are read from their own folders"
            skipped = (Rejected(path=str(lookup.folder), reason=reason),)
            return Candidates(lookup=lookup, exists=exists, rejected=skipped)
        names = _python_like(lookup) if exists else []
    executables: dict[Path, None] = {}
    rejected: list[Rejected] = []
    for path in _distinct(names):
        if reason := _unusable(path, machine):
            rejected.append(Rejected(path=str(path), reason=reason))
            continue
        base = base_executable(path)
        if base is None:
            executables[path] = None
            continue
        usable = base.exists()
        reason = f"a virtual environment of {base}" + ("" if usable else ", which is gone")
        rejected.append(Rejected(path=str(path), reason=reason))
        if usable:
            executables[canonical(base)] = None
    return Candidates(lookup=lookup, exists=exists, executables=tuple(executables), rejected=tuple(rejected))


def base_executable(path: Path) -> Path | None:
    """Return the Python that the virtual environment of `path` was made from, or None if `path` is in none.

    It may not exist any more.
    """
    base = None
    for _ in range(MAX_LINK_DEPTH):
        settings = _environment_settings(path)
        if settings is None:
            break
        path = base = _base(path, settings)
    return base


def canonical(path: Path) -> Path:
    """Follow links as long as they stay in the folder: python3 → python3.12, but not Homebrew's opt → Cellar."""
    for _ in range(MAX_LINK_DEPTH):
        try:
            target = path.parent / os.readlink(path)  # noqa: PTH115  as text: absolute or relative
        except OSError:
            return path
        if os.path.normpath(target.parent) != os.path.normpath(path.parent) or not PYTHON_LIKE.fullmatch(target.name):
            return path
        path = path.parent / target.name
    return path


def executable_in(folder: Path) -> Path | None:
    """Return the Python of the environment or installation at `folder`, or None if there is none."""
    for place in (folder / "bin", folder / "Scripts", folder):
        if names := [name for name in _names(place) if os.access(name, os.X_OK) and name.is_file()]:
            return _distinct(names)[0]
    return None


def _python_like(lookup: Lookup) -> list[Path]:
    folders = (_matching(lookup.folder, pattern) if pattern else [lookup.folder] for pattern in lookup.patterns)
    return [name for matching in folders for folder in matching for name in _names(folder)]


def _matching(folder: Path, pattern: str) -> list[Path]:
    """Return the matching folders; of a folder and the links to it, only the folder."""
    try:
        found = sorted(folder.glob(pattern))
    except OSError:
        return []
    # Of equal keys the last stays: the folder itself, else its first link.
    order = sorted(found, key=lambda path: (os.path.realpath(path) != os.path.abspath(path), path), reverse=True)  # noqa: PTH100
    return sorted({os.path.realpath(path): path for path in order}.values())


def _names(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(folder / entry.name for entry in entries if PYTHON_LIKE.fullmatch(entry.name))
    except OSError:
        return []


def _distinct(names: Iterable[Path]) -> list[Path]:
    """Return each file once, by its most specific name: python3.12 rather than python3."""
    groups: dict[object, list[Path]] = {}
    for path in dict.fromkeys(map(canonical, names)):
        groups.setdefault(_identity(path), []).append(path)
    return [max(group, key=_specificity) for group in groups.values()]


def _identity(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return path
    # Hard links count as one file only inside a folder: conda links one file into several installations.
    return (path.parent, status.st_dev, status.st_ino) if status.st_ino else path


def _specificity(path: Path) -> tuple[bool, bool, int]:
    name = path.name.lower().removesuffix(".exe")
    return not path.is_symlink(), name[-1:].isdigit(), len(name)


def _unusable(path: Path, machine: Machine) -> str:
    if not PYTHON_LIKE.fullmatch(path.name):
        return "its name is not that of a Python"
    if not path.exists():
        return "a broken link" if path.is_symlink() else "not there"
    if path.is_dir():
        return "a folder"
    if not os.access(path, os.X_OK):
        return "not executable"
    real = Path(os.path.realpath(path))
    if real.name in {"mise", "rye", "uv", "asdf", "mise.exe", "rye.exe", "uv.exe"}:
        return f"a shim of {real.stem}, whose Pythons are read from their own folder"
    is_apples = machine.platform == "darwin" and path.parent == machine.absolute("usr/bin")
    if is_apples and not _has_developer_tools(machine):
        return "Apple's placeholder: the developer tools, which bring the Python, are not installed"
    return ""


def _has_developer_tools(machine: Machine) -> bool:
    # Starting the placeholder would open a dialog.
    places = ("Library/Developer/CommandLineTools/usr/bin", "Applications/Xcode.app")
    return any(machine.absolute(place).exists() for place in places)


def _environment_settings(path: Path) -> dict[str, str] | None:
    for folder in (path.parent, path.parent.parent):
        try:
            text = (folder / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        pairs = (line.partition("=") for line in text.splitlines())
        return {key.strip().lower(): value.strip() for key, _, value in pairs}
    return None


def _base(path: Path, settings: dict[str, str]) -> Path:
    for key in ("base-executable", "executable"):
        if (value := settings.get(key)) and Path(value).is_file():
            return Path(value)
    home = Path(settings.get("home", ""))
    suffix = path.suffix if path.suffix.lower() == ".exe" else ""
    version = settings.get("version_info") or settings.get("version") or ""
    short = ".".join(version.split(".")[:2])
    names = (path.name, f"python{short}{suffix}", f"python3{suffix}", f"python{suffix}", f"pypy3{suffix}")
    return next((home / name for name in names if (home / name).is_file()), home / path.name)
