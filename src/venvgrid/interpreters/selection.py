"""Selects the interpreter for each value of the python axis, or explains why there is none and how to get one."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from venvgrid.interpreters.candidates import Rejected, executable_in
from venvgrid.interpreters.specs import Spec, choose, parse_spec, preference, version_of
from venvgrid.model import python_releases
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from venvgrid.interpreters.discovery import Found
    from venvgrid.model import Interpreter

ANY_PATCH = 5  # stands for any patch release of a minor version


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """No interpreter for a spec. `reason` names the places that were searched, their versions, and the next command."""

    spec: str
    reason: str


Ask = Callable[[Path], "Interpreter | Rejected"]


def resolve_specs(
    specs: Iterable[str],
    found: Found,
    *,
    ask: Ask,
    root: Path | None = None,
    has_uv: bool = False,
) -> Mapping[str, Interpreter | Missing]:
    """Return the best interpreter for every spec, by the spec's text, or the reason why there is none.

    `ask` queries specs that are paths (`find_one` with its options); relative ones start at `root`. With `has_uv`,
    reasons may advise uv. An invalid spec is a Missing as well.
    """
    return {text: _resolve(text, found, ask=ask, root=root, has_uv=has_uv) for text in dict.fromkeys(specs)}


def _resolve(text: str, found: Found, *, ask: Ask, root: Path | None, has_uv: bool) -> Interpreter | Missing:
    try:
        spec = parse_spec(text, root=root)
    except ValueError as error:
        return Missing(spec=text, reason=str(error))
    chosen = choose(spec, found.interpreters)
    if chosen is not None:
        return chosen
    if spec.path:
        return _at_path(spec, ask)
    hints = f"{_looked(found)}{_near(spec, found)}; {advice(spec, found, has_uv=has_uv)}"
    return Missing(spec=text, reason=f"no {spec.title} on this machine; {hints}")


def _at_path(spec: Spec, ask: Ask) -> Interpreter | Missing:
    path = Path(spec.path)
    if path.is_dir():
        inside = executable_in(path)
        if inside is None:
            return Missing(spec=spec.text, reason=f"no Python in the folder {path}: looked for bin/python there")
        path = inside
    elif not path.exists():
        reason = f"{path} is not there; `venvgrid python` lists the Pythons of this machine"
        return Missing(spec=spec.text, reason=reason)
    answer = ask(path)
    if isinstance(answer, Rejected):
        return Missing(spec=spec.text, reason=f"{answer.path} is no usable Python: {answer.reason}")
    return answer


def _looked(found: Found) -> str:
    """Return "looked in pyenv (9 found: 2.7.18, …), uv (none), PATH (1 found: 3.11.2)", for places that exist."""
    versions: dict[str, list[Interpreter]] = {}
    for place in found.places:
        if place.exists and not place.duplicates:  # duplicates are listed under their first source
            versions.setdefault(place.source, [])
    for interpreter in found.interpreters:
        versions.setdefault(interpreter.source, []).append(interpreter)
    parts = []
    for source, group in versions.items():
        names = [short(item) for item in sorted(group, key=version_of)]
        parts.append(f"{source} ({len(names)} found: {', '.join(names)})" if names else f"{source} (none)")
    return "looked in " + ", ".join(parts) if parts else "none of the known places exists"


def short(interpreter: Interpreter) -> str:
    """Return the spec of an interpreter: "3.12.1", "3.13.0t", "pypy3.10.14"."""
    name = "" if interpreter.implementation == "cpython" else interpreter.implementation
    traits = ("t" if interpreter.free_threaded else "") + ("d" if interpreter.debug else "")
    bits = "-32" if interpreter.bits == 32 else ""  # noqa: PLR2004  64 is the usual
    return f"{name}{interpreter.version}{traits}{bits}"


def _near(spec: Spec, found: Found) -> str:
    """Return a suffix that names other builds or patch releases of the version, or ""."""
    if "." not in spec.version:
        return ""
    release = Version(spec.version).release[:2]
    builds = [
        item
        for item in found.interpreters
        if item.implementation == spec.implementation and version_of(item).release[:2] == release
    ]
    if not builds:
        return ""
    names = ", ".join(short(item) for item in sorted(builds, key=version_of))
    best = max(builds, key=preference)
    minor = dataclasses.replace(best, version=".".join(map(str, release)))
    return f"; there is {names} (write {short(minor)!r} for {'it' if len(builds) == 1 else 'the newest'})"


def advice(spec: Spec, found: Found, *, has_uv: bool) -> str:
    """Return the commands that install the interpreter of a spec with the tools of this machine."""
    tools = {place.source for place in found.places if place.exists}
    wanted = spec.version or _oldest_that_fits(spec)
    name = "" if spec.implementation == "cpython" else spec.implementation
    is_plain = not (name or spec.free_threaded or spec.debug or spec.bits) and wanted.count(".") == 1
    commands = []
    if "pyenv" in tools and wanted and spec.implementation != "graalpy" and not (spec.debug or spec.bits):
        commands.append(f"`pyenv install {name}{wanted}{'t' if spec.free_threaded else ''}`")
    if has_uv and uv_can_download(spec):
        commands.append(f"`uv python install {shlex.quote(uv_request(spec))}`")
    if "conda" in tools and is_plain:
        commands.append(f"`conda create -n python{wanted} python={wanted}`")
    if "Homebrew" in tools and is_plain and Version(wanted).release >= python_releases.OLDEST_FOR_HOMEBREW:
        commands.append(f"`brew install python@{wanted}`")
    if not commands:
        pyenv = "pyenv, uv" if uv_can_download(spec) else "pyenv"
        return f"install one with {pyenv} or your system's packages, or give the path of one"
    return "install one with " + " or ".join(commands)


def _oldest_that_fits(spec: Spec) -> str:
    """Return the oldest minor version of Python 3 that a specifier allows, else "2.7" or ""."""
    if spec.specifier is None:
        return "3"
    oldest, *others = (f"{major}.{minor}" for major, minor in python_releases.ACCEPTED)
    return next((minor for minor in (*others, oldest) if spec.specifier.contains(f"{minor}.{ANY_PATCH}")), "")


def uv_can_download(spec: Spec) -> bool:
    """Return whether uv offers such a Python for download: none is older than 3.8, of 32 bits or a debug build."""
    if spec.path or spec.debug or spec.bits == 32:  # noqa: PLR2004
        return False
    if spec.specifier is not None:
        minors = (release for release in python_releases.ACCEPTED if release >= python_releases.OLDEST_FOR_UV_DOWNLOADS)
        return any(spec.specifier.contains(f"{major}.{minor}.{ANY_PATCH}") for major, minor in minors)
    if not spec.version:
        return True
    oldest = python_releases.OLDEST_FREE_THREADED if spec.free_threaded else python_releases.OLDEST_FOR_UV_DOWNLOADS
    release = Version(spec.version).release[:2]
    return release == (3,) or release >= oldest


def uv_request(spec: Spec) -> str:
    """Return the spec in uv's notation."""
    name = "" if spec.implementation == "cpython" else spec.implementation
    if spec.specifier is not None:
        return f"{name}{spec.specifier}"
    return f"{name}{spec.version}{'t' if spec.free_threaded else ''}" or "3"
