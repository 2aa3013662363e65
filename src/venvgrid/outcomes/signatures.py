"""Signatures of failures: equal for the same failure in another cell, on another Python. Pure.

A signature is readable, and equal for the same exception at the same place: text that varies between environments or
runs (addresses, folders, times, process ids) is replaced.
"""

from __future__ import annotations

import hashlib
import re

MESSAGE_LIMIT = 500  # characters of a one-line message
SIGNATURE_LIMIT = 400

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_KIND = re.compile(r"((?:[^\W\d]\w*\.)*)([^\W\d]\w*)(?::(?:\s(.*))?)?")
_WORKER = re.compile(r"^\[\w+\] \w+ -- Python \d[^\n]*$", re.MULTILINE)  # pytest-xdist's line above a failure
_DOCTEST = re.compile(r"[^\n]+:\d+: (DocTestFailure|UnexpectedException)")
_STRICT = re.compile(r"\[XPASS\(strict\)\]\s*(.*)")
_FRAME = re.compile(
    r"^(?:((?:[A-Za-z]:)?[^\s:>][^:\n]*):(\d+)(?:: in (\S+)|:|$)|file ([^\n]+), line (\d+)$)",
    re.MULTILINE,
)
_FUNCTION = re.compile(r"^>?\s*(?:async\s+)?def\s+(\w+)", re.MULTILINE)  # the source of a function begins so
_IMPORTED = re.compile(r"^[^\s:>][^\n]*:\d+: in <module>$", re.MULTILINE)  # a module while it is imported
_UNPARSED = re.compile(r'^E +File "([^"\n]+)", line \d+$', re.MULTILINE)  # where the error of a syntax is
_CHAINED = re.compile(r"^(?:During handling of the above|The above exception was)[^\n]*$", re.MULTILINE)
_LINE = re.compile(r":\d*$")
_ABSOLUTE = re.compile(r"(?:[A-Za-z]:)?[\\/]")

# Messages that name what is missing: the place that noticed it does not matter.
_TELLING_KINDS = frozenset({"ImportError", "ModuleNotFoundError"})
_TELLING = re.compile(r"module '[\w.]+' has no attribute '\w+'|`[\w.]+` was removed in ")
_STORED = re.compile(r"[^\s\[\]'\"]*[/\\.](?:site|dist)-packages([/\\.])")
_ENVIRONMENT = re.compile(r"[^\s\[\]'\"]*[/\\]\.venvgrid[/\\]store[/\\][0-9a-f]+(?=[/\\])")

_NOT_IN_PATHS = r"\s'\"`<>|*?,;:()\[\]{}"
_PLACES = (
    (re.compile(rf"[^{_NOT_IN_PATHS}]*[/\\](?:site|dist)-packages[/\\]+"), ""),
    (re.compile(rf"[^{_NOT_IN_PATHS}]*[/\\]lib(?:64)?[/\\](?:python|pypy)\d[\w.]*[/\\]+", re.IGNORECASE), ""),
    (
        re.compile(
            rf"(?<![\w.:/\\>-])(?:[A-Za-z]:[/\\]|/|\\\\)(?:[^{_NOT_IN_PATHS}/\\]+[/\\]+)*([^{_NOT_IN_PATHS}/\\]+)[/\\]*"
        ),
        r"\1",
    ),
    (re.compile(r"\btmp[a-z0-9_]{8}\b"), "<tmp>"),
    (re.compile(r"\.(?:cpython-|cp|pypy)\d[\w-]*(?=\.(?:so|pyd|pyc)\b)"), ""),
    (re.compile(r"\b(python|pypy)\d\.\d+t?\b"), r"\1"),
)
_VOLATILE = (
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<uuid>"),
    (re.compile(r"\b0x[0-9a-fA-F]{5,}\b"), "<address>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    (re.compile(r"\b((?:localhost|\d{1,3}(?:\.\d{1,3}){3}|\[::1?\]):|port[ =:]+)\d{2,5}\b", re.IGNORECASE), r"\1<n>"),
    (re.compile(r"\b((?:pid|process|thread)[ =:#]+)\d+\b", re.IGNORECASE), r"\1<n>"),
    (
        re.compile(r"\b\d+(?:\.\d+)?(?:e-?\d+)? ?(?:ns|us|µs|ms|s|sec|secs|seconds?|minutes?|milliseconds?)\b"),
        "<duration>",
    ),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:[kKMGT]i?B|bytes)\b"), "<size>"),
    (re.compile(r"\b\d{10,}\b"), "<n>"),
    (re.compile(r"<(?:class|type) '(?:[\w<>]+\.)*(\w+)'>"), r"\1"),  # newer pytests write the name alone
    (re.compile(r"\bu(?=['\"])"), ""),  # Python 2.7 writes u'text'
    (re.compile(r"\.? ?\(?Did you (?:mean|forget)\b.*"), ""),  # newer Pythons suggest names
    (re.compile(r" ?\(consider renaming .*"), ""),
    (re.compile(r"\b(No module named|cannot import name) '?([\w.]+)'?"), r"\1 \2"),  # without quotes in Python 2.7
    (re.compile(r"\b(?:\w+\.)+(?:<locals>\.)?(\w+\(\) (?:missing|takes|got) )"), r"\1"),  # and qualify functions
    (re.compile(r"\s+"), " "),
)


def kind_and_message(crash: str, longrepr: str = "", default: str = "Failed") -> tuple[str, str]:
    """Return the class of an exception and its message in one line.

    `crash` is the exception as Python prints it ("ValueError: bad", "assert 1 == 2"). If it is "", pytest's text of
    the failure (`longrepr`) is searched for it. `default` is the kind if there is no exception.
    """
    lines = [line for line in without_escapes(crash).splitlines() if line.strip()]
    if not lines:
        text = _WORKER.sub("", without_escapes(longrepr)).splitlines()
        marked = [line[1:].strip() for line in text if re.match(r"E\s", line)]
        lines = marked or [line.strip() for line in text if line.strip()]
    if not lines:
        return default, ""
    if doctest := _DOCTEST.fullmatch(lines[-1]):
        return doctest.group(1), ""
    if strict := _STRICT.match(lines[0]):
        return "XPASS(strict)", _one_line(strict.group(1))
    if re.match(r"assert\b", lines[0].strip()):
        return "AssertionError", _one_line(lines[0])
    for line in (lines[0], *reversed(lines)):
        if found := _exception(line.strip()):
            return found[0], _one_line(found[1])
    return default, _one_line(lines[0])


def signature(kind: str, message: str, where: str, longrepr: str) -> str:
    """Return a text that is equal for the same failure in all cells and runs.

    `where` is "file:line" of the place that raised, `longrepr` pytest's text of the failure. The place is the last
    function of the project in the traceback, or else the library's file: lines move with each edit, and Pythons
    disagree about the line of a statement (that of `with`, or the last one of its body). The line counts if there is
    no message. A module that cannot be imported is one failure, whatever lines import it.
    """
    named = "ImportError" if kind == "ModuleNotFoundError" else kind  # as Python 2.7 says
    text = ": ".join(filter(None, (normalise(named), normalise(_one_line(message)))))
    is_telling = message and (kind in _TELLING_KINDS or _TELLING.search(message))
    place = "" if is_telling else _place(where, longrepr, has_line=not message)
    text = " ".join((f"{text} @ {place}" if place else text).split())
    if len(text) <= SIGNATURE_LIMIT:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{text[: SIGNATURE_LIMIT - 14]}… {digest}"


def normalise(text: str) -> str:
    """Replace text that varies between environments and runs. Idempotent."""
    text = without_escapes(text)[: 2 * MESSAGE_LIMIT]
    for _ in range(8):  # one replacement may enable another; one or two rounds are usual
        before = text
        for pattern, replacement in (*_PLACES, *_VOLATILE):
            text = pattern.sub(replacement, text)
        text = text.strip()
        if text == before:
            break
    return text


def without_environment(text: str) -> str:
    """Replace paths into an environment: they differ from cell to cell."""
    return _ENVIRONMENT.sub("<environment>", _PLACES[0][0].sub(_PLACES[0][1], text))


def stable_id(name: str) -> str:
    """Return a test's id without the place of its environment: equal in all cells that run an installed test."""
    if "-packages" in name:  # two searches of this kind took a fifth of what venvgrid itself does for a cell
        name = _STORED.sub(r"site-packages\1", name)
    return _ENVIRONMENT.sub("<environment>", name) if ".venvgrid" in name else name


def last_frame(longrepr: str) -> str:
    """Return "file:line" of the last place in pytest's text of a failure, or ""."""
    frames = _frames(longrepr)
    return frames[-1] if frames else ""


def own_frame(longrepr: str) -> str:
    """Return "file:line" of the last place of the project in pytest's text of a failure, or ""."""
    own = [frame for frame in _frames(longrepr) if _is_own(frame)]
    return own[-1] if own else ""


def _exception(line: str) -> tuple[str, str] | None:
    if (match := _KIND.fullmatch(line)) is None:
        return None
    modules, name, message = match.groups()
    if not (name[:1].isupper() or name == "error" or (modules and ":" in line)):
        return None
    return name, message or ""


def _one_line(text: str) -> str:
    line = " ".join(without_escapes(text).split())
    return line if len(line) <= MESSAGE_LIMIT else f"{line[: MESSAGE_LIMIT - 1]}…"


def without_escapes(text: str) -> str:
    """Return text without escape sequences."""
    return _ESCAPES.sub("", text)


def _frames(longrepr: str) -> list[str]:
    """Return "file:line" of each place in pytest's text of a failure."""
    return [place for place, _ in _functions(longrepr)]


def _functions(longrepr: str) -> list[tuple[str, str]]:
    """Return "file:line" and the function, or "", of each place: from a short traceback, or the source above."""
    text, end, found = without_escapes(longrepr), 0, []
    for match in _FRAME.finditer(text):
        path, line, function, file, number = match.groups()
        if not function:
            source = _FUNCTION.search(text, end, match.start())
            function = source[1] if source else ""
        found.append((f"{path or file}:{line or number}", function.strip("<>")))
        end = match.end()
    return found


def _place(where: str, longrepr: str, *, has_line: bool) -> str:
    if imported := _imported(longrepr):
        where, longrepr = imported
    functions = _functions(longrepr)
    own = where if where and _is_own(where) else next((place for place, _ in reversed(functions) if _is_own(place)), "")
    if not own:
        return normalise(_LINE.sub("", where))
    if has_line:
        return own.replace("\\", "/")
    file = _LINE.sub("", own)  # pytest may say two lines of one statement
    named = {place: name for place, name in functions if _LINE.sub("", place) == file}
    function = named.get(own, next(reversed(named.values()), ""))
    return " > ".join(filter(None, (file.replace("\\", "/"), function if function != "module" else "")))


def _imported(longrepr: str) -> tuple[str, str] | None:
    """Return where the import of a module raised, and the traceback from that module on; None if none was imported.

    Who imports a broken module first is chance: the lines that led to it do not count.
    """
    text = _CHAINED.split(without_escapes(longrepr))[-1]
    modules = list(_IMPORTED.finditer(text))
    if not modules:
        return None
    rest = text[modules[-1].start() :]
    if unparsed := _UNPARSED.search(rest):
        return unparsed[1], ""
    return [frame for frame in _frames(rest) if not frame.startswith("<")][-1], rest


def _is_own(place: str) -> bool:
    """Whether "file:line" is the project's: relative to the folder of the tests, and not installed."""
    outside = _ABSOLUTE.match(place) or place.startswith((".." + "/", "..\\", "<"))
    return not (outside or re.search(r"(?:site|dist)-packages[/\\]|[/\\]lib[/\\]python\d", place))
