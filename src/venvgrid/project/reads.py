"""The files that the tests of a cell read beside the inputs: what that means for keeping its result."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.model.result import Footprint
from venvgrid.outcomes.outside import programs
from venvgrid.project import bytecode, history
from venvgrid.project.inputs import COMPILED, OURS, READ_ABOVE, TOOLS, Inputs, content_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from venvgrid.outcomes.witness import Ran

# Read-only places of the system: programs, libraries, languages and time zones.
SYSTEM = (
    *(f"{place}/lib{bits}/" for place in ("", "/usr", "/usr/local") for bits in ("", "32", "64", "x32", "exec")),
    *("/usr/share/", "/usr/bin/", "/usr/sbin/", "/usr/include/", "/usr/local/bin/", "/bin/", "/sbin/"),
    *("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/pts/", "/dev/fd/", "/dev/std"),
    *("/proc/", "/sys/", "/nix/store/", "/System/", "/Library/", "/private/var/db/"),
)
WINDOWS = ("SYSTEMROOT", "PROGRAMFILES", "PROGRAMFILES(X86)")  # variables that name such places
DEVICES, MEMORY = "/dev/", "/dev/shm/"  # noqa: S108  (files in the latter are as others)
# Files in settings of the machine, and in settings and caches of the user, count by their contents.
SETTINGS = ("/etc/", "/usr/local/share/", "/private/etc/")
OF_USER = ("~/.cache", "~/.config", "~/Library/Caches", "~/Library/Preferences", "~/AppData/Local", "~/AppData/Roaming")
OF_USER_BY = ("$XDG_CACHE_HOME", "$XDG_CONFIG_HOME")
CACHES = frozenset((".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"))  # tools' own, in the project
QUIET = frozenset((OURS, "__pycache__", *CACHES))  # folders in which anything may be deleted
MANY, OF_INTERPRETER, LINKED, ENTRY, STATED, DOUBT = "m", "i", "k", "o", "t", "d"  # see `_venvgrid_opened`
FILES = frozenset(("r", "a", LINKED, programs.GIVEN))  # how folders are opened as well, to be listed
# What is imported of a folder, and what tells of a distribution. A folder of any content is a package, too.
MODULE_NAMES = (".py", ".so", ".pyd", ".egg", ".egg-info", ".dist-info")
HISTORIES = frozenset((programs.HISTORY_OF, programs.INDEX_OF, programs.WORK_TREE_OF))
MAX_UPWARDS = 3  # folders, in a path that is shown relative to the project
# Suffixes of a path in a footprint: whether it is there; size, times, mode and target; the names in a folder, those of
# its modules, all names below it, and the names with the status of each; what git says besides the files.
IS_THERE, STATUS, NAMES, MODULES, TREE, ENTRIES, GIT = "?", "?=", "/*", "/*.py", "/**", "/*=", "/*git"


def state_of(place: str) -> str:
    """Return what a footprint says of a place: a file's content, whether it is there, or what a folder holds."""
    if place.endswith(STATUS):
        return _status(place.removesuffix(STATUS))
    if place.endswith(IS_THERE):
        return _kind(place.removesuffix(IS_THERE))
    if place.endswith(GIT):
        return history.references(Path(place.removesuffix(GIT)))
    for suffix in (MODULES, TREE, NAMES, ENTRIES):
        if place.endswith(suffix):
            folder = place.removesuffix(suffix)
            names = sorted(_names(folder, suffix))
            told = {MODULES: lambda _: "", ENTRIES: _status}.get(suffix, _kind)
            entries = [told(os.path.join(folder, name)) for name in names]
            text = "\0".join(names + entries)
            return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    return content_of(place)


def judge(
    opened: Mapping[str, str], ran: Iterable[Ran], inputs: Inputs, own: Iterable[str], commands: str = ""
) -> Footprint:
    """Return what the opened files mean. `opened` maps paths to how they were opened first (see `_venvgrid_opened`).

    `own` are the folders of the cell and its environment, which do not count; `commands` is the one of its programs.
    """
    judging = _Judging(inputs, own)
    found = (*opened.items(), *programs.reads(ran, commands, (*judging.roots, *own), SYSTEM))
    doubt, wrote = next(filter(None, (judging.doubt(path, how) for path, how in found)), ""), judging.written(opened)
    return Footprint(doubt=doubt, wrote=wrote) if doubt else Footprint(read=judging.read, wrote=wrote)


class _Judging:
    """Collects in `read` what a result depends on beside the inputs."""

    def __init__(self, inputs: Inputs, own: Iterable[str]) -> None:
        self.inputs, self.read = inputs, dict[str, str]()
        windows = (os.environ[name] + os.sep for name in WINDOWS if os.environ.get(name))
        self._skip = (*SYSTEM, *(f"{place}{os.sep}" for place in own), *windows)
        self._own = tuple(own)
        folders = [os.path.expanduser(os.path.expandvars(name)) for name in (*OF_USER, *OF_USER_BY)]
        self._of_user = tuple(os.path.join(os.path.realpath(item), "") for item in folders if os.path.isabs(item))
        self.roots = (str(inputs.path), os.path.realpath(inputs.path))

    def _names_of(self, path: str) -> list[str]:
        """Return the name of a path in the project, by each name of the project itself."""
        return [os.path.relpath(path, root).replace(os.sep, "/") for root in self.roots if _is_in(path, root)]

    def written(self, opened: Mapping[str, str]) -> tuple[str, ...]:
        """Return the inputs that were opened to write."""
        names = {name for path, how in opened.items() if how in {"w", "a"} for name in self._names_of(path)}
        return tuple(sorted(names & self.inputs.stamps.keys()))

    def deleted(self, path: str) -> str:
        """Return that a path is not there any more, or "" if it is an input: that is a change of the project."""
        known = any(name in self.inputs.stamps for name in (path, *self._names_of(path)))
        is_quiet = not QUIET.isdisjoint(path.split(os.sep)) or f"{path}{os.sep}".startswith(self._skip)
        return "" if known or is_quiet else f"deleted {_relative(path, self.inputs)}, which is no input"

    def doubt(self, path: str, how: str) -> str:
        """Return why a result cannot be kept after a path was read so, or ""."""
        if how in {DOUBT, programs.DELETED}:
            return path if how == DOUBT else self.deleted(path)
        if how == MANY:
            return "its tests opened more files than are noted"
        if how == OF_INTERPRETER:
            return f"wrote {path}, which all environments of that Python share"
        if how == programs.UNKNOWN:
            return f"ran {path}, which does not say what it reads"
        if how == "c" or f"{path}{os.sep}".startswith(self._skip):
            return ""
        place = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if how == programs.SETTING:
            return "" if os.path.isdir(place) else self._setting(path, place)
        base = next((folder for folder in self.roots if _is_in(path, folder) or _is_in(place, folder)), "")
        if base:
            name = os.path.relpath(path if _is_in(path, base) else place, base).replace(os.sep, "/")
            return self._inside("" if name == "." else name, how)
        if f"{place}{os.sep}".startswith(self._skip) or any(_is_in(place, folder) for folder in self.inputs.outside):
            return ""
        return self._outside(path, place, how)

    def _inside(self, name: str, how: str) -> str:
        path = os.path.join(self.inputs.path, name)
        if how in HISTORIES:
            is_own = history.is_of(self.inputs.path, path, files=how == programs.WORK_TREE_OF)
            if not self.inputs.versions or how == programs.INDEX_OF or not is_own:
                return "ran git, whose history is no input"
            self.read[f"{self.inputs.path}{GIT}"] = state_of(f"{self.inputs.path}{GIT}")
            return ""
        if how == "w" or not CACHES.isdisjoint(name.split("/")) or name.startswith((OURS, f"{OURS}/")):
            return ""
        if how in {"l", "p", ENTRY} or (how in FILES and os.path.isdir(path) and not os.path.islink(path)):
            return self._listed(path, name, how)
        if how in FILES:
            name = bytecode.source_of(name)
            path = os.path.join(self.inputs.path, name)
        if name in self.inputs.stamps or not name or name.endswith("__pycache__"):
            return ""
        if name.endswith(COMPILED) and f"{name[:-4]}.py" in self.inputs.stamps:
            return ""
        if how in {"s", "n", STATED}:
            return self._asked(path, name, how)
        content = content_of(path)
        if content and _changed_since(path, self.inputs.since):
            return f"read {name}, which was made in this run"
        self.read[path] = content
        return self.doubt(os.path.realpath(path), how) if os.path.islink(path) else ""

    def _asked(self, path: str, name: str, how: str) -> str:
        """Of most files only that they are there: pytest asks for all beside the tests, also for logs and data."""
        if "__pycache__" in name.split("/") or self.inputs.is_report(name):
            return ""
        if how == STATED and os.path.isfile(path) and _changed_since(path, self.inputs.since):
            return f"asked for the state of {name}, which was made in this run"
        place = path + (STATUS if how == STATED or os.path.islink(path) else IS_THERE)
        self.read[place] = "" if how == "n" else state_of(place)
        return ""

    def _listed(self, path: str, name: str, how: str) -> str:
        """Names that are inputs are one of them; those that git ignores count as they are."""
        suffix = {"p": MODULES, programs.GIVEN: TREE, LINKED: TREE, ENTRY: ENTRIES}.get(how, NAMES)
        if "__pycache__" in name.split("/"):
            return ""
        prefix = f"{name}/" if name else ""
        for item in _names(path, suffix):
            if prefix + item in self.inputs.stamps or self.inputs.is_report(prefix + item):
                continue
            place = os.path.join(path, item)
            if how in {programs.GIVEN, LINKED} and not os.path.isdir(place):
                what = f"{name or 'the project'}{' to a program' if how == programs.GIVEN else ' another name'}"
                return f"gave {what}, with {prefix}{item}, which git ignores"
            if how != "p" and not self._was_there(prefix + item) and _changed_since(place, self.inputs.since):
                return f"listed {name or 'the project'}, where {item} was made in this run"
        self.read[path + suffix] = state_of(path + suffix)
        return ""

    def _was_there(self, name: str) -> bool:
        """Return whether git named an ignored file or folder when the run began; a folder's own times tell nothing."""
        known = self.inputs.known
        return known is not None and not known.ignored.isdisjoint((name, f"{name}/"))

    def _outside(self, path: str, place: str, how: str) -> str:
        if place in self.inputs.stamps:
            return ""
        if how in HISTORIES:
            return f"ran git in {_relative(path, self.inputs)}, which is outside the project"
        is_above = _is_above(place, self.inputs)
        if how == "w" or (how in {"p", "s", STATED} and is_above) or self._is_of_machine(place, how, is_above=is_above):
            return ""
        if how in {"s", "n", STATED}:
            if not _is_above(os.path.dirname(place), self.inputs) or os.path.basename(place) not in READ_ABOVE:
                self.read[place + (IS_THERE if how == "n" else STATUS)] = "" if how == "n" else _status(place)
            return ""
        if how in {"l", ENTRY} and is_above:
            self.read[place + ENTRIES] = state_of(place + ENTRIES)
            return ""
        return self._content_outside(path, place, how)

    def _content_outside(self, path: str, place: str, how: str) -> str:
        if not os.path.lexists(place):
            if how in {"r", "a", LINKED}:
                self.read[place] = ""
        elif os.path.isdir(place):
            return f"listed {_relative(path, self.inputs)}, which is outside the project"
        elif place.startswith((*SETTINGS, *self._of_user)):
            return self._setting(path, place)
        else:
            return f"read {_relative(path, self.inputs)}, which is outside the project"
        return ""

    def _setting(self, path: str, place: str) -> str:
        """Count a file of settings by its content, and a link by its target and what is there; it may be missing."""
        real = os.path.realpath(place)
        for item in (place,) if f"{real}{os.sep}".startswith(self._skip) else dict.fromkeys((place, real)):
            if os.path.lexists(item) and _changed_since(item, self.inputs.since):
                return f"read {_relative(path, self.inputs)}, which was changed in this run"
            self.read[item] = content_of(item)
        return ""

    def _is_of_machine(self, place: str, how: str, *, is_above: bool) -> bool:
        """Return whether a place is a device, or one of the folders that hold those of the cell."""
        is_device = place.startswith(DEVICES) and not place.startswith(MEMORY)
        return is_device or (
            how in {"l", "p", "s", ENTRY, STATED}
            and not is_above
            and any(_is_in(folder, place) for folder in self._own)
        )


def _kind(path: str) -> str:
    """Return the kind of what a path leads to; "" if there is nothing."""
    if not os.path.lexists(path):
        return ""
    return "folder" if os.path.isdir(path) else "file" if os.path.exists(path) else "link"


def _status(path: str) -> str:
    """Return what `os.stat` and `os.readlink` tell of a path, as far as it stays the same while it is only read."""
    kind, facts = _kind(path), tuple[int, ...]()
    if kind == "file":
        with suppress(OSError):
            found = os.stat(path)
            facts = (found.st_mode, found.st_size, found.st_mtime_ns)
    target = os.path.realpath(path) if os.path.islink(path) else ""
    return " ".join((kind, *map(str, facts), target)).strip()


def _names(folder: str, suffix: str) -> Iterator[str]:
    """Yield the names in a folder, without those of tools and compiled files; with TREE, also those in its folders."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        place = os.path.join(folder, name)
        if suffix == MODULES:
            is_wanted = name.endswith(MODULE_NAMES) or (
                name.isidentifier() and name not in TOOLS and os.path.isdir(place)
            )
        else:
            is_wanted = name not in TOOLS and not name.endswith(COMPILED)
        if is_wanted and name != OURS:
            yield name
            if suffix == TREE and os.path.isdir(place) and not os.path.islink(place):
                yield from (f"{name}/{below}" for below in _names(place, TREE))


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
