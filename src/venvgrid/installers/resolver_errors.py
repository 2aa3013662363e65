"""The reason of a failed resolve in one readable line, from the output of uv and pip. Pure.

The patterns fit uv 0.13 and pip 20.3, 24 and 26. Other output is shortened to the resolver's last sentence.
"""

from __future__ import annotations

import itertools
import re

from venvgrid.installers.base import ResolveFailed, ResolveRequest, ResolveResult, Unresolvable
from venvgrid.model.names import normalise
from venvgrid.processes.redaction import redact

MAX_REASON_LENGTH = 300  # characters of a reason
NETWORK = re.compile(
    r"error sending request|Failed to fetch|dns error|name resolution|Connection refused|connection reset|timed out"
    r"|HTTP status (?:server|client) error|NewConnectionError|Max retries exceeded|ReadTimeoutError|SSLError|ProxyError"
    r"|certificate verify failed|invalid peer certificate|HTTP error \d{3}|Network is unreachable|ConnectTimeout",
    re.IGNORECASE,
)
_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*?)"
_RANGE = r"(?P<range>(?:[<>=!~][^\s,]*(?:,\s?[<>=!~][^\s,]*)*)?)"
_UNAUTHORISED = re.compile(
    r"index URL \(([^)]+)\) could not be queried due to a lack of valid authentication[^(]*\(([^)]+)\)"
)
_NO_WHEEL = re.compile(_NAME + _RANGE + r"(?: and \S+)? (?:has|have) no (?:usable )?wheels")
_NEEDS_PYTHON = re.compile(_NAME + _RANGE + r" depends on Python(?P<python>[<>=!~][^\s]*?)(?:,? |\.?$)")
_NOT_FOUND = re.compile(_NAME + r" was not found in the package registry")
_ONLY_AVAILABLE = re.compile(
    r"only \S+? is available|only the following versions of \S+? are available|there (?:is|are) no versions? of"
)
_DEPENDS = re.compile(
    r"(?P<who>\S+) depends on (?P<name>(?!Python)[A-Za-z0-9][A-Za-z0-9._-]*?)(?P<range>[<>=!~][^\s]*?)(?:,? |,?$)"
)


def from_uv(request: ResolveRequest, stderr: str) -> ResolveResult:
    """Return the result of a failed `uv pip compile`."""
    text = _flat(_without_hints(stderr))
    if "No solution found" not in text:
        return ResolveFailed(reason=_network_reason(stderr) if NETWORK.search(stderr) else _tail(stderr))
    if "network was disabled" in stderr or "was not found in the cache" in text:
        return ResolveFailed(reason=f"offline, and not in the cache: {_last_sentence(text)}")
    pins = _pins(request)
    for found in (
        _no_wheel(text, request, pins),
        _needs_python(text, pins),
        _not_found(text),
        _no_release(text, request, pins),
    ):
        if found:
            return Unresolvable(reason=found)
    return Unresolvable(reason=_conflict(text, pins) or _last_sentence(text))


def from_pip(request: ResolveRequest, output: str) -> ResolveResult:
    """Return the result of a failed `pip install --dry-run` or `pip download`."""
    if NETWORK.search(output):
        return ResolveFailed(reason=_network_reason(output))
    pins = _pins(request)
    unmatched = re.search(r"No matching distribution found for ([^\s;(]+)", output)
    if unmatched:
        return Unresolvable(reason=_pip_unmatched(unmatched.group(1), output, request, pins))
    if "conflicting dependencies" in output or "ResolutionImpossible" in output:
        return Unresolvable(reason=_pip_conflict(output))
    python = re.search(r"Package '([^']+)' requires a different Python: \S+ not in '([^']+)'", output)
    if python:
        return Unresolvable(reason=f"{python.group(1)} needs Python {python.group(2)}")
    return ResolveFailed(reason=_tail(output))


def _target(request: ResolveRequest) -> str:
    """Return the readable name of an interpreter: "CPython 3.9 on linux-x86_64"."""
    names, target = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalPy"}, request.interpreter
    name = names.get(target.implementation, target.implementation)
    return f"{name} {'.'.join(target.version.split('.')[:2])} on {target.platform}"


def _pins(request: ResolveRequest) -> dict[str, str]:
    """Map the normalised names of simple requirements to a readable form: "matplotlib 2.2"."""
    pins = {}
    for line in request.requirements:
        match = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*([<>=!~][^;@]*)", line)
        if match:
            name = normalise(match.group(1))
            specifier = match.group(2).strip()
            short = re.fullmatch(r"==\s*([0-9][^*,]*)\.\*", specifier)
            pins[name] = f"{match.group(1)} {short.group(1) if short else specifier}"
    return pins


def _no_wheel(text: str, request: ResolveRequest, pins: dict[str, str]) -> str:
    found = list(_NO_WHEEL.finditer(text))
    best = _best_match(found, pins)
    return f"{_readable(best, pins)} has no wheel for {_target(request)}" if best else ""


def _needs_python(text: str, pins: dict[str, str]) -> str:
    best = _best_match(list(_NEEDS_PYTHON.finditer(text)), pins)
    return f"{_readable(best, pins)} needs Python {best.group('python')}" if best else ""


def refused_index(output: str) -> str:
    """Return which index refused to answer, by uv's hints, or ""."""
    match = _UNAUTHORISED.search(output)
    return f"index failure: {redact(match[1])} refused to answer ({match[2]})" if match else ""


def _not_found(text: str) -> str:
    match = _NOT_FOUND.search(text)
    return f"the package index has no distribution named {match.group('name')}" if match else ""


def _no_release(text: str, request: ResolveRequest, pins: dict[str, str]) -> str:
    if not _ONLY_AVAILABLE.search(text) or _conflict(text, pins):
        return ""
    match = re.search(r"you require " + _NAME + r"(?P<range>[<>=!~]\S*?)(?:,? we can|\.?$)", text)
    if match is None:
        return ""
    when = f" as of {request.cutoff[:10]}" if request.cutoff else ""
    return f"no release of {match.group('name')} matches {_readable(match, pins).partition(' ')[2]}{when}"


def _conflict(text: str, pins: dict[str, str]) -> str:
    """Return which distribution conflicts with a pin of the cell, or ""."""
    for match in _DEPENDS.finditer(text):
        pin = pins.get(normalise(match["name"]))
        if pin:
            who = match["who"].replace("==", " ")
            return f"{who} needs {match['name']}{match['range'].rstrip(',')}, but the cell has {pin}"
    return ""


def _best_match(found: list[re.Match[str]], pins: dict[str, str]) -> re.Match[str] | None:
    """Return the best match: pins of the cell come before its dependencies."""
    pinned = [match for match in found if normalise(match.group("name")) in pins]
    return next(iter(pinned or found), None)


def _readable(match: re.Match[str], pins: dict[str, str]) -> str:
    return pins.get(normalise(match.group("name")), f"{match.group('name')}{match.group('range')}")


def _pip_unmatched(requirement: str, output: str, request: ResolveRequest, pins: dict[str, str]) -> str:
    name = re.split(r"[<>=!~\[]", requirement, maxsplit=1)[0]
    readable = pins.get(normalise(name), requirement)
    if re.search(rf"{re.escape(name)}\S* \(from versions: none\)", output) and normalise(name) not in pins:
        return f"{readable} has no wheel for {_target(request)}" if request.only_binary else f"there is no {readable}"
    python = re.search(r"Ignored the following versions that require a different python version: (.*)", output)
    if python and (needs := re.search(r"Requires-Python (\S+)", python.group(1))):
        return f"{readable} needs Python {needs.group(1).rstrip(';')}"
    if request.only_binary:
        return f"{readable} has no wheel for {_target(request)}"
    return f"no release of {readable} for {_target(request)}"


def _pip_conflict(output: str) -> str:
    lines = itertools.dropwhile(
        lambda line: not line.startswith("The conflict is caused by"), map(str.strip, output.splitlines())
    )
    if next(lines, None) is None:
        return _tail(output)
    user = r"^The user requested (?:\(constraint\) )?"
    causes = [re.sub(user, "the cell requires ", line) for line in itertools.takewhile(bool, lines)]
    return _short(", but ".join(causes[:2]))


def _network_reason(output: str) -> str:
    causes = [line.strip() for line in output.splitlines() if NETWORK.search(line)]
    first = re.sub(r"^(?:error|cause|warning):\s*", "", causes[0], flags=re.IGNORECASE)
    last = re.sub(r"^(?:error|cause|warning):\s*", "", output.strip().splitlines()[-1].strip(), flags=re.IGNORECASE)
    detail = first if last == first or not NETWORK.search(last) else f"{first} ({last})"
    return _short(f"the package index could not be reached: {detail}")


def _without_hints(text: str) -> str:
    return re.split(r"\n\s*\n?hint:", text)[0]


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"^\s*(?:error|cause):", " ", text, flags=re.MULTILINE)).strip()


def _last_sentence(text: str) -> str:
    last = re.split(r"(?:^|[.:] |\s)(?:And because|Because) ", text)[-1]
    return _short(re.sub(r",? we can conclude that .*$", "", last).strip(" ."))


def _tail(text: str) -> str:
    lines = [
        line.strip() for line in text.strip().splitlines() if line.strip() and not line.strip().startswith("hint:")
    ]
    errors = [line for line in lines if re.match(r"(?:error|ERROR)[:\s]", line)] or lines
    return _short(re.sub(r"^(?:error|ERROR):?\s*", "", errors[-1] if errors else "the resolver printed nothing"))


def _short(text: str) -> str:
    flat = re.sub(r"\s+", " ", text)
    return flat if len(flat) <= MAX_REASON_LENGTH else flat[: MAX_REASON_LENGTH - 1] + "…"
