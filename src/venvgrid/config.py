"""The configuration: found, read, checked, and turned into one immutable value."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
import sysconfig
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid import axes, serial
from venvgrid.config_axes import read_axes, read_rules
from venvgrid.config_reader import Mistakes, Table
from venvgrid.config_sections import read_install, read_planning, read_project, read_test
from venvgrid.config_values import shown
from venvgrid.errors import ConfigError
from venvgrid.model import AxisKind, Config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE_NAME = "matrix.toml"
PYPROJECT = "pyproject.toml"
SECTIONS = ("project", "axes", "plan", "exclude", "include", "install", "test")
LARGEST_FILE = 1_000_000  # bytes
MOST_CELLS = 10_000

_PLACE = re.compile(r" ?\(at (?:line (\d+), column (\d+)|end of document)\)$")


def running_python() -> str:
    """Give the Python that runs venvgrid as a value of the python axis: "3.11", "3.13t", "pypy3.10"."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.implementation.name in {"pypy", "graalpy"}:
        return f"{sys.implementation.name}{minor}"
    return f"{minor}t" if sysconfig.get_config_var("Py_GIL_DISABLED") else minor


def load(file: Path | None, *, cwd: Path, running: str | None = None) -> Config:
    """Find, read and check the configuration.

    Args:
        file: what -c gave, relative to `cwd`: any TOML file, or a pyproject.toml. None: look for it.
        cwd: where to look for matrix.toml, then [tool.venvgrid] of pyproject.toml; inside a git checkout also in
            the folders above, up to the checkout's.
        running: the value of the python axis where the configuration has none; default: this Python.

    Raises:
        ConfigError: there is none, it cannot be read, or it has mistakes (all of them).
    """
    cwd = Path(os.path.abspath(cwd))  # noqa: PTH100 - resolve() would follow links that the user did not write
    if file is not None:
        path = Path(os.path.normpath(cwd / file))
        return parse(_text(path), file=path, running=running)
    looked: list[str] = []
    for folder in _folders(cwd):
        for path in (folder / FILE_NAME, folder / PYPROJECT):
            looked.append(str(path))
            if os.path.lexists(path):
                text = _text(path)
                if path.name == FILE_NAME or _is_ours(text, path):
                    return parse(text, file=path, running=running)
                looked[-1] += " (it has no [tool.venvgrid])"
    raise ConfigError(
        [f"no configuration found. Looked for: {', '.join(looked)}. Type `venvgrid init` to write a first {FILE_NAME}"]
    )


def parse(text: str, *, file: Path, running: str | None = None) -> Config:
    """Turn the text of `file` into a Config; only the existence of the project's folder is looked at on the disk.

    A file named pyproject.toml holds it in [tool.venvgrid].

    Raises:
        ConfigError: broken TOML, or one or more mistakes.
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
    return from_table(table, file=file, prefix=prefix, running=running)


def from_table(table: Mapping[str, Any], *, file: Path, prefix: str = "", running: str | None = None) -> Config:
    """Turn the configuration's table, as tomllib gives it, into a Config; `prefix` begins the key paths of messages.

    Raises:
        ConfigError: one or more mistakes, each with its key path and what is allowed.
    """
    file = Path(os.path.abspath(file))  # noqa: PTH100 - as above
    mistakes = Mistakes(file=file.name)
    top = Table(values=table, path=prefix, mistakes=mistakes)
    root = file.parent
    top.only(SECTIONS, "section")
    found = read_axes(top.table("axes"), root, running or running_python())
    config = Config(
        file=file,
        root=root,
        axes=found,
        project=read_project(top.table("project"), root),
        install=read_install(top.table("install")),
        test=read_test(top.table("test"), [axis.name for axis in found]),
        excludes=read_rules(top.tables("exclude"), found, root, include=False),
        includes=read_rules(top.tables("include"), found, root, include=True),
    )
    name, planning = read_planning(top.table("plan"), found)
    config = replace(config, strategy=name, planning=planning)
    if planning.kind == "full" and (cells := axes.count(found)) > MOST_CELLS:
        sizes = " x ".join(f"{len(axis.values)} {axis.name}" for axis in found)
        top.wrong("axes", too_many(cells, sizes))
    if mistakes.found:
        raise ConfigError(mistakes.listed())
    return replace(config, digest=digest(config))


def too_many(cells: int, sizes: str) -> str:
    """Say that a product is too large to be expanded, and what to do."""
    # A number of more than 4,300 digits cannot be written out.
    number = f"{cells:,}" if cells < 10**30 else "more than 10^30"
    return f"{number} cells ({sizes[:300]}); at most {MOST_CELLS:,} are possible: give fewer values, or fewer axes"


def digest(config: Config) -> str:
    """Give a SHA-256 of what `config` means: the same for any layout of the file, and in any folder."""
    plain = serial.to_plain(replace(config, file=Path(), root=Path(), digest=""))
    plain["project"]["path"] = _relative(config.project.path, config.root)
    plain["axes"] = {
        axis.name: sorted(
            _portable(value, config.root) if axis.kind is AxisKind.PYTHON else value for value in axis.values
        )
        for axis in config.axes
    }
    for rule in (*plain.get("excludes", ()), *plain.get("includes", ())):
        if "python" in rule["keys"]:
            rule["keys"]["python"] = [_portable(value, config.root) for value in rule["keys"]["python"]]
    for section, name in _SETS:
        if name in plain.get(section, ()):
            plain[section][name] = sorted(plain[section][name])
    data = json.dumps(["venvgrid-config-1", plain], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(data.encode()).hexdigest()


# Lists whose order means nothing.
_SETS = (
    ("project", "extras"),
    ("project", "groups"),
    ("install", "requires"),
    ("install", "constraints"),
    ("install", "source_builds"),
    ("test", "pass_env"),
)


def _portable(value: str, root: Path) -> str:
    """Give the path of a Python inside `root` relative to it, any other value as it is."""
    path = Path(value)
    return path.relative_to(root).as_posix() if path.is_absolute() and path.is_relative_to(root) else value


def _relative(path: Path, root: Path) -> str:
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


def read_toml(path: Path) -> dict[str, Any]:
    """Give the content of a TOML file of at most LARGEST_FILE bytes; raises ConfigError."""
    return _toml(_text(path), path)


def _folders(cwd: Path) -> Iterator[Path]:
    """Give `cwd`, then the folders above it up to the one that holds .git; only `cwd` outside of a checkout."""
    above = [cwd, *cwd.parents]
    checkout = next((depth for depth, folder in enumerate(above) if os.path.lexists(folder / ".git")), 0)
    yield from above[: checkout + 1]


def _is_ours(text: str, path: Path) -> bool:
    tool = _toml(text, path).get("tool")
    return isinstance(tool, dict) and "venvgrid" in tool


def _text(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ConfigError([f"{path}: is a folder; give the file, such as {path / FILE_NAME}"])
        if not stat.S_ISREG(mode):  # reading a pipe could wait for ever
            raise ConfigError([f"{path}: is no regular file"])
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file. Type `venvgrid init` to write a first {FILE_NAME}"]) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ConfigError([f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from None
    if len(data) > LARGEST_FILE:
        raise ConfigError([f"{path}: is larger than {LARGEST_FILE:,} bytes: this is no configuration"])
    try:
        return data.decode("utf-8-sig")  # some editors on Windows write a byte order mark
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}: line {line} is not UTF-8; save the file as UTF-8"]) from None


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
        at = f":{line}:{column}" if line else ""
        where = f" (line {line}, column {column})" if line else ""
        problem = _PLACE.sub("", str(error))
        raise ConfigError([f"{file.name}{at}: not valid TOML{where}: {problem}"]) from None
