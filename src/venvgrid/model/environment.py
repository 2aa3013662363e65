"""Values of an environment: interpreter, locked distributions, lock entry, and the environment itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from venvgrid.model.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python that the machine has, as it described itself.

    `elsewhere`: it is on another machine, and only resolved for. Its `platform` is a value of the axis of that name,
    its `executable` the Python here with the same version, or "".
    """

    executable: str  # absolute; what environments are made from
    version: str  # "3.9.18", "3.14.0rc1"
    implementation: str  # "cpython", "pypy", "graalpy"
    free_threaded: bool
    debug: bool
    bits: int  # 32 or 64
    platform: str  # sysconfig.get_platform(): "linux-x86_64"
    cache_tag: str  # sys.implementation.cache_tag, "" on 2.7
    markers: Mapping[str, str]  # PEP 508 environment markers
    source: str  # where it was found: "pyenv", "uv", "PATH", …
    elsewhere: bool = False

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor version, e.g. (3, 9)."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One exact distribution of a lock. `hashes` are "sha256:…" of every file that may be installed for it."""

    name: str  # normalised, PEP 503
    version: str
    hashes: tuple[str, ...] = ()
    direct: str = ""  # the URL of a direct reference, which is written into matrix.lock
    uploaded: str = ""  # when the newest of the files was uploaded, where the index told


@dataclass(frozen=True, slots=True, kw_only=True)
class LockEntry:
    """What one environment holds besides the project. `key` is the digest of all of it."""

    key: str
    interpreter: Interpreter
    distributions: tuple[Distribution, ...]
    as_of: str = ""  # the cut-off that was applied, "" for none
    notes: tuple[str, ...] = ()  # e.g. that an era could not be applied on Python 2.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A whole environment. `detail` is "built", "project reinstalled" or "reused".

    `cached_packages` are the keys of its distributions in the package cache. `compiled` names the compiled files that
    it began with, relative to site-packages. Both are set only after a build. `linked` are the keys of the packages
    whose files it shares with other environments. `overlaps` are files that several distributions own with different
    contents, each with the names of these.
    """

    key: str
    path: Path
    python: Path
    site: Path
    interpreter: Interpreter
    detail: str
    cached_packages: tuple[str, ...] = ()
    compiled: frozenset[str] = frozenset()
    linked: frozenset[str] = frozenset()
    overlaps: tuple[tuple[str, ...], ...] = ()
