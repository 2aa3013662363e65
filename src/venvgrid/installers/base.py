"""The door to uv and pip: requirements become exact distributions, and those an environment.

One module an installer, each a frozen value with the methods of `Installer`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from venvgrid.model.config import Resolution
from venvgrid.model.environment import Distribution, Interpreter

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.processes.command import Completed

# Seconds. Nothing that uv or pip does for one cell takes longer unless the network hangs.
RESOLVE_TIMEOUT = 600.0
INSTALL_TIMEOUT = 1800.0
BUILD_TIMEOUT = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveRequest:
    """One resolve: `requirements` and `constraints` are PEP 508, `cutoff` is RFC 3339 or "" for none.

    With `only_binary`, wheels alone are considered, except for the distributions in `source_builds`.
    """

    interpreter: Interpreter
    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    only_binary: bool = True
    source_builds: tuple[str, ...] = ()
    resolution: Resolution = Resolution.HIGHEST
    cutoff: str = ""
    dependencies: bool = True  # False: only the requirements themselves
    offline: bool = False
    refresh: bool = False  # whether what the installer keeps of the index may be stale


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The exact distributions; `notes` says what the installer could not honour."""

    distributions: tuple[Distribution, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolvable:
    """No set of versions meets the requirements: the cell is impossible. `reason` is one line."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveFailed:
    """It could not be found out (network, index, a broken build): never called impossible. `reason` is one line."""

    reason: str


ResolveResult = Resolved | Unresolvable | ResolveFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallRequest:
    """Exact distributions, and wheels of our own, for the environment whose interpreter is `python`."""

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
    """What `resolve`, `environments` and `wheels` need; `venvgrid.testing` has a fake."""

    @property
    def name(self) -> str:
        """Give its name and version: part of the keys of what is cached."""

    def resolve(self, request: ResolveRequest) -> ResolveResult:
        """Find the exact distributions for one cell."""

    def install(self, request: InstallRequest) -> str:
        """Install exactly what is asked for; "" or what went wrong."""

    def build_wheel(
        self, source: Path, target: Path, interpreter: Interpreter, *, via_sdist: bool, offline: bool
    ) -> str:
        """Build a wheel of the project in `source` into the folder `target`; "" or what went wrong."""


def unfinished(completed: Completed, what: str) -> str:
    """Say why a command did not come to its own end; "" if it did."""
    if completed.timed_out:
        return f"{what} was stopped after {completed.duration:.0f} s"
    return completed.error or (f"{what} was cancelled" if completed.cancelled else "")


def requirement_lines(request: InstallRequest) -> list[str]:
    """Give the lines of a requirements file that names exactly what is to be installed, with every hash known."""
    lines = []
    for distribution in request.distributions:
        hashes = "".join(f" --hash={value}" for value in distribution.hashes)
        if distribution.direct:
            lines.append(f"{distribution.name} @ {distribution.direct}{hashes}")
        else:
            lines.append(f"{distribution.name}=={distribution.version}{hashes}")
    return lines


def binary_options(request: ResolveRequest | InstallRequest) -> list[str]:
    """Give the options, the same for uv and pip, that say what may be built from source."""
    if not request.only_binary:
        return []
    allowed = [option for name in request.source_builds for option in ("--no-binary", name)]
    return ["--only-binary", ":all:", *allowed]
