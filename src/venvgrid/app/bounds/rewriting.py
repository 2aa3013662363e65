"""Writes lower bounds into pyproject.toml: only the specifiers change, and everything else stays byte for byte.

The text of a specifier is replaced where it stands. Then the file is parsed again: it must differ from what it was in
this one requirement, and in nothing else. An occurrence in a comment, or in another table, does not.
"""

from __future__ import annotations

import copy
import re
import tomllib
from dataclasses import field
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from venvgrid.config.config_file import PYPROJECT
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.storage.atomic import write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from packaging.specifiers import Specifier, SpecifierSet

    from venvgrid.analysis.search.bounds import Bounds, DependencyBounds

_HEAD = re.compile(r"\s*[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^\]]*\])?")
_CLAUSE = r"(?P<operator>{operator})(?P<blank>\s*){version}(?![\w.*+!-])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a requirement stands in pyproject.toml: the keys and the number in its list; `line` as it is written."""

    keys: tuple[str, ...]
    number: int
    line: str

    @property
    def title(self) -> str:
        """The keys as in the file: project.dependencies."""
        return ".".join(self.keys)


def places(project: Mapping[str, Any]) -> Iterator[Place]:
    """Yield the requirements of a parsed pyproject.toml, those of extras too."""
    table = project.get("project", {})
    dynamic = table.get("dynamic", ())
    lists: list[tuple[tuple[str, ...], Any]]
    lists = [] if "dependencies" in dynamic else [(("project", "dependencies"), table.get("dependencies", ()))]
    if "optional-dependencies" not in dynamic:
        optional = table.get("optional-dependencies", {})
        lists += [(("project", "optional-dependencies", extra), lines) for extra, lines in optional.items()]
    for keys, lines in lists:
        for number, line in enumerate(lines):
            yield Place(keys=keys, number=number, line=line)


def with_floor(line: str, floor: str) -> str:
    """Return a requirement whose lowest version is another one; "" if it cannot be written.

    An upper bound stays as it is: of `~=1.4`, only `<2` is left when 1.6.2 is the floor, and so `~=1.6`, below 2 too,
    becomes `>=1.6.2,==1.*`.
    """
    head, separator, marker = line.partition(";")
    old = Requirement(line)
    changed = _with_floor(head, old.specifier, floor) + separator + marker
    try:
        new = Requirement(changed)
    except InvalidRequirement:
        return ""
    same = (new.name, new.extras, new.marker, new.url) == (old.name, old.extras, old.marker, old.url)
    return changed if same and new.specifier.contains(floor, prereleases=True) else ""


def _with_floor(head: str, specifier: SpecifierSet, floor: str) -> str:
    lower = [item for item in specifier if item.operator in {">=", ">", "~="}]
    if lower:
        bound = max(lower, key=lambda item: Version(item.version))
        pattern = _CLAUSE.format(operator=re.escape(bound.operator), version=re.escape(bound.version))
        return re.sub(pattern, lambda match: _clause(bound, match["blank"], floor), head, count=1)
    match = _HEAD.match(head)
    end = match.end() if match else len(head)
    named, rest = head[:end].rstrip(), head[end:].lstrip()
    blank = head[len(named) : len(head) - len(rest)] if rest else ""
    trailing = head[len(head.rstrip()) :] if not rest else ""
    if rest.startswith("("):
        return f"{named}{blank}(>={floor},{rest[1:].lstrip()}"
    return f"{named}{blank}>={floor}{',' + rest if rest else ''}{trailing}"


def _clause(bound: Specifier, blank: str, floor: str) -> str:
    if bound.operator != "~=":
        return f">={blank}{_as_short(floor, bound.version)}"
    series = Version(bound.version).release[:-1]
    short = _as_short(floor, bound.version)
    if len(Version(short).release) == len(series) + 1:
        return f"~={blank}{short}"
    return f">={blank}{floor},=={blank}{'.'.join(map(str, series))}.*"


def _as_short(floor: str, like: str) -> str:
    """Return a version without the zeros at its end that the declared one has not: 2.10.0 like 2.5 is 2.10."""
    version, parts = Version(floor), len(Version(like).release)
    if str(version) != version.base_version or version.epoch:
        return floor
    release = list(version.release)
    while len(release) > parts and release[-1] == 0:
        release.pop()
    return ".".join(map(str, release))


def replaced(text: str, place: Place, line: str) -> str | None:
    """Return the text of pyproject.toml with another requirement in a place, or None if it cannot be written."""
    wanted = copy.deepcopy(tomllib.loads(text))
    inner: Any = wanted
    for key in place.keys:
        inner = inner[key]
    inner[place.number] = line
    old, new = (item.partition(";")[0].rstrip() for item in (place.line, line))
    start = text.find(old)
    while start >= 0:
        changed = text[:start] + new + text[start + len(old) :]
        try:
            if tomllib.loads(changed) == wanted:
                return changed
        except tomllib.TOMLDecodeError:
            pass
        start = text.find(old, start + 1)
    return None


@dataclass(kw_only=True)
class Written:
    """What was written into pyproject.toml, and what has to be written by hand, with its place."""

    changed: list[tuple[Place, str]] = field(default_factory=list)
    by_hand: list[tuple[str, str]] = field(default_factory=list)  # the requirement, and where it is declared


def write(folder: Path, bounds: Bounds) -> Written:
    """Write the lower bounds that are proven in place of those that are wrong.

    Raises:
        InfrastructureError: the file cannot be written.
    """
    file, done = folder / PYPROJECT, Written()
    text = file.read_bytes().decode() if file.is_file() else ""
    before = text
    for dependency in bounds.dependencies:
        if not dependency.to_write:
            continue
        parsed = tomllib.loads(text)
        place = next((item for item in places(parsed) if _is_of(item, dependency)), None)
        line = with_floor(place.line, dependency.to_write) if place else ""
        changed = replaced(text, place, line) if place and line else None
        if place is not None and changed is not None:
            text = changed
            done.changed.append((place, line))
        else:
            first = dependency.lines[0].partition(";")[0].strip()
            done.by_hand.append((with_floor(first, dependency.to_write) or first, declared_in(folder, parsed)))
    if text != before:
        write_atomic(file, text.encode())
    return done


def _is_of(place: Place, dependency: DependencyBounds) -> bool:
    """Whether a requirement is the one of which bounds were searched; others have other markers."""
    try:
        here = Requirement(place.line)
    except InvalidRequirement:
        return False
    if normalise(here.name) != dependency.name:
        return False
    searched = [Requirement(line) for line in dependency.lines]
    marker = str(here.marker or "")
    return any(item.specifier == here.specifier and marker in str(item.marker or "") for item in searched)


def declared_in(folder: Path, parsed: Mapping[str, Any]) -> str:
    """Return where a project declares the dependencies that are not in [project] of pyproject.toml."""
    tools = parsed.get("tool", {})
    dynamic = "dependencies" in parsed.get("project", {}).get("dynamic", ())
    if dynamic and (named := tools.get("setuptools", {}).get("dynamic", {}).get("dependencies", {}).get("file")):
        return ", ".join([named] if isinstance(named, str) else named)
    if "poetry" in tools and "dependencies" not in parsed.get("project", {}):
        return "[tool.poetry.dependencies] of pyproject.toml"
    for name, key in (("setup.cfg", "install_requires"), ("setup.py", "install_requires")):
        if (folder / name).is_file() and key in (folder / name).read_text(encoding="utf-8", errors="replace"):
            return name
    return PYPROJECT if not dynamic else "what the build of the project reads: dependencies are dynamic"
