"""Reads [tool.uv.sources]: where uv takes a dependency from, as requirements with an address. Nothing is run."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from venvgrid.config import config_file, requirement_files
from venvgrid.migration.model import subtable
from venvgrid.model import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from venvgrid.migration.declared import Declared

MAX_PROJECTS = 200  # folders that are followed


def siblings(folder: Path, known: Declared, wanted: Iterable[str]) -> list[str]:
    """Return the sources of `wanted` distributions, and of those that their folders want, as `NAME @ ADDRESS`."""
    found: dict[str, str] = {}
    waiting: list[tuple[Path, Mapping[str, Any], frozenset[str]]] = [(folder, known.pyproject, frozenset(wanted))]
    seen = {folder}
    while waiting and len(seen) < MAX_PROJECTS:
        place, pyproject, names = waiting.pop(0)
        for name, address in _sources(place, pyproject, folder):
            if name not in names or name in found or name == canonicalize_name(known.name):
                continue
            found[name] = address
            inner = folder / address.removeprefix("file:")
            if address.startswith("file:") and inner not in seen:
                seen.add(inner)
                table = _pyproject(inner)
                listed = subtable(table, "project").get("dependencies", [])
                waiting.append((inner, table, frozenset(filter(None, map(_name, listed)))))
    return [f"{name} @ {address}" for name, address in found.items()]


def _name(line: object) -> str:
    found = re.match(r"\s*([A-Za-z0-9][\w.-]*)", line) if isinstance(line, str) else None
    return canonicalize_name(found[1]) if found else ""


def _sources(place: Path, pyproject: Mapping[str, Any], root: Path) -> Iterator[tuple[str, str]]:
    uv = subtable(subtable(pyproject, "tool"), "uv")
    for name, raw in subtable(uv, "sources").items():
        for source in raw if isinstance(raw, list) else [raw]:
            if not isinstance(source, dict):
                continue
            address = ""
            if isinstance(source.get("path"), str):
                address = _file(place / source["path"], root)
            elif source.get("workspace") is True:
                member = _member(place, canonicalize_name(name))
                address = _file(member, root) if member else ""
            elif isinstance(source.get("git"), str):
                revision = next((f"@{source[key]}" for key in ("rev", "tag", "branch") if key in source), "")
                part = f"#subdirectory={source['subdirectory']}" if "subdirectory" in source else ""
                address = f"git+{source['git'].removeprefix('git+')}{revision}{part}"
            elif isinstance(source.get("url"), str):
                address = source["url"]
            if address:
                yield canonicalize_name(name), address
                break


def _member(place: Path, name: str) -> Path | None:
    """Return the folder of a member of the workspace that a project belongs to."""
    for above in (place, *place.parents):
        workspace = subtable(subtable(subtable(_pyproject(above), "tool"), "uv"), "workspace")
        for pattern in workspace.get("members", ()):
            for folder in sorted(above.glob(str(pattern))):
                if canonicalize_name(requirement_files.name_of(folder)) == name:
                    return folder
        if workspace or (above / ".git").exists():
            return above if canonicalize_name(requirement_files.name_of(above)) == name else None
    return None


def _file(path: Path, root: Path) -> str:
    relative = os.path.relpath(path, root).replace(os.sep, "/")
    return f"file:{relative}" if relative.startswith(".") else f"file:./{relative}"


def _pyproject(folder: Path) -> Mapping[str, Any]:
    try:
        return config_file.read_pyproject(folder)
    except ConfigError:
        return {}
