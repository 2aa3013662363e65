"""Which installed file comes from which source, and what edits mean for what is installed. Pure.

Paths are with "/": sources relative to the project, installed files relative to site-packages. Digests are sha256.
"""

from __future__ import annotations

from dataclasses import field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass
from venvgrid.outcomes import provenance
from venvgrid.project import build_files
from venvgrid.project.inputs import PYTEST_SETTINGS
from venvgrid.running.warm.preview import Cold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EXTENSIONS = (".so", ".pyd")
# Sources that a build turns into something else, even where they are installed as they are.
TURNED = (
    ".pyx",
    ".pxd",
    ".pxi",
    ".c",
    ".cc",
    ".cpp",
    ".cxx",
    ".h",
    ".hpp",
    ".rs",
    ".f",
    ".f90",
    ".in",
    ".jinja",
    ".j2",
)
BUILD = frozenset({*build_files.PROGRAMS, *build_files.DECLARATIONS, "meson.build", "CMakeLists.txt", "Cargo.toml"})
SETTINGS = frozenset({*PYTEST_SETTINGS, "tox.ini", ".coveragerc", "conftest.py"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where sources are installed: `files` by their source, `folders` of modules by the folder of their sources."""

    files: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    folders: Mapping[str, str] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """What became of the sources since the project was installed."""

    changed: tuple[str, ...] = ()
    created: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


def edits(before: Mapping[str, str], now: Mapping[str, str]) -> Edits:
    """Compare the contents of a project's inputs (`Inputs.contents`) at two times; folders do not count."""
    files = [name for name in {**before, **now} if " " in now.get(name, before.get(name, ""))]  # a folder is a mode
    return Edits(
        changed=tuple(sorted(name for name in files if name in before and before[name] != now.get(name, before[name]))),
        created=tuple(sorted(name for name in files if name not in before)),
        deleted=tuple(sorted(name for name in files if name not in now)),
    )


def place(installed: Mapping[str, str], sources: Mapping[str, str]) -> Placement:
    """Find the source of each installed file: one of the same name and content.

    If there are several, or if the file is empty, it is the one whose path ends with that of the installed file; of
    several again, the one with the shortest path (`build/lib` holds copies). A file without a certain source has none.
    """
    named: dict[tuple[str, str], list[str]] = {}
    for name, digest in sources.items():
        named.setdefault((name.rpartition("/")[2], digest), []).append(name)
    files = dict[str, str]()
    for path, digest in installed.items():
        found = named.get((path.rpartition("/")[2], digest), ()) if digest else ()
        if len(found) != 1 or digest == provenance.EMPTY_FILE:
            found = sorted(
                (name for name in found if f"/{name}".endswith(f"/{path}")), key=lambda name: (len(name), name)
            )
        if found and files.setdefault(found[0], path) != path:
            files[found[0]] = ""  # installed twice
    files = {source: path for source, path in files.items() if path}
    return Placement(files=files, folders=_folders(files))


def _folders(files: Mapping[str, str]) -> dict[str, str]:
    """Return the installed folder of each folder of modules whose modules are all installed into one."""
    found: dict[str, set[str]] = {}
    for source, path in files.items():
        if path.endswith(".py"):
            found.setdefault(source.rpartition("/")[0], set()).add(path.rpartition("/")[0])
    return {folder: next(iter(places)) for folder, places in found.items() if len(places) == 1}


def replaced(done: Edits, placed: Placement, installed: Iterable[str]) -> Mapping[str, str] | Cold:
    """Return the installed files that edits change, with their sources; or why only a build can tell.

    Edits of tests change nothing that is installed, unless the tests are.
    """
    compiled = {path.split(".")[0] for path in installed if path.endswith(EXTENSIONS)}
    found = dict[str, str]()
    for name in (*done.deleted, *done.created, *done.changed):
        if name in placed.files and name not in done.deleted and not _is_turned(name):
            target = placed.files[name]
        elif name in done.created and name.endswith(".py") and name.rpartition("/")[0] in placed.folders:
            folder = placed.folders[name.rpartition("/")[0]]
            target = f"{folder}/{name.rpartition('/')[2]}".lstrip("/")
        elif is_of_tests(name) and name not in placed.files:
            continue
        else:
            return Cold(reason=_why(name, done))
        if target.removesuffix(".py") in compiled:
            return Cold(reason=f"{name} is compiled")
        found[target] = name
    return found


def objection(done: Edits) -> Cold | None:
    """Return why an editable installation does not show these edits."""
    built = [name for name in (*done.deleted, *done.created, *done.changed) if _is_turned(name)]
    return Cold(reason=_why(built[0], done)) if built else None


def is_of_tests(name: str) -> bool:
    """Return whether a file belongs to tests, or to what they are told, by its path."""
    path = PurePosixPath(name)
    return path.name in SETTINGS or provenance.is_test(".".join((*path.parts[:-1], path.name.split(".")[0])))


def _is_turned(name: str) -> bool:
    return name.endswith(TURNED) or name in BUILD


def _why(name: str, done: Edits) -> str:
    if name in done.deleted:
        return f"{name} was deleted: the project must be built"
    if name in done.created:
        return f"{name} is new: only a build tells where it is installed"
    return f"{name} is not installed as it is: the project must be built"
