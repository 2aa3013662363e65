"""What a project declares of its dependencies, as its metadata tell: the bounds, and all but lower bounds. Pure."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


LOWER = {">=", ">", "~="}  # operators of a lower bound; "==2.*" is both bounds


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """A dependency of the project for one interpreter: the `lines` that ask for it, PEP 508."""

    name: str  # normalised
    lines: tuple[str, ...]

    @cached_property
    def specifier(self) -> SpecifierSet:
        """What the lines allow together."""
        found = SpecifierSet()
        for line in self.lines:
            found &= Requirement(line).specifier
        return found

    @property
    def fixed(self) -> str:
        """Why there is no bound to search, or ""."""
        if any(Requirement(line).url for line in self.lines):
            return "it comes from an address"
        pins = [
            item for item in self.specifier if item.operator == "===" or (item.operator == "==" and not _wild(item))
        ]
        return f"it is pinned ({pins[0]})" if pins else ""

    @property
    def has_floor(self) -> bool:
        """Whether a lower bound is declared."""
        return any(item.operator in LOWER or _wild(item) for item in self.specifier if item.operator != "!=")

    def allows(self, version: str) -> bool:
        """Whether the project may get a version; a pre-release only where the declaration names one."""
        return self.specifier.contains(version)

    def possible(self, version: str) -> bool:
        """Whether the project could get a version if it declared no lower bound."""
        return without_lower(self.specifier).contains(version) or self.allows(version)


def dependencies(
    name: str, requires: Iterable[str], extras: Iterable[str], markers: Mapping[str, str]
) -> tuple[Dependency, ...]:
    """Return the dependencies of a project for an interpreter, in the order in which they are declared."""
    chosen = ("", *extras)
    lines: dict[str, list[str]] = {}
    for line in requires:
        found = Requirement(line)
        if normalise(found.name) == normalise(name):  # `all = ["project[a,b]"]`
            continue
        if found.marker is None or any(found.marker.evaluate({**markers, "extra": extra}) for extra in chosen):
            lines.setdefault(normalise(found.name), []).append(line)
    return tuple(Dependency(name=name, lines=tuple(some)) for name, some in lines.items())


def relaxed(requires: Iterable[str]) -> tuple[str, ...]:
    """Return requirements without lower bounds."""
    return tuple(map(_relaxed, requires))


def _relaxed(line: str) -> str:
    found = Requirement(line)
    found.specifier = without_lower(found.specifier)
    return str(found)


def without_lower(specifier: SpecifierSet) -> SpecifierSet:
    """Return a specifier without its lower bounds; the upper bound of `~=1.4.2` stays: <1.5."""
    return SpecifierSet(",".join(text for item in specifier if (text := _upper(item))))


def _upper(item: Specifier) -> str:
    if item.operator == "~=":
        return f"<{_next_series(Version(item.version).release[:-1])}"
    if _wild(item) and item.operator == "==":
        return f"<{_next_series(Version(item.version.removesuffix('.*')).release)}"
    return "" if item.operator in LOWER else str(item)


def _next_series(release: tuple[int, ...]) -> str:
    return ".".join(map(str, (*release[:-1], release[-1] + 1)))


def _wild(item: Specifier) -> bool:
    return item.version.endswith(".*")
