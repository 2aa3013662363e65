"""Finds the configuration file and parses its TOML; the contents are not yet checked."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.config.values import nearest, shown
from venvgrid.model import ConfigError
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE_NAME = "matrix.toml"
PYPROJECT = "pyproject.toml"
MAX_FILE_SIZE = 1_000_000  # bytes

_PLACE = re.compile(r" ?\(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The raw table of a configuration; `prefix` begins the key paths of messages.

    `notes` are about the choice of the file: it is not in the current folder, or another one was passed over.
    """

    table: Mapping[str, Any]
    file: Path
    prefix: str = ""
    notes: tuple[str, ...] = ()


def find(file: Path | None, *, cwd: Path) -> Source:
    """Find and read the configuration.

    Args:
        file: the file of -c, relative to `cwd`: any TOML file, or a pyproject.toml. None searches for it.
        cwd: the folder to search for matrix.toml, then for [tool.venvgrid] of pyproject.toml; then the folders above:
            up to the one of the git checkout, or, without one, up to one that is the user's home or not theirs alone.

    Raises:
        ConfigError: there is none, it cannot be read, or it is no valid TOML.
    """
    cwd = Path(os.path.abspath(cwd))  # noqa: PTH100 - resolve() would follow links that the user did not write
    if file is not None:
        path = Path(os.path.normpath(cwd / file))
        return parse(_text(path), path)
    folders = list(_folders(cwd))
    for folder in folders:
        for path in (folder / FILE_NAME, folder / PYPROJECT):
            if os.path.lexists(path):
                text = _text(path)
                if path.name == FILE_NAME or _is_ours(text, path):
                    return replace(parse(text, path), notes=tuple(_notes(path, cwd)))
    where = str(cwd) if len(folders) == 1 else f"{cwd} or in a folder above it, up to {folders[-1]}"
    without = next((folder / PYPROJECT for folder in folders if os.path.lexists(folder / PYPROJECT)), None)
    seen = f" ({without} has no [tool.venvgrid])" if without else ""
    missing = f"neither {FILE_NAME} nor [tool.venvgrid] of {PYPROJECT} is in {where}{seen}"
    raise ConfigError([f"no configuration found: {missing}. Type `venvgrid init` to write a first {FILE_NAME}"])


def _notes(path: Path, cwd: Path) -> Iterator[str]:
    """Yield what the user should know of the choice of a file."""
    if path.parent != cwd:
        yield f"the configuration is {path}"
    other = path.with_name(PYPROJECT)
    if path.name == FILE_NAME and os.path.lexists(other):
        with suppress(ConfigError):  # not ours: builds and tests will tell
            if _is_ours(_text(other), other):
                used = f"{FILE_NAME} is used, [tool.venvgrid] of {PYPROJECT} is not"
                yield f"{path.parent} has two configurations: {used}; remove one, or choose it with -c {PYPROJECT}"


def parse(text: str, file: Path) -> Source:
    """Return the configuration in the text of `file`; a file named pyproject.toml holds it in [tool.venvgrid].

    Raises:
        ConfigError: it is no valid TOML, or has no configuration.
    """
    table = _toml(text, file)
    prefix = ""
    if file.name == PYPROJECT:
        prefix = "tool.venvgrid"
        tool = table.get("tool")
        if not isinstance(tool, dict) or "venvgrid" not in tool:
            raise ConfigError([f"{file}: has no [tool.venvgrid]. Type `venvgrid init` to write a first {FILE_NAME}"])
        table = tool["venvgrid"]
        if not isinstance(table, dict):
            raise ConfigError([f"{file.name}: {prefix}: expected a table, [{prefix}], got {shown(table)}"])
    return Source(table=table, file=Path(os.path.abspath(file)), prefix=prefix)  # noqa: PTH100 - as above


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file of at most MAX_FILE_SIZE bytes; raises ConfigError."""
    return _toml(_text(path), path)


def read_pyproject(folder: Path) -> dict[str, Any]:
    """Return the content of the folder's pyproject.toml, or {} if there is none; raises ConfigError."""
    path = folder / PYPROJECT
    return read_toml(path) if os.path.lexists(path) else {}


def _folders(cwd: Path) -> Iterator[Path]:
    """Yield `cwd`, then the folders above it up to the one with .git; without any, as long as only the user owns them.

    A configuration names commands: one that another user can write into a folder above is never used.
    """
    above = [cwd, *cwd.parents]
    checkout = next((depth for depth, folder in enumerate(above) if os.path.lexists(folder / ".git")), None)
    if checkout is not None:
        yield from above[: checkout + 1]
        return
    yield cwd
    for folder in above[1:]:
        if folder == folder.parent or folder == Path(os.path.expanduser("~")) or not _is_private(folder):  # noqa: PTH111 - Path.home raises without a home
            return
        yield folder


def _is_private(folder: Path) -> bool:
    """Whether only this user writes into a folder; Windows does not tell."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return os.name == "nt" or (found.st_uid == os.getuid() and not found.st_mode & stat.S_IWOTH)


def _is_ours(text: str, path: Path) -> bool:
    tool = _toml(text, path).get("tool")
    return isinstance(tool, dict) and "venvgrid" in tool


def _text(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ConfigError([f"{path}: is a folder; give the file, such as {path / FILE_NAME}"])
        if not stat.S_ISREG(mode):  # reading a pipe could block forever
            raise ConfigError([f"{path}: is no regular file"])
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_SIZE + 1)
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file. {_instead(path)}"]) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ConfigError([f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from None
    if len(data) > MAX_FILE_SIZE:
        raise ConfigError([f"{path}: is larger than {MAX_FILE_SIZE:,} bytes: this is no configuration"])
    try:
        return data.decode("utf-8-sig")  # some editors on Windows write a byte order mark
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}: line {line} is not UTF-8; save the file as UTF-8"]) from None


def _instead(path: Path) -> str:
    """Return what to type for a file that is not there: a file with a name like it, or one to begin with."""
    there = [item.name for item in path.parent.glob("*.toml")] if path.parent.is_dir() else []
    if found := nearest(path.name, there):
        return found.removeprefix("; ").capitalize()
    if FILE_NAME in there:
        return f"{FILE_NAME} is used without -c"
    return f"Type `venvgrid init` to write a first {FILE_NAME}"


def _toml(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError([f"{file.name}: not valid TOML: nested too deeply"]) from None
    except ValueError as error:  # TOMLDecodeError; a plain one for an integer of more than 4,300 digits
        place = _PLACE.search(str(error))
        line, column = place.groups() if place else (None, None)
        if place and line is None:
            line, column = str(text.count("\n") + 1), str(len(text) - text.rfind("\n"))
        at, where = (f":{line}:{column}", f" (line {line}, column {column})") if line else ("", "")
        seen = text.splitlines()[int(line) - 1 : int(line)] if line else []
        shows = f", in the line {shown(seen[0].strip())}" if seen and seen[0].strip() else ""
        shows = shows or (": a quote or bracket above is never closed" if line else "")
        why = _PLACE.sub("", str(error)).replace("Cannot overwrite a value", "the key is there twice")
        raise ConfigError([f"{file.name}{at}: not valid TOML{where}: {why}{shows}"]) from None
