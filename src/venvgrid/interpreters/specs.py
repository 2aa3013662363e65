"""Specs of interpreters, the values of the axis `python`, and the preference among those that match.

3.12  3.12.1  3.14.0rc1      CPython, the newest that begins so; never a free-threaded or debug build
3.13t  3.13d  3.13td         the free-threaded build, the debug build, both
pypy  pypy3.10  graalpy3.11  another implementation
>=3.9,<3.12                  the newest CPython that fits (PEP 440)
3.12-32                      the 32-bit build
path/to/python               that one; also the folder of an environment or installation
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvgrid.model import Interpreter

TITLES = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalPy"}
NAMES = {"": "cpython", "python": "cpython", "py": "cpython", **{name: name for name in TITLES}}

_PLAIN = re.compile(
    r"""
    (?P<name>[a-z]*) [-@]?
    (?P<version> \d+ (?:\.\d+){0,2} (?:(?:a|b|rc)\d+)? )?
    (?P<threaded>t)? (?P<debug>d)?
    (?:-(?P<bits>32|64))?
    """,
    re.VERBOSE | re.ASCII,
)
_SPECIFIER = re.compile(r"(?P<name>[a-z]*)\s*(?P<specifier>(?:[=~!<>]=?|===).*)", re.ASCII)
ALLOWED = (
    'a version ("3.12", "3.12.1"), a build ("3.13t"), another implementation ("pypy3.10", "graalpy3.11"), '
    'a PEP 440 specifier (">=3.9,<3.12") or a path'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A parsed spec. At most one of `version`, `specifier` and `path` is set; none means any version."""

    text: str  # as written
    implementation: str = "cpython"
    version: str = ""  # "3", "3.12", "3.12.1" or "3.14.0rc1"
    specifier: SpecifierSet | None = None
    free_threaded: bool = False
    debug: bool = False
    bits: int | None = None
    path: str = ""  # absolute

    @property
    def title(self) -> str:
        """The spec in words: "CPython 3.13 (free-threaded)"."""
        if self.path:
            return f"Python at {self.path}"
        wanted = self.version or (str(self.specifier) if self.specifier is not None else "")
        traits = [name for name, is_on in (("free-threaded", self.free_threaded), ("debug", self.debug)) if is_on]
        traits += [f"{self.bits}-bit"] if self.bits else []
        return " ".join(filter(None, [TITLES[self.implementation], wanted, f"({', '.join(traits)})" if traits else ""]))


def parse_spec(text: str, *, root: Path | None = None) -> Spec:
    """Parse a value of the axis `python`. A relative path is relative to `root`, by default the current folder.

    Raises:
        ValueError: the text is no spec; the message lists the allowed forms.
    """
    stripped = text.strip()
    if _is_path(stripped) and "\0" not in stripped:
        # "~nobody" must not raise, ".." is resolved and links are kept: pathlib has no such functions.
        path = os.path.abspath((root or Path()) / os.path.expanduser(stripped))  # noqa: PTH100, PTH111
        return Spec(text=text, path=path, implementation="")
    lowered = stripped.lower()
    if (plain := _PLAIN.fullmatch(lowered)) and lowered and plain["name"] in NAMES:
        return _plain_spec(text, plain)
    if (found := _SPECIFIER.fullmatch(lowered)) and found["name"] in NAMES:
        try:
            specifier = SpecifierSet(found["specifier"])
        except InvalidSpecifier as error:
            raise ValueError(f"{text!r} is no valid version specifier: {error}") from error
        return Spec(text=text, implementation=NAMES[found["name"]], specifier=specifier)
    raise ValueError(f"{text!r} names no Python; allowed: {ALLOWED}")


def matches(spec: Spec, interpreter: Interpreter) -> bool:
    """Return whether the interpreter fits the spec. Paths are compared as files, through links."""
    if spec.path:
        return _same_file(spec.path, interpreter.executable)
    if interpreter.implementation != spec.implementation:
        return False
    if (interpreter.free_threaded, interpreter.debug) != (spec.free_threaded, spec.debug):
        return False
    if spec.bits not in {None, interpreter.bits}:
        return False
    version = version_of(interpreter)
    if spec.specifier is not None:
        return spec.specifier.contains(version, prereleases=True)
    return _begins(spec.version, version)


def choose(spec: Spec, interpreters: Iterable[Interpreter]) -> Interpreter | None:
    """Return the best interpreter that matches, or None if there is none.

    Stable releases go before pre-releases, newer before older, 64 bits before 32; then the earlier one of the
    sequence, which `discover` puts in the order of its sources.
    """
    fitting = [item for item in interpreters if matches(spec, item)]
    return max(fitting, key=preference, default=None)  # max keeps the first of equals


def preference(interpreter: Interpreter) -> tuple[bool, Version, int]:
    """Return a sort key: the greater one is preferred."""
    version = version_of(interpreter)
    return not version.is_prerelease, version, interpreter.bits


def version_of(interpreter: Interpreter) -> Version:
    """Return the version as a comparable value."""
    try:
        return Version(interpreter.version)
    except InvalidVersion:  # from a cache or a plan of another program
        return Version("0")


def _plain_spec(text: str, plain: re.Match[str]) -> Spec:
    version = plain["version"] or ""
    if re.fullmatch(r"[23]\d+", version):
        raise ValueError(f"{text!r} names no Python; did you mean {version[0]}.{version[1:]}?")
    if (plain["threaded"] or plain["debug"]) and not version:
        raise ValueError(f"{text!r} names no Python; allowed: {ALLOWED}")
    return Spec(
        text=text,
        implementation=NAMES[plain["name"]],
        version=version,
        free_threaded=bool(plain["threaded"]),
        debug=bool(plain["debug"]),
        bits=int(plain["bits"]) if plain["bits"] else None,
    )


def _begins(wanted: str, version: Version) -> bool:
    if not wanted:
        return True
    asked = Version(wanted)
    if asked.is_prerelease or len(asked.release) > 2:  # noqa: PLR2004  three numbers name one release
        return version == asked
    return version.release[: len(asked.release)] == asked.release


def _is_path(text: str) -> bool:
    return text.startswith(("~", ".")) or "/" in text or "\\" in text or Path(text).is_absolute()


def _same_file(one: str, other: str) -> bool:
    return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))
