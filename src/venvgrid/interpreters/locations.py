"""Locations of Pythons on a machine: folders and the patterns below them, in the order of precedence.

Only names are read; nothing is started. Shims, which start one of several Pythons, are recognised by their folder.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.interpreters.windows_registry import registered
from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PYTHON_LIKE = re.compile(
    r"(?:python|pypy|graalpy)(?:\d+(?:\.\d+)?)?(?:_d|t?d?m?u?)(?:-dbg|-debug)?(?:-32|-64|-intel64|-arm64)?(?:\.exe)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Properties of a machine that discovery needs; a value, so that every platform's layout can be tested anywhere."""

    environ: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    home: Path
    platform: str = sys.platform  # as sys.platform: "linux", "darwin", "win32"
    root: Path = Path("/")  # parent of absolute paths
    running: str = ""  # the Python that runs venvgrid

    @property
    def is_windows(self) -> bool:
        """Whether installations have their executable beside Lib instead of in bin."""
        return self.platform == "win32"

    @property
    def separator(self) -> str:
        """Separator of the entries of PATH."""
        return ";" if self.is_windows else ":"

    def named(self, variable: str, default: Path) -> Path:
        """Return the folder that a variable names, else the default."""
        value = self.environ.get(variable, "")
        return _path(value) if value else default

    def folder(self, variable: str, default: str) -> Path:
        """Return the folder that a variable names, else the default below the home folder."""
        return self.named(variable, self.home / default)

    def absolute(self, path: str) -> Path:
        """Return an absolute path of this machine."""
        return self.root / path

    @property
    def data_home(self) -> Path:
        """Data folder of tools that follow XDG."""
        return self.folder("XDG_DATA_HOME", ".local/share")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A folder to search. `patterns` are globs below it for folders of executables."""

    source: str
    folder: Path
    patterns: tuple[str, ...] = ("",)
    files: tuple[Path, ...] = ()  # executables known by path; if given, the folder is not searched


def lookups(machine: Machine) -> tuple[Lookup, ...]:
    """Return every place to search, specific sources first, each folder once (/bin may be a link to /usr/bin)."""
    found: dict[object, Lookup] = {}
    for source in (_managers, _conda, _systems, _paths):
        for lookup in source(machine):
            found.setdefault((os.path.realpath(lookup.folder), lookup.patterns, lookup.files), lookup)
    return tuple(found.values())


def path_folders(machine: Machine) -> list[Path]:
    """Return the absolute folders of PATH, in order."""
    entries = (entry.strip('"') for entry in machine.environ.get("PATH", "").split(machine.separator))
    return [Path(entry) for entry in dict.fromkeys(entries) if entry and Path(entry).is_absolute()]


def shim_owner(folder: Path) -> str:
    """Return the version manager whose shims `folder` holds, or "" if it holds none of a known one."""
    if folder.name != "shims":
        return ""
    if (folder.parent / "versions").is_dir():
        return "pyenv"
    if (folder.parent / "installs").is_dir():
        return "mise" if "mise" in folder.parent.name else "asdf"
    if (folder.parent / "py").is_dir():
        return "rye"
    return ""


def _path(text: str) -> Path:
    return Path(os.path.expanduser(text))  # noqa: PTH111  pathlib's raises for "~nobody"


def _managers(machine: Machine) -> Iterator[Lookup]:
    home, data = machine.home, machine.data_home
    below = ("*",) if machine.is_windows else ("*/bin",)
    owners = [(shim_owner(folder), folder.parent) for folder in path_folders(machine)]
    pyenv = machine.folder("PYENV_ROOT", ".pyenv/pyenv-win" if machine.is_windows else ".pyenv")
    for root in [pyenv, *(root for owner, root in owners if owner == "pyenv")]:
        yield Lookup(source="pyenv", folder=root / "versions", patterns=below)
    for folder in _uv_folders(machine):
        yield Lookup(source="uv", folder=folder, patterns=below)
    asdf = machine.folder("ASDF_DATA_DIR", ".asdf")
    for root in [asdf, *(root for owner, root in owners if owner == "asdf")]:
        yield Lookup(source="asdf", folder=root / "installs" / "python", patterns=below)
    local = machine.folder("LOCALAPPDATA", "AppData/Local") if machine.is_windows else data
    mise = machine.named("MISE_DATA_DIR", local / "mise")
    installs = machine.named("MISE_INSTALLS_DIR", mise / "installs")
    for folder in [installs, *(root / "installs" for owner, root in owners if owner == "mise")]:
        yield Lookup(source="mise", folder=folder / "python", patterns=below)
    inner = ("*/*", "*/*/install") if machine.is_windows else ("*/*/bin", "*/*/install/bin")
    for folder in _hatch_folders(machine):
        yield Lookup(source="hatch", folder=folder, patterns=inner)
    rye = machine.folder("RYE_HOME", ".rye")
    both = ("*", "*/install") if machine.is_windows else ("*/bin", "*/install/bin")
    yield Lookup(source="rye", folder=rye / "py", patterns=both)
    for variable in ("RUNNER_TOOL_CACHE", "AGENT_TOOLSDIRECTORY"):
        if value := machine.environ.get(variable):
            for name in ("Python", "PyPy", "GraalPy"):
                folders = ("*/*",) if machine.is_windows else ("*/*/bin",)
                yield Lookup(source="tool cache", folder=Path(value) / name, patterns=folders)
    if machine.is_windows:
        yield Lookup(source="pyenv", folder=home / ".pyenv" / "versions", patterns=below)


def _uv_folders(machine: Machine) -> list[Path]:
    if value := machine.environ.get("UV_PYTHON_INSTALL_DIR"):
        return [_path(value)]
    if machine.is_windows:
        roaming = machine.folder("APPDATA", "AppData/Roaming")
        return [roaming / "uv" / "python", roaming / "uv" / "data" / "python"]
    folders = [machine.data_home / "uv" / "python"]
    if machine.platform == "darwin":
        folders.append(machine.home / "Library" / "Application Support" / "uv" / "python")
    return folders


def _hatch_folders(machine: Machine) -> list[Path]:
    defaults = {
        "win32": machine.folder("LOCALAPPDATA", "AppData/Local"),
        "darwin": machine.home / "Library" / "Application Support",
    }
    data = machine.named("HATCH_DATA_DIR", defaults.get(machine.platform, machine.data_home) / "hatch")
    return [data / "pythons", data / "env" / "virtual" / ".pythons", machine.home / ".pythons"]


def _conda(machine: Machine) -> Iterator[Lookup]:
    environ, home = machine.environ, machine.home
    bases = [Path(environ["CONDA_EXE"]).parent.parent] if environ.get("CONDA_EXE") else []
    bases += [Path(environ[name]) for name in ("MAMBA_ROOT_PREFIX", "CONDA_ROOT") if environ.get(name)]
    names = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba")
    bases += [home / name for name in names]
    if machine.is_windows:
        bases += [machine.folder("LOCALAPPDATA", "AppData/Local") / name for name in names]
        bases += [Path(environ["PROGRAMDATA"]) / name for name in names if environ.get("PROGRAMDATA")]
        below: tuple[str, ...] = ("", "envs/*")
    else:
        bases += [machine.absolute(name) for name in ("opt/conda", "opt/miniconda3", "opt/anaconda3")]
        bases += [home / "opt" / name for name in names]
        below = ("bin", "envs/*/bin")
    for base in bases:
        yield Lookup(source="conda", folder=base, patterns=below)
    single, inner = below[:1], (f"*/{below[0]}".rstrip("/"),)
    if value := environ.get("CONDA_PREFIX"):
        yield Lookup(source="conda", folder=Path(value), patterns=single)
    for name in ("CONDA_ENVS_PATH", "CONDA_ENVS_DIRS"):
        for entry in filter(None, environ.get(name, "").split(machine.separator)):
            yield Lookup(source="conda", folder=Path(entry), patterns=inner)
    yield Lookup(source="conda", folder=home / ".conda" / "envs", patterns=inner)
    with suppress(OSError):
        for line in (home / ".conda" / "environments.txt").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.strip():
                yield Lookup(source="conda", folder=Path(line.strip()), patterns=single)


def _systems(machine: Machine) -> Iterator[Lookup]:
    if machine.is_windows:
        yield from _windows(machine)
        return
    brews = [machine.absolute(name) for name in ("opt/homebrew", "usr/local", "home/linuxbrew/.linuxbrew")]
    if value := machine.environ.get("HOMEBREW_PREFIX"):
        brews.insert(0, Path(value))
    for brew in brews:
        patterns = ("python@*/bin", "python@*/libexec/bin", "python-freethreading/bin", "pypy*/bin", "graalpy*/bin")
        yield Lookup(source="Homebrew", folder=brew / "opt", patterns=patterns)
    yield Lookup(source="/opt/python", folder=machine.absolute("opt/python"), patterns=("*/bin",))
    if machine.platform == "darwin":
        for parent in (machine.absolute("Library"), machine.home / "Library", machine.absolute("opt/local/Library")):
            source = "MacPorts" if "local" in parent.parts else "framework"
            for name in ("Python.framework", "PythonT.framework"):
                folder = parent / "Frameworks" / name / "Versions"
                yield Lookup(source=source, folder=folder, patterns=("*/bin",))


def _windows(machine: Machine) -> Iterator[Lookup]:
    for executable in registered():
        yield Lookup(source="registry", folder=executable.parent, files=(executable,))
    local = machine.folder("LOCALAPPDATA", "AppData/Local")
    yield Lookup(source="python.org", folder=local / "Programs" / "Python", patterns=("Python*",))
    yield Lookup(source="python.org", folder=local / "Python", patterns=("*core-*",))
    for name in ("PROGRAMFILES", "PROGRAMFILES(X86)"):
        if value := machine.environ.get(name):
            yield Lookup(source="python.org", folder=Path(value), patterns=("Python*",))
    drive = machine.environ.get("SYSTEMDRIVE", "C:") + os.sep
    yield Lookup(source="python.org", folder=Path(drive), patterns=("Python*",))


def _paths(machine: Machine) -> Iterator[Lookup]:
    yield Lookup(source="~/.local/bin", folder=machine.home / ".local" / "bin")
    for folder in path_folders(machine):
        yield Lookup(source="PATH", folder=folder)
    if not machine.is_windows:
        for name in ("usr/local/bin", "usr/bin"):
            yield Lookup(source="system", folder=machine.absolute(name))
    if machine.running:
        running = Path(machine.running)
        yield Lookup(source="the Python that runs venvgrid", folder=running.parent, files=(running,))
