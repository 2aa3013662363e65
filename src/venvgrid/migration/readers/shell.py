"""Splits the scripts of a shell into plain commands; what only a shell understands stays a text. Nothing is run.

`FOO=1 pytest` becomes `env FOO=1 pytest`, and so does a command after `export FOO=1`.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from venvgrid.migration.readers.substitution import UNAVAILABLE
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SHELLS = frozenset({"bash", "sh", "zsh", "dash"})
_OPENS = frozenset({"if", "for", "while", "until", "case", "select", "function", "{"})
_CLOSES = frozenset({"fi", "done", "esac", "}"})
_FUNCTION = re.compile(r"[\w-]+\s*\(\)")
_IF_FILE = re.compile(
    r"if\s+(?:\[\[?|test)\s+-[ef]\s+[\"']?(?P<file>[\w./-]+)[\"']?\s*(?:\]\]?)?\s*;?\s*then\s(?P<inner>.*?);?\s*\bfi",
    re.DOTALL,
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
# Where output goes says nothing about what runs.
_TO_NOWHERE = re.compile(r"\s*(?:\d?>&\d|(?:\d|&)?>>?\s*/dev/null)|\|\s*(?:cat|tee)\b[^|]*$")
_EXPANDED = re.compile(r"'[^']*'|\$\{(\w+)\}|\$(\w+)|\$\([^)]*\)|\$\{[^}]*\}|`[^`]*`")
_HERE = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")
_KEPT = re.compile(r"echo\s+[\"']?(\w+)=(.*?)[\"']?\s*>>\s*[\"']?\$\{?GITHUB_ENV\}?[\"']?")
_TOLD = re.compile(r">>\s*[\"']?\$\{?GITHUB_(?:OUTPUT|STEP_SUMMARY|PATH)\}?")
_ACTIVATION = re.compile(r"(?:source|\.)\s+\S*(?:activate\S*|\$\{?VENV\}?)")
# What a text does that only a shell understands.
_INSTALLS = re.compile(
    r"\b(?:pip3?|uv|conda|mamba|micromamba|poetry|pdm|pipenv|easy_install|pip-sync|pipx)\s"
    r"|setup\.py (?:install|develop)"
)
_TESTS = re.compile(
    r"\b(?:pytest|py\.test|unittest|nosetests|nose2|trial|stestr|tox|nox|runtests?|run_tests?)\b|\btest\.py\b"
)
_OPERATORS = frozenset({"|", "||", "&", "<", ">", ">>", "!", "(", ")", "eval", "exec", "trap", "unset", "alias"})


@dataclass(frozen=True, slots=True)
class Line:
    """A command of a script: `argv`, or () where only a shell understands the `text`."""

    argv: tuple[str, ...]
    text: str


def lines(
    script: str,
    env: Mapping[str, str],
    kept: dict[str, str] | None = None,
    is_file: Callable[[str], bool] | None = None,
) -> Iterator[Line]:
    """Yield the commands of a script; `env` has the variables that are known.

    Variables that a script keeps for the steps of GitHub after it are added to `kept`. `is_file` decides what
    `if [ -f FILE ]; then … fi` does.
    """
    known = {"PWD": ".", "GITHUB_WORKSPACE": ".", **env}
    exported: dict[str, str] = {}
    for text in _statements(script.replace("\\\n", " ")):
        if is_file is not None and (found := _IF_FILE.fullmatch(text)) is not None and "else" not in found["inner"]:
            if is_file(found["file"]):
                yield from lines(found["inner"], {**known, **exported}, kept, is_file)
            continue
        if (found := _KEPT.fullmatch(text)) is not None and kept is not None:
            kept[found[1]] = _expanded(found[2], known)
        elif text.startswith("#") or _TOLD.search(text) or _ACTIVATION.fullmatch(text):
            continue
        else:
            words = _words(text, known)
            if words and words[0] in {"set", ":"}:
                continue
            if words and all(_ASSIGNMENT.fullmatch(word) for word in words):
                known |= dict(word.split("=", 1) for word in words)
            elif words and words[0] == "export" and all(_ASSIGNMENT.fullmatch(word) for word in words[1:]):
                exported |= dict(word.split("=", 1) for word in words[1:])
                known |= exported
            else:
                yield Line(_with_variables(words, exported), text)


def _with_variables(words: tuple[str, ...], exported: Mapping[str, str]) -> tuple[str, ...]:
    own = next((at for at, word in enumerate(words) if not _ASSIGNMENT.fullmatch(word)), len(words))
    variables = (*(f"{name}={value}" for name, value in exported.items()), *words[:own])
    return ("env", *variables, *words[own:]) if words and variables and words[own] != "cd" else words


def _words(text: str, known: Mapping[str, str]) -> tuple[str, ...]:
    """Return the words of a plain command, or ()."""
    plain = _TO_NOWHERE.sub("", text)
    first = re.split(r"[\s;]", plain, maxsplit=1)[0]
    if "\n" in plain or first in _OPENS or first.startswith("(") or _FUNCTION.match(plain) or _HERE.search(plain):
        return ()
    try:
        words = shlex.split(_expanded(plain, known), comments=True)
    except ValueError:  # an open quote
        return ()
    if any(word in _OPERATORS or re.match(r"\d?>>?(?!=)\S", word) for word in words) or words[:1] == ["export"] > words:
        return ()
    return tuple(words)


def _expanded(text: str, known: Mapping[str, str]) -> str:
    """Replace variables, except in single quotes; a value that only a shell knows becomes UNAVAILABLE."""

    def one(found: re.Match[str]) -> str:
        if found[0].startswith("'"):
            return found[0]
        return known.get(found[1] or found[2] or "", UNAVAILABLE)

    return _EXPANDED.sub(one, text)


def _statements(script: str) -> Iterator[str]:
    """Split a script at ends of lines, `;` and `&&`; a block such as `if … fi` stays whole."""
    start, depth, until = -1, 0, ""
    for begin, end in _parts(script):
        text = script[begin:end].strip()
        if until:
            until = "" if text == until else until
        elif text:
            start = begin if start < 0 else start
            depth += _opened(text)
            until = here[1] if (here := _HERE.search(text)) else ""
        if start >= 0 and depth <= 0 and not until:
            yield script[start:end].strip()
            start, depth = -1, 0
    if start >= 0:
        yield script[start:].strip()


def _opened(text: str) -> int:
    """Return how many blocks a part of a script opens, less those that it closes."""
    words = [re.split(r"[\s(]", text, maxsplit=1)[0], *re.findall(r"^(?:then|do|else)\s+(\w+|\{)", text)]
    opened = sum(word in _OPENS for word in words) - sum(word in _CLOSES for word in words)
    return opened + (1 if _FUNCTION.match(text) and "{" in text and words[0] not in _OPENS else 0)


def _parts(script: str) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the parts of a script between separators outside of quotes and parentheses."""
    begin, at, quote, level = 0, 0, "", 0
    while at < len(script):
        letter = script[at]
        if quote:
            at += 1 if letter == "\\" and quote == '"' else 0
            quote = "" if letter == quote else quote
        elif letter == "\\":
            at += 1
        elif letter == "#" and script[at - 1 : at].strip() == "":
            at = next((place for place in range(at, len(script)) if script[place] == "\n"), len(script)) - 1
        elif letter in "\"'`":
            quote = letter
        elif letter in "()":
            level += 1 if letter == "(" else -1
        elif level <= 0 and (letter in ";\n" or script.startswith("&&", at)):
            yield begin, at
            at += 1 if letter == "&" else 0
            begin = at + 1
        at += 1
    yield begin, len(script)


def needs_a_shell(text: str) -> str:
    """Return what an unreadable text does that must not be left to a shell: "installs", "tests" or ""."""
    if _INSTALLS.search(text):
        return "installs"
    return "tests" if _TESTS.search(text) else ""
