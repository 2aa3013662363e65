"""The protocol of an installer, with its requests and results.

Each installer is a module with a frozen value that has the methods of `Installer`.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from venvgrid.model import Distribution, Interpreter, Resolution
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from venvgrid.processes.command import Completed

# Seconds. Only a network that hangs takes longer for one cell.
RESOLVE_TIMEOUT = 600.0
INSTALL_TIMEOUT = 1800.0
# A requirement by a path of this machine.
LOCAL = re.compile(r"\s*(?P<name>[\w.-]+)\s*(?:\[[^\]]*\])?\s*@\s*file:(?://(?:localhost)?)?(?P<path>/[^\s;#]+)")
BUILD_TIMEOUT = 1800.0
METADATA = "/metadata/"  # in the URLs of the wheels that a resolver writes for a project's metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveRequest:
    """Request of one resolve: `requirements` and `constraints` are PEP 508, `cutoff` is RFC 3339 or "" for none.

    With `only_binary`, only wheels are considered, except for the distributions in `source_builds`. Nothing may
    require those in `without`: requirements for them are ignored (uv only). The versions of `prefer` stay as they are
    where that is possible (uv), or are kept at any price (pip, which knows no preferences).
    """

    interpreter: Interpreter
    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    only_binary: bool = True
    source_builds: tuple[str, ...] = ()
    pre_releases: bool = False  # whether they are as good as other releases
    resolution: Resolution = Resolution.HIGHEST
    cutoff: str = ""
    dependencies: bool = True  # False: only the requirements themselves
    offline: bool = False
    refresh: bool = False  # whether the installer's own cache of the index may be stale
    without: tuple[str, ...] = ()
    prefer: tuple[Distribution, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The exact distributions; `notes` are the options that the installer could not apply."""

    distributions: tuple[Distribution, ...]
    notes: tuple[str, ...] = ()


class CauseKind(StrEnum):
    """What the resolver's proof says of a distribution."""

    NO_WHEEL = "no-wheel"  # no file that fits the interpreter
    PYTHON = "python"  # it requires another Python
    GONE = "gone"  # the index has no file of it at all
    ONLY = "only"  # no version that fits is available
    CONFLICT = "conflict"  # others require other versions of it
    BROKEN = "broken"  # a file that the index gave is no distribution
    UNREADABLE = "unreadable"  # what it requires is written in a way that the resolver cannot read


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A distribution that a resolver's proof blames. `range` is PEP 440, "" for any; `reason` is one line."""

    kind: CauseKind
    name: str  # normalised
    reason: str
    range: str = ""
    who: str = ""  # of a conflict: the distribution that needs other versions of it, normalised


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolvable:
    """No set of versions meets the requirements: the cell is impossible. `reason` is one line.

    `causes` are candidates for the reason, the likeliest first; `proof` is the first line of the resolver's proof.
    These two are for `resolving.impossibility`, which checks them, and are not kept. `may_keep`: it will still be true
    in an hour. `notes` are as in `Resolved`.
    """

    reason: str
    causes: tuple[Cause, ...] = field(default=(), compare=False)
    proof: str = field(default="", compare=False)
    may_keep: bool = field(default=True, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    words: str = field(default="", compare=False)  # of the resolver, as it printed them


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveFailed:
    """The resolve failed (network, index, a broken build): the cell is not impossible. `reason` is one line.

    `is_open`: it is of another platform, and a machine of that platform can tell.
    """

    reason: str
    is_open: bool = False
    words: str = field(default="", compare=False)  # of the resolver, as it printed them


ResolveResult = Resolved | Unresolvable | ResolveFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallRequest:
    """Request to install distributions and local wheels into the environment of the interpreter `python`."""

    python: Path
    interpreter: Interpreter
    distributions: tuple[Distribution, ...] = ()
    wheels: tuple[Path, ...] = ()
    editable: Path | None = None
    only_binary: bool = True
    source_builds: tuple[str, ...] = ()
    reinstall: bool = False
    offline: bool = False


class Installer(Protocol):
    """Protocol of uv and pip; `venvgrid.testing` has a fake."""

    @property
    def name(self) -> str:
        """Return name and version, which are part of cache keys."""

    def resolve(self, request: ResolveRequest) -> ResolveResult:
        """Resolve the exact distributions of one cell."""

    def install(self, request: InstallRequest) -> str:
        """Install exactly the requested distributions; return an error message, or ""."""

    def build_wheel(
        self, source: Path, target: Path, interpreter: Interpreter, *, via_sdist: bool, offline: bool
    ) -> str:
        """Build a wheel of the project in `source` into the folder `target`; return an error message, or ""."""


def unfinished(completed: Completed, name: str) -> str:
    """Return why a command did not end by itself (timeout, no start, cancelled), or ""."""
    if completed.timed_out:
        return f"{name} was stopped after {completed.duration:.0f} s"
    return completed.error or (f"{name} was cancelled" if completed.cancelled else "")


def failure(completed: Completed, name: str) -> str:
    """Return the error message of a command, or "" if it succeeded."""
    if completed.exit_code == 0:
        return ""
    output = completed.stderr.strip() or completed.stdout.strip() or f"{name} ended with status {completed.exit_code}"
    return unfinished(completed, name) or output


_DIRECT = re.compile(r"\s*(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*@\s*(?P<url>(?:git\+|https?://)[^\s;#]+)")

_STATED = re.compile(r"\s*(?P<name>[A-Za-z0-9][\w.-]*)[^#]*@[^#]*#(?:[^\s;]*&)?sha256=(?P<digest>[0-9A-Fa-f]{64})")


@contextmanager
def requirement_files(request: ResolveRequest) -> Iterator[Path]:
    """Yield a temporary folder with the files requirements.txt and constraints.txt of a request."""
    with tempfile.TemporaryDirectory(prefix="venvgrid-resolve-") as folder:
        (Path(folder) / "requirements.txt").write_text("\n".join(request.requirements) + "\n", encoding="utf-8")
        (Path(folder) / "constraints.txt").write_text("\n".join(request.constraints) + "\n", encoding="utf-8")
        yield Path(folder)


def requirement_lines(request: InstallRequest) -> list[str]:
    """Return the lines of a requirements file with exact versions and all known hashes."""
    return locked_lines(request.distributions)


def locked_lines(distributions: Iterable[Distribution]) -> list[str]:
    """Return the lines of a requirements file for locked distributions."""
    return [
        f"{item.name}{f' @ {item.direct}' if item.direct else f'=={item.version}'}"
        + "".join(f" --hash={value}" for value in item.hashes)
        for item in distributions
    ]


def direct_url(url: str, subdirectory: str | None) -> str:
    """Return the URL of a direct reference whose project is in a folder of it."""
    return f"{url}#subdirectory={subdirectory}" if subdirectory and "#" not in url else url


def without_dates(distributions: Iterable[Distribution]) -> tuple[str, ...]:
    """Return the note about distributions from places of find-links, to which no cut-off date applies."""
    names = ", ".join(f"{item.name} {item.version}" for item in distributions)
    return (f"as-of does not count for {names}: a place of find-links has no upload dates",) if names else ()


def built_from_source(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the names in direct references to repositories and source archives: who asks for these wants a build."""
    found = (_DIRECT.match(line) for line in lines)
    return tuple(match["name"] for match in found if match and not match["url"].endswith(".whl"))


def wrong_hash(lines: Iterable[str], distributions: Iterable[Distribution]) -> str:
    """Return that a direct reference gives another hash (`URL#sha256=…`) than that of the archive there, or ""."""
    stated = [match for line in lines if (match := _STATED.match(line))]
    wanted = {normalise(match["name"]): f"sha256:{match['digest'].lower()}" for match in stated}
    for item in distributions:
        expected = wanted.get(item.name, "")
        if expected and item.direct and item.hashes and expected not in item.hashes:
            return f"the archive of {item.name} is another one than required: {item.hashes[0]}, not {expected}"
    return ""


def binary_options(request: ResolveRequest | InstallRequest) -> list[str]:
    """Return the options, the same for uv and pip, for what may be built from source."""
    allowed = [option for name in request.source_builds for option in ("--no-binary", name)]
    return ["--only-binary", ":all:", *allowed] if request.only_binary else []


def allows_python(requires_python: str, version: str) -> bool:
    """Return whether a distribution allows a version of Python, as pip sees it: a pre-release counts as its release."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415  (70 ms, seldom needed)
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415

    try:
        return SpecifierSet(requires_python).contains(Version(version).base_version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True
