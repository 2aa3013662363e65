"""Substitution of braces in the files of tox and hatch, for one environment. Nothing is executed.

`{posargs:DEFAULT}` and `{args:DEFAULT}` become their defaults; `{env:NAME:DEFAULT}` too, unless the source sets the
variable. The name of the environment becomes `{cell}`, and a program of the environment's folder its plain name. A word
with a folder that only the runner has is dropped if it only says where reports go; else the environment is lost.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable  # noqa: TC003  (a field of a dataclass)
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from venvgrid.migration.model import Notes

# They represent our placeholders while braces are literal text.
CELL, PYTHON, TMP, PROJECT = "\ue000", "\ue001", "\ue004", "\ue005"
_PLACEHOLDERS = {CELL: "{cell}", PYTHON: "{python}", TMP: "{tmp}", PROJECT: "{project}"}
UNAVAILABLE, SITE = "\ue002", "\ue003"
MAX_DEPTH = 20
_FLAGS = frozenset({"-q", "-qq", "-v", "-vv", "-x", "-s", "-l", "-ra", "-rA", "--strict-markers"})
MAX_BRACES = 10_000  # braces of an environment
_ROOTS = frozenset({"toxinidir", "tox_root"})
# Folders of an environment: tests that run in one of them want a folder that is not the checkout.
_ELSEWHERE = frozenset({"envdir", "env_dir", "toxworkdir", "work_dir", "envlogdir", "env_log_dir", "temp_dir"})
_SAME = {"/": "/", ":": ":", "envtmpdir": TMP, "env_tmp_dir": TMP, "root": ".", "envname": CELL, "env_name": CELL}
_SAME |= {"root:uri": "file:.", "root:real": ".", "pythonsitepackages": UNAVAILABLE}
_SAME |= dict.fromkeys(("envsitepackagesdir", "env_site_packages_dir"), SITE)
# The folder of programs is first in PATH.
_PROGRAMS = re.compile(
    r"(?:\{(?:envbindir|env_bin_dir)\}(?:/|\{/\})|\{(?:env_dir|envdir)\}(?:/|\{/\})bin(?:/|\{/\}))(?=[\w.-]+(?:\s|$))"
)
# Options of pytest that say where reports go, and what is measured.
_REPORTS = re.compile(
    r"--(?:basetemp|junit-?xml|junit-prefix|cov|html|log-file|json|report|resultlog|alluredir|css|profile|benchmark)"
)
_ALWAYS = frozenset(
    {"HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "PWD", "TMPDIR", "TEMP", "USERPROFILE"}
)  # are set
_SAME |= {"envpython": PYTHON, "env_python": PYTHON, "basepython": PYTHON, "base_python": PYTHON, "home": "~"}


@dataclass(slots=True)
class Substitution:
    """Substitutes braces; `reference` returns the text of a key of a section. Too many braces become UNAVAILABLE.

    `variable` returns the text of a variable that the source sets. `root` is written for the folder of the source, and
    `elsewhere` for a folder of the environment.
    """

    reference: Callable[[str, str], str | None] = lambda _section, _key: None
    variable: Callable[[str], str | None] = lambda _name: None
    root: str = "."
    elsewhere: str = UNAVAILABLE
    within: tuple[str, ...] = ()  # the variables whose texts are being substituted: none stands for itself
    left: int = MAX_BRACES

    def substitute(self, text: str, depth: int = 0) -> str:
        """Return a text with all braces substituted."""
        text = _PROGRAMS.sub("", text)
        out, position = [], 0
        while position < len(text):
            if text[position] == "\\" and text[position + 1 : position + 2] in {"{", "}", "#"}:
                out.append(text[position + 1])
                position += 2
            elif text[position] == "{" and (end := _closing(text, position)) > 0:
                out.append(self._one(text[position + 1 : end], depth))
                position = end + 1
            else:
                out.append(text[position])
                position += 1
        return "".join(out)

    def _one(self, inner: str, depth: int) -> str:
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            return UNAVAILABLE
        name, colon, default = inner.partition(":")
        if inner in _SAME:
            return _SAME[inner]
        if inner in _ROOTS:
            return self.root
        if inner in _ELSEWHERE and self.elsewhere != UNAVAILABLE:
            return self.elsewhere
        variable = ""
        if name == "env":
            variable, colon, default = default.partition(":")
            if (known := self.variable(variable) if variable not in self.within else None) is not None:
                before, self.within = self.within, (*self.within, variable)
                filled = self.substitute(known, depth + 1)
                self.within = before
                return filled
        if name == "env" and not colon and variable in _ALWAYS:
            return UNAVAILABLE
        if name in {"posargs", "args", "env", "tty"}:
            return self.substitute(default, depth + 1) if colon and name != "tty" else ""
        found = re.fullmatch(r"(?:\[(?P<section>[^\]]+)\])?(?P<key>[\w-]+)", inner)
        known = self.reference(found["section"] or "", found["key"]) if found else None
        return self.substitute(known, depth + 1) if known is not None else UNAVAILABLE


def _closing(text: str, start: int) -> int:
    """Return the position of the closing brace, or -1."""
    level = 0
    for position in range(start, len(text)):
        level += {"{": 1, "}": -1}.get(text[position], 0)
        if level == 0:
            return position
    return -1


def split_command(line: str, notes: Notes, where: str) -> tuple[str, ...]:
    """Split a command into words, with our placeholders."""
    try:
        parts = shlex.split(line, comments=False)
    except ValueError:
        notes.lose(f"{where}: the command `{display(line)[:100]}` has an open quote")
        return ()
    return words(parts)


def words(parts: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a command, with our placeholders, and without tox's marks."""
    found = list(parts)
    found[:1] = ["pytest" if word == "py.test" else word for word in found[:1]]
    while found and found[0] in {"-", "!"}:
        found = found[1:]
    if found and re.fullmatch(r"-[A-Za-z{/.][^ ]*", found[0]):  # "-pytest": tox ignores its status
        found[0] = found[0][1:]
    return tuple(map(escape, found))


def drop_unavailable(parts: Sequence[str], notes: Notes, where: str, *, is_test: bool = True) -> tuple[str, ...]:
    """Return a command without words that only the source's runner can resolve; they are noted, or lost."""
    found: list[str] = []
    for part in parts:
        measured = (found[-1:] or [""])[0] in {"--cov", "--source"} or part.startswith(("--cov=", "--source="))
        if SITE in part and measured:  # a package by its name, in place of its folder
            option, equals, path = part.rpartition("=")
            found.append(f"{option}{equals}{path.replace(SITE, '').strip('/').replace('/', '.')}")
            continue
        if is_test and part.startswith(f"{SITE}/"):
            path = part.removeprefix(SITE).strip("/")
            found += ["--pyargs", path.removesuffix(".py").replace("/", ".")] if path else []
            continue
        is_lost = UNAVAILABLE in part or SITE in part
        if not is_lost and not (is_test and "{tmp}" in part and _is_report(part, found)):
            found.append(part)
            continue
        # Drop its option as well: that would be left without a value.
        has_option = found[-1:] and found[-1].startswith("-") and "=" not in found[-1] and found[-1] not in _FLAGS
        option = found.pop() if has_option and not part.startswith("-") else ""
        shown = f"{option} {display(part)}".strip()
        if is_test and _REPORTS.match(option or part):
            notes.add(f"{where}: {shown} is left out (a folder or setting of its runner)")
        else:
            notes.lose(f"{where}: {shown} in `{display(' '.join(parts))[:80]}` (only its runner knows the value)")
    return tuple(found)


def _is_report(part: str, before: Sequence[str]) -> bool:
    """Whether a word only says where reports go: it is such an option, or the value of one."""
    return _REPORTS.match(part if part.startswith("-") else (before[-1:] or [""])[0]) is not None


def reported(command: Sequence[str], python: str) -> tuple[str, ...]:
    """Return a command whose reports are named after the cell in place of its Python."""
    before = ("", *command)
    return tuple(
        word.replace(python, "{cell}") if python and _is_report(word, (previous,)) else word
        for previous, word in zip(before, command, strict=False)
    )


def escape(text: str) -> str:
    """Escape literal braces, and write our placeholders."""
    return with_placeholders(text.replace("{", "{{").replace("}", "}}"))


def with_placeholders(text: str) -> str:
    """Write our placeholders; other braces stay."""
    for mark, placeholder in _PLACEHOLDERS.items():
        text = text.replace(mark, placeholder)
    return text


def display(text: str) -> str:
    """Return a text for notes."""
    return with_placeholders(text.replace(UNAVAILABLE, "…").replace(SITE, "…"))
