"""The files that the tests of a cell opened beside the inputs: what that means for keeping its result."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from venvgrid.model.result import Footprint
from venvgrid.project.inputs import COMPILED, content_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from venvgrid.project.inputs import Inputs

# Read-only places of the system: programs, libraries, settings of the machine, languages and time zones.
SYSTEM = (
    *("/usr/lib", "/usr/share/", "/usr/bin/", "/usr/sbin/", "/usr/include/", "/usr/libexec/"),
    *("/usr/local/lib", "/usr/local/share/", "/usr/local/bin/", "/lib", "/bin/", "/sbin/"),
    *("/etc/", "/proc/", "/sys/", "/dev/", "/nix/store/", "/System/", "/Library/", "/private/etc/", "/private/var/db/"),
)
CACHES = frozenset((".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"))  # tools' own, in the project
MANY = "many"  # how a path without a name was opened: more files than are noted
MAX_UPWARDS = 3  # folders, in a path that is shown relative to the project
PROGRAMS = {".git": "git", ".hg": "hg", ".svn": "svn"}


def judge(opened: Mapping[str, str], inputs: Inputs, own: Iterable[str]) -> Footprint:
    """Return what the opened files mean. `opened` maps paths to how they were opened first (see `_venvgrid_opened`).

    `own` are the folders of the cell and its environment, which do not count.
    """
    skip = (*SYSTEM, *(f"{place}{os.sep}" for place in own), *_windows())
    root, real = str(inputs.path), os.path.realpath(inputs.path)
    read: dict[str, str] = {}
    for path, how in opened.items():
        if how == "c":
            continue
        if how == MANY:
            return Footprint(doubt="its tests opened more files than are noted")
        if path.startswith(skip):
            continue
        place = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))  # noqa: PTH118, PTH119, PTH120
        base = next((folder for folder in (root, real) if _is_in(path, folder) or _is_in(place, folder)), "")
        if base:
            name = os.path.relpath(path if _is_in(path, base) else place, base).replace(os.sep, "/")
            doubt = _inside(name, how, inputs, read)
        elif place.startswith(skip) or any(_is_in(place, folder) for folder in inputs.outside):
            continue
        else:
            doubt = _outside(path, place, how, inputs, read)
        if doubt:
            return Footprint(doubt=doubt)
    return Footprint(read=read)


def _inside(name: str, how: str, inputs: Inputs, read: dict[str, str]) -> str:
    """Add a file of the project to `read` if it is no input and was not written first; return a doubt, or ""."""
    parts = name.split("/")
    if how == "x" and parts[-1] in PROGRAMS:
        return "" if inputs.versions else f"ran {PROGRAMS[parts[-1]]}, whose history is no input"
    if name in inputs.stamps or how in "wlxc" or not CACHES.isdisjoint(parts):
        return ""
    if name.endswith(COMPILED) and ("__pycache__" in parts or _has_source(name, inputs)):
        return ""
    path = os.path.join(inputs.path, name)  # noqa: PTH118
    content = content_of(path)
    if content and _changed_since(path, inputs.since):
        return f"read {name}, which was made in this run"
    read[path] = content
    return ""


def _outside(path: str, place: str, how: str, inputs: Inputs, read: dict[str, str]) -> str:
    if place in inputs.stamps:
        return ""
    if os.path.isdir(place):  # noqa: PTH112  (a path as text is at hand, here and below)
        shown = f"listed {_relative(path, inputs)}"
    elif os.path.lexists(place):
        shown = f"read {_relative(path, inputs)}"
    else:
        if how in "ra":
            read[place] = ""
        return ""
    is_own = how == "w" or (how == "l" and _is_above(place, inputs)) or (how == "x" and os.path.isdir(place))  # noqa: PTH112
    return "" if is_own else f"{shown}, which is outside the project"


def _has_source(name: str, inputs: Inputs) -> bool:
    return f"{name[:-4]}.py" in inputs.stamps


def _changed_since(path: str, moment: int) -> bool:
    try:
        return os.lstat(path).st_ctime_ns >= moment
    except OSError:
        return True


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_above(folder: str, inputs: Inputs) -> bool:
    """Return whether a folder is above the project: programs list such folders to find their settings."""
    return _is_in(os.path.realpath(inputs.path), folder)


def _relative(path: str, inputs: Inputs) -> str:
    try:
        shown = os.path.relpath(path, inputs.path)
    except ValueError:  # another drive
        return path
    return path if shown.count("..") > MAX_UPWARDS else shown.replace(os.sep, "/")


def _windows() -> tuple[str, ...]:
    names = ("SYSTEMROOT", "PROGRAMFILES", "PROGRAMFILES(X86)")
    return tuple(os.environ[name] + os.sep for name in names if os.environ.get(name))
