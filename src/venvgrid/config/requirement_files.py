"""Reads `-r FILE`, `-c FILE` and `./folder` among the requirements of [install].

A file is replaced by its requirements: all that is made from them, such as the lock, changes with the file.
"""

from __future__ import annotations

import os
import re
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.config import values
from venvgrid.config.values import BadValueError, shown
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvgrid.model import ProjectOptions

MAX_FILE_BYTES = 1_000_000  # bytes
MAX_DEPTH = 10  # of files that name files

_FILE = re.compile(r"(?P<option>-r|--requirement|-c|--constraint)(?:\s*=\s*|\s+|(?<=-[rc]))(?P<name>\S.*)")
_FOLDER = re.compile(r"(?:file:(?!//))?(?P<path>\.{1,2}(?:[/\\][^\[\];]*)?)(?:\[(?P<extras>[^\]]*)\])?")
_NAMED_FOLDER = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?P<extras>\[[^\]]*\])?\s*@\s*file:(?!//)(?P<path>\.{1,2}(?:/[^\[\];#]*)?)"
)
_OF_A_LINE = re.compile(r"\s--?(?:hash|config-settings?|global-option)[= ].*")  # options after a requirement
_COMMENT = re.compile(r"(?:^|\s)#.*")
_CONSTRAINTS = frozenset(("-c", "--constraint"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folders:
    """The folders of the configuration and of the project under test, which is installed with `extras`."""

    root: Path
    project: Path
    extras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """Requirements and constraints that one item stands for.

    `pre_releases`: a file asks for them with `--pre`. `has_project`: it lists the project under test.
    """

    requires: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    pre_releases: bool = False
    has_project: bool = False


def read(item: str, root: Path, project: ProjectOptions) -> Listed:
    """Return what an item of `install.requires` stands for; its paths are relative to `root`.

    `project` is the project under test, which is installed anyhow: a file may list it, with extras that it has there.

    Raises:
        BadValueError: it is no requirement, or a file that it names cannot be used.
    """
    value, here = item.strip(), _Folders(root=root, project=project.path, extras=project.extras)
    if (found := _FILE.fullmatch(value)) is not None:
        return _file(found["name"].strip(), root, here, is_constraint=found["option"] in _CONSTRAINTS)
    if (folder := _FOLDER.fullmatch(value)) is not None:
        return _listed(folder, root, here)
    if (own := _project_by_name(value, root, here)) is not None:
        return _listed(own, root, here)
    _check_name(value, "-r")
    return Listed((values.requirement(value),))


def _project_by_name(text: str, folder: Path, here: _Folders) -> re.Match[str] | None:
    """Return the folder of "NAME @ file:.", with its extras, if it is the project under test; else None."""
    found = _NAMED_FOLDER.fullmatch(text.strip())
    plain = _FOLDER.fullmatch(f"{found['path'].strip()}{found['extras'] or ''}") if found else None
    places = [Path(os.path.normpath(base / plain["path"].strip())) for base in (here.root, folder)] if plain else []
    place = next((path for path in places if path.is_dir()), None)
    return plain if place == here.project else None


def _check_name(value: str, option: str) -> None:
    """Raise BadValueError if a name is that of a requirements file."""
    if re.fullmatch(r"[\w./-]+\.(?:txt|in)", value):
        raise BadValueError(f'{shown(value)} is a file: write "{option} {value}"')


def read_constraint(item: str, root: Path) -> Listed:
    """Return the constraints of an item of `install.constraints`: a requirement, or "-c FILE"."""
    found = _FILE.fullmatch(item.strip())
    if found is None:
        _check_name(item.strip(), "-c")
        return Listed(constraints=(values.constraint(item),))
    return _file(found["name"].strip(), root, _Folders(root=root, project=root), is_constraint=True)


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line of a requirements file, without comments and hashes."""
    joined, start = "", 1
    for number, raw in enumerate((*text.splitlines(), ""), 1):
        start = start if joined else number
        line = "" if raw.lstrip().startswith("#") else raw
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        whole = _OF_A_LINE.sub("", _COMMENT.sub("", joined + line)).strip()
        joined = ""
        if whole:
            yield start, whole


def _file(name: str, folder: Path, here: _Folders, *, is_constraint: bool, depth: int = 0) -> Listed:
    path = folder / name
    if depth > MAX_DEPTH:
        raise BadValueError(f"{shown(name)}: files that name each other, or more than {MAX_DEPTH} of them in a row")
    text = _text(path, name)
    requires: list[str] = []
    constraints: list[str] = []
    pre_releases = has_project = False
    for number, line in lines_of(text):
        try:
            found = _line(line, path.parent, here, is_constraint=is_constraint, depth=depth)
        except BadValueError as error:
            raise BadValueError(f"{name}, line {number}: {error}") from None
        requires += found.requires
        constraints += found.constraints
        pre_releases = pre_releases or found.pre_releases
        has_project = has_project or found.has_project
    return Listed(tuple(requires), tuple(constraints), pre_releases, has_project)


def _line(line: str, folder: Path, here: _Folders, *, is_constraint: bool, depth: int) -> Listed:
    if (found := _FILE.fullmatch(line)) is not None:
        constrains = is_constraint or found["option"] in _CONSTRAINTS
        return _file(found["name"].strip(), folder, here, is_constraint=constrains, depth=depth + 1)
    if line == "--pre":
        return Listed(pre_releases=True)
    if line.startswith("-") and not re.match(r"(?:-e|--editable)[= ]", line):
        raise BadValueError(
            f"{shown(line)} is an option of an installer: remove it, or set it where uv and pip read it "
            "(such as UV_INDEX, PIP_EXTRA_INDEX_URL)"
        )
    target = re.sub(r"^(?:-e|--editable)[= ]\s*", "", line)
    if (local := _FOLDER.fullmatch(target)) is not None:
        return _listed(local, folder, here)
    if not is_constraint and (own := _project_by_name(target, folder, here)) is not None:
        return _listed(own, folder, here)
    return Listed(constraints=(values.constraint(target),)) if is_constraint else Listed((values.requirement(target),))


def _text(path: Path, name: str) -> str:
    try:
        if path.is_dir():
            raise BadValueError(f"{shown(name)} is a folder; give a requirements file")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadValueError(f"{shown(name)} is larger than {MAX_FILE_BYTES:,} bytes: this is no requirements file")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadValueError(f"there is no file {shown(name)} (looked for {os.fspath(path)[:300]})") from None
    except UnicodeDecodeError:
        raise BadValueError(f"{shown(name)} is not UTF-8; save the file as UTF-8") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadValueError(f"{shown(name)} cannot be read: {reason}") from None


def _listed(found: re.Match[str], folder: Path, here: _Folders) -> Listed:
    """Return what a folder stands for: its project, or the one under test."""
    local = _local(found, folder, here)
    return Listed(local, has_project=not local)


def _local(found: re.Match[str], folder: Path, here: _Folders) -> tuple[str, ...]:
    """Return "name @ file:path" for a folder, or nothing for the project itself.

    The path is relative to that of the configuration, so that it means the same on another machine.
    """
    # pip and uv take it from where they are called, which is mostly the folder of the configuration.
    places = [Path(os.path.normpath(base / found["path"].strip())) for base in (here.root, folder)]
    place = next((path for path in places if path.is_dir()), places[0])
    asked = [normalise(name.strip()) for name in (found["extras"] or "").split(",") if name.strip()]
    if place == here.project and set(asked) <= set(here.extras):
        return ()
    if place == here.project:
        names = ", ".join(f'"{name}"' for name in dict.fromkeys((*here.extras, *asked)))
        raise BadValueError(f"{shown(found[0])} is the project itself: write extras = [{names}] in [project]")
    name = name_of(place)
    if not name:
        hint = f"write its name too: NAME @ file:{found['path']}" if place.is_dir() else "there is no such folder"
        raise BadValueError(f"{shown(found[0])}: {hint}")
    extras = f"[{found['extras']}]" if found["extras"] else ""
    return (values.requirement(f"{name}{extras} @ file:{_relative(place, here.root)}"),)


def name_of(folder: Path) -> str:
    """Return the name of the project in a folder, as pyproject.toml or setup.cfg declares it, or ""."""
    with suppress(OSError, ValueError):
        table = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        poetry = table.get("tool", {}).get("poetry", {})
        if found := table.get("project", poetry).get("name"):
            return str(found)
    from configparser import Error, RawConfigParser  # noqa: PLC0415  (few need the name)

    parser = RawConfigParser()
    with suppress(OSError, Error, ValueError):
        parser.read(folder / "setup.cfg", encoding="utf-8")
    return parser.get("metadata", "name", fallback="")


def _relative(place: Path, root: Path) -> str:
    try:
        relative = Path(os.path.relpath(place, root)).as_posix()
    except ValueError:  # another drive
        return place.as_posix()
    return relative if relative.startswith(".") else f"./{relative}"
