"""The reasons of a failed resolve in readable lines, from the output of uv and pip. Pure.

A reason is a candidate: the proof names several distributions. `resolving.impossibility` checks them in order.

The patterns fit uv 0.13 and pip 20.3, 24 and 26. Other output is shortened to the resolver's last sentence.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.installers import sentences
from venvgrid.installers.base import (
    Cause,
    CauseKind,
    ResolveFailed,
    ResolveRequest,
    ResolveResult,
    Unresolvable,
)
from venvgrid.model.names import normalise
from venvgrid.processes.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_WORDS = 6_000  # characters of a resolver's output
NETWORK = re.compile(
    r"error sending request|Failed to fetch|dns error|name resolution|Connection refused|connection reset|timed out"
    r"|HTTP status (?:server|client) error|NewConnectionError|Max retries exceeded|ReadTimeoutError|SSLError|ProxyError"
    r"|certificate verify failed|invalid peer certificate|HTTP error \d{3}|Network is unreachable|ConnectTimeout"
    r"|connection-failed",
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
_NO_VERSIONS = re.compile(r"there (?:is|are) no versions? of (?P<name>[A-Za-z0-9][A-Za-z0-9._-]*?)(?=[<>=!~,.\s]|$)")
_YANKED = re.compile(_NAME + _RANGE + r" (?:was|were) yanked")
_BROKEN = re.compile(_NAME + _RANGE + r" (?:has|have) an invalid package format")
_UNREADABLE = re.compile(_NAME + _RANGE + r" (?:has|have) invalid metadata")
_UNREADABLE_LINE = re.compile(r"Metadata for `(?P<name>[^`]+)` \(v[^)]+\) could not be parsed:\n.*\n +(?P<line>\S.*)\n")
_FIRST_INDEX = re.compile(r"`(?P<name>[^`]+)` was found on (?P<index>\S+), but not at the requested version")
_NOT_BUILT = re.compile(r"Building source distributions for `([^`]+)` is disabled")
_ONLY_AVAILABLE = re.compile(
    r"only (?:the following versions of )?(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*?)(?:[<>=!~]\S*)? (?:is|are) available"
)
_REQUIRED = re.compile(r"(?:you require|and) " + _NAME + r"(?=[<>=!~])")
_MARKER = re.compile(r"(?<=[\w.\]-])\{[^{}]*\}")  # pywin32{sys_platform == 'win32'}==306
PRE_RELEASE = re.compile(r"\d(?:a|b|rc|\.?dev)\d")
_DEPENDS = re.compile(
    r"(?P<who>\S+) depends? on (?P<name>(?!Python)[A-Za-z0-9][A-Za-z0-9._-]*?)(?P<range>[<>=!~][^\s]*?)(?:,? |,?$)"
)


def from_uv(request: ResolveRequest, stderr: str) -> ResolveResult:
    """Return the result of a failed `uv pip compile`."""
    return replace(_from_uv(request, stderr), words=_words(stderr))


def _from_uv(request: ResolveRequest, stderr: str) -> Unresolvable | ResolveFailed:
    text = _MARKER.sub("", sentences.flat(sentences.without_hints(stderr)))
    if "No solution found" not in text and (match := _NOT_BUILT.search(stderr)):
        way_out = f'allow it with install.source-builds = ["{match[1]}"]'
        return ResolveFailed(reason=f"{match[1]} must be built from source: {way_out}")
    if "No solution found" not in text:
        return ResolveFailed(reason=_network_reason(stderr) if NETWORK.search(stderr) else sentences.tail(stderr))
    if "network was disabled" in stderr or "was not found in the cache" in text:
        return ResolveFailed(
            reason=f"offline, and not in the cache: {sentences.last_sentence(text)}; run once without --offline"
        )
    pins = readable_pins(request)
    causes = (*_of_first_index(stderr, pins), *_unreadable(stderr, text), *_causes(text, request, pins))
    proof = sentences.first_sentence(text)
    return Unresolvable(reason=causes[0].reason if causes else proof, causes=causes, proof=proof)


def from_pip(request: ResolveRequest, output: str) -> ResolveResult:
    """Return the result of a failed `pip install --dry-run` or `pip download`."""
    return replace(_from_pip(request, output), words=_words(output))


def _words(output: str) -> str:
    """Return the resolver's words: its last lines, without secrets in URLs."""
    return redact(output.strip()[-MAX_WORDS:])


def _from_pip(request: ResolveRequest, output: str) -> Unresolvable | ResolveFailed:
    if NETWORK.search(output):
        return ResolveFailed(reason=_network_reason(output))
    pins = readable_pins(request)
    causes = tuple(_pip_causes(output, request, pins))
    if causes or "conflicting dependencies" in output or "ResolutionImpossible" in output:
        proof = causes[0].reason if causes else sentences.tail(output)
        return Unresolvable(reason=proof, causes=causes, proof=proof)
    python = re.search(r"Package '([^']+)' requires a different Python: \S+ not in '([^']+)'", output)
    if python:
        return Unresolvable(reason=f"{python.group(1)} needs Python {python.group(2)}")
    return ResolveFailed(reason=sentences.tail(output))


def describe(interpreter_name: str, version: str, platform: str) -> str:
    """Return the readable name of an interpreter: "CPython 3.9 on linux-x86_64"."""
    names = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalPy"}
    return f"{names.get(interpreter_name, interpreter_name)} {'.'.join(version.split('.')[:2])} on {platform}"


def target_of(request: ResolveRequest) -> str:
    """Return the readable name of the interpreter of a request."""
    interpreter = request.interpreter
    return describe(interpreter.implementation, interpreter.version, interpreter.platform)


def readable_pins(request: ResolveRequest) -> dict[str, str]:
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


def _causes(text: str, request: ResolveRequest, pins: dict[str, str]) -> Iterator[Cause]:
    """Yield what uv's proof blames: missing files of pins before those of dependencies, then conflicts."""
    depended = {normalise(match["name"]): match["range"].rstrip(",") for match in _DEPENDS.finditer(text)}

    def cause(kind: CauseKind, match: re.Match[str], reason: str) -> Cause:
        name = normalise(match["name"])
        wanted = depended.get(name, "") if name not in pins else ""
        shown = pins.get(name) or (match["name"] if PRE_RELEASE.search(wanted) else f"{match['name']}{wanted}")
        return Cause(kind=kind, name=name, reason=reason.format(shown), range=wanted)

    found = [
        cause(CauseKind.NO_WHEEL, it, f"{{}} has no wheel for {target_of(request)}") for it in _all(_NO_WHEEL, text)
    ]
    found += [cause(CauseKind.PYTHON, it, f"{{}} needs Python {it['python']}") for it in _all(_NEEDS_PYTHON, text)]
    found += [
        cause(CauseKind.GONE, it, f"the package index has no distribution named {it['name']}")
        for it in _all(_NOT_FOUND, text)
    ]
    found += [
        cause(CauseKind.GONE, it, f"the package index has no files of {it['name']}") for it in _all(_NO_VERSIONS, text)
    ]
    found += [cause(CauseKind.ONLY, it, "{} was yanked from the index") for it in _all(_YANKED, text)]
    found += [
        cause(CauseKind.BROKEN, it, f"the index gave a file of {it['name']}{it['range']} that is no whole wheel")
        for it in _all(_BROKEN, text)
    ]
    yield from sorted(found, key=lambda item: item.name not in pins)
    yield from _conflicts(text, request, pins)
    when = f" as of {request.cutoff[:10]}" if request.cutoff else ""
    for match in _all(_ONLY_AVAILABLE, text):
        name = normalise(match["name"])
        wanted = pins.get(name, "").partition(" ")[2] or depended.get(name, "")
        if wanted:
            yield cause(CauseKind.ONLY, match, f"no release of {match['name']} matches {wanted}{when}")
    for match in _all(_REQUIRED, text):
        if normalise(match["name"]) in pins:
            yield cause(CauseKind.CONFLICT, match, sentences.first_sentence(text).replace("{", "{{").replace("}", "}}"))


def _of_first_index(stderr: str, pins: dict[str, str]) -> Iterator[Cause]:
    """Yield what uv did not find because it asks only the first index that has a name."""
    wanted = {
        normalise(match["name"]): match["range"]
        for match in _DEPENDS.finditer(sentences.flat(sentences.without_hints(stderr)))
    }
    for match in _all(_FIRST_INDEX, sentences.flat(stderr)):
        name = normalise(match["name"])
        bound = "" if name in pins else wanted.get(name, "")
        place = f"{redact(match['index'])}, the first index that has {name}"
        reason = f"{pins.get(name, name + bound)} is not in {place}, and uv asks no other"
        yield Cause(kind=CauseKind.ONLY, name=name, reason=sentences.short(reason), range=bound)


def _unreadable(stderr: str, text: str) -> Iterator[Cause]:
    """Yield the releases that uv left out because of requirements such as `pytz (>=2011k)`, which pip reads."""
    lines = {normalise(match["name"]): match["line"].strip() for match in _UNREADABLE_LINE.finditer(f"{stderr}\n")}
    for match in _all(_UNREADABLE, text):
        name = normalise(match["name"])
        line = f", `{lines[name]}`" if name in lines else ""
        reason = f"uv cannot read what {name}{match['range']} requires{line}; try it with pip: VENVGRID_INSTALLER=pip"
        yield Cause(kind=CauseKind.UNREADABLE, name=name, reason=sentences.short(reason))


def _all(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    return list({normalise(match["name"]): match for match in reversed(list(pattern.finditer(text)))}.values())[::-1]


def _conflicts(text: str, request: ResolveRequest, pins: dict[str, str]) -> Iterator[Cause]:
    """Yield the requirements of dependencies that contradict a pin, a constraint, or each other."""
    limits = {
        normalise(match[1]): line for line in request.constraints if (match := re.match(r"([A-Za-z0-9._-]+)", line))
    }
    seen: dict[str, str] = {}
    for match in _DEPENDS.finditer(text):
        name = normalise(match["name"])
        needs = f"{match['who'].replace('==', ' ')} needs {match['name']}{match['range'].rstrip(',')}"
        if name in pins:
            reason = f"{needs}, but the cell has {pins[name]}"
        elif name in limits:
            reason = f"{needs}, but the constraints say {limits[name]}"
        elif seen.get(name, needs) != needs:
            reason = f"{seen[name]}, but {needs}"
        else:
            seen[name] = needs
            continue
        who = normalise(re.split(r"[<>=!~\[ ]", match["who"])[0])
        yield Cause(kind=CauseKind.CONFLICT, name=name, reason=sentences.short(reason), who=who)


def refused_index(output: str) -> str:
    """Return which index refused to answer, by uv's hints, or ""."""
    match = _UNAUTHORISED.search(output)
    return f"index failure: {redact(match[1])} refused to answer ({match[2]})" if match else ""


def _pip_causes(output: str, request: ResolveRequest, pins: dict[str, str]) -> Iterator[Cause]:
    unmatched = re.search(r"No matching distribution found for ([^\s;(]+)", output)
    if unmatched:
        name = re.match(r"[A-Za-z0-9._-]+", unmatched[1])
        is_gone = bool(
            re.search(rf"satisfies the requirement {re.escape(unmatched[1])}.*\(from versions: none\)", output)
        )
        key = normalise(name[0]) if name else ""
        wanted = "" if key in pins or not name else re.sub(r"^\[[^\]]*\]", "", unmatched[1][name.end() :])
        reason = _pip_unmatched(unmatched[1], output, request, pins)
        yield Cause(kind=CauseKind.GONE if is_gone else CauseKind.NO_WHEEL, name=key, reason=reason, range=wanted)
    missing = re.search(r"no matching distributions available for your environment:\s*\n((?:[ \t]+\S+\n)+)", output)
    for word in missing[1].split() if missing else ():
        key = normalise(word)
        reason = f"{pins.get(key, word)} has no wheel for {target_of(request)}"
        yield Cause(kind=CauseKind.NO_WHEEL, name=key, reason=reason)
    if "The conflict is caused by" in output:
        reason = _pip_conflict(output)
        for name in dict.fromkeys(
            re.findall(r"(?:depends on|requested(?: \(constraint\))?|requires) ([A-Za-z0-9._-]+)", output)
        ):
            yield Cause(kind=CauseKind.CONFLICT, name=normalise(name), reason=reason)


def _pip_unmatched(requirement: str, output: str, request: ResolveRequest, pins: dict[str, str]) -> str:
    name = re.split(r"[<>=!~\[]", requirement, maxsplit=1)[0]
    readable = pins.get(normalise(name), requirement)
    if re.search(rf"{re.escape(name)}\S* \(from versions: none\)", output) and normalise(name) not in pins:
        return f"{readable} has no wheel for {target_of(request)}" if request.only_binary else f"there is no {readable}"
    python = re.search(r"Ignored the following versions that require a different python version: (.*)", output)
    if python and (needs := re.search(r"Requires-Python (\S+)", python.group(1))):
        return f"{readable} needs Python {needs.group(1).rstrip(';')}"
    if request.only_binary:
        return f"{readable} has no wheel for {target_of(request)}"
    return f"no release of {readable} for {target_of(request)}"


def _pip_conflict(output: str) -> str:
    lines = itertools.dropwhile(
        lambda line: not line.startswith("The conflict is caused by"), map(str.strip, output.splitlines())
    )
    if next(lines, None) is None:
        return sentences.tail(output)
    user = r"^The user requested (?:\(constraint\) )?"
    causes = [re.sub(user, "the cell requires ", line) for line in itertools.takewhile(bool, lines)]
    others = [line for line in causes[1:] if line.split()[0] != causes[0].split()[0]] or causes[1:]
    return sentences.short(", but ".join([*causes[:1], *others[:1]]))  # the next versions of the first one say the same


def _network_reason(output: str) -> str:
    causes = [line.strip() for line in output.splitlines() if NETWORK.search(line)]
    first = re.sub(r"^(?:error|cause|warning):\s*", "", causes[0], flags=re.IGNORECASE)
    last = re.sub(r"^(?:error|cause|warning):\s*", "", output.strip().splitlines()[-1].strip(), flags=re.IGNORECASE)
    detail = first if last == first or not NETWORK.search(last) else f"{first} ({last})"
    return sentences.short(f"the package index could not be reached: {detail}")
